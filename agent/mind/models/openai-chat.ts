/** Any OpenAI-compatible chat endpoint, local servers included. The SDK is loaded on first use. */
import { readFile, stat } from "node:fs/promises";
import type OpenAI from "openai";
import type {
  ChatCompletionChunk,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
} from "openai/resources/chat/completions";
import { ConfigError, describeError, ProviderError } from "../../../tools/errors.ts";
import type { Model, ModelEvent, ModelFailure, ModelMessage, ModelRequest, ToolCall } from "./model.ts";
import { maxAttempts, pause, retryAfterOf, waitBefore } from "./retry.ts";

export interface OpenAiChatOptions {
  baseUrl?: string;
  /** As the endpoint knows it; without one, the first model that the endpoint lists. */
  model?: string;
  /** Read again whenever the file changes. */
  apiKeyFile?: string;
  /** Stands in for `apiKeyFile` while it exists, before the variable; read again whenever it changes. */
  keyFileIfThere?: string;
  environment: { OPENAI_BASE_URL?: string; OPENAI_API_KEY?: string; OPENAI_MODEL?: string };
}

/** Time for the first byte of an answer; large local models load for minutes before they speak. */
const requestTimeoutMs = 300_000;

export function openAiChatModel(options: OpenAiChatOptions): Model {
  const baseUrl = options.baseUrl ?? options.environment.OPENAI_BASE_URL;
  const readKey = keyReader(options);
  let model = options.model ?? options.environment.OPENAI_MODEL;

  async function* stream(request: ModelRequest): AsyncGenerator<ModelEvent> {
    for (let attempt = 1; ; attempt++) {
      let hasOutput = false;
      let key: string | null = null;
      try {
        key = await readKey();
        const client = await clientFor(baseUrl, key);
        model ??= await firstModel(client, request.signal);
        for await (const event of turn(client, model, request)) {
          hasOutput ||= event.type === "text" || event.type === "call";
          yield event;
        }
        return;
      } catch (error) {
        if (request.signal.aborted) {
          yield { type: "stop", reason: "interrupted" };
          return;
        }
        const wait =
          !hasOutput && isTransient(error) ? waitBefore(attempt + 1, retryAfterOf(headersOf(error), Date.now())) : null;
        if (wait === null) {
          yield { type: "stop", reason: "error", error: describeFailure(error, { baseUrl, key, hasOutput, attempt }) };
          return;
        }
        if (!(await pause(wait, request.signal))) {
          yield { type: "stop", reason: "interrupted" };
          return;
        }
      }
    }
  }

  const known = () => model ?? "(the endpoint's first model)";
  return {
    name: `openai-compatible ${known()}`,
    identity: () => ({ provider: "openai-compatible", model: known() }),
    contextTokens: null,
    maxOutputTokens: 4_096,
    readsPrompt: true,
    stream,
  };
}

async function clientFor(baseUrl: string | undefined, key: string | null): Promise<OpenAI> {
  const { default: Client } = await import("openai");
  return new Client({
    baseURL: baseUrl,
    apiKey: key ?? "none",
    // A local server needs no key, and some refuse a header that is not theirs.
    ...(key === null ? { defaultHeaders: { Authorization: null } } : {}),
    maxRetries: 0,
    timeout: requestTimeoutMs,
    logLevel: "off",
  });
}

/** The key's text, or null when none is set; the file is read again only when it changed. */
function keyReader(options: OpenAiChatOptions): () => Promise<string | null> {
  let cached: { changed: string; key: string } | null = null;
  const readFrom = async (path: string): Promise<string> => {
    const { mtimeNs, ino, size } = await stat(path, { bigint: true });
    const changed = `${mtimeNs} ${ino} ${size}`;
    if (cached?.changed !== changed) cached = { changed, key: (await readFile(path, "utf8")).trim() };
    return cached.key;
  };
  return async () => {
    const path = options.apiKeyFile ?? options.keyFileIfThere;
    const fromVariable = options.environment.OPENAI_API_KEY || null;
    if (path === undefined) return fromVariable;
    try {
      return await readFrom(path);
    } catch (cause) {
      if (options.apiKeyFile === undefined && (cause as NodeJS.ErrnoException).code === "ENOENT") return fromVariable;
      throw new ConfigError(`cannot read the model's key file ${path}: ${(cause as Error).message}`, {
        code: "key_unreadable",
        hint: "put the key there, readable by this user, or mend models.personality.apiKeyFile",
        cause,
      });
    }
  };
}

/** A server with one model often accepts any name, so one that lists none is still tried. */
async function firstModel(client: OpenAI, signal: AbortSignal): Promise<string> {
  const listed = await client.models.list({ signal }).catch(() => null);
  return listed?.data?.[0]?.id ?? "default";
}

