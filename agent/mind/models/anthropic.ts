/** Claude by the Anthropic Messages API, or whatever speaks it. The SDK is loaded on first use. */
import type Anthropic from "@anthropic-ai/sdk";
import type {
  ContentBlockParam,
  RawContentBlockDelta,
  RawContentBlockStartEvent,
  RawMessageStreamEvent,
} from "@anthropic-ai/sdk/resources/messages";
import type { Usage } from "../../protocol.ts";
import {
  type AnthropicState,
  anthropicProvider,
  anthropicRequest,
  type PrefixItem,
  prefixItemOf,
} from "./anthropic-request.ts";
import { oneAttempt, requestTimeoutMs } from "./attempt.ts";
import { brokenFailure, contextFullFailure, declinedFailure, redact } from "./failure.ts";
import { httpFetch } from "./http-fetch.ts";
import { keyReader } from "./keys.ts";
import { limitsOf } from "./known-models.ts";
import type { Model, ModelEvent, ModelRequest, ToolCall } from "./model.ts";
import { defaultAnthropicModel, type ProviderOptions } from "./provider-options.ts";
import { rejectedReplays, replayOf } from "./replays.ts";
import { parseCall } from "./turns.ts";
import { jsonBody, makeWireBodies } from "./wire-body.ts";

const publicEndpoint = "https://api.anthropic.com";

export function anthropicModel(options: ProviderOptions): Model {
  const { environment } = options;
  const model = options.model ?? defaultAnthropicModel;
  const endpoint = options.baseUrl ?? (environment.ANTHROPIC_BASE_URL || publicEndpoint);
  const readKey = keyReader({ ...options, variable: environment.ANTHROPIC_API_KEY });
  const readToken = keyReader({ variable: environment.ANTHROPIC_AUTH_TOKEN });
  const { contextTokens, maxOutputTokens } = limitsOf(model, options, {
    contextTokens: 200_000,
    maxOutputTokens: 8_192,
  });
  const rejected = rejectedReplays();
  const clientFor = clients(endpoint);
  const bodies = makeWireBodies<AnthropicState>();

  async function* stream(request: ModelRequest): AsyncGenerator<ModelEvent> {
    let hasThinking = false;
    yield* oneAttempt(request, {
      endpoint,
      readKey: async () => (await readKey()) ?? (await readToken()),
      async *turn(state) {
        const client = await clientFor({ apiKey: await readKey(), authToken: await readToken() });
        const body = bodies.of(
          anthropicRequest(request, {
            model,
            maxOutputTokens,
            thinking: options.thinking,
            replaysThinking: !rejected.has(request.conversation),
          }),
        );
        hasThinking = body.state.hasThinking;
        try {
          const events = await client.post<AsyncIterable<RawMessageStreamEvent>>("/v1/messages", {
            ...jsonBody(body.bytes),
            signal: request.signal,
          });
          state.hasBegun = true;
          yield* readTurn(events, { model, prefixItem: prefixItemOf(body.state), key: state.key });
        } finally {
          body.release();
        }
      },
      amend(failure) {
        // Thinking that is not taken back is the one thing in a request that asking again, without it, can mend.
        if (failure.code !== "model_refused" || !hasThinking) return failure;
        rejected.add(request.conversation);
        return { ...failure, retryable: true };
      },
    });
  }

  return {
    name: `${anthropicProvider} ${model}`,
    identity: () => ({ provider: anthropicProvider, model }),
    contextTokens,
    maxOutputTokens,
    readsPrompt: true,
    stream,
  };
}

interface Keys {
  apiKey: string | null;
  authToken: string | null;
}

/** The same client until a key changes. */
function clients(baseURL: string): (keys: Keys) => Promise<Anthropic> {
  const fetch = httpFetch();
  let last: { keys: Keys; client: Anthropic } | null = null;
  return async (keys) => {
    const { apiKey, authToken } = keys;
    if (last?.keys.apiKey === apiKey && last.keys.authToken === authToken) return last.client;
    const { default: Client } = await import("@anthropic-ai/sdk");
    const client = new Client({
      baseURL,
      // Never none: the SDK would look for credentials of its own on this machine.
      ...(apiKey === null && authToken !== null ? { authToken } : { apiKey: apiKey ?? "none" }),
      maxRetries: 0,
      timeout: requestTimeoutMs,
      logLevel: "off",
      fetch,
    });
    last = { keys, client };
    return client;
  };
}

interface Block {
  param: ContentBlockParam;
  /** Arguments so far, of a call. */
  json: string;
}

