/** A model endpoint that speaks the OpenAI chat wire format and does what a function says. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface SeenMessage {
  role: string;
  content: string | null;
}

export interface SeenRequest {
  /** The conversation without the system prompt. */
  messages: SeenMessage[];
  /** Bytes of the list of tools, and of everything before it that a cache begins with. */
  tools: string;
  system: string;
}

/** What it does next: says something, or calls tools. */
export type Move = string | { name: string; input: unknown }[];

export interface DecidingModel {
  /** For `config.models.personality`. */
  config: { provider: "openai-compatible"; baseUrl: string; model: string };
  requests: SeenRequest[];
}

/**
 * `decide` gets the text that the person wrote last, without what stands before it for context, and the texts of the
 * results that came after it.
 */
export async function startDecidingModel(decide: (asked: string, results: string[]) => Move): Promise<DecidingModel> {
  const requests: SeenRequest[] = [];
  let calls = 0;
  const server = createServer(async (request, response) => {
    if (request.url?.endsWith("/models")) {
      response.writeHead(200, { "content-type": "application/json" });
      return response.end(JSON.stringify({ object: "list", data: [{ id: "decider", object: "model" }] }));
    }
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    const body = JSON.parse(text) as { messages: SeenMessage[]; tools?: unknown };
    const messages = body.messages.filter(({ role }) => role !== "system");
    const system = body.messages.find(({ role }) => role === "system")?.content ?? "";
    requests.push({ messages, tools: JSON.stringify(body.tools ?? []), system });
    const last = messages.findLastIndex(({ role }) => role === "user");
    const results = messages.slice(last + 1).flatMap(({ role, content }) => (role === "tool" ? [content ?? ""] : []));
    const move = decide(messages[last]?.content ?? "", results);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (data: object): void => {
      const base = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "decider" };
      response.write(`data: ${JSON.stringify({ ...base, ...data })}\n\n`);
    };
    if (typeof move === "string") {
      send({ choices: [{ index: 0, delta: { content: move }, finish_reason: "stop" }] });
    } else {
      const toolCalls = move.map(({ name, input }, index) => ({
        index,
        id: `call-${++calls}`,
        type: "function",
        function: { name, arguments: JSON.stringify(input) },
      }));
      send({ choices: [{ index: 0, delta: { tool_calls: toolCalls }, finish_reason: "tool_calls" }] });
    }
    send({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } });
    return response.end("data: [DONE]\n\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  return {
    config: { provider: "openai-compatible", baseUrl: `http://127.0.0.1:${port}/v1`, model: "decider" },
    requests,
  };
}
