/** What the tests of approvals do with them, in the words of those tests. */
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { DecisionOutcome } from "../../agent/gateway/approvals.ts";
import type { ApprovalView } from "../../agent/protocol.ts";
import { actor, openPainters, type Painters } from "./painting.ts";
import { temporaryDirectory } from "./temporary.ts";

export async function open(
  options: { path?: string; instance?: string; approvers?: string[]; quorum?: number } = {},
): Promise<Painters> {
  const path = options.path ?? join(temporaryDirectory(), "store.sqlite");
  const painters = await openPainters({ ...options, path });
  onTestFinished(() => painters.close());
  return painters;
}

type Who = ReturnType<typeof actor>;

export function approve(
  { approvals }: Painters,
  { id, digest }: ApprovalView,
  who: Who = actor("2"),
): Promise<DecisionOutcome> {
  return approvals.decide({ id, actor: who, decision: { decision: "approve", digest } });
}

export function reject(
  { approvals }: Painters,
  { id, digest }: ApprovalView,
  who: Who = actor("2"),
): Promise<DecisionOutcome> {
  return approvals.decide({ id, actor: who, decision: { decision: "reject", digest, reason: "not today" } });
}

export async function get({ approvals }: Painters, id: string): Promise<ApprovalView> {
  const found = await approvals.get(id);
  if (!found) throw new Error(`there is no ${id}`);
  return found;
}

export async function refusal(
  outcome: Promise<DecisionOutcome>,
): Promise<{ code: string; message: string; hint: string }> {
  const found = await outcome;
  if (found.outcome !== "refused") throw new Error(`was not refused: ${JSON.stringify(found)}`);
  return found;
}
