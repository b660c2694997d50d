/** Runs the calls of one turn, in order, and stores each result before it is shown. */
import { describeError } from "../../tools/errors.ts";
import { digestOf, type Json } from "../../tools/json.ts";
import { shorten } from "../../tools/shorten.ts";
import type { RunEvent } from "../protocol.ts";
import type { LoopOptions, LoopState, LoopTool, ToolOutcome } from "./loop.ts";
import type { ToolCall } from "./models/model.ts";
import { proposalOf } from "./proposal.ts";

export async function runCalls(
  calls: ToolCall[],
  state: LoopState,
  options: LoopOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const call of calls) {
    if (signal.aborted) return;
    options.emit({ type: "tool", call: call.call, name: call.name, state: "started", text: "" });
    const outcome = await runOnce(call, options, signal);
    // A call that was cut off is not finished: whoever resumes the run makes it again under the same id.
    if (signal.aborted && !outcome.ok) return;
    await takeResult(call, outcome, state, options);
  }
}

async function takeResult(
  { call, name, input }: ToolCall,
  { ok, text, data, trust, source }: ToolOutcome,
  state: LoopState,
  options: LoopOptions,
): Promise<void> {
  const provenance = { ...(trust === undefined ? {} : { trust }), ...(source === undefined ? {} : { source }) };
  await options.record({ role: "tool", call, name, ok, text, data, ...provenance });
  state.messages.push({ role: "tool", call, name, ok, text, data });
  const publicSource = trust === "public" ? { publicSource: shorten(source ?? name, maxSource) } : {};
  const result = ok ? "succeeded" : "failed";
  const digest = digestOf((input ?? null) as Json).slice(0, 16);
  show(
    {
      type: "tool",
      call,
      name,
      state: result,
      text: shorten(text.split("\n", 1)[0] ?? "", maxResult),
      input: digest,
      ...publicSource,
    },
    state,
    options,
  );
  const proposal = proposalEvent(data);
  if (proposal) show(proposal, state, options);
}

/** A tool that is not repeatable leaves a mark on disk before it begins; where one lies already, it is not run. */
async function runOnce(call: ToolCall, options: LoopOptions, signal: AbortSignal): Promise<ToolOutcome> {
  if (call.problem !== undefined) return { ok: false, text: `${call.name}: ${call.problem}` };
  const tool = options.tools.find(({ name }) => name === call.name);
  if (!tool) return unknownTool(call, options.tools);
  if (tool.repeatable === false) {
    if (options.startedCalls?.includes(call.call)) return unknownOutcome(call);
    await options.record({ role: "started", call: call.call, name: call.name });
  }
  try {
    return await tool.run(call, signal);
  } catch (error) {
    return failed(describeError(error));
  }
}

function unknownTool(call: ToolCall, tools: LoopTool[]): ToolOutcome {
  const message = `${call.name} is not available on this instance`;
  const hint = `tools: ${tools.map(({ name }) => name).join(", ")}`;
  return { ok: false, text: `${message}; ${hint}`, data: { error: { code: "unknown_tool", message, hint } } };
}

function unknownOutcome(call: ToolCall): ToolOutcome {
  return failed({
    code: "outcome_unknown",
    message: `${call.name} had begun when the program was interrupted, so nobody knows whether it ran; it was not run again`,
    hint: "look whether its effect is there before calling it again",
  });
}

function failed({ code, message, hint }: { code: string; message: string; hint: string }): ToolOutcome {
  return { ok: false, text: `${message}. ${hint} (${code})`, data: { error: { code, message, hint } } };
}

/** Something that is not text, kept to be shown again; what a tool is doing matters only while it does it. */
export function show(event: RunEvent, state: LoopState, options: Pick<LoopOptions, "emit">): void {
  if (event.type !== "tool" || event.publicSource !== undefined) state.shown.push(event);
  options.emit(event);
}

/** How a proposal is shown where the conversation is watched; null for data that is none. */
export function proposalEvent(data: unknown): RunEvent | null {
  const proposal = proposalOf(data);
  if (proposal === null) return null;
  const { approval, operation, digest, summary, state } = proposal;
  return { type: "proposal", approval, operation, digest, summary, state };
}

/** Counts how often in a row the same tools were called with the same input. */
export function countRounds(): (calls: ToolCall[]) => number {
  let last = "";
  let count = 0;
  return (calls) => {
    const round = JSON.stringify(calls.map(({ name, input }) => [name, input]));
    count = round === last ? count + 1 : 1;
    last = round;
    return count;
  };
}

const maxSource = 500;
const maxResult = 200;
