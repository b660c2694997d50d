/**
 * Approvals: from a proposal to one decision. An approval authorizes one digest, once, until it expires by the store's
 * clock. All of its life is one record, changed only by compare-and-swap, so there is exactly one terminal state
 * whoever decides, wherever, in whatever order.
 */
import { randomBytes } from "node:crypto";
import { ToolError } from "../../tools/errors.ts";
import { differences, digestOf, type Json, sha256 } from "../../tools/json.ts";
import { readAll, type Store, update } from "../../tools/store.ts";
import type { Operation, Plan, PlanDraft, Proposer } from "../../tools/tool.ts";
import type { ApprovalState, ApprovalView, Decision, Vote } from "../protocol.ts";
import type { AuditLog } from "./audit.ts";
import type { Actor } from "./maintainers.ts";
import type { PolicyInForce } from "../../tools/policy-pin.ts";

export interface ApprovalRecord {
  formatVersion: 1;
  id: string;
  operation: string;
  digest: string;
  state: ApprovalState;
  plan: Plan;
  votes: Vote[];
  createdAt: number;
  expiresAt: number;
  reason: string | null;
  supersededBy: string | null;
  operationId: string | null;
}

export interface ProposeRequest {
  operation: string;
  input: Json;
  proposer: Proposer;
  /** The same key finds the first proposal again instead of making another. */
  key: string;
}

export type DecisionOutcome =
  | { outcome: "approved" | "rejected" | "recorded"; approval: ApprovalView; message: string }
  | { outcome: "refused"; code: string; approval: ApprovalView | null; message: string; hint: string };

/** How a plan is derived, now or again: the operations registry behind one function. */
export type Planner = (request: { operation: string; input: Json; proposer: Proposer }) => Promise<{
  tool: Operation;
  input: Json;
  draft: PlanDraft;
}>;

export interface Approvals {
  propose(request: ProposeRequest): Promise<ApprovalView>;
  decide(options: { id: string; actor: Actor; decision: Decision }): Promise<DecisionOutcome>;
  get(id: string): Promise<ApprovalView | null>;
  /** Newest first. */
  list(): Promise<ApprovalView[]>;
  /**
   * Turns an approved plan into the right to run it, exactly once: derives the facts again and refuses any drift, lets
   * `prepare` write the journal's first record, and then marks the approval executed, which is the one deciding write.
   * False when it is not (or no longer) to be run.
   */
  execute(id: string, prepare: (record: ApprovalRecord) => Promise<void>): Promise<boolean>;
  /** Marks what ran out of time. */
  expire(): Promise<void>;
  /** Ids that are approved and wait to be run. */
  approved(): Promise<string[]>;
}

