/** GPT by the OpenAI Responses API, or whatever speaks it. The SDK is loaded on first use. */
import type {
  Response,
  ResponseFunctionToolCall,
  ResponseOutputItem,
  ResponseStreamEvent,
} from "openai/resources/responses/responses";
import type { Usage } from "../../protocol.ts";
import { oneAttempt } from "./attempt.ts";
import { brokenFailure, declinedFailure, redact, reportedFailure } from "./failure.ts";
import { keyReader } from "./keys.ts";
import { limitsOf } from "./known-models.ts";
import type { Model, ModelEvent, ModelFailure, ModelRequest } from "./model.ts";
import { openAiClients, publicOpenAiEndpoint } from "./openai-client.ts";
import { openAiProvider, type ResponsesState, responsesRequest } from "./openai-responses-request.ts";
import { defaultOpenAiModel, type ProviderOptions } from "./provider-options.ts";
import { rejectedReplays, replayOf } from "./replays.ts";
import { parseCall } from "./turns.ts";
import { jsonBody, makeWireBodies } from "./wire-body.ts";

export function openAiResponsesModel(options: ProviderOptions): Model {
  const model = options.model ?? defaultOpenAiModel;
  const endpoint = options.baseUrl ?? (options.environment.OPENAI_BASE_URL || publicOpenAiEndpoint);
  const readKey = keyReader({ ...options, variable: options.environment.OPENAI_API_KEY });
  const { contextTokens, maxOutputTokens } = limitsOf(model, options, {
    contextTokens: 128_000,
    maxOutputTokens: 8_192,
  });
  const rejected = rejectedReplays();
  const clientFor = openAiClients(endpoint);
  const bodies = makeWireBodies<ResponsesState>();

  async function* stream(request: ModelRequest): AsyncGenerator<ModelEvent> {
    let hasReasoning = false;
    yield* oneAttempt(request, {
      endpoint,
      readKey,
      async *turn(state) {
        const client = await clientFor(state.key);
        const body = bodies.of(
          responsesRequest(request, {
            model,
            maxOutputTokens,
            thinking: options.thinking,
            replaysReasoning: !rejected.has(request.conversation),
          }),
        );
        hasReasoning = body.state.hasReasoning;
        try {
          const events = await client.post<AsyncIterable<ResponseStreamEvent>>("/responses", {
            ...jsonBody(body.bytes),
            signal: request.signal,
          });
          state.hasBegun = true;
          yield* readTurn(events, { model, endpoint, key: state.key });
        } finally {
          body.release();
        }
      },
      amend(failure) {
        // Reasoning of another account is refused, and asking again without it is what mends that.
        if (failure.code !== "model_refused" || !hasReasoning) return failure;
        rejected.add(request.conversation);
        return { ...failure, retryable: true };
      },
    });
  }

  return {
    name: `${openAiProvider} ${model}`,
    identity: () => ({ provider: openAiProvider, model }),
    contextTokens,
    maxOutputTokens,
    readsPrompt: true,
    stream,
  };
}

interface TurnContext {
  model: string;
  endpoint: string;
  key: string | null;
}

async function* readTurn(events: AsyncIterable<ResponseStreamEvent>, context: TurnContext): AsyncGenerator<ModelEvent> {
  const items = new Map<number, ResponseOutputItem>();
  /** Message items of which text was shown. */
  const shown = new Set<number>();
  let end: { response: Response; type: "completed" | "incomplete" | "failed" } | null = null;
  // Several messages of one answer are paragraphs of it.
  const show = (index: number, text: string): ModelEvent => {
    const separator = shown.size > 0 && !shown.has(index) ? "\n\n" : "";
    shown.add(index);
    return { type: "text", text: separator + text };
  };
  for await (const event of events) {
    if (event.type === "response.output_text.delta") {
      if (event.delta !== "") yield show(event.output_index, event.delta);
    } else if (event.type === "response.output_item.done") {
      items.set(event.output_index, event.item);
      const text = textOf(event.item);
      if (text !== "" && !shown.has(event.output_index)) yield show(event.output_index, text);
    } else if (event.type === "response.completed") end = { response: event.response, type: "completed" };
    else if (event.type === "response.incomplete") end = { response: event.response, type: "incomplete" };
    else if (event.type === "response.failed") end = { response: event.response, type: "failed" };
    else if (event.type === "error") {
      yield stop(reportedFailure({ name: event.code ?? "server_error", reason: event.message }, context));
      return;
    }
  }
  if (end?.response.usage) yield { type: "usage", usage: usageOf(end.response.usage) };
  const ordered = [...items.entries()].sort(([a], [b]) => a - b).map(([, item]) => item);
  if (end === null) yield stop(brokenFailure(`${context.model}'s answer broke off before its end`));
  else if (end.type === "failed") {
    const { code, message } = end.response.error ?? { code: "server_error", message: "it did not say why" };
    yield stop(reportedFailure({ name: code, reason: message }, context));
  } else if (end.type === "incomplete" && end.response.incomplete_details?.reason === "content_filter") {
    yield stop(declinedFailure(context.model, "the provider's content filter stopped it"));
  } else if (end.type === "incomplete") yield { type: "stop", reason: "length" };
  else yield* finish(ordered, context);
}

function* finish(items: ResponseOutputItem[], { model, key }: TurnContext): Generator<ModelEvent> {
  const refusals = items.flatMap((item) =>
    item.type === "message" ? item.content.flatMap((part) => (part.type === "refusal" ? [part.refusal] : [])) : [],
  );
  if (refusals.length > 0) {
    yield stop(declinedFailure(model, redact(refusals.join(" "), key)));
    return;
  }
  const calls = items.filter((item): item is ResponseFunctionToolCall => item.type === "function_call");
  for (const { call_id, name, arguments: input } of calls)
    yield { type: "call", call: parseCall({ id: call_id, name, input }) };
  const replay = replayable(items);
  if (replay !== null) yield { type: "replay", replay: replayOf(openAiProvider, model, replay) };
  yield { type: "stop", reason: calls.length > 0 ? "calls" : "end" };
}

/**
 * The items to send back, when there is reasoning among them that can be. Reasoning belongs to the item after it: some at
 * the end is left out. Without encrypted content it is only a reference to something that the provider did not keep.
 */
function replayable(items: ResponseOutputItem[]): ResponseOutputItem[] | null {
  const kept = items.filter(({ type }) => type === "reasoning" || type === "message" || type === "function_call");
  const end = kept.findLastIndex(({ type }) => type !== "reasoning");
  const whole = kept.slice(0, end + 1);
  const reasoning = whole.filter((item) => item.type === "reasoning");
  const canBeRead = reasoning.every((item) => typeof item.encrypted_content === "string");
  return reasoning.length > 0 && canBeRead ? whole : null;
}

function textOf(item: ResponseOutputItem): string {
  if (item.type !== "message") return "";
  return item.content.flatMap((part) => (part.type === "output_text" ? [part.text] : [])).join("");
}

function usageOf(usage: NonNullable<Response["usage"]>): Usage {
  const read = usage.input_tokens_details?.cached_tokens ?? 0;
  const write = usage.input_tokens_details?.cache_write_tokens ?? 0;
  return {
    inputTokens: Math.max(0, (usage.input_tokens ?? 0) - read - write),
    cacheReadTokens: read,
    cacheWriteTokens: write,
    outputTokens: usage.output_tokens ?? 0,
  };
}

function stop(error: ModelFailure): ModelEvent {
  return { type: "stop", reason: "error", error };
}