async function* readTurn(
  events: AsyncIterable<RawMessageStreamEvent>,
  { model, prefixItem, key }: { model: string; prefixItem: PrefixItem; key: string | null },
): AsyncGenerator<ModelEvent> {
  const blocks = new Map<number, Block>();
  let usage: Usage = { inputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 0 };
  let end: { reason: string | null; details: { category: string | null; explanation: string | null } | null } | null =
    null;
  let isWhole = false;
  for await (const event of events) {
    if (event.type === "message_start") {
      usage = usageOf(event.message.usage, usage);
      yield { type: "usage", usage };
    } else if (event.type === "content_block_start") {
      const block = beginBlock(event.content_block);
      blocks.set(event.index, block);
      if (block.param.type === "text" && block.param.text !== "") yield { type: "text", text: block.param.text };
    } else if (event.type === "content_block_delta") {
      const block = blocks.get(event.index);
      const text = block ? grow(block, event.delta) : "";
      if (text !== "") yield { type: "text", text };
    } else if (event.type === "message_delta") {
      usage = usageOf(event.usage, usage);
      end = { reason: event.delta.stop_reason, details: event.delta.stop_details ?? null };
      yield { type: "usage", usage };
    } else if (event.type === "message_stop") isWhole = true;
  }
  const failure = (error: ReturnType<typeof brokenFailure>): ModelEvent => ({ type: "stop", reason: "error", error });
  if (!isWhole || end === null) {
    yield failure(brokenFailure(`${model}'s answer broke off before its end`));
  } else if (end.reason === "refusal") {
    const { category, explanation } = end.details ?? {};
    const reason = [category, explanation].filter((part) => typeof part === "string").join(": ");
    yield failure(declinedFailure(model, redact(reason, key)));
  } else if (end.reason === "model_context_window_exceeded") {
    yield failure(contextFullFailure(model));
  } else if (end.reason === "pause_turn") {
    // Only tools that run at the provider pause a turn, and we offer none: there is nothing to continue with.
    yield failure(brokenFailure(`${model} paused its answer`));
  } else if (end.reason === "max_tokens") {
    yield { type: "stop", reason: "length" };
  } else {
    const ordered = [...blocks.entries()].sort(([a], [b]) => a - b).map(([, block]) => block);
    yield* finish(ordered, { model, prefixItem });
  }
}

function* finish(
  blocks: Block[],
  { model, prefixItem }: { model: string; prefixItem: PrefixItem },
): Generator<ModelEvent> {
  const calls: ToolCall[] = [];
  const items: unknown[] = [prefixItem];
  for (const { param, json } of blocks) {
    if (param.type === "tool_use") {
      const call = callOf(param, json);
      calls.push(call);
      items.push({ ...param, input: call.problem === undefined ? call.input : { unreadable_arguments: call.input } });
    } else if (param.type !== "text" || param.text.trim() !== "") items.push(param);
  }
  for (const call of calls) yield { type: "call", call };
  const kinds = items.slice(1).map((item) => (item as ContentBlockParam).type);
  const isSaid = calls.length > 0 || kinds.includes("text");
  // Text and calls alone are told again the same way; thinking, and text between calls, are not.
  const isPlain = kinds.every((kind, index) => kind === "tool_use" || (kind === "text" && index === 0));
  if (isSaid && !isPlain) yield { type: "replay", replay: replayOf(anthropicProvider, model, items) };
  yield { type: "stop", reason: calls.length > 0 ? "calls" : "end" };
}

function callOf(param: Extract<ContentBlockParam, { type: "tool_use" }>, json: string): ToolCall {
  const { id, name, input } = param;
  return json === "" ? { call: id, name, input: input ?? {} } : parseCall({ id, name, input: json });
}

/** Text and calls in the form in which they may be sent back; everything else word for word as it came. */
function beginBlock(block: RawContentBlockStartEvent["content_block"]): Block {
  if (block.type === "text") return { param: { type: "text", text: block.text }, json: "" };
  if (block.type === "tool_use")
    return { param: { type: "tool_use", id: block.id, name: block.name, input: block.input }, json: "" };
  return { param: { ...block } as ContentBlockParam, json: "" };
}

/** Takes a piece in; returns what of it is text for the person. */
function grow(block: Block, delta: RawContentBlockDelta): string {
  const { param } = block;
  if (delta.type === "text_delta" && param.type === "text") {
    param.text += delta.text;
    return delta.text;
  }
  if (delta.type === "input_json_delta") block.json += delta.partial_json;
  else if (delta.type === "thinking_delta" && param.type === "thinking") param.thinking += delta.thinking;
  else if (delta.type === "signature_delta" && param.type === "thinking") param.signature += delta.signature;
  return "";
}

interface WireUsage {
  input_tokens?: number | null;
  cache_read_input_tokens?: number | null;
  cache_creation_input_tokens?: number | null;
  output_tokens?: number | null;
}

/** Counts are sums so far; one that a later event leaves out stays as it was. */
function usageOf(usage: WireUsage | undefined, before: Usage): Usage {
  return {
    inputTokens: usage?.input_tokens ?? before.inputTokens,
    cacheReadTokens: usage?.cache_read_input_tokens ?? before.cacheReadTokens,
    cacheWriteTokens: usage?.cache_creation_input_tokens ?? before.cacheWriteTokens,
    outputTokens: usage?.output_tokens ?? before.outputTokens,
  };
}
