/** A model endpoint that answers by what it is asked: at once, or, where the text says "slowly", when it is let go. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface TalkingModel {
  /** For `config.models.personality`. */
  config: { provider: "openai-compatible"; baseUrl: string; model: string };
  /** Requests that wait now. */
  waiting(): number;
  /** From now on nothing waits. */
  letGo(): void;
}

export const answerOf = (text: string): string => `You said: ${text}.`;

export async function startTalkingModel(): Promise<TalkingModel> {
  const held = new Set<() => void>();
  let isFree = false;
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const { messages } = JSON.parse(body || "{}") as { messages?: { role: string; content: string }[] };
    const content = messages?.findLast(({ role }) => role === "user")?.content ?? "";
    // What a person wrote stands behind what the program says about it.
    const text = content.split("</message-context>\n\n").at(-1) ?? "";
    response.writeHead(200, { "content-type": "text/event-stream" });
    const answer = (): void => {
      held.delete(answer);
      send(response, { choices: [{ index: 0, delta: { content: answerOf(text) }, finish_reason: "stop" }] });
      send(response, { choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } });
      response.end("data: [DONE]\n\n");
    };
    if (isFree || !text.includes("slowly")) return answer();
    held.add(answer);
    response.on("close", () => held.delete(answer));
    send(response, { choices: [{ index: 0, delta: { content: "" }, finish_reason: null }] });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  return {
    config: { provider: "openai-compatible", baseUrl: `http://127.0.0.1:${port}/v1`, model: "talker" },
    waiting: () => held.size,
    letGo() {
      isFree = true;
      for (const answer of [...held]) answer();
    },
  };
}

function send(response: ServerResponse, data: object): void {
  const base = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "talker" };
  response.write(`data: ${JSON.stringify({ ...base, ...data })}\n\n`);
}
