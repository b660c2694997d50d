/**
 * From a conversation to a request of the Anthropic Messages API.
 *
 * Caching. The API caches prefixes in the order tools → system → messages, up to marked blocks, and looks back at most
 * 20 blocks from a mark for an older entry (https://platform.claude.com/docs/en/build-with-claude/prompt-caching). Two
 * marks stand in every request: one on the last block of system (or on the last tool), which never moves, and the
 * top-level `cache_control`, by which the API itself marks the last block. So no byte of an old message changes from
 * turn to turn, and the messages stand last in the body. Only when the last turn brought more blocks than the look-back
 * reaches, the end of the previous request gets a mark of its own; marks are no part of what is cached or compared.
 *
 * Thinking. A block is valid only behind the very prefix that it was made with
 * (https://platform.claude.com/docs/en/build-with-claude/preserved-thinking); behind another one newer models answer
 * 400. Each replay therefore carries a hash of its prefix as it was sent: when system, tools or an older message have
 * changed since, the thinking stays out and text and calls remain.
 */
import { createHash, type Hash } from "node:crypto";
import type {
  ContentBlockParam,
  MessageCreateParamsStreaming,
  MessageParam,
  TextBlockParam,
  Tool,
} from "@anthropic-ai/sdk/resources/messages";
import { claudeThinkingOf, thinkingBudgetTokens } from "./known-models.ts";
import type { ModelRequest, ToolSpec } from "./model.ts";
import type { Thinking } from "./provider-options.ts";
import { recordsOf, replayItems } from "./replays.ts";
import { type AnsweredCall, type Turn, wireId, wireName } from "./turns.ts";
import { openList, type WireBodyOptions } from "./wire-body.ts";

export const anthropicProvider = "anthropic";

/** Item of a replay that is not the API's: the hash of what was sent before the turn. */
const prefixType = "clawdinator_prefix";

/** The API's look-back is 20 blocks; the marked one counts. */
const lookBackBlocks = 18;

export interface AnthropicRequestOptions {
  model: string;
  maxOutputTokens: number;
  thinking: Thinking | undefined;
  /** False leaves all thinking of earlier turns out. */
  replaysThinking: boolean;
}

export interface AnthropicState {
  /** Of all that was sent so far. */
  hash: Hash;
  /** Whether thinking of earlier turns is in it. */
  hasThinking: boolean;
  /** Of the last answer. */
  answer: ContentBlockParam[] | null;
  isEmpty: boolean;
}

/** To be stored with the answer's thinking. */
export interface PrefixItem {
  type: string;
  sha256: string;
}

export function prefixItemOf({ hash }: AnthropicState): PrefixItem {
  return { type: prefixType, sha256: digestSoFar(hash) };
}

export function anthropicRequest(
  request: ModelRequest,
  options: AnthropicRequestOptions,
): WireBodyOptions<AnthropicState> {
  const { model, replaysThinking } = options;
  const specs = request.tools();
  return {
    conversation: request.conversation,
    key: [model, replaysThinking, request.system, ...specs],
    messages: request.messages,
    start: () => ({
      hash: createHash("sha256").update(JSON.stringify([specs.map(toTool), request.system])),
      hasThinking: false,
      answer: null,
      isEmpty: true,
    }),
    write(turns, before, isLast) {
      const { messages, state } = messagesOf(turns, { before, isLast, model, replaysThinking });
      if (isLast) markPreviousEnd(messages);
      return { json: messages.map((message) => JSON.stringify(message)).join(","), state };
    },
    variant: ({ answer }) => JSON.stringify(thinkingOf(options, answer)),
    head({ answer }) {
      const tools = specs.map(toTool);
      const system: TextBlockParam[] =
        request.system.trim() === ""
          ? []
          : [{ type: "text", text: request.system.toWellFormed(), cache_control: { type: "ephemeral" } }];
      const lastTool = tools.at(-1);
      if (system.length === 0 && lastTool) lastTool.cache_control = { type: "ephemeral" };
      const body: MessageCreateParamsStreaming = {
        model,
        max_tokens: options.maxOutputTokens,
        stream: true,
        cache_control: { type: "ephemeral" },
        ...thinkingOf(options, answer),
        ...(tools.length > 0 ? { tools } : {}),
        ...(system.length > 0 ? { system } : {}),
        messages: [],
      };
      return openList(body);
    },
  };
}

function toTool({ name, description, inputSchema }: ToolSpec): Tool {
  return { name, description, input_schema: { ...inputSchema, type: "object" } };
}

function digestSoFar(hash: Hash): string {
  return hash.copy().digest("hex");
}

