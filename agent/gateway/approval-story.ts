/**
 * What the audit log tells of an approval, derived from its record: so a crash between the record's write and its
 * telling loses nothing, because whoever reads the record next tells it again, and each event is told once.
 */
import type { AuditEntry } from "../protocol.ts";
import type { ApprovalRecord } from "./approval-record.ts";
import type { AuditLog } from "./audit.ts";

type Event = Omit<AuditEntry, "id" | "at" | "subject"> & { once: string };

/** Returns when every event of the record is in the audit log. */
export type TellApproval = (record: ApprovalRecord) => Promise<void>;

export function createApprovalStory(audit: AuditLog, instance: string): TellApproval {
  const told = new Set<string>();
  return async (record) => {
    for (const { once, ...event } of eventsOf(record, instance)) {
      if (told.has(once)) continue;
      await audit.write({ ...event, subject: record.id }, { once });
      told.add(once);
    }
  };
}

/** Everything that has happened to it so far, in order. Pure. */
function eventsOf(record: ApprovalRecord, instance: string): Event[] {
  const { id, digest, plan, votes, state } = record;
  const { proposer, summary } = plan;
  const byInstance = { actor: `instance:${instance}`, surface: instance };
  const proposed: Event = {
    once: `${id}/proposed`,
    action: plan.policy.rule.mode === "auto" ? "approval.allowed_by_policy" : "approval.proposed",
    actor: `${proposer.kind}:${proposer.id}`,
    surface: instance,
    detail: `${summary} (digest ${digest})`,
  };
  const cast = votes
    .filter((vote) => vote.surface !== "policy")
    .map((vote, n) => ({
      once: `${id}/vote-${n}`,
      action: `approval.${vote.decision}`,
      actor: `maintainer:${vote.maintainer}`,
      surface: vote.surface,
      detail: [`digest ${digest}`, vote.note, vote.reason].filter(Boolean).join("; "),
    }));
  const end = (action: string, who: { actor: string; surface: string }, detail: string): Event[] => [
    { once: `${id}/${state}`, action, ...who, detail },
  ];
  const ended =
    state === "executed"
      ? end("approval.executed", byInstance, `as ${record.operationId}: ${summary}`)
      : state === "superseded"
        ? end("approval.superseded", byInstance, record.reason ?? "")
        : state === "expired"
          ? end("approval.expired", { actor: "clock", surface: instance }, summary)
          : [];
  return [proposed, ...cast, ...ended];
}
