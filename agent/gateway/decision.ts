/** What one decision does to one approval: pure, so that it can be taken again when another one came first. */
import type { Proposer } from "../../tools/tool.ts";
import type { ApprovalState, Decision, Vote } from "../protocol.ts";
import type { ApprovalRecord } from "./approval-record.ts";
import { type Actor, surfaceOf } from "./maintainers.ts";

/** Neither decided nor run nor out of time. */
export function isOpen(state: ApprovalState): boolean {
  return state === "pending" || state === "approved";
}

/** Why this decision cannot be taken on this record; null when it can. Pure. */
export function refusalOf(options: {
  record: ApprovalRecord;
  actor: Actor;
  decision: Decision;
  now: number;
  approvers: readonly string[];
}): { code: string; message: string; hint: string } | null {
  const { record, actor, decision, now, approvers } = options;
  if (!approvers.includes(actor.maintainer.id)) {
    return {
      code: "not_an_approver",
      message: `${actor.maintainer.name} (maintainer ${actor.maintainer.id}) is not an approver in the policy in force`,
      hint: "approvers are listed in policy.json of the fleet repository",
    };
  }
  if (record.state === "superseded") {
    return {
      code: "superseded",
      message: `${record.id} was superseded: ${record.reason}`,
      hint: `decide ${record.supersededBy ?? "a new proposal"} instead`,
    };
  }
  if (record.state === "expired" || (isOpen(record.state) && now >= record.expiresAt)) {
    return {
      code: "expired",
      message: `${record.id} expired at ${new Date(record.expiresAt).toISOString()}`,
      hint: "ask for it again",
    };
  }
  if (record.state !== "pending") {
    return {
      code: "already_decided",
      message: `${record.id} was already decided: ${describeVotes(record)}`,
      hint: "nothing to do",
    };
  }
  if (decision.digest !== record.digest) {
    return {
      code: "wrong_digest",
      message: `the digest ${decision.digest.slice(0, 12)}… is not the one of ${record.id} (${record.digest.slice(0, 12)}…)`,
      hint: "look at the plan again and decide on the digest that it shows",
    };
  }
  const earlier = record.votes.findLast((vote) => vote.maintainer === actor.maintainer.id);
  // A vote that somebody else cast with --as and that does not count must not take away the person's own.
  if (earlier && decision.decision === "approve" && (earlier.counts || whyNotCounted(record, actor) !== null)) {
    return {
      code: "already_voted",
      message: `${actor.maintainer.name} voted already, through ${earlier.surface} at ${new Date(earlier.at).toISOString()}; one person has one vote`,
      hint: "another approver must agree",
    };
  }
  return null;
}

/** The record with one more vote, and what follows from it. Pure. */
export function withVote(options: {
  record: ApprovalRecord;
  actor: Actor;
  decision: Decision;
  now: number;
}): ApprovalRecord {
  const { record, actor, decision, now } = options;
  const { quorum } = record.plan.policy.rule;
  const note = whyNotCounted(record, actor);
  const vote: Vote = {
    maintainer: actor.maintainer.id,
    name: actor.maintainer.name,
    surface: surfaceOf(actor),
    decision: decision.decision,
    counts: note === null,
    note,
    ...(decision.reason ? { reason: decision.reason } : {}),
    at: now,
  };
  const votes = [...record.votes, vote];
  if (decision.decision === "reject") {
    return { ...record, votes, state: "rejected", reason: decision.reason ?? `rejected by ${actor.maintainer.name}` };
  }
  const reached = votes.filter((one) => one.decision === "approve" && one.counts).length >= quorum;
  return { ...record, votes, state: reached ? "approved" : "pending" };
}

/** Why a vote of this actor does not count toward the quorum; null when it does. */
function whyNotCounted(record: ApprovalRecord, actor: Actor): string | null {
  const { policy, proposer } = record.plan;
  const { quorum } = policy.rule;
  if (quorum <= 1) return null;
  if (actor.asLocal) return "--as does not count toward a quorum above one";
  // With --as, who really proposed is the one whose token was used.
  if (proposer.kind !== "maintainer" || (proposer.by ?? proposer.id) !== actor.maintainer.id) return null;
  return "the proposer does not count toward a quorum above one";
}

export function outcomeOf(record: ApprovalRecord): "approved" | "rejected" | "recorded" {
  if (record.state === "rejected") return "rejected";
  return record.state === "approved" ? "approved" : "recorded";
}

export function describeOutcome(record: ApprovalRecord, actor: Actor): string {
  const { quorum } = record.plan.policy.rule;
  const count = record.votes.filter((vote) => vote.decision === "approve" && vote.counts).length;
  if (record.state === "rejected") return `rejected by ${actor.maintainer.name}`;
  if (record.state === "approved") return `approved by ${actor.maintainer.name}; it starts now`;
  const note = record.votes.at(-1)?.note;
  return `${note ? `recorded, but ${note}` : "recorded"}: ${count} of ${quorum} approvals`;
}

/** "approved by Ada through console at …" for an approval that is no longer open. */
function describeVotes(record: ApprovalRecord): string {
  const last = record.votes.at(-1);
  if (!last) return record.state;
  const verb = last.decision === "approve" ? "approved" : "rejected";
  return `${verb} by ${last.name} through ${last.surface} at ${new Date(last.at).toISOString()}`;
}

/** What a person should know before asking for a quorum that nobody can bring together without them; null otherwise. */
export function outOfReach(options: {
  quorum: number;
  proposer: Proposer;
  approvers: readonly string[];
}): string | null {
  const { quorum, proposer } = options;
  if (quorum <= 1 || proposer.kind !== "maintainer") return null;
  const asked = proposer.by ?? proposer.id;
  const others = new Set(options.approvers.filter((id) => id !== asked)).size;
  if (others >= quorum) return null;
  return `${quorum} approvers besides ${proposer.name} must agree and there ${others === 1 ? "is" : "are"} ${others}: a commit to the fleet repository has no proposer, so everybody counts there`;
}
