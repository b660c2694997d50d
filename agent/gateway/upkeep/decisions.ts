/**
 * Approvals, operations and cards are removed together, because they name each other: a card before its approval, an
 * operation before the approval that allowed it, and a superseded approval before its successor, which it would have
 * proposed anew. What happened stays in the audit log.
 */
import type { Json } from "../../../tools/json.ts";
import { type ApprovalRecord, decisionKeptMs } from "../approval-record.ts";
import { approvalId } from "../approvals.ts";
import {
  type ButtonRecord,
  type CardRecord,
  cardKeptMs,
  createCardRecords,
} from "../channels/discord/cards/card-records.ts";
import { isOpen } from "../decision.ts";
import { isLive, type OperationRecord } from "../journal.ts";
import { createPace, readOne, type SweepContext } from "./sweep.ts";

export interface Decisions {
  removed: { cards: number; buttons: number; operations: number; approvals: number };
  /** Ids of approvals and operations that stay. */
  there: ReadonlySet<string>;
  /** One of them runs. */
  isAnyLive: boolean;
}

interface Read<T> {
  id: string;
  version: string;
  /** Null for what cannot be understood, which stays. */
  record: T | null;
}

/** `runs`: ids of what the schedule runs now; it asks for their approvals. */
export async function sweepDecisions(context: SweepContext, runs: ReadonlySet<string>): Promise<Decisions> {
  const { store, now, limits } = context;
  const pace = createPace(context);
  const removed = { cards: 0, buttons: 0, operations: 0, approvals: 0 };

  /** Every record below a prefix, as it is now. */
  const readBelow = async <T>(prefix: string): Promise<Read<T>[]> => {
    store.refresh?.(prefix);
    const found: Read<T>[] = [];
    for (const { key } of await store.list(prefix)) {
      await pace();
      const entry = await readOne(context, key);
      const isKnown = (entry?.value as { formatVersion?: unknown } | undefined)?.formatVersion === 1;
      const record = isKnown ? (entry?.value as unknown as T) : null;
      found.push({ id: key.slice(prefix.length), version: entry?.version ?? "", record });
    }
    return found;
  };

  // Buttons come first: each of these was made for an approval that was there before.
  const buttons = await readBelow<ButtonRecord>("discord/buttons/");
  const carded = await removeCards();
  const operations = await removeOperations();
  const approvals = await removeApprovals();
  const there = new Set([...operations, ...approvals].map(({ id }) => id));
  for (const { id, version, record } of buttons) {
    if (!record || there.has(record.approval) || carded.has(record.approval)) continue;
    if (removed.buttons >= limits.removed) break;
    await pace();
    if (await store.delete(`discord/buttons/${id}`, { ifVersion: version })) removed.buttons++;
  }
  return { removed, there, isAnyLive: operations.some(({ record }) => record === null || isLive(record.state)) };

  /** Approvals that have a card still. */
  async function removeCards(): Promise<Set<string>> {
    const records = createCardRecords(store);
    const left = new Set<string>();
    for (const { id, record } of await readBelow<CardRecord>("discord/cards/")) {
      const isPast = record !== null && record.closedAt !== null && now - record.closedAt > cardKeptMs;
      if (isPast && removed.cards < limits.removed && (await records.forgetOld(record))) removed.cards++;
      else left.add(id);
    }
    return left;
  }

  async function removeOperations(): Promise<Read<OperationRecord>[]> {
    const left: Read<OperationRecord>[] = [];
    for (const operation of await readBelow<OperationRecord>("operations/")) {
      const { id, version, record } = operation;
      const isRemoved =
        record !== null &&
        isPastOperation(record, now) &&
        removed.operations < limits.removed &&
        (await drop(id, version));
      if (isRemoved) removed.operations++;
      else left.push(operation);
    }
    return left;

    async function drop(id: string, version: string): Promise<boolean> {
      await pace();
      return store.delete(`operations/${id}`, { ifVersion: version });
    }
  }

  async function removeApprovals(): Promise<Read<ApprovalRecord>[]> {
    const all = await readBelow<ApprovalRecord>("approvals/");
    const needed = new Set<string>([...carded, ...[...runs].map(approvalId)]);
    for (const { id, record } of operations) {
      needed.add(id);
      if (record) needed.add(record.approval);
    }
    for (const { record } of all) if (record?.supersededBy) needed.add(record.supersededBy);
    const left: Read<ApprovalRecord>[] = [];
    for (const approval of all) {
      const { id, version, record } = approval;
      const isNeeded = needed.has(id) || (record?.operationId != null && needed.has(record.operationId));
      if (record === null || isNeeded || !isPastApproval(record, now) || removed.approvals >= limits.removed) {
        left.push(approval);
        continue;
      }
      await pace();
      if (await store.delete(`approvals/${id}`, { ifVersion: version })) removed.approvals++;
      else left.push(approval);
    }
    return left;
  }
}

function isPastApproval({ state, expiresAt, plan }: ApprovalRecord, now: number): boolean {
  if (isOpen(state) || now - expiresAt <= decisionKeptMs) return false;
  // A no to a commit holds as long as the commit may be there: without the record it would be asked for again.
  return state === "executed" || plan.proposer.kind !== "repository";
}

function isPastOperation({ state, endedAt, steps }: OperationRecord, now: number): boolean {
  if (isLive(state) || endedAt === null || now - endedAt <= decisionKeptMs) return false;
  // One that could not be undone waits for a person to resume it.
  return !steps.some((step) => step.state === "compensating");
}

/** Ids of the runs that the schedule's records name as under way. */
export async function readScheduleRuns(context: SweepContext): Promise<Set<string>> {
  const { store } = context;
  const runs = new Set<string>();
  store.refresh?.("schedule/");
  for (const { key } of await store.list("schedule/")) {
    const value = (await readOne(context, key))?.value as { current?: { id?: Json } | null } | undefined;
    const id = value?.current?.id;
    if (typeof id === "string") runs.add(id);
  }
  return runs;
}