/** One request. Throws; the caller turns that into an event. */
async function* turn(client: OpenAI, model: string, request: ModelRequest): AsyncGenerator<ModelEvent> {
  const tools = request.tools();
  const parameters: ChatCompletionCreateParamsStreaming = {
    model,
    messages: [{ role: "system", content: request.system }, ...request.messages.map(toWire)],
    stream: true,
    stream_options: { include_usage: true },
  };
  if (tools.length > 0) {
    parameters.tools = tools.map(({ name, description, inputSchema }) => ({
      type: "function",
      function: { name, description, parameters: inputSchema },
    }));
  }
  const calls = new Map<number, { id: string; name: string; input: string }>();
  let finish: string | null = null;
  for await (const chunk of await client.chat.completions.create(parameters, { signal: request.signal })) {
    const choice = chunk.choices?.[0];
    if (choice?.delta?.content) yield { type: "text", text: choice.delta.content };
    for (const piece of choice?.delta?.tool_calls ?? []) collect(calls, piece);
    finish = choice?.finish_reason ?? finish;
    if (chunk.usage) {
      yield {
        type: "usage",
        usage: {
          inputTokens: chunk.usage.prompt_tokens ?? 0,
          cacheReadTokens: 0,
          cacheWriteTokens: 0,
          outputTokens: chunk.usage.completion_tokens ?? 0,
        },
      };
    }
  }
  request.signal.throwIfAborted();
  if (finish === null) {
    throw new ProviderError("the model's answer broke off before its end", {
      code: "model_stream_broken",
      hint: "ask again; if it happens often, look at the endpoint's own log",
    });
  }
  if (finish === "length") {
    yield { type: "stop", reason: "length" };
    return;
  }
  const ordered = [...calls.entries()].sort(([a], [b]) => a - b).map(([, call]) => call);
  for (const call of ordered) yield { type: "call", call: parseCall(call) };
  yield { type: "stop", reason: ordered.length > 0 ? "calls" : "end" };
}

type CallPiece = NonNullable<ChatCompletionChunk["choices"][number]["delta"]["tool_calls"]>[number];

function collect(calls: Map<number, { id: string; name: string; input: string }>, piece: CallPiece): void {
  // Some servers send whole calls without an index.
  const index = piece.index ?? calls.size;
  const call = calls.get(index) ?? { id: "", name: "", input: "" };
  calls.set(index, call);
  call.id ||= piece.id ?? "";
  call.name ||= piece.function?.name ?? "";
  call.input += piece.function?.arguments ?? "";
}

function parseCall(call: { id: string; name: string; input: string }): ToolCall {
  const head = { call: call.id, name: call.name };
  if (call.input.trim() === "") return { ...head, input: {} };
  try {
    return { ...head, input: JSON.parse(call.input) as unknown };
  } catch (error) {
    return { ...head, input: call.input, problem: `the arguments are not JSON: ${(error as Error).message}` };
  }
}

function toWire(message: ModelMessage): ChatCompletionMessageParam {
  if (message.role === "user") return { role: "user", content: message.text };
  if (message.role === "tool") {
    return { role: "tool", tool_call_id: message.call, content: message.ok ? message.text : `Error: ${message.text}` };
  }
  if (message.calls.length === 0) return { role: "assistant", content: message.text };
  return {
    role: "assistant",
    content: message.text === "" ? null : message.text,
    tool_calls: message.calls.map(({ call, name, input }) => ({
      id: call,
      type: "function",
      function: { name, arguments: JSON.stringify(input ?? {}) },
    })),
  };
}

function statusOf(error: unknown): number | undefined {
  const status = (error as { status?: unknown }).status;
  return typeof status === "number" ? status : undefined;
}

function headersOf(error: unknown): Headers | undefined {
  const headers = (error as { headers?: unknown }).headers;
  return headers instanceof Headers ? headers : undefined;
}

/** Overload, server faults and lost connections pass; refusals, and a budget that is used up, do not. */
function isTransient(error: unknown): boolean {
  if (error instanceof ConfigError) return false;
  if ((error as { code?: unknown }).code === "insufficient_quota") return false;
  const status = statusOf(error);
  return status === undefined || status === 408 || status === 429 || status >= 500;
}

function describeFailure(
  error: unknown,
  context: { baseUrl: string | undefined; key: string | null; hasOutput: boolean; attempt: number },
): ModelFailure {
  if (error instanceof ConfigError) return describeError(error);
  const status = statusOf(error);
  const endpoint = context.baseUrl ?? "https://api.openai.com/v1";
  const reason = redact(error instanceof Error ? error.message : String(error), context.key);
  const tries = context.attempt > 1 ? ` after ${context.attempt} attempts` : "";
  const message = `the model endpoint ${endpoint} failed${tries}: ${reason}`;
  if (status === 401 || status === 403) {
    return {
      code: "model_unauthorized",
      message,
      hint: "check the key: models.personality.apiKeyFile, or OPENAI_API_KEY",
    };
  }
  if (status === 404) return { code: "model_unknown", message, hint: "check models.personality.baseUrl and model" };
  if (status === 429) return { code: "model_overloaded", message, hint: "wait, or raise the limit at the provider" };
  if (status !== undefined && status < 500)
    return { code: "model_refused", message, hint: "the endpoint's reason says what to change" };
  if (context.hasOutput)
    return { code: "model_stream_broken", message, hint: "ask again; what was shown is incomplete" };
  return {
    code: "model_unavailable",
    message,
    hint: context.attempt >= maxAttempts ? "check that the endpoint runs and can be reached" : "ask again in a moment",
  };
}

function redact(text: string, key: string | null): string {
  const withoutKey = key ? text.replaceAll(key, "[key]") : text;
  return withoutKey.replace(/\bsk-[A-Za-z0-9_*-]{6,}/g, "[key]");
}
