/**
 * From a conversation to a request of the OpenAI Responses API, with nothing kept at the provider: reasoning travels
 * encrypted within the conversation, and `input` stands last in the body, so that old bytes never change.
 */
import type {
  FunctionTool,
  ResponseCreateParamsStreaming,
  ResponseInputItem,
} from "openai/resources/responses/responses";
import { gptLeastEffort, gptReasons } from "./known-models.ts";
import type { ModelRequest, ToolSpec } from "./model.ts";
import type { Thinking } from "./provider-options.ts";
import { recordsOf, replayItems } from "./replays.ts";
import { resultText, type Turn, wireId, wireName } from "./turns.ts";
import { openList, type WireBodyOptions } from "./wire-body.ts";

export const openAiProvider = "openai";

/** Of a call's id and of `prompt_cache_key`. */
const maxIdCharacters = 64;

export interface ResponsesRequestOptions {
  model: string;
  maxOutputTokens: number;
  thinking: Thinking | undefined;
  /** False leaves all reasoning of earlier turns out. */
  replaysReasoning: boolean;
}

export interface ResponsesState {
  /** Whether reasoning of earlier turns is in the list. */
  hasReasoning: boolean;
}

export function responsesRequest(
  request: ModelRequest,
  options: ResponsesRequestOptions,
): WireBodyOptions<ResponsesState> {
  const { model, replaysReasoning } = options;
  const tools = request.tools();
  return {
    conversation: request.conversation,
    key: [model, replaysReasoning, request.system, ...tools],
    messages: request.messages,
    start: () => ({ hasReasoning: false }),
    write(turns, { hasReasoning }) {
      const items = turns.flatMap((turn) => toItems(turn, options));
      return {
        json: items.map((item) => JSON.stringify(item)).join(","),
        state: { hasReasoning: hasReasoning || items.some(({ type }) => type === "reasoning") },
      };
    },
    head() {
      const reasons = gptReasons(model);
      const body: ResponseCreateParamsStreaming = {
        model,
        stream: true,
        store: false,
        ...(reasons ? { include: ["reasoning.encrypted_content"] } : {}),
        ...(reasons && options.thinking !== undefined
          ? { reasoning: { effort: options.thinking === "off" ? gptLeastEffort(model) : options.thinking } }
          : {}),
        max_output_tokens: options.maxOutputTokens,
        prompt_cache_key: wireId(request.conversation, maxIdCharacters),
        ...(tools.length > 0 ? { tools: tools.map(toTool), parallel_tool_calls: true } : {}),
        ...(request.system.trim() === "" ? {} : { instructions: request.system.toWellFormed() }),
        input: [],
      };
      return openList(body);
    },
  };
}

/** Not strict: strict schemas forbid optional fields, and the tools check their input themselves. */
function toTool({ name, description, inputSchema }: ToolSpec): FunctionTool {
  return { type: "function", name, description, parameters: inputSchema, strict: false };
}

function toItems(turn: Turn, options: ResponsesRequestOptions): ResponseInputItem[] {
  if (turn.role === "user") {
    const content = turn.texts.map((text) => ({ type: "input_text" as const, text }));
    return [{ type: "message", role: "user", content }];
  }
  const results = turn.calls.map(
    ({ call, result }): ResponseInputItem => ({
      type: "function_call_output",
      call_id: wireId(call, maxIdCharacters),
      output: resultText(result),
    }),
  );
  return [...(replayedItems(turn, options) ?? toldAgain(turn)), ...results];
}

type AssistantTurn = Extract<Turn, { role: "assistant" }>;

function toldAgain({ text, calls }: AssistantTurn): ResponseInputItem[] {
  const said: ResponseInputItem[] = text.trim() === "" ? [] : [{ type: "message", role: "assistant", content: text }];
  const made = calls.map(
    ({ call, name, input }): ResponseInputItem => ({
      type: "function_call",
      call_id: wireId(call, maxIdCharacters),
      name: wireName(name),
      arguments: JSON.stringify(input),
    }),
  );
  return [...said, ...made];
}

function replayedItems(turn: AssistantTurn, options: ResponsesRequestOptions): ResponseInputItem[] | null {
  // An item that had reasoning before it is refused without it, so it is all of a turn or nothing.
  if (!options.replaysReasoning) return null;
  const items = replayItems(turn, { provider: openAiProvider, model: options.model, read: saidIn });
  if (items === null) return null;
  // The loop may have given calls other ids; they are the same calls in the same order.
  const calls = turn.calls.values();
  return recordsOf(items).map((record) => {
    // What an item does not have may come as null, and is refused as null.
    const given = Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null));
    const item = given as unknown as ResponseInputItem;
    if (item.type !== "function_call") return item;
    return { ...item, call_id: wireId(calls.next().value?.call ?? item.call_id, maxIdCharacters) };
  });
}

function saidIn(items: unknown[]): { text: string; calls: number } {
  const records = recordsOf(items);
  return {
    text: records
      .flatMap(({ type, content }) => (type === "message" && Array.isArray(content) ? recordsOf(content) : []))
      .flatMap(({ type, text }) => (type === "output_text" && typeof text === "string" ? [text] : []))
      .join(""),
    calls: records.filter(({ type }) => type === "function_call").length,
  };
}
