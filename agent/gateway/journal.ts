/**
 * The journal: one record per operation in the store, changed only by compare-and-swap under an owner lease, so that
 * one gateway at a time runs an operation and any other can take it up where it stands.
 */
import { ToolError } from "../../tools/errors.ts";
import type { Json } from "../../tools/json.ts";
import { type PutOptions, type Store, update } from "../../tools/store.ts";
import type { Operation, Plan } from "../../tools/tool.ts";
import type { OperationState, OperationView, StepState } from "../protocol.ts";
import type { ApprovalRecord } from "./approval-record.ts";

export interface StepRecord {
  name: string;
  state: StepState;
  startedAt: number | null;
  endedAt: number | null;
  attempts: number;
  result: Json;
  error: string | null;
}

/** As people see it, a compensation is part of the run. */
type JournalState = OperationState | "compensating";

export interface OperationRecord {
  formatVersion: 1;
  id: string;
  operation: string;
  digest: string;
  approval: string;
  plan: Plan;
  state: JournalState;
  /** Who runs it, until when by the store's clock. Null: free for whoever holds a name. */
  owner: { instance: string; until: number } | null;
  /** The instance that must not take it up again, because the next step stops it. */
  handedOverBy: string | null;
  /** Instances that lack what a step needs (`notOnThisMachine`) and left it to others, and when the last one did. */
  passedOn?: { by: string[]; at: number };
  approvedBy: string[];
  startedAt: number;
  endedAt: number | null;
  steps: StepRecord[];
  cancelRequested: string | null;
  /** How often a person had it try again after it had failed. */
  resumed?: number;
  error: { message: string; hint: string; log: string[] } | null;
  /** Latest line of the running step. */
  progress?: string | null;
}

/** Who passed an operation on takes it again, and lets it fail, when nobody else has taken it for so long. */
const passedOnMs = 60_000;

/** The owner lease outlives a long pause of the process but not its death by much. */
export const ownerLeaseMs = 15_000;

/** Another gateway runs the operation now. */
export class OwnershipLost extends Error {}

export interface Journal {
  /** Null when there is no such operation; throws ToolError when its record cannot be understood. */
  read(id: string): Promise<OperationRecord | null>;
  /** Keys with their versions, for whoever looks at what changed. */
  list(): Promise<{ id: string; version: string }[]>;
  /** The first record of an approved plan, owned by this gateway, which has just planned it anew. Idempotent. */
  begin(approval: ApprovalRecord, tool: Operation): Promise<void>;
  /** Takes the ownership when it is free for this gateway; else null. */
  acquire(id: string, options: { holdsName: boolean }): Promise<OperationRecord | null>;
  renew(id: string): Promise<void>;
  /** Changes the record while this gateway owns it; throws OwnershipLost when it does not any more. */
  write(id: string, apply: (record: OperationRecord) => OperationRecord): Promise<OperationRecord>;
  writeStep(id: string, step: string, apply: (step: StepRecord) => StepRecord): Promise<OperationRecord>;
  /** Changes the record whoever owns it; `apply` returns undefined to leave it. Throws when there is none. */
  change(
    id: string,
    apply: (record: OperationRecord) => OperationRecord | undefined,
  ): Promise<{ changed: boolean; record: OperationRecord }>;
  /** Takes back a record of which nothing ran. */
  discard(id: string, version: string): Promise<void>;
}