function messagesOf(
  turns: Turn[],
  options: { model: string; replaysThinking: boolean; before: AnthropicState; isLast: boolean },
): { messages: MessageParam[]; state: AnthropicState } {
  const hash = options.before.hash.copy();
  let { hasThinking, answer, isEmpty } = options.before;
  const messages: MessageParam[] = [];
  let pending: ContentBlockParam[] = [];
  const append = (role: "user" | "assistant", content: ContentBlockParam[]): void => {
    hash.update(`\n${role}${JSON.stringify(content)}`);
    isEmpty = false;
    const last = messages.at(-1);
    // Two answers in a row are one turn to the API.
    if (last?.role === role && Array.isArray(last.content)) last.content.push(...content);
    else messages.push({ role, content });
    if (role === "assistant") answer = messages.at(-1)?.content as ContentBlockParam[];
  };
  for (const turn of turns) {
    if (turn.role === "user") {
      pending.push(...turn.texts.map((text) => ({ type: "text" as const, text })));
      continue;
    }
    if (pending.length > 0) append("user", pending);
    else if (isEmpty) append("user", [{ type: "text", text: "(what came before is not shown)" }]);
    const replayed = replayedBlocks(turn, { ...options, prefix: () => digestSoFar(hash) });
    hasThinking ||= replayed?.some(isThinking) ?? false;
    append("assistant", replayed ?? toldAgain(turn));
    pending = turn.calls.map(toResult);
  }
  // The API does not continue an answer that it gave: somebody has to speak.
  if (pending.length === 0 && options.isLast) pending.push({ type: "text", text: "(go on)" });
  if (pending.length > 0) append("user", pending);
  return { messages, state: { hash, hasThinking, answer, isEmpty } };
}

type AssistantTurn = Extract<Turn, { role: "assistant" }>;

function toldAgain({ text, calls }: AssistantTurn): ContentBlockParam[] {
  const said: ContentBlockParam[] = text.trim() === "" ? [] : [{ type: "text", text }];
  const made = calls.map(
    (call): ContentBlockParam => ({
      type: "tool_use",
      id: wireId(call.call, 64),
      name: wireName(call.name),
      input: call.input,
    }),
  );
  return [...said, ...made];
}

/** Results stand first in the message that follows their calls: the API wants nothing before them. */
function toResult({ call, result }: AnsweredCall): ContentBlockParam {
  return {
    type: "tool_result",
    tool_use_id: wireId(call, 64),
    content: result.text,
    ...(result.ok ? {} : { is_error: true }),
  };
}

function replayedBlocks(
  turn: AssistantTurn,
  options: { model: string; replaysThinking: boolean; prefix(): string },
): ContentBlockParam[] | null {
  const items = replayItems(turn, { provider: anthropicProvider, model: options.model, read: saidIn });
  if (items === null) return null;
  const records = recordsOf(items);
  const madeWith = records.find(({ type }) => type === prefixType)?.sha256;
  const keepsThinking = options.replaysThinking && madeWith === options.prefix();
  // The loop may have given calls other ids; they are the same calls in the same order.
  const calls = turn.calls.values();
  return records.flatMap((record): ContentBlockParam[] => {
    const block = record as unknown as ContentBlockParam;
    if (record.type === prefixType || (isThinking(block) && !keepsThinking)) return [];
    if (block.type !== "tool_use") return [block];
    const call = calls.next().value;
    return call ? [{ ...block, id: wireId(call.call, 64), name: wireName(block.name) }] : [];
  });
}

function saidIn(items: unknown[]): { text: string; calls: number } {
  const records = recordsOf(items);
  return {
    text: records.flatMap(({ type, text }) => (type === "text" && typeof text === "string" ? [text] : [])).join(""),
    calls: records.filter(({ type }) => type === "tool_use").length,
  };
}

function isThinking(block: { type: string }): boolean {
  return block.type === "thinking" || block.type === "redacted_thinking";
}

/** See the header: only where the look-back of the last block would not reach the end of the previous request. */
function markPreviousEnd(messages: MessageParam[]): void {
  const answer = messages.findLastIndex(({ role }) => role === "assistant");
  const since = messages.slice(Math.max(answer, 0)).reduce((sum, { content }) => sum + content.length, 0);
  const block = messages[answer - 1]?.content.at(-1);
  if (answer <= 0 || since <= lookBackBlocks || typeof block !== "object") return;
  if (block.type === "text" || block.type === "tool_result") block.cache_control = { type: "ephemeral" };
}

function thinkingOf(
  { model, thinking, maxOutputTokens }: AnthropicRequestOptions,
  answer: ContentBlockParam[] | null,
): Pick<MessageCreateParamsStreaming, "thinking" | "output_config"> {
  if (thinking === undefined) return {};
  const kind = claudeThinkingOf(model);
  if (kind === "budget") {
    if (thinking === "off" || !startsWithThinking(answer)) return {};
    const budget = Math.min(thinkingBudgetTokens[thinking], maxOutputTokens - 1);
    return budget < 1024 ? {} : { thinking: { type: "enabled", budget_tokens: budget } };
  }
  if (thinking !== "off") return { thinking: { type: "adaptive" }, output_config: { effort: thinking } };
  if (kind === "adaptive") return { thinking: { type: "disabled" } };
  if (kind === "between_tools") return { thinking: { type: "between_tools" } };
  return { thinking: { type: "adaptive" }, output_config: { effort: "low" } };
}

/**
 * Models with a budget want each turn whose calls are being answered to begin with its thinking. One that another model
 * began cannot: it is ended without thinking.
 */
function startsWithThinking(answer: ContentBlockParam[] | null): boolean {
  if (answer === null || !answer.some(({ type }) => type === "tool_use")) return true;
  return answer[0] !== undefined && isThinking(answer[0]);
}