export function createApprovals(options: {
  store: Store;
  audit: AuditLog;
  policy: () => Promise<PolicyInForce>;
  plan: Planner;
  instance: string;
  onChange?: (approval: ApprovalView) => void;
}): Approvals {
  const { store, audit, instance } = options;

  const read = async (id: string): Promise<ApprovalRecord | null> => {
    if (!/^ap-[0-9a-f]{12}$/.test(id)) return null;
    return ((await store.get(`approvals/${id}`))?.value ?? null) as ApprovalRecord | null;
  };

  /** Approvals in a terminal state, by the version they have: they never change again. */
  const closed = new Map<string, string>();

  const readOpen = async (): Promise<ApprovalRecord[]> => {
    const open: ApprovalRecord[] = [];
    for (const { key, version } of await store.list("approvals/")) {
      if (closed.get(key) === version) continue;
      const record = ((await store.get(key))?.value ?? null) as ApprovalRecord | null;
      if (record && isOpen(record.state)) open.push(record);
      else closed.set(key, version);
    }
    return open;
  };

  const changed = (record: ApprovalRecord): ApprovalView => {
    const view = toView(record);
    options.onChange?.(view);
    return view;
  };

  /** Compare-and-swap on one approval; `apply` returns undefined to leave it. */
  const change = async (
    id: string,
    apply: (record: ApprovalRecord) => ApprovalRecord | undefined,
  ): Promise<{ changed: boolean; record: ApprovalRecord | null }> => {
    const result = await update<Json>(store, `approvals/${id}`, (current) =>
      current ? (apply(current as unknown as ApprovalRecord) as unknown as Json | undefined) : undefined,
    );
    return { changed: result.changed, record: result.value as unknown as ApprovalRecord | null };
  };

  const approvals: Approvals = {
    async propose(request) {
      const id = `ap-${sha256(request.key).slice(0, 12)}`;
      const existing = await read(id);
      if (existing) return toView(existing);
      const record = await draftRecord(id, request);
      const result = await store.put(`approvals/${id}`, record as unknown as Json, { ifAbsent: true });
      if (!result.written) return toView((await read(id)) ?? record);
      const { proposer } = request;
      await audit.write({
        action: record.state === "approved" ? "approval.allowed_by_policy" : "approval.proposed",
        actor: `${proposer.kind}:${proposer.id}`,
        surface: instance,
        subject: id,
        detail: `${record.plan.summary} (digest ${record.digest})`,
      });
      return changed(record);
    },

    async decide({ id, actor, decision }) {
      const before = await read(id);
      if (!before) {
        return refuse("unknown_approval", null, `there is no approval ${id}`, "`clawdinator approvals list` shows them all");
      }
      const now = await store.now();
      const inForce = await options.policy();
      const eligible = inForce.policy.approvers.includes(actor.maintainer.id);
      let refusal: { code: string; message: string; hint: string } | null = null;
      const { changed: wasChanged, record } = await change(id, (current) => {
        refusal = refusalOf({ record: current, actor, decision, now, eligible, instance });
        return refusal ? undefined : withVote({ record: current, actor, decision, now });
      });
      if (!record) return refuse("unknown_approval", null, `approval ${id} is gone`, "propose it again");
      const failed = refusal as { code: string; message: string; hint: string } | null;
      if (!wasChanged || failed) {
        if (failed?.code === "expired") await approvals.expire();
        const latest = toView((await read(id)) ?? record);
        const { code, message, hint } = failed ?? { code: "unchanged", message: "nothing changed", hint: "look at it again" };
        await audit.write({
          action: "approval.refused",
          actor: `maintainer:${actor.maintainer.id}`,
          surface: surfaceOf(actor),
          subject: id,
          detail: `${decision.decision}: ${message}`,
        });
        return refuse(code, latest, message, hint);
      }
      const vote = record.votes.at(-1);
      await audit.write({
        action: `approval.${decision.decision === "approve" ? "approve" : "reject"}`,
        actor: `maintainer:${actor.maintainer.id}`,
        surface: surfaceOf(actor),
        subject: id,
        detail: [`digest ${record.digest}`, vote?.note, decision.reason].filter(Boolean).join("; "),
      });
      const approval = changed(record);
      return { outcome: outcomeOf(record), approval, message: describeOutcome(record, actor) };
    },

    async get(id) {
      const record = await read(id);
      return record ? toView(record) : null;
    },

    async list() {
      const entries = await readAll(store, "approvals/");
      return entries.map((entry) => toView(entry.value as unknown as ApprovalRecord)).sort((a, b) => b.createdAt - a.createdAt);
    },

    async execute(id, prepare) {
      const record = await read(id);
      if (record?.state !== "approved") return false;
      if ((await store.now()) >= record.expiresAt) {
        await approvals.expire();
        return false;
      }
      const drift = await findDrift(record);
      if (drift) {
        await supersede(record, drift);
        return false;
      }
      const operationId = `op-${record.digest.slice(0, 12)}`;
      await prepare({ ...record, operationId });
      const claimed = await change(id, (current) =>
        current.state === "approved" ? { ...current, state: "executed", operationId } : undefined,
      );
      if (!claimed.changed || !claimed.record) return false;
      await audit.write({
        action: "approval.executed",
        actor: `instance:${instance}`,
        surface: instance,
        subject: id,
        detail: `as ${operationId}: ${record.plan.summary}`,
      });
      changed(claimed.record);
      return true;
    },

    async approved() {
      return (await readOpen()).filter((record) => record.state === "approved").map((record) => record.id);
    },

    async expire() {
      const now = await store.now();
      for (const record of await readOpen()) {
        if (now < record.expiresAt) continue;
        const result = await change(record.id, (current) =>
          isOpen(current.state) && now >= current.expiresAt
            ? { ...current, state: "expired", reason: `nobody completed it by ${new Date(current.expiresAt).toISOString()}` }
            : undefined,
        );
        if (!result.changed || !result.record) continue;
        await audit.write({ action: "approval.expired", actor: "clock", surface: instance, subject: record.id, detail: record.plan.summary });
        changed(result.record);
      }
    },
  };

  async function draftRecord(id: string, request: Omit<ProposeRequest, "key">): Promise<ApprovalRecord> {
    const inForce = await options.policy();
    const rule = inForce.ruleFor(request.operation);
    if (rule.mode === "deny") {
      throw new ToolError(`policy denies ${request.operation}`, {
        code: "denied_by_policy",
        hint: "policy.json in the fleet repository decides this; a maintainer can propose a policy_change",
      });
    }
    const { tool, input, draft } = await options.plan(request);
    const createdAt = await store.now();
    const plan: Plan = {
      formatVersion: 1,
      operation: tool.name,
      input,
      proposer: request.proposer,
      ...draft,
      policy: { commit: inForce.commit, digest: inForce.digest, rule },
      createdAt,
      expiresAt: createdAt + Math.round(rule.expiresHours * 3_600_000),
      nonce: randomBytes(16).toString("hex"),
    };
    const auto = rule.mode === "auto";
    return {
      formatVersion: 1,
      id,
      operation: tool.name,
      digest: digestOf(plan as unknown as Json),
      state: auto ? "approved" : "pending",
      plan,
      votes: auto ? [policyVote(createdAt)] : [],
      createdAt,
      expiresAt: plan.expiresAt,
      reason: null,
      supersededBy: null,
      operationId: null,
    };
  }

  /** What has changed since the plan was made; null when nothing has. */
  async function findDrift(record: ApprovalRecord): Promise<string | null> {
    const inForce = await options.policy();
    if (inForce.digest !== record.plan.policy.digest) return "policy: another policy is in force since";
    const { operation, input, proposer, facts } = record.plan;
    try {
      const { draft } = await options.plan({ operation, input, proposer });
      const found = differences(facts, draft.facts);
      if (found.length === 0) return null;
      return found.map(({ path, before, after }) => `${path}: ${JSON.stringify(before)} → ${JSON.stringify(after)}`).join("\n");
    } catch (error) {
      return `it can no longer be planned: ${(error as Error).message}`;
    }
  }

  /** Refuses a drifted approval and, where the request still makes sense, proposes the new plan in its place. */
  async function supersede(record: ApprovalRecord, drift: string): Promise<void> {
    const { operation, input, proposer } = record.plan;
    const key = `${record.id}/superseded/${record.digest}`;
    const successor = await approvals.propose({ operation, input, proposer, key }).catch(() => null);
    const result = await change(record.id, (current) =>
      current.state === "approved"
        ? { ...current, state: "superseded", reason: `the facts changed after the approval:\n${drift}`, supersededBy: successor?.id ?? null }
        : undefined,
    );
    if (!result.changed || !result.record) return;
    await audit.write({ action: "approval.superseded", actor: instance, surface: instance, subject: record.id, detail: drift });
    changed(result.record);
  }

  return approvals;
}

