/** An endpoint that speaks the OpenAI chat wire format; each request takes the next prepared answer. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface ChatRequestSeen {
  path: string;
  authorization: string | undefined;
  body: {
    model: string;
    stream: boolean;
    stream_options?: { include_usage?: boolean };
    messages: { role: string; content: string | null; tool_calls?: unknown; tool_call_id?: string }[];
    tools?: { function: { name: string } }[];
  };
}

type Delta = { content?: string; tool_calls?: unknown[] };

export type PreparedAnswer =
  | {
      stream: { delta?: Delta; finish?: string; usage?: [input: number, output: number] }[];
      ends?: "done" | "broken" | "silent";
      /** The answer stops here until this, and then it is at its end. */
      until?: Promise<void>;
    }
  | { status: number; headers?: Record<string, string>; body: unknown };

export interface OpenAiServer {
  baseUrl: string;
  requests: ChatRequestSeen[];
  answers: PreparedAnswer[];
}

export async function startOpenAiServer(answers: PreparedAnswer[]): Promise<OpenAiServer> {
  const requests: ChatRequestSeen[] = [];
  const server = createServer(async (request, response) => {
    if (request.url?.endsWith("/models")) {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ object: "list", data: [{ id: "first-listed", object: "model" }] }));
      return;
    }
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    requests.push({ path: request.url ?? "", authorization: request.headers.authorization, body: JSON.parse(text) });
    const answer = answers.shift();
    if (answer === undefined) {
      response.writeHead(400, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: "no answer was prepared for this request" } }));
    } else if ("status" in answer) {
      response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
      response.end(JSON.stringify(answer.body));
    } else await streamAnswer(response, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests, answers };
}

async function streamAnswer(
  response: ServerResponse,
  answer: Extract<PreparedAnswer, { stream: unknown }>,
): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (data: object) => {
    const base = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m" };
    response.write(`data: ${JSON.stringify({ ...base, ...data })}\n\n`);
  };
  for (const { delta, finish, usage } of answer.stream) {
    if (usage) {
      const [input, output] = usage;
      send({ choices: [], usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output } });
    } else send({ choices: [{ index: 0, delta: delta ?? {}, finish_reason: finish ?? null }] });
  }
  if (answer.until) {
    await answer.until;
    send({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
  }
  if (answer.ends === "silent") return;
  if (answer.ends === "broken") {
    response.write("data: {", () => response.destroy());
    return;
  }
  response.end("data: [DONE]\n\n");
}
