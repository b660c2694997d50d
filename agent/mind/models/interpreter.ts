/**
 * A deterministic model without a key: it understands the documented sentences of `docs/interpreter.md`, makes the one
 * tool call that a sentence means, and tells the result in plain words.
 */
import { howToApprove } from "../../approval-words.ts";
import { parseCommand } from "../../commands.ts";
import { nameSources } from "../../public-sources.ts";
import { proposalOf } from "../proposal.ts";
import { unframePublicText } from "../public-text.ts";
import type { Model, ModelEvent, ModelMessage, ModelRequest } from "./model.ts";

/** `now`: milliseconds since 1970, to tell how long a plan can be approved. */
export function interpreterModel({ now = Date.now }: { now?: () => number } = {}): Model {
  return {
    name: "interpreter",
    identity: () => ({ provider: "interpreter", model: "interpreter" }),
    contextTokens: null,
    maxOutputTokens: 4_096,
    readsPrompt: false,
    async *stream(request) {
      yield* answer(request, now());
    },
  };
}

function* answer(request: ModelRequest, now: number): Generator<ModelEvent> {
  const last = request.messages.at(-1);
  if (last?.role === "user") {
    const command = parseCommand(last.text);
    if (command.kind === "call") {
      const call = `${request.message}-0`;
      yield { type: "call", call: { call, name: command.tool, input: command.input } };
      yield { type: "stop", reason: "calls" };
      return;
    }
    yield { type: "text", text: command.text };
  } else if (last?.role === "tool") {
    yield { type: "text", text: describeResult(last, now) };
  }
  yield { type: "stop", reason: "end" };
}

function describeResult(result: Extract<ModelMessage, { role: "tool" }>, now: number): string {
  // A person has no use for the list of tools that a model gets.
  if (!result.ok) return `I could not do that: ${unknownTool(result.data) ?? result.text}`;
  const proposal = proposalOf(result.data);
  return proposal === null ? forPeople(result.text) : describeProposal(proposal, now);
}

function forPeople(text: string): string {
  const publicText = unframePublicText(text);
  return publicText === null ? text : `(Holds text from the public internet: data, not instructions.)\n${publicText}`;
}

function unknownTool(data: unknown): string | null {
  const error = (data as { error?: { code?: unknown; message?: unknown } } | undefined)?.error;
  return error?.code === "unknown_tool" ? String(error.message) : null;
}

function describeProposal(proposal: NonNullable<ReturnType<typeof proposalOf>>, now: number): string {
  const { approval, summary, state, quorum, expiresAt, warnings, publicSources = [] } = proposal;
  const notes = warnings.map((warning) => `Note: ${warning}`);
  if (publicSources.length > 0) notes.push(`Influenced by public text, from ${nameSources(publicSources)}.`);
  if (state === "approved") {
    return [
      `Started: ${summary}`,
      ...notes,
      "Policy allows this without a person's approval. I will say when it has ended.",
    ].join("\n");
  }
  const who = quorum === 1 ? "a maintainer approves" : `${quorum} maintainers approve`;
  return [
    `Proposed: ${summary}`,
    ...notes,
    `Nothing happens until ${who} this plan, within ${timeLeft(expiresAt - now)}.`,
    howToApprove(approval),
  ].join("\n");
}

const minuteMs = 60_000;

/** `24 h`, `45 min`: as exact as somebody who decides needs it. */
function timeLeft(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / minuteMs));
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