function isOpen(state: ApprovalState): boolean {
  return state === "pending" || state === "approved";
}

function refuse(code: string, approval: ApprovalView | null, message: string, hint: string): DecisionOutcome {
  return { outcome: "refused", code, approval, message, hint };
}

/** Why this decision cannot be taken on this record; null when it can. Pure. */
function refusalOf(options: {
  record: ApprovalRecord;
  actor: Actor;
  decision: Decision;
  now: number;
  eligible: boolean;
  instance: string;
}): { code: string; message: string; hint: string } | null {
  const { record, actor, decision, now, eligible } = options;
  if (!eligible) {
    return {
      code: "not_an_approver",
      message: `${actor.maintainer.name} (maintainer ${actor.maintainer.id}) is not an approver in the policy in force`,
      hint: "approvers are listed in policy.json of the fleet repository",
    };
  }
  if (record.state === "superseded") {
    return { code: "superseded", message: `${record.id} was superseded: ${record.reason}`, hint: `decide ${record.supersededBy ?? "a new proposal"} instead` };
  }
  if (record.state === "expired" || (isOpen(record.state) && now >= record.expiresAt)) {
    return { code: "expired", message: `${record.id} expired at ${new Date(record.expiresAt).toISOString()}`, hint: "ask for it again" };
  }
  if (record.state !== "pending") {
    return { code: "already_decided", message: `${record.id} was already decided: ${describeVotes(record)}`, hint: "nothing to do" };
  }
  if (decision.digest !== record.digest) {
    return {
      code: "wrong_digest",
      message: `the digest ${decision.digest.slice(0, 12)}… is not the one of ${record.id} (${record.digest.slice(0, 12)}…)`,
      hint: "look at the plan again and decide on the digest that it shows",
    };
  }
  const earlier = record.votes.find((vote) => vote.maintainer === actor.maintainer.id);
  if (earlier && decision.decision === "approve") {
    return {
      code: "already_voted",
      message: `${actor.maintainer.name} voted already, through ${earlier.surface} at ${new Date(earlier.at).toISOString()}; one person has one vote`,
      hint: "another approver must agree",
    };
  }
  return null;
}

