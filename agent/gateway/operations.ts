/**
 * Runs approved operations as journalled sagas. The journal is one record per operation, changed only by
 * compare-and-swap under an owner lease: intent before each step, result after it. Whatever dies, on whatever line,
 * another run of the same code finishes or compensates the operation.
 */
import { describeError, ToolError } from "../../tools/errors.ts";
import type { FleetServices } from "../../tools/fleet/services.ts";
import { type Json, sha256 } from "../../tools/json.ts";
import { type Store, update } from "../../tools/store.ts";
import type { Operation, Plan, Step, StepContext } from "../../tools/tool.ts";
import type { ApprovalState, OperationState, OperationView, StepState } from "../protocol.ts";
import type { ApprovalRecord } from "./approvals.ts";
import type { AuditLog } from "./audit.ts";
import { failpoint } from "./failpoint.ts";

interface StepRecord {
  name: string;
  state: StepState;
  startedAt: number | null;
  endedAt: number | null;
  attempts: number;
  result: Json;
  error: string | null;
}

export interface OperationRecord {
  formatVersion: 1;
  id: string;
  operation: string;
  digest: string;
  approval: string;
  plan: Plan;
  state: OperationState;
  /** Who runs it, until when by the store's clock. Null: free for whoever holds a name. */
  owner: { instance: string; until: number } | null;
  /** The instance that must not take it up again, because the next step stops it. */
  handedOverBy: string | null;
  approvedBy: string[];
  startedAt: number;
  endedAt: number | null;
  steps: StepRecord[];
  cancelRequested: string | null;
  /** How often a person had it try again after it had failed. */
  resumed?: number;
  error: { message: string; hint: string; log: string[] } | null;
}

export interface Operations {
  /** Writes the journal's first record; its steps run once the approval is marked executed. Idempotent. */
  start(approval: ApprovalRecord): Promise<void>;
  /** Takes up every operation that is this gateway's to run and returns at once; safe to call at any time. */
  resume(options: { holdsName: boolean }): Promise<void>;
  cancel(id: string, by: string): Promise<OperationView>;
  /** Lets an operation whose compensation failed try it again. */
  retry(id: string, by: string): Promise<OperationView>;
  get(id: string): Promise<OperationView | null>;
  /** Results of its ended steps. */
  results(id: string): Promise<{ [step: string]: Json }>;
  list(): Promise<OperationView[]>;
  /** Lets the running steps go without recording a failure, so that the next start takes them up. */
  stop(): Promise<void>;
}

/** The owner lease outlives a long pause of the process but not its death by much. */
const ownerLeaseMs = 15_000;
const compensationAttempts = 5;

class OwnershipLost extends Error {}

