/** Any OpenAI-compatible chat endpoint, local servers included. The SDK is loaded on first use. */
import type OpenAI from "openai";
import type {
  ChatCompletionChunk,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
} from "openai/resources/chat/completions";
import type { Usage } from "../../protocol.ts";
import { oneAttempt } from "./attempt.ts";
import { brokenFailure, declinedFailure, redact } from "./failure.ts";
import { keyReader } from "./keys.ts";
import { limitsOf } from "./known-models.ts";
import type { Model, ModelEvent, ModelFailure, ModelRequest } from "./model.ts";
import { openAiClients, publicOpenAiEndpoint } from "./openai-client.ts";
import type { ProviderOptions } from "./provider-options.ts";
import { recordsOf, replayItems, replayOf } from "./replays.ts";
import { parseCall, resultText, type Turn, wireId, wireName } from "./turns.ts";
import { jsonBody, makeWireBodies, openList, type WireBodyOptions } from "./wire-body.ts";

const provider = "openai-compatible";

/** OpenAI's own chat interface takes no longer id of a call. */
const maxIdCharacters = 40;

export function openAiChatModel(options: ProviderOptions): Model {
  const endpoint = options.baseUrl ?? (options.environment.OPENAI_BASE_URL || publicOpenAiEndpoint);
  const readKey = keyReader({ ...options, variable: options.environment.OPENAI_API_KEY });
  let model = options.model ?? (options.environment.OPENAI_MODEL || undefined);
  const known = (): string => model ?? "(the endpoint's first model)";
  const clientFor = openAiClients(endpoint);
  const bodies = makeWireBodies<null>();

  async function* stream(request: ModelRequest): AsyncGenerator<ModelEvent> {
    yield* oneAttempt(request, {
      endpoint,
      readKey,
      async *turn(state) {
        const client = await clientFor(state.key);
        model ??= await firstModel(client, request.signal);
        const body = bodies.of(chatRequest(request, { ...options, model, endpoint }));
        try {
          const chunks = await client.post<AsyncIterable<ChatCompletionChunk>>("/chat/completions", {
            ...jsonBody(body.bytes),
            signal: request.signal,
          });
          state.hasBegun = true;
          yield* readTurn(chunks, { model, key: state.key });
        } finally {
          body.release();
        }
      },
    });
  }

  return {
    name: `${provider} ${known()}`,
    identity: () => ({ provider, model: known() }),
    ...limitsOf(model, options, { contextTokens: null, maxOutputTokens: 4_096 }),
    readsPrompt: true,
    stream,
  };
}

/** A server with one model often accepts any name, so one that lists none is still tried. */
async function firstModel(client: OpenAI, signal: AbortSignal): Promise<string> {
  const listed = await client.models.list({ signal }).catch(() => null);
  signal.throwIfAborted();
  return listed?.data?.[0]?.id ?? "default";
}

type ChatOptions = Pick<ProviderOptions, "thinking" | "maxOutputTokens"> & { model: string; endpoint: string };

function chatRequest(request: ModelRequest, options: ChatOptions): WireBodyOptions<null> {
  const { model, thinking, maxOutputTokens } = options;
  const tools = request.tools();
  return {
    conversation: request.conversation,
    key: [model, request.system, ...tools],
    messages: request.messages,
    start: () => null,
    write: (turns) => ({
      json: alternating(turns.flatMap((turn) => toMessages(turn, model)))
        .map((message) => JSON.stringify(message))
        .join(","),
      state: null,
    }),
    head: () => {
      const isOpenAi = URL.canParse(options.endpoint) && new URL(options.endpoint).hostname === "api.openai.com";
      const system: ChatCompletionMessageParam[] =
        request.system.trim() === "" ? [] : [{ role: "system", content: request.system.toWellFormed() }];
      const body: ChatCompletionCreateParamsStreaming = {
        model,
        stream: true,
        stream_options: { include_usage: true },
        // Only OpenAI knows the new name of this limit, and its newer models refuse the old one.
        ...(maxOutputTokens === undefined
          ? {}
          : { [isOpenAi ? "max_completion_tokens" : "max_tokens"]: maxOutputTokens }),
        ...(thinking === undefined ? {} : { reasoning_effort: thinking === "off" ? "none" : thinking }),
        ...(tools.length > 0
          ? {
              tools: tools.map(({ name, description, inputSchema }) => ({
                type: "function" as const,
                function: { name, description, parameters: inputSchema },
              })),
            }
          : {}),
        messages: system,
      };
      return openList(body);
    },
  };
}

/** Two answers in a row are one: many templates of local models want user and assistant to alternate. */
function alternating(messages: ChatCompletionMessageParam[]): ChatCompletionMessageParam[] {
  const all: ChatCompletionMessageParam[] = [];
  for (const message of messages) {
    const last = all.at(-1);
    if (message.role === "assistant" && last?.role === "assistant" && !last.tool_calls)
      all[all.length - 1] = { ...message, content: [last.content, message.content].filter(Boolean).join("\n\n") };
    else all.push(message);
  }
  return all;
}