export function createJournal(options: {
  store: Store;
  self: string;
  onWrite(record: OperationRecord): void;
}): Journal {
  const { store, self } = options;
  const keyOf = (id: string): string => `operations/${id}`;

  const changeRecord = async (
    id: string,
    apply: (record: OperationRecord) => OperationRecord | undefined,
    putOptions?: PutOptions,
  ): Promise<{ changed: boolean; record: OperationRecord }> => {
    const { changed, value } = await update<Json>(
      store,
      keyOf(id),
      (current) => (current ? (apply(parseRecord(current, id)) as unknown as Json | undefined) : undefined),
      putOptions,
    );
    return { changed, record: parseRecord(value, id) };
  };

  const writeOwn = async (
    id: string,
    apply: (record: OperationRecord) => OperationRecord,
    putOptions?: PutOptions,
  ): Promise<OperationRecord> => {
    const owned = (current: OperationRecord): OperationRecord => {
      if (current.owner?.instance !== self) throw new OwnershipLost(id);
      return apply(current);
    };
    const { record } = await changeRecord(id, owned, putOptions);
    options.onWrite(record);
    return record;
  };

  const journal: Journal = {
    async read(id) {
      const value = (await store.get(keyOf(id)))?.value;
      return value ? parseRecord(value, id) : null;
    },

    async list() {
      const keys = await store.list("operations/");
      return keys.map(({ key, version }) => ({ id: key.slice("operations/".length), version }));
    },

    async begin(approval, tool) {
      const { operationId: id, plan } = approval;
      if (!id) throw new Error(`${approval.id} has no operation id`);
      const votes = approval.votes.filter((vote) => vote.decision === "approve" && vote.counts);
      const now = await store.now();
      const record: OperationRecord = {
        formatVersion: 1,
        id,
        operation: approval.operation,
        digest: approval.digest,
        approval: approval.id,
        plan,
        state: "running",
        owner: { instance: self, until: now + ownerLeaseMs },
        handedOverBy: null,
        approvedBy: votes.map((vote) => vote.name),
        startedAt: now,
        endedAt: null,
        steps: tool.steps(plan).map(({ name }) => pendingStep(name)),
        cancelRequested: null,
        error: null,
      };
      const created = await store.put(keyOf(id), record as unknown as Json, { ifAbsent: true });
      if (created.written) return;
      // Another gateway wrote it and did not get to the deciding write, or is about to: this one has planned it, too.
      await changeRecord(id, (current) =>
        current.steps.every((step) => step.attempts === 0) ? { ...current, owner: record.owner } : undefined,
      );
    },

    async acquire(id, { holdsName }) {
      const now = await store.now();
      const { changed, record } = await journal.change(id, (current) =>
        isLive(current.state) && mayTake(current, { self, holdsName, now })
          ? { ...current, owner: { instance: self, until: now + ownerLeaseMs } }
          : undefined,
      );
      return changed ? record : null;
    },

    async renew(id) {
      const until = (await store.now()) + ownerLeaseMs;
      // Quiet: nobody waits for it, and telling of it every few seconds would have everybody look at everything.
      await writeOwn(id, (current) => ({ ...current, owner: { instance: self, until } }), { quiet: true });
    },

    write: (id, apply) => writeOwn(id, apply),

    writeStep: (id, name, apply) =>
      journal.write(id, (record) => ({
        ...record,
        steps: record.steps.map((step) => (step.name === name ? apply(step) : step)),
      })),

    change: (id, apply) => changeRecord(id, apply),

    async discard(id, version) {
      await store.delete(keyOf(id), { ifVersion: version });
    },
  };
  return journal;
}

function pendingStep(name: string): StepRecord {
  return { name, state: "pending", startedAt: null, endedAt: null, attempts: 0, result: null, error: null };
}

/** A gateway resumes what it owned before its restart; a holder of a name adopts what nobody runs any more. */
function mayTake(record: OperationRecord, options: { self: string; holdsName: boolean; now: number }): boolean {
  const { owner, handedOverBy, passedOn } = record;
  if (owner?.instance === options.self) return true;
  if (!options.holdsName || handedOverBy === options.self) return false;
  // Undoing it needs nothing that this machine lacks.
  const isForward = record.state === "running" && record.cancelRequested === null;
  if (isForward && passedOn?.by.includes(options.self) && options.now < passedOn.at + passedOnMs) return false;
  return owner === null || owner.until < options.now;
}

export function isLive(state: JournalState): boolean {
  return state === "running" || state === "compensating";
}

function parseRecord(value: Json | null, id: string): OperationRecord {
  const record = value as unknown as OperationRecord | null;
  if (!record) throw unknownOperation(id);
  if (record.formatVersion !== 1 || !Array.isArray(record.steps) || typeof record.plan?.facts !== "object") {
    const why =
      record.formatVersion === 1
        ? "is damaged"
        : `has format ${JSON.stringify(record.formatVersion) ?? "none"}, which this version does not know`;
    throw new ToolError(`the journal of ${id} ${why}`, {
      code: "journal_unreadable",
      hint: "start the version that wrote it, or restore the store from a backup; other operations are not affected",
    });
  }
  return record;
}

function unknownOperation(id: string): ToolError {
  return new ToolError(`there is no operation ${id}`, {
    code: "unknown_operation",
    hint: "`clawdinator operations list` shows them all",
  });
}

/** Results of the steps that have succeeded, by name. */
export function resultsOf(record: OperationRecord): { [step: string]: Json } {
  return Object.fromEntries(
    record.steps.filter((step) => step.state === "succeeded").map((step) => [step.name, step.result]),
  );
}

export function toView(record: OperationRecord, progress: string | null): OperationView {
  const { id, operation, state, approval, digest, owner, startedAt, endedAt, error, approvedBy, plan } = record;
  const steps = record.steps.map(
    ({ name, state: stepState, startedAt: began, endedAt: ended, attempts, error: failure }) => ({
      name,
      state: stepState,
      startedAt: began,
      endedAt: ended,
      attempts,
      error: failure,
    }),
  );
  return {
    id,
    operation,
    state: state === "compensating" ? "running" : state,
    compensating: state === "compensating",
    summary: plan.summary,
    approval,
    digest,
    owner: owner?.instance ?? null,
    startedAt,
    endedAt,
    steps,
    progress: isLive(state) ? progress : null,
    error,
    conversation: plan.proposer.conversation,
    proposedBy: plan.proposer.name,
    approvedBy,
  };
}