/** The record with one more vote, and what follows from it. Pure. */
function withVote(options: { record: ApprovalRecord; actor: Actor; decision: Decision; now: number }): ApprovalRecord {
  const { record, actor, decision, now } = options;
  const { quorum } = record.plan.policy.rule;
  const { proposer } = record.plan;
  const note =
    quorum > 1 && proposer.kind === "maintainer" && proposer.id === actor.maintainer.id
      ? "the proposer does not count toward a quorum above one"
      : quorum > 1 && actor.asLocal
        ? "--as does not count toward a quorum above one"
        : null;
  const vote: Vote = {
    maintainer: actor.maintainer.id,
    name: actor.maintainer.name,
    surface: surfaceOf(actor),
    decision: decision.decision,
    counts: note === null,
    note,
    at: now,
  };
  const votes = [...record.votes, vote];
  if (decision.decision === "reject") {
    return { ...record, votes, state: "rejected", reason: decision.reason ?? `rejected by ${actor.maintainer.name}` };
  }
  const reached = votes.filter((one) => one.decision === "approve" && one.counts).length >= quorum;
  return { ...record, votes, state: reached ? "approved" : "pending" };
}

function outcomeOf(record: ApprovalRecord): "approved" | "rejected" | "recorded" {
  if (record.state === "rejected") return "rejected";
  return record.state === "approved" ? "approved" : "recorded";
}

function describeOutcome(record: ApprovalRecord, actor: Actor): string {
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

function surfaceOf(actor: Actor): string {
  return actor.asLocal ? `${actor.surface} --as` : actor.surface;
}

function policyVote(at: number): Vote {
  return { maintainer: "policy", name: "policy", surface: "policy", decision: "approve", counts: true, note: null, at };
}

function toView(record: ApprovalRecord): ApprovalView {
  const { id, operation, digest, state, createdAt, expiresAt, votes, reason, supersededBy, operationId, plan } = record;
  const { summary } = plan;
  const { quorum } = plan.policy.rule;
  return { id, operation, digest, state, summary, createdAt, expiresAt, quorum, votes, reason, supersededBy, operationId, plan };
}
