/**
 * The agent loop: model turn → tool calls → results, until the model stops, a limit is reached or the run is
 * interrupted. Plain functions; everything outside comes in through parameters, everything said goes out as events.
 */

import { describeError } from "../../tools/errors.ts";
import type { Json } from "../../tools/json.ts";
import type { ConversationEntry, RunEvent, Usage } from "../protocol.ts";
import type { Model, ModelFailure, ModelMessage, ToolCall, ToolSpec } from "./models/model.ts";
import { proposalOf } from "./proposal.ts";

export interface ToolOutcome {
  ok: boolean;
  text: string;
  data?: Json;
}

export interface LoopTool {
  name: string;
  spec(): ToolSpec;
  /** May throw: the loop turns any throw into an error result that the model can read. */
  run(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome>;
}

export interface LoopLimits {
  turns: number;
  /** Input and output tokens of all turns together. */
  tokens: number;
  seconds: number;
}

export type RecordedBody = Extract<ConversationEntry["body"], { role: "assistant" | "tool" }>;

export interface LoopOptions {
  model: Model;
  system: string;
  /** Id of the message that is answered. */
  message: string;
  conversation: string;
  run: string;
  /** The conversation so far. May end with calls whose results are missing: those are executed first. */
  messages: ModelMessage[];
  /** What an earlier attempt at this message already said. */
  textSoFar?: string;
  tools: LoopTool[];
  limits: LoopLimits;
  /** Aborted with an Interruption as its reason. */
  signal: AbortSignal;
  emit(event: RunEvent): void;
  /** Stores an entry durably; awaited before anything that builds on it. */
  record(body: RecordedBody): Promise<void>;
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
}

interface LoopState {
  messages: ModelMessage[];
  text: string;
  usage: LoopResult["usage"];
}

export async function runLoop(options: LoopOptions): Promise<LoopResult> {
  const deadline = AbortSignal.timeout(Math.ceil(options.limits.seconds * 1000));
  const signal = AbortSignal.any([options.signal, deadline]);
  const state: LoopState = {
    messages: [...options.messages],
    text: options.textSoFar ?? "",
    usage: { turns: 0, inputTokens: 0, outputTokens: 0, usd: 0 },
  };
  const end = (reason: LoopResult["reason"], error: ModelFailure | null = null): LoopResult => {
    if (error) options.emit({ type: "error", ...error });
    return { reason, text: state.text, error, usage: state.usage };
  };
  const stopped = () => {
    if (options.signal.aborted) return end(interruptionOf(options.signal) === "interrupted" ? "interrupted" : "parked");
    return end("limit", limitReached(`${options.limits.seconds} seconds`, "limits.runSeconds"));
  };

  await runCalls(missingCalls(state.messages), state, options, signal);
  for (;;) {
    if (signal.aborted) return stopped();
    if (state.usage.turns >= options.limits.turns) {
      return end("limit", limitReached(`${options.limits.turns} model turns`, "limits.turns"));
    }
    if (state.usage.inputTokens + state.usage.outputTokens >= options.limits.tokens) {
      return end("limit", limitReached(`${options.limits.tokens} tokens`, "limits.tokens"));
    }
    const turn = await runTurn(state, options, signal);
    if (turn.stop.reason === "interrupted" || signal.aborted) {
      // A parked run is made again from what is stored; an interrupted one keeps what was shown.
      if (turn.text !== "" && interruptionOf(options.signal) === "interrupted")
        await recordTurn({ ...turn, calls: [] }, state, options);
      return stopped();
    }
    if (turn.stop.reason === "error") return end("failed", turn.stop.error);
    await recordTurn(turn, state, options);
    if (turn.stop.reason === "length")
      return end("limit", limitReached("the length of one model answer", "the endpoint's settings"));
    if (turn.calls.length === 0) return end("answered");
    await runCalls(turn.calls, state, options, signal);
  }
}

interface Turn {
  text: string;
  calls: ToolCall[];
  stop: { reason: "end" | "calls" | "length" | "interrupted" } | { reason: "error"; error: ModelFailure };
}

async function runTurn(state: LoopState, options: LoopOptions, signal: AbortSignal): Promise<Turn> {
  const turn: Turn = { text: "", calls: [], stop: { reason: "end" } };
  const used = { inputTokens: 0, outputTokens: 0 };
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
      if (event.type === "text" && event.text !== "") {
        // Texts of several turns are paragraphs of one answer.
        const separator = turn.text === "" && state.text !== "" ? "\n\n" : "";
        turn.text += event.text;
        state.text += separator + event.text;
        options.emit({ type: "text", text: separator + event.text });
      } else if (event.type === "call") turn.calls.push(withOwnId(event.call, state, turn, options.message));
      else if (event.type === "usage")
        Object.assign(used, { inputTokens: inputOf(event.usage), outputTokens: event.usage.outputTokens });
      else if (event.type === "stop") turn.stop = event;
      if (signal.aborted) break;
    }
  } catch (error) {
    turn.stop = { reason: "error", error: describeError(error) };
  }
  state.usage.inputTokens += used.inputTokens;
  state.usage.outputTokens += used.outputTokens;
  return turn;
}