export function createOperations(options: {
  store: Store;
  audit: AuditLog;
  fleet: FleetServices;
  operationByName(name: string): Operation | undefined;
  isPaused(): Promise<boolean>;
  approvalState(id: string): Promise<ApprovalState | null>;
  onChange?: (operation: OperationView) => void;
  log(level: "info" | "warn" | "error", message: string, fields: { [key: string]: Json }): void;
}): Operations {
  const { store, audit, fleet } = options;
  const self = fleet.self.instance;
  const running = new Map<string, { abort: AbortController; ended: Promise<void>; progress: string | null }>();
  /** Operations that have ended, by the version they ended with: they need no second look. */
  const ended = new Map<string, string>();
  let stopping = false;

  const read = async (id: string): Promise<OperationRecord | null> => {
    const value = (await store.get(`operations/${id}`))?.value;
    return value ? parseRecord(value, id) : null;
  };

  const view = (record: OperationRecord): OperationView => toView(record, running.get(record.id)?.progress ?? null);

  /** Changes the journal while this gateway owns it; throws OwnershipLost when it does not any more. */
  const write = async (id: string, apply: (record: OperationRecord) => OperationRecord): Promise<OperationRecord> => {
    const { value } = await update<Json>(store, `operations/${id}`, (current) => {
      const record = parseRecord(current, id);
      if (record.owner?.instance !== self) throw new OwnershipLost(id);
      return apply(record) as unknown as Json;
    });
    const record = value as unknown as OperationRecord;
    options.onChange?.(view(record));
    return record;
  };

  const writeStep = (id: string, name: string, apply: (step: StepRecord) => StepRecord): Promise<OperationRecord> =>
    write(id, (record) => ({
      ...record,
      steps: record.steps.map((step) => (step.name === name ? apply(step) : step)),
    }));

  const actor = { actor: `instance:${self}`, surface: self };

  /** Told before the journal says it: a kill in between repeats the step, and its event is still told once. */
  const auditStep = (record: OperationRecord, step: string, what: string, detail: string): Promise<unknown> => {
    const entry = {
      action: `operation.step.${what}`,
      ...actor,
      subject: record.id,
      detail: detail ? `${step}: ${detail}` : step,
    };
    const isFinal = what === "succeeded" || what === "failed" || what === "compensated";
    return audit.write(entry, isFinal ? { once: `${record.id}/${step}/${what}` } : {});
  };

  const acquire = async (id: string, holdsName: boolean): Promise<OperationRecord | null> => {
    const now = await store.now();
    const result = await update<Json>(store, `operations/${id}`, (current) => {
      const record = parseRecord(current, id);
      if (!isLive(record.state) || !mayTake(record, { self, holdsName, now })) return undefined;
      return { ...record, owner: { instance: self, until: now + ownerLeaseMs } } as unknown as Json;
    });
    return result.changed ? (result.value as unknown as OperationRecord) : null;
  };

  const contextOf = (record: OperationRecord, step: string, signal: AbortSignal): StepContext => ({
    fleet,
    plan: record.plan,
    digest: record.digest,
    operationId: record.id,
    approvedBy: record.approvedBy,
    token: sha256(`${record.digest}/${step}`),
    results: resultsOf(record),
    progress: (text) => {
      const entry = running.get(record.id);
      if (!entry || entry.progress === text) return;
      entry.progress = text;
      options.onChange?.(view(record));
    },
    signal,
  });

  /** One run, from wherever the journal stands to its end, a hand-over or this gateway's stop. */
  async function run(first: OperationRecord, signal: AbortSignal): Promise<void> {
    const tool = options.operationByName(first.operation);
    if (!tool) {
      await finish(
        first.id,
        "failed",
        new ToolError(`this version knows no operation ${first.operation}`, {
          code: "unknown_operation",
          hint: "resume it on an instance whose version does",
        }),
      );
      return;
    }
    const steps = tool.steps(first.plan);
    let record = first;
    if (record.state === "running") {
      const outcome = await runForward(record, steps, signal);
      if (outcome === "handed_over") return;
      record = outcome;
    }
    if (record.state !== "compensating") return;
    // What was cancelled must still be undone: only the gateway's own stop may interrupt that.
    const undo = new AbortController();
    const entry = running.get(record.id);
    if (entry) entry.abort = undo;
    await runBackward(record, steps, undo.signal);
  }

  async function runForward(
    first: OperationRecord,
    steps: Step[],
    signal: AbortSignal,
  ): Promise<OperationRecord | "handed_over"> {
    let record = first;
    for (const step of steps) {
      const known = record.steps.find((one) => one.name === step.name);
      if (known?.state === "succeeded") continue;
      if (record.cancelRequested)
        return fail(
          record,
          new ToolError(`cancelled by ${record.cancelRequested}`, {
            code: "cancelled",
            hint: "propose it again when it is wanted",
          }),
        );
      failpoint(`${step.name}.before`);
      const startedAt = await store.now();
      record = await writeStep(record.id, step.name, (one) => ({
        ...one,
        state: "running",
        startedAt: one.startedAt ?? startedAt,
        attempts: one.attempts + 1,
      }));
      await auditStep(record, step.name, "started", "");
      failpoint(`${step.name}.intent`);
      try {
        const outcome = await step.run(contextOf(record, step.name, signal));
        if ("handOver" in outcome) {
          await handOver(record, step.name);
          return "handed_over";
        }
        failpoint(`${step.name}.effect`);
        const endedAt = await store.now();
        await auditStep(record, step.name, "succeeded", summarize(outcome.result));
        record = await writeStep(record.id, step.name, (one) => ({
          ...one,
          state: "succeeded",
          endedAt,
          result: outcome.result,
        }));
        failpoint(`${step.name}.after`);
      } catch (error) {
        if (error instanceof OwnershipLost || stopping) throw error;
        const endedAt = await store.now();
        const { message } = describeError(error);
        await auditStep(record, step.name, "failed", message);
        const failed = (one: StepRecord): StepRecord =>
          one.name === step.name ? { ...one, state: "failed", endedAt, error: message } : one;
        return fail(record, error, failed);
      }
    }
    return finish(record.id, "succeeded", null);
  }

  async function handOver(record: OperationRecord, step: string): Promise<void> {
    await write(record.id, (current) => ({
      ...current,
      owner: null,
      handedOverBy: self,
      steps: current.steps.map((one) => (one.name === step ? { ...one, state: "pending" } : one)),
    }));
    await auditStep(record, step, "handed_over", "the next step stops this instance, so another one takes over");
  }

  /** Turns a failure into compensation, in the same write as the failed step, so that no restart tries that step again. */
  async function fail(
    record: OperationRecord,
    error: unknown,
    change = (step: StepRecord): StepRecord => step,
  ): Promise<OperationRecord> {
    const { message, hint } = describeError(error);
    const log = logOf(error);
    return write(record.id, (current) => ({
      ...current,
      state: "compensating",
      error: { message, hint, log },
      steps: current.steps.map(change),
    }));
  }

  async function runBackward(first: OperationRecord, steps: Step[], signal: AbortSignal): Promise<void> {
    let record = first;
    const lastPivot = steps.findLastIndex(
      (step) => step.pivot && record.steps.some((one) => one.name === step.name && one.state === "succeeded"),
    );
    let compensated = false;
    for (const step of steps.slice(lastPivot + 1).reverse()) {
      const known = record.steps.find((one) => one.name === step.name);
      if (!step.compensate || !known || known.state === "pending") continue;
      compensated = true;
      if (known.state === "compensated") continue;
      failpoint(`${step.name}.compensate.before`);
      record = await writeStep(record.id, step.name, (one) => ({ ...one, state: "compensating" }));
      const failure = await compensate(record, step, signal);
      if (failure) {
        const { message } = describeError(failure);
        await auditStep(record, step.name, "compensation_failed", message);
        await finish(
          record.id,
          "failed",
          new ToolError(`${record.error?.message ?? "it failed"}; and undoing ${step.name} failed: ${message}`, {
            code: "compensation_failed",
            hint: `look at it, then \`clawdinator operations resume ${record.id}\` tries to undo it again`,
          }),
        );
        return;
      }
      failpoint(`${step.name}.compensate.effect`);
      await auditStep(record, step.name, "compensated", "");
      record = await writeStep(record.id, step.name, (one) => ({ ...one, state: "compensated" }));
    }
    const state = record.cancelRequested ? "cancelled" : compensated && lastPivot < 0 ? "compensated" : "failed";
    await finish(record.id, state, null);
  }

  async function compensate(record: OperationRecord, step: Step, signal: AbortSignal): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      try {
        await step.compensate?.(contextOf(record, step.name, signal));
        return null;
      } catch (error) {
        if (error instanceof OwnershipLost || stopping) throw error;
        if (attempt === compensationAttempts) return error;
        options.log("warn", "compensation failed, trying again", {
          operation: record.id,
          step: step.name,
          attempt,
          error: describeError(error).message,
        });
        await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt));
      }
    }
  }

  async function finish(id: string, state: OperationState, error: unknown): Promise<OperationRecord> {
    const endedAt = await store.now();
    const described = error ? { ...describeError(error), log: logOf(error) } : null;
    const before = await read(id);
    const detail = described?.message ?? before?.error?.message ?? before?.plan.summary ?? "";
    const once = `${id}/${state}/${before?.resumed ?? 0}`;
    await audit.write({ action: `operation.${state}`, ...actor, subject: id, detail }, { once });
    return write(id, (current) => ({
      ...current,
      state,
      endedAt,
      error: described ? { message: described.message, hint: described.hint, log: described.log } : current.error,
    }));
  }

  /** Runs it in the background, renewing the lease; ends by itself when another gateway took it. */
  function launch(record: OperationRecord): void {
    const abort = new AbortController();
    const renew = setInterval(() => {
      void store
        .now()
        .then((now) =>
          write(record.id, (current) => ({ ...current, owner: { instance: self, until: now + ownerLeaseMs } })),
        )
        .catch((error: unknown) => {
          if (error instanceof OwnershipLost) abort.abort(error);
        });
    }, ownerLeaseMs / 3);
    const entry = { abort, progress: null, ended: Promise.resolve() };
    running.set(record.id, entry);
    entry.ended = run(record, abort.signal)
      .catch((error: unknown) => {
        if (error instanceof OwnershipLost || stopping) return;
        options.log("error", "an operation stopped and will be taken up again", {
          operation: record.id,
          error: describeError(error).message,
        });
      })
      .finally(() => {
        clearInterval(renew);
        running.delete(record.id);
      });
  }

  return {
    async start(approval) {
      const { operationId: id, plan } = approval;
      const tool = options.operationByName(approval.operation);
      if (!id || !tool) return;
      const record: OperationRecord = {
        formatVersion: 1,
        id,
        operation: approval.operation,
        digest: approval.digest,
        approval: approval.id,
        plan,
        state: "running",
        owner: null,
        handedOverBy: null,
        approvedBy: approval.votes
          .filter((vote) => vote.decision === "approve" && vote.counts)
          .map((vote) => vote.name),
        startedAt: await store.now(),
        endedAt: null,
        steps: tool.steps(plan).map(({ name }) => ({
          name,
          state: "pending",
          startedAt: null,
          endedAt: null,
          attempts: 0,
          result: null,
          error: null,
        })),
        cancelRequested: null,
        error: null,
      };
      await store.put(`operations/${id}`, record as unknown as Json, { ifAbsent: true });
    },

    async resume({ holdsName }) {
      if (stopping) return;
      for (const { key, version } of await store.list("operations/")) {
        const id = key.slice("operations/".length);
        if (running.has(id) || ended.get(id) === version) continue;
        const record = await read(id).catch((error: unknown) => {
          options.log("error", "an operation's record cannot be read", {
            operation: id,
            error: describeError(error).message,
          });
          // Said once, until somebody mends it.
          ended.set(id, version);
          return null;
        });
        if (!record) continue;
        if (!isLive(record.state)) {
          ended.set(id, version);
          continue;
        }
        if (record.steps.every((step) => step.attempts === 0)) {
          const approval = await options.approvalState(record.approval);
          if (approval === "approved" || (await options.isPaused())) continue;
          // The journal was prepared and the approval then decided otherwise: nothing of it ran, nothing will.
          if (approval !== "executed") {
            await store.delete(key, { ifVersion: version });
            continue;
          }
        }
        const acquired = await acquire(id, holdsName);
        if (acquired && !running.has(id) && !stopping) launch(acquired);
      }
    },

    async cancel(id, by) {
      const { value } = await update<Json>(store, `operations/${id}`, (current) => {
        if (!current) return undefined;
        const record = parseRecord(current, id);
        return record.state === "running" && !record.cancelRequested
          ? ({ ...record, cancelRequested: by } as unknown as Json)
          : undefined;
      });
      if (!value) throw unknownOperation(id);
      const record = parseRecord(value, id);
      if (record.state !== "running" && !record.cancelRequested) {
        throw new ToolError(`${id} is ${record.state}; there is nothing to cancel`, {
          code: "not_running",
          hint: "`clawdinator operations list` shows what runs",
        });
      }
      await audit.write({
        action: "operation.cancel_requested",
        actor: by,
        surface: self,
        subject: id,
        detail: record.plan.summary,
      });
      running
        .get(id)
        ?.abort.abort(
          new ToolError(`cancelled by ${by}`, { code: "cancelled", hint: "propose it again when it is wanted" }),
        );
      options.onChange?.(view(record));
      return view(record);
    },

    async retry(id, by) {
      const { value, changed } = await update<Json>(store, `operations/${id}`, (current) => {
        const record = parseRecord(current, id);
        const unfinished = record.state === "failed" && record.steps.some((step) => step.state === "compensating");
        return unfinished
          ? ({
              ...record,
              state: "compensating",
              endedAt: null,
              owner: null,
              resumed: (record.resumed ?? 0) + 1,
            } as unknown as Json)
          : undefined;
      });
      const record = parseRecord(value, id);
      if (!changed && !isLive(record.state)) {
        throw new ToolError(`${id} is ${record.state}; nothing of it is left to undo`, {
          code: "not_resumable",
          hint: "propose the operation again",
        });
      }
      if (changed)
        await audit.write({
          action: "operation.resumed",
          actor: by,
          surface: self,
          subject: id,
          detail: record.plan.summary,
        });
      return view(record);
    },

    async get(id) {
      const record = await read(id);
      return record ? view(record) : null;
    },

    async results(id) {
      const record = await read(id);
      return record ? resultsOf(record) : {};
    },

    async list() {
      const keys = await store.list("operations/");
      const records = await Promise.all(keys.map(({ key }) => read(key.slice("operations/".length)).catch(() => null)));
      return records.flatMap((record) => (record ? [view(record)] : [])).sort((a, b) => b.startedAt - a.startedAt);
    },

    async stop() {
      stopping = true;
      for (const entry of running.values()) entry.abort.abort(new Error("the gateway stops"));
      await Promise.all([...running.values()].map((entry) => entry.ended));
    },
  };
}

/** A gateway resumes what it owned before its restart; a holder of a name adopts what nobody runs any more. */
function mayTake(record: OperationRecord, options: { self: string; holdsName: boolean; now: number }): boolean {
  const { owner, handedOverBy } = record;
  if (owner?.instance === options.self) return true;
  if (!options.holdsName || handedOverBy === options.self) return false;
  return owner === null || owner.until < options.now;
}

function isLive(state: OperationState): boolean {
  return state === "running" || state === "compensating";
}

function parseRecord(value: Json, id: string): OperationRecord {
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

function resultsOf(record: OperationRecord): { [step: string]: Json } {
  return Object.fromEntries(
    record.steps.filter((step) => step.state === "succeeded").map((step) => [step.name, step.result]),
  );
}

function summarize(result: Json): string {
  const text = JSON.stringify(result);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

function logOf(error: unknown): string[] {
  const log = (error as { log?: unknown }).log;
  return Array.isArray(log) ? log.map(String) : [];
}

function toView(record: OperationRecord, progress: string | null): OperationView {
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
    state,
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
