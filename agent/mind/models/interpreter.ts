/**
 * A deterministic model without a key: it understands the documented sentences of `docs/interpreter.md`, makes the one
 * tool call that a sentence means, and tells the result in plain words.
 */
import { parseCommand } from "../../commands.ts";
import { proposalOf } from "../proposal.ts";
import type { Model, ModelEvent, ModelMessage, ModelRequest } from "./model.ts";

export function interpreterModel(): Model {
  return {
    name: "interpreter",
    readsPrompt: false,
    async *stream(request) {
      yield* answer(request);
    },
  };
}

function* answer(request: ModelRequest): Generator<ModelEvent> {
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
    yield { type: "text", text: describeResult(last) };
  }
  yield { type: "stop", reason: "end" };
}

function describeResult(result: Extract<ModelMessage, { role: "tool" }>): string {
  // A person has no use for the list of tools that a model gets.
  if (!result.ok) return `I could not do that: ${unknownTool(result.data) ?? result.text}`;
  const proposal = proposalOf(result.data);
  return proposal === null ? result.text : describeProposal(proposal);
}

function unknownTool(data: unknown): string | null {
  const error = (data as { error?: { code?: unknown; message?: unknown } } | undefined)?.error;
  return error?.code === "unknown_tool" ? String(error.message) : null;
}

function describeProposal(proposal: NonNullable<ReturnType<typeof proposalOf>>): string {
  const { approval, summary, state, quorum, expiresAt, warnings } = proposal;
  const notes = warnings.map((warning) => `Note: ${warning}`);
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
    `Nothing happens until ${who} this plan, at the latest by ${new Date(expiresAt).toISOString()}.`,
    `Approve it on the console's Approvals page, or with: \`clawdinator approvals approve ${approval}\``,
  ].join("\n");
}
