/**
 * Approvals: from a proposal to one decision. An approval authorizes one digest, once, until it expires by the store's
 * clock. All of its life is one record, changed only by compare-and-swap, so there is exactly one terminal state
 * whoever decides, wherever, in whatever order.
 */
import { randomBytes } from "node:crypto";
import { notOnThisMachine, ToolError } from "../../tools/errors.ts";
import { differences, digestOf, type Json, sha256 } from "../../tools/json.ts";
import type { PolicyInForce } from "../../tools/policy-pin.ts";
import { type Store, update } from "../../tools/store.ts";
import type { Operation, Plan, PlanDraft, Proposer } from "../../tools/tool.ts";
import type { ApprovalView, Decision, Vote } from "../protocol.ts";
import type { ApprovalRecord } from "./approval-record.ts";
import { createApprovalStory } from "./approval-story.ts";
import type { AuditLog } from "./audit.ts";
import { describeOutcome, isOpen, outcomeOf, outOfReach, refusalOf, withVote } from "./decision.ts";
import { type Actor, surfaceOf } from "./maintainers.ts";

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

/** A start looks whether the audit log has all of what expired this recently or is still open. */
const retellMs = 7 * 24 * 3600 * 1000;

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
    const now = await store.now();
    for (const { key, version } of await store.list("approvals/")) {
      if (closed.get(key) === version) continue;
      // One record that cannot be read must not keep the others from being decided.
      const record = await store.get(key).then(
        (entry) => (entry?.value ?? null) as ApprovalRecord | null,
        () => null,
      );
      if (record && record.expiresAt > now - retellMs) await tell(record);
      if (record && isOpen(record.state)) open.push(record);
      else if (record?.state !== "superseded" || (await hasSuccessor(record))) closed.set(key, version);
    }
    return open;
  };

  const tell = createApprovalStory(audit, instance);

  const changed = async (record: ApprovalRecord): Promise<ApprovalView> => {
    await tell(record);
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
      const id = approvalId(request.key);
      store.refresh?.();
      const existing = await read(id);
      if (existing) return toView(existing);
      const record = await draftRecord(id, request);
      const result = await store.put(`approvals/${id}`, record as unknown as Json, { ifAbsent: true });
      if (!result.written) return toView((await read(id)) ?? record);
      return changed(record);
    },

    async decide({ id, actor, decision }) {
      // Who may vote is read from the policy, which the write of the vote does not depend on.
      store.refresh?.();
      const before = await read(id);
      if (!before) {
        return refuse(
          "unknown_approval",
          null,
          `there is no approval ${id}`,
          "`clawdinator approvals list` shows them all",
        );
      }
      const now = await store.now();
      const inForce = await options.policy();
      const { approvers } = inForce.policy;
      let refusal: { code: string; message: string; hint: string } | null = null;
      const { changed: wasChanged, record } = await change(id, (current) => {
        refusal = refusalOf({ record: current, actor, decision, now, approvers });
        return refusal ? undefined : withVote({ record: current, actor, decision, now });
      });
      if (!record) return refuse("unknown_approval", null, `approval ${id} is gone`, "propose it again");
      const failed = refusal as { code: string; message: string; hint: string } | null;
      if (!wasChanged || failed) {
        if (failed?.code === "expired") await approvals.expire();
        const latest = toView((await read(id)) ?? record);
        const { code, message, hint } = failed ?? {
          code: "unchanged",
          message: "nothing changed",
          hint: "look at it again",
        };
        await audit.write({
          action: "approval.refused",
          actor: `maintainer:${actor.maintainer.id}`,
          surface: surfaceOf(actor),
          subject: id,
          detail: `${decision.decision}: ${message}`,
        });
        return refuse(code, latest, message, hint);
      }
      const approval = await changed(record);
      return { outcome: outcomeOf(record), approval, message: describeOutcome(record, actor) };
    },

    async get(id) {
      const record = await read(id);
      return record ? toView(record) : null;
    },

    async list() {
      const keys = await store.list("approvals/");
      const records = await Promise.all(keys.map(({ key }) => read(key.slice("approvals/".length)).catch(() => null)));
      return records.flatMap((record) => (record ? [toView(record)] : [])).sort((a, b) => b.createdAt - a.createdAt);
    },

    async execute(id, prepare) {
      // The facts are many keys, and the deciding write depends on one: none of them may be remembered ones.
      store.refresh?.();
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
      // Deriving the facts takes its time, so the clock is asked once more.
      const now = await store.now();
      const claimed = await change(id, (current) =>
        current.state === "approved" && now < current.expiresAt
          ? { ...current, state: "executed", operationId }
          : undefined,
      );
      if (!claimed.changed || !claimed.record) return false;
      await changed(claimed.record);
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
            ? {
                ...current,
                state: "expired",
                reason: `nobody completed it by ${new Date(current.expiresAt).toISOString()}`,
              }
            : undefined,
        );
        if (!result.changed || !result.record) continue;
        await changed(result.record);
      }
    },
  };

  async function draftRecord(id: string, request: Omit<ProposeRequest, "key">): Promise<ApprovalRecord> {
    const inForce = await options.policy();
    // Its sources are set for what read public text only, never for a command that a person typed.
    const afterPublicText = (request.proposer.publicSources ?? []).length > 0;
    const rule = inForce.ruleFor(request.operation, { afterPublicText });
    if (rule.mode === "deny") {
      throw new ToolError(`policy denies ${request.operation}`, {
        code: "denied_by_policy",
        hint: "policy.json in the fleet repository decides this; a maintainer can propose a policy_change",
      });
    }
    const { tool, input, draft } = await options.plan(request);
    const createdAt = await store.now();
    const { approvers } = inForce.policy;
    const wasAuto = rule.mode === "approve" && inForce.ruleFor(request.operation).mode === "auto";
    const warnings = [
      ...draft.warnings,
      outOfReach({ quorum: rule.quorum, proposer: request.proposer, approvers }),
      wasAuto ? "Policy allows this without a person, but not to a model that has read public text." : null,
    ].filter((warning) => warning !== null);
    const plan: Plan = {
      formatVersion: 1,
      operation: tool.name,
      input,
      proposer: request.proposer,
      ...draft,
      warnings,
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
      return found
        .map(({ path, before, after }) => `${path}: ${JSON.stringify(before)} → ${JSON.stringify(after)}`)
        .join("\n");
    } catch (error) {
      // What fails for a moment (a full disk, a busy store) says nothing about the facts, nor does what this machine
      // lacks and another one may have: the approval waits.
      if (!(error instanceof ToolError) || error.code === notOnThisMachine) throw error;
      return `it can no longer be planned: ${error.message}`;
    }
  }

  /**
   * Refuses a drifted approval and, where the request still makes sense, proposes the new plan in its place. Refusing
   * comes first: another gateway may be executing it, and what it changes by that must not become a second proposal.
   */
  async function supersede(record: ApprovalRecord, drift: string): Promise<void> {
    const result = await change(record.id, (current) =>
      current.state === "approved"
        ? {
            ...current,
            state: "superseded",
            reason: `the facts changed after the approval:\n${drift}`,
            supersededBy: approvalId(successorKey(record)),
          }
        : undefined,
    );
    if (!result.changed || !result.record) return;
    await tell(result.record);
    await changed(await proposeSuccessor(result.record));
  }

  /** Mends what a crash left behind; false when it must be tried again. */
  function hasSuccessor(record: ApprovalRecord): Promise<boolean> {
    return proposeSuccessor(record).then(
      () => true,
      () => false,
    );
  }

  /** The proposal that a superseded approval names; made again after a crash in between. */
  async function proposeSuccessor(record: ApprovalRecord): Promise<ApprovalRecord> {
    if (!record.supersededBy || (await store.get(`approvals/${record.supersededBy}`))) return record;
    const { operation, input, proposer } = record.plan;
    try {
      await approvals.propose({ operation, input, proposer, key: successorKey(record) });
      return record;
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      return (await change(record.id, (current) => ({ ...current, supersededBy: null }))).record ?? record;
    }
  }

  return approvals;
}

/** The id that a proposal with this key has. */
export function approvalId(key: string): string {
  return `ap-${sha256(key).slice(0, 12)}`;
}

function successorKey(record: ApprovalRecord): string {
  return `${record.id}/superseded/${record.digest}`;
}

function refuse(code: string, approval: ApprovalView | null, message: string, hint: string): DecisionOutcome {
  return { outcome: "refused", code, approval, message, hint };
}

function policyVote(at: number): Vote {
  return { maintainer: "policy", name: "policy", surface: "policy", decision: "approve", counts: true, note: null, at };
}

function toView(record: ApprovalRecord): ApprovalView {
  const { id, operation, digest, state, createdAt, expiresAt, votes, reason, supersededBy, operationId, plan } = record;
  const { summary } = plan;
  const { quorum } = plan.policy.rule;
  return {
    id,
    operation,
    digest,
    state,
    summary,
    createdAt,
    expiresAt,
    quorum,
    votes,
    reason,
    supersededBy,
    operationId,
    plan,
  };
}