function toMessages(turn: Turn, model: string): ChatCompletionMessageParam[] {
  if (turn.role === "user") return [{ role: "user", content: turn.texts.join("\n\n") }];
  const { text, calls } = turn;
  const said: ChatCompletionMessageParam = {
    role: "assistant",
    content: text.trim() === "" ? null : text,
    ...thoughtBefore(turn, model),
    ...(calls.length > 0
      ? {
          tool_calls: calls.map(({ call, name, input }) => ({
            id: wireId(call, maxIdCharacters),
            type: "function" as const,
            function: { name: wireName(name), arguments: JSON.stringify(input) },
          })),
        }
      : {}),
  };
  const results = calls.map(
    ({ call, result }): ChatCompletionMessageParam => ({
      role: "tool",
      tool_call_id: wireId(call, maxIdCharacters),
      content: resultText(result),
    }),
  );
  return [said, ...results];
}

/** Names under which servers give thinking as text; some want it back with the calls that it led to. */
const thoughtFields = ["reasoning_content", "reasoning"] as const;

function thoughtBefore(turn: Extract<Turn, { role: "assistant" }>, model: string): { [field: string]: string } {
  const { text, calls } = turn;
  // The items hold thinking alone; text and calls always come from the turn itself.
  const items = replayItems(turn, { provider, model, read: () => ({ text, calls: calls.length }) });
  const [thought] = recordsOf(items ?? []);
  return Object.fromEntries(
    thoughtFields.flatMap((field) => (typeof thought?.[field] === "string" ? [[field, thought[field]]] : [])),
  );
}

async function* readTurn(
  chunks: AsyncIterable<ChatCompletionChunk>,
  { model, key }: { model: string; key: string | null },
): AsyncGenerator<ModelEvent> {
  const calls: CallPieces = new Map();
  const thought: { [field: string]: string } = {};
  let refusal = "";
  let isSaid = false;
  let finish: string | null = null;
  for await (const chunk of chunks) {
    const choice = chunk.choices?.[0];
    const delta: ChatCompletionChunk.Choice.Delta & { [field: string]: unknown } = { ...choice?.delta };
    if (delta.content) {
      isSaid = true;
      yield { type: "text", text: delta.content };
    }
    for (const field of thoughtFields) {
      const piece = delta[field];
      if (typeof piece === "string" && piece !== "") thought[field] = (thought[field] ?? "") + piece;
    }
    refusal += delta.refusal ?? "";
    for (const piece of delta.tool_calls ?? []) collect(calls, piece);
    finish = choice?.finish_reason ?? finish;
    if (chunk.usage) yield { type: "usage", usage: usageOf(chunk.usage) };
  }
  if (finish === null) yield stop(brokenFailure(`${model}'s answer broke off before its end`));
  else if (refusal !== "") yield stop(declinedFailure(model, redact(refusal, key)));
  else if (finish === "content_filter") {
    yield stop(declinedFailure(model, "the provider's content filter stopped it"));
  } else if (finish === "length") yield { type: "stop", reason: "length" };
  else {
    const ordered = [...calls.entries()].sort(([a], [b]) => a - b).map(([, call]) => call);
    for (const call of ordered) yield { type: "call", call: parseCall(call) };
    const isThought = Object.keys(thought).length > 0 && (isSaid || ordered.length > 0);
    if (isThought) yield { type: "replay", replay: replayOf(provider, model, [thought]) };
    yield { type: "stop", reason: ordered.length > 0 ? "calls" : "end" };
  }
}

type CallPieces = Map<number, { id: string; name: string; input: string }>;
type CallPiece = NonNullable<ChatCompletionChunk["choices"][number]["delta"]["tool_calls"]>[number];

function collect(calls: CallPieces, piece: CallPiece): void {
  // Some servers leave the index out: what has a name begins a call, what has none goes on with the last one.
  const next = piece.function?.name ? calls.size : Math.max(0, calls.size - 1);
  const index = piece.index ?? next;
  const call = calls.get(index) ?? { id: "", name: "", input: "" };
  calls.set(index, call);
  call.id ||= piece.id ?? "";
  call.name ||= piece.function?.name ?? "";
  call.input += piece.function?.arguments ?? "";
}

function usageOf(usage: NonNullable<ChatCompletionChunk["usage"]>): Usage {
  const read = usage.prompt_tokens_details?.cached_tokens ?? 0;
  const write = usage.prompt_tokens_details?.cache_write_tokens ?? 0;
  return {
    inputTokens: Math.max(0, (usage.prompt_tokens ?? 0) - read - write),
    cacheReadTokens: read,
    cacheWriteTokens: write,
    outputTokens: usage.completion_tokens ?? 0,
  };
}

function stop(error: ModelFailure): ModelEvent {
  return { type: "stop", reason: "error", error };
}
