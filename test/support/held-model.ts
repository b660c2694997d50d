/** A chat endpoint that gives whole answers, or stops at a chosen byte of one and waits. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface HeldRequest {
  /** The last message of a person. */
  question: string;
  /** Results of tools after it. */
  results: string[];
}

export interface HeldModel {
  baseUrl: string;
  requests: HeldRequest[];
  /** The next answer that holds this marker ends right before it, or that many bytes further on, and waits. */
  holdAt(marker: string, bytesFurther?: number): Promise<void>;
}

export async function startHeldModel(answer: (request: HeldRequest) => string[]): Promise<HeldModel> {
  const requests: HeldRequest[] = [];
  let hold: { marker: string; bytesFurther: number; reached(): void } | null = null;
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const asked = readRequest(body);
    requests.push(asked);
    const bytes = Buffer.from(answer(asked).join(""));
    response.writeHead(200, { "content-type": "text/event-stream" });
    const found = hold === null ? -1 : bytes.indexOf(hold.marker);
    if (hold === null || found === -1) {
      response.end(bytes);
      return;
    }
    const { bytesFurther, reached } = hold;
    hold = null;
    response.flushHeaders();
    const part = bytes.subarray(0, found + bytesFurther);
    if (part.length === 0) reached();
    else response.write(part, () => reached());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    holdAt(marker, bytesFurther = 0) {
      return new Promise((resolve) => {
        hold = { marker, bytesFurther, reached: resolve };
      });
    },
  };
}

function readRequest(body: string): HeldRequest {
  const { messages } = JSON.parse(body) as { messages: { role: string; content: string | null }[] };
  const last = messages.findLastIndex(({ role }) => role === "user");
  return {
    question: messages[last]?.content ?? "",
    results: messages.slice(last + 1).flatMap(({ role, content }) => (role === "tool" ? [content ?? ""] : [])),
  };
}

/** One server-sent event of an answer. */
export function delta(delta: object, finish: string | null = null): string {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  return `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "held", choices })}\n\n`;
}

export function callDelta(index: number, call: { id?: string; name?: string; arguments: string }): string {
  const { id, ...fn } = call;
  return delta({ tool_calls: [{ index, ...(id ? { id, type: "function" } : {}), function: fn }] });
}

export const doneMark = "data: [DONE]\n\n";