/** All that went in, from a cache or not. */
function inputOf({ inputTokens, cacheReadTokens, cacheWriteTokens }: Usage): number {
  return inputTokens + cacheReadTokens + cacheWriteTokens;
}

/** Some endpoints count their call ids from zero in every turn; ours must tell each call of a run apart. */
function withOwnId(call: ToolCall, state: LoopState, turn: Turn, message: string): ToolCall {
  const taken = new Set(
    [...state.messages, { role: "assistant" as const, text: "", calls: turn.calls }].flatMap((entry) =>
      entry.role === "assistant" ? entry.calls.map((other) => other.call) : [],
    ),
  );
  if (call.call !== "" && !taken.has(call.call)) return call;
  return { ...call, call: `${message}-${state.usage.turns}-${turn.calls.length}` };
}

async function recordTurn(turn: Turn, state: LoopState, options: LoopOptions): Promise<void> {
  const calls = turn.calls.map(({ call, name, input }) => ({ call, name, input }));
  await options.record({ role: "assistant", text: turn.text, calls, model: options.model.name });
  state.messages.push({ role: "assistant", text: turn.text, calls: turn.calls });
}

async function runCalls(calls: ToolCall[], state: LoopState, options: LoopOptions, signal: AbortSignal): Promise<void> {
  for (const call of calls) {
    if (signal.aborted) return;
    options.emit({ type: "tool", call: call.call, name: call.name, state: "started", text: "" });
    const outcome = await runCall(call, options.tools, signal);
    // A call that was cut off is not finished: whoever resumes the run makes it again under the same id.
    if (signal.aborted && !outcome.ok) return;
    const { ok, text, data } = outcome;
    await options.record({ role: "tool", call: call.call, name: call.name, ok, text, data });
    state.messages.push({ role: "tool", call: call.call, name: call.name, ok, text, data });
    options.emit({
      type: "tool",
      call: call.call,
      name: call.name,
      state: ok ? "succeeded" : "failed",
      text: firstLine(text),
    });
    emitProposal(data, options.emit);
  }
}

async function runCall(call: ToolCall, tools: LoopTool[], signal: AbortSignal): Promise<ToolOutcome> {
  if (call.problem !== undefined) return { ok: false, text: `${call.name}: ${call.problem}` };
  const tool = tools.find(({ name }) => name === call.name);
  if (!tool) {
    const message = `${call.name} is not available on this instance`;
    const hint = `tools: ${tools.map(({ name }) => name).join(", ")}`;
    return { ok: false, text: `${message}; ${hint}`, data: { error: { code: "unknown_tool", message, hint } } };
  }
  try {
    return await tool.run(call, signal);
  } catch (error) {
    const { code, message, hint } = describeError(error);
    return { ok: false, text: `${message}. ${hint} (${code})`, data: { error: { code, message, hint } } };
  }
}

/** Shows a proposal where the conversation is watched; also used when a stored result is shown again. */
export function emitProposal(data: unknown, emit: (event: RunEvent) => void): void {
  const proposal = proposalOf(data);
  if (proposal === null) return;
  const { approval, operation, digest, summary, state } = proposal;
  emit({ type: "proposal", approval, operation, digest, summary, state });
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

function limitReached(what: string, setting: string): ModelFailure {
  return {
    code: "limit_reached",
    message: `stopped at the limit of ${what} for one run`,
    hint: `ask in smaller steps, or raise ${setting}`,
  };
}

function firstLine(text: string): string {
  const line = text.split("\n", 1)[0] ?? "";
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}
