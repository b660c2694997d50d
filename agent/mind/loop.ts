/**
 * The agent loop: model turn → tool calls → results, until the model stops, a limit is reached or the run is
 * interrupted. Plain functions; everything outside comes in through parameters, everything said goes out as events.
 */

import { describeError } from "../../tools/errors.ts";
import type { Json } from "../../tools/json.ts";
import type { Trust } from "../../tools/tool.ts";
import type { ConversationEntry, RunEvent, Usage } from "../protocol.ts";
import { countRounds, runCalls, show } from "./loop-calls.ts";
import { limitReached, mostIdenticalRounds, noAnswer, repeatsItself } from "./loop-words.ts";
import type { Model, ModelFailure, ModelMessage, Replay, ToolCall, ToolSpec } from "./models/model.ts";

export interface ToolOutcome {
  ok: boolean;
  text: string;
  data?: Json;
  /** Lowest trust of what the text holds; absent: the program's own words. */
  trust?: Trust;
  /** Where it came from, with `trust: "public"`. */
  source?: string;
}

export interface LoopTool {
  name: string;
  spec(): ToolSpec;
  /** False: it must not run twice for one call, so a call that may have run is never made again. Default true. */
  repeatable?: boolean;
  /** May throw: the loop turns any throw into an error result that the model can read. */
  run(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome>;
}

export interface LoopLimits {
  turns: number;
  /** Input and output tokens of all turns together. */
  tokens: number;
  seconds: number;
}

export type RecordedBody = Extract<ConversationEntry["body"], { role: "assistant" | "tool" | "started" }>;

/** What the model is about to see. */
export interface TurnView {
  messages: readonly ModelMessage[];
  /** Input tokens that the last request of this run really had; null before the first, and where nobody counts. */
  inputTokens: number | null;
  /** The endpoint has just refused these messages as too long. */
  isFull: boolean;
  signal: AbortSignal;
}

export interface LoopOptions {
  model: Model;
  system: string;
  /** Id of the message that is answered. */
  message: string;
  conversation: string;
  run: string;
  /** The conversation so far; the loop adds to it. May end with calls whose results are missing: those run first. */
  messages: ModelMessage[];
  /** What an earlier attempt at this message already said. */
  textSoFar?: string;
  /** What else of it was shown, to be shown again when a turn is void. Grows; whoever shows more adds it. */
  shown?: RunEvent[];
  /** Whether an earlier call of the conversation has this id. */
  isKnownCall?(call: string): boolean;
  /** Calls of tools that are not repeatable which began and have no result. */
  startedCalls?: readonly string[];
  tools: LoopTool[];
  limits: LoopLimits;
  /** What the run answers is stored: awaited before anything of a turn is taken in. When it rejects, the run fails. */
  ready?: Promise<void>;
  /** Nobody waits for an answer: saying nothing is one. */
  mayBeSilent?: boolean;
  /** Aborted with an Interruption as its reason. */
  signal: AbortSignal;
  emit(event: RunEvent): void;
  /** Stores entries durably, in one write; awaited before anything that builds on them. */
  record(...bodies: RecordedBody[]): Promise<void>;
  /** Awaited before each turn of the model; may put other messages in the place of those that it would see. */
  beforeTurn?(view: TurnView): Promise<ModelMessage[] | null>;
}

/** Why a run was stopped from outside. `interrupted` ends it; `parked` and `dropped` leave it to be resumed. */
export interface Interruption {
  kind: "interrupted" | "parked" | "dropped";
  reason: string;
}

export interface LoopResult {
  reason: "answered" | "interrupted" | "limit" | "failed" | "parked";
  text: string;
  error: ModelFailure | null;
  usage: { turns: number; inputTokens: number; outputTokens: number; usd: number };
  /** The last turn, to be stored in one write with the end. */
  unstored: RecordedBody[];
}

export interface LoopState {
  messages: ModelMessage[];
  text: string;
  usage: LoopResult["usage"];
  /** Notices, proposals and such, in order. */
  shown: RunEvent[];
  /** What the last request really had; null where nobody said so. */
  lastInputTokens: number | null;
  /** Of calls that this run has made so far. */
  callIds: Set<string>;
}

export async function runLoop(options: LoopOptions): Promise<LoopResult> {
  const { limits } = options;
  const deadline = AbortSignal.timeout(Math.ceil(limits.seconds * 1000));
  const signal = AbortSignal.any([options.signal, deadline]);
  const state: LoopState = {
    messages: options.messages,
    text: options.textSoFar ?? "",
    usage: { turns: 0, inputTokens: 0, outputTokens: 0, usd: 0 },
    shown: options.shown ?? [],
    lastInputTokens: null,
    callIds: new Set(),
  };
  const end = (reason: LoopResult["reason"], error: ModelFailure | null, last: Turn | null = null): LoopResult => {
    if (error) options.emit({ type: "error", code: error.code, message: error.message, hint: error.hint });
    if (reason === "answered" && state.text === "" && !options.mayBeSilent)
      say(noAnswer(state.messages), state, options);
    const isSaid = last !== null && last.text !== "";
    return { reason, text: state.text, error, usage: state.usage, unstored: isSaid ? [bodyOf(last)] : [] };
  };
  const stopped = (last: Turn | null = null) => {
    if (!options.signal.aborted)
      return end("limit", limitReached(`${limits.seconds} seconds`, "limits.runSeconds"), last);
    // A parked run is made again from what is stored; an interrupted one keeps what was shown.
    return interruptionOf(options.signal) === "interrupted" ? end("interrupted", null, last) : end("parked", null);
  };

  if (isAnswered(state.messages)) return end("answered", null);
  await runCalls(missingCalls(state.messages), state, options, signal);
  const countRound = countRounds();
  let full: ModelFailure | null = null;
  for (;;) {
    if (signal.aborted) return stopped();
    const { turns, inputTokens, outputTokens } = state.usage;
    if (turns >= limits.turns) return end("limit", limitReached(`${limits.turns} model turns`, "limits.turns"));
    if (inputTokens + outputTokens >= limits.tokens)
      return end("limit", limitReached(`${limits.tokens} tokens`, "limits.tokens"));
    const replaced = await options.beforeTurn?.({
      messages: state.messages,
      isFull: full !== null,
      inputTokens: state.lastInputTokens,
      signal,
    });
    if (replaced) state.messages = replaced;
    else if (full !== null) return end("failed", full);
    if (signal.aborted) return stopped();
    const turn = await runTurn(state, options, signal);
    // What was cut off has no calls that could be made, and nothing that could be replayed.
    const cutOff: Turn = { ...turn, calls: [], replay: null };
    if (turn.stop.reason === "interrupted" || signal.aborted) return stopped(cutOff);
    if (turn.stop.reason === "error") {
      const { error } = turn.stop;
      if (error.code !== "model_context_full" || !options.beforeTurn) return end("failed", error, cutOff);
      full = error;
      voidTurn(turn, state, options, error.message);
      continue;
    }
    full = null;
    if (turn.stop.reason === "length")
      return end("limit", limitReached("the length of one model answer", "models.personality.maxOutputTokens"), cutOff);
    if (turn.calls.length === 0) return end("answered", null, turn);
    await options.record(bodyOf(turn));
    const { text, calls, replay } = turn;
    state.messages.push({ role: "assistant", text, calls, ...(replay ? { replay } : {}) });
    await runCalls(calls, state, options, signal);
    if (countRound(calls) >= mostIdenticalRounds && !signal.aborted) return end("limit", repeatsItself(calls));
  }
}

interface Turn {
  text: string;
  /** Of the answer, before this turn. */
  textBefore: string;
  calls: ToolCall[];
  replay: Replay | null;
  /** Name of the model that made it. */
  model: string;
  stop: { reason: "end" | "calls" | "length" | "interrupted" } | { reason: "error"; error: ModelFailure };
}

async function runTurn(state: LoopState, options: LoopOptions, signal: AbortSignal): Promise<Turn> {
  const { name: model } = options.model;
  const turn: Turn = { text: "", textBefore: state.text, calls: [], replay: null, model, stop: { reason: "end" } };
  let used: Usage | null = null;
  const settle = () => {
    if (used === null) return;
    // All that went in, from a cache or not.
    state.lastInputTokens = used.inputTokens + used.cacheReadTokens + used.cacheWriteTokens;
    state.usage.inputTokens += state.lastInputTokens;
    state.usage.outputTokens += used.outputTokens;
    used = null;
  };
  state.usage.turns += 1;
  try {
    const stream = options.model.stream({
      message: options.message,
      conversation: options.conversation,
      run: options.run,
      purpose: "personality",
      system: options.system,
      messages: state.messages,
      tools: () => options.tools.map((tool) => tool.spec()),
      signal,
    });
    for await (const event of stream) {
      await options.ready;
      if (event.type === "text" && event.text !== "") {
        // Texts of several turns are paragraphs of one answer.
        say(turn.text === "" && state.text !== "" ? `\n\n${event.text}` : event.text, state, options);
        turn.text += event.text;
      } else if (event.type === "call") turn.calls.push(withOwnId(event.call, state, options));
      else if (event.type === "replay") turn.replay = event.replay;
      else if (event.type === "usage") used = event.usage;
      else if (event.type === "cost") state.usage.usd += event.usd;
      else if (event.type === "notice") show({ type: "notice", text: event.text }, state, options);
      else if (event.type === "again") {
        settle();
        voidTurn(turn, state, options, event.reason);
      } else if (event.type === "stop") {
        turn.stop = event;
        if (event.reason !== "error") turn.model = event.model ?? model;
      }
      if (signal.aborted && (event.type === "text" || event.type === "call")) break;
    }
  } catch (error) {
    // What was asked could not be stored: that is the failure, and it is told once.
    await options.ready;
    turn.stop = { reason: "error", error: describeError(error) };
  }
  settle();
  return turn;
}

function say(text: string, state: LoopState, options: LoopOptions): void {
  state.text += text;
  options.emit({ type: "text", text });
}

/** The turn begins anew; nothing of it was executed. What was shown before it is shown again. */
function voidTurn(turn: Turn, state: LoopState, options: LoopOptions, reason: string): void {
  for (const { call } of turn.calls) state.callIds.delete(call);
  Object.assign(turn, { text: "", calls: [], replay: null });
  if (state.text === turn.textBefore) return;
  state.text = turn.textBefore;
  options.emit({ type: "restart", reason });
  if (state.text !== "") options.emit({ type: "text", text: state.text });
  for (const event of state.shown) options.emit(event);
}

/** Some endpoints count their call ids from zero in every turn; ours must tell each call of a conversation apart. */
function withOwnId(call: ToolCall, state: LoopState, { message, isKnownCall }: LoopOptions): ToolCall {
  const isTaken = (id: string) => id === "" || state.callIds.has(id) || isKnownCall?.(id) === true;
  let id = call.call;
  for (let count = state.callIds.size; isTaken(id); count++) id = `${message}-${count}`;
  state.callIds.add(id);
  return id === call.call ? call : { ...call, call: id };
}

function bodyOf({ text, calls, replay, model }: Turn): RecordedBody {
  const stored = calls.map(({ call, name, input }) => ({ call, name, input }));
  return { role: "assistant", text, calls: stored, model, ...(replay ? { replay } : {}) };
}

/** Only the end is missing: the process ended between the two. */
function isAnswered(messages: ModelMessage[]): boolean {
  const last = messages.at(-1);
  return last?.role === "assistant" && last.calls.length === 0;
}

/** Calls of the last turn that have no result yet. */
function missingCalls(messages: ModelMessage[]): ToolCall[] {
  const last = messages.findLastIndex((message) => message.role === "assistant");
  const turn = messages[last];
  if (turn?.role !== "assistant") return [];
  const done = new Set(messages.slice(last + 1).flatMap((message) => (message.role === "tool" ? [message.call] : [])));
  return turn.calls.filter(({ call }) => !done.has(call));
}

export function interruptionOf(signal: AbortSignal): Interruption["kind"] | null {
  if (!signal.aborted) return null;
  return (signal.reason as Partial<Interruption> | null)?.kind ?? "interrupted";
}
