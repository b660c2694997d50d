/** The OpenAI chat format, as strict as the interfaces that speak it: see `Wire`. */
import { openAiChatModel } from "../../agent/mind/models/openai-chat.ts";
import { unknownField, type Wire, type WiredProvider, type WireTurn } from "./wire-server.ts";

interface Message {
  role: string;
  content?: string | null;
  tool_call_id?: string;
  tool_calls?: { id: string; type: string; function: { name: string; arguments: string } }[];
  [key: string]: unknown;
}

const topFields = "model messages stream stream_options tools max_tokens reasoning_effort".split(" ");

export function chatWire(): Wire {
  let answers = 0;
  return {
    path: "/v1/chat/completions",
    problemOf: (body) => unknownField(body, topFields, "body") ?? conversationProblem(body.messages as Message[]),
    streamOf(turn, body) {
      answers += 1;
      return streamOf(turn, { model: String(body.model), answer: answers });
    },
    errorOf: (type, message) => ({ error: { type, code: null, param: null, message } }),
  };
}

export const chatProvider: WiredProvider = {
  name: "openai-compatible",
  wire: chatWire,
  model: openAiChatModel,
  environment: ({ key, baseUrl }) => ({ OPENAI_API_KEY: key, OPENAI_BASE_URL: baseUrl }),
  keyHeader: (key) => ["authorization", `Bearer ${key}`],
  modelName: "local-model",
};

function conversationProblem(messages: Message[]): string | null {
  let open: string[] = [];
  let previous = "";
  for (const [index, message] of messages.entries()) {
    const where = `messages[${index}]`;
    const unknown = unknownField(
      message,
      ["role", "content", "tool_calls", "tool_call_id", "reasoning_content", "reasoning"],
      where,
    );
    if (unknown !== null) return unknown;
    if (message.role === "tool") {
      if (!open.includes(message.tool_call_id ?? ""))
        return `${where}: a tool message must answer a tool call before it`;
      open = open.filter((id) => id !== message.tool_call_id);
      previous = message.role;
      continue;
    }
    if (open.length > 0) return `${where}: tool calls without an answer: ${open.join()}`;
    if (message.role === "system" && index > 0) return `${where}: system must come first`;
    if (message.role === previous) return `${where}: conversation roles must alternate`;
    if (message.role === "user" && !message.content) return `${where}: empty content`;
    if (message.role === "assistant") {
      const calls = message.tool_calls ?? [];
      if (!message.content && calls.length === 0) return `${where}: content or tool_calls`;
      const problem = calls.map(callProblem).find((found) => found !== null);
      if (problem) return `${where}: ${problem}`;
      open = calls.map(({ id }) => id);
      if (new Set(open).size !== open.length) return `${where}: duplicate call ids`;
    }
    previous = message.role;
  }
  return open.length > 0 ? `tool calls without an answer: ${open.join()}` : null;
}

function callProblem({ id, function: made }: NonNullable<Message["tool_calls"]>[number]): string | null {
  if (!/^.{1,40}$/.test(id)) return `tool_calls.id: string too long: ${id}`;
  if (!/^[a-zA-Z0-9_-]{1,64}$/.test(made.name)) return `function.name: ${made.name}`;
  try {
    const value: unknown = JSON.parse(made.arguments);
    return typeof value === "object" && value !== null ? null : "function.arguments: not an object";
  } catch {
    return "function.arguments: not JSON";
  }
}

function streamOf(turn: WireTurn, { model, answer }: { model: string; answer: number }): string {
  const { input, cacheRead, output } = { cacheRead: 0, ...(turn.usage ?? { input: 1, output: 1 }) };
  const calls = turn.calls ?? [];
  const deltas: object[] = [{ role: "assistant", content: null }];
  if (turn.thinking !== undefined) deltas.push({ reasoning_content: turn.thinking });
  if (turn.end === "declined") deltas.push({ refusal: "It could do harm." });
  for (const content of [...(turn.text ?? []), ...(turn.textBetween === undefined ? [] : [turn.textBetween])])
    deltas.push({ content });
  for (const [index, { id, name }] of calls.entries())
    deltas.push({
      tool_calls: [{ index, id: id ?? `call_${answer}_${index}`, type: "function", function: { name, arguments: "" } }],
    });
  // Pieces of several calls come mixed.
  const longest = Math.max(0, ...calls.map((call) => call.arguments.length));
  for (let piece = 0; piece < longest; piece++) {
    for (const [index, call] of calls.entries()) {
      const part = call.arguments[piece];
      if (part !== undefined) deltas.push({ tool_calls: [{ index, function: { arguments: part } }] });
    }
  }
  const finish = turn.end === "length" ? "length" : calls.length > 0 ? "tool_calls" : "stop";
  const prompt = input + cacheRead;
  const chunks = [
    ...deltas.map((delta) => ({ choices: [{ index: 0, delta, finish_reason: null }] })),
    { choices: [{ index: 0, delta: {}, finish_reason: finish }] },
    {
      choices: [],
      usage: {
        prompt_tokens: prompt,
        completion_tokens: output,
        total_tokens: prompt + output,
        prompt_tokens_details: { cached_tokens: cacheRead },
      },
    },
  ];
  const base = { id: `chatcmpl-${answer}`, object: "chat.completion.chunk", created: 1, model };
  return `${chunks.map((chunk) => `data: ${JSON.stringify({ ...base, ...chunk })}\n\n`).join("")}data: [DONE]\n\n`;
}
