/** Operations that were approved: which of them this gateway runs now, and what people may do to them. */
import { describeError, ToolError } from "../../tools/errors.ts";
import type { FleetServices } from "../../tools/fleet/services.ts";
import type { Json } from "../../tools/json.ts";
import type { Store } from "../../tools/store.ts";
import type { Operation, Step } from "../../tools/tool.ts";
import type { ApprovalState, OperationView } from "../protocol.ts";
import type { ApprovalRecord } from "./approval-record.ts";
import type { AuditLog } from "./audit.ts";
import {
  createJournal,
  isLive,
  type OperationRecord,
  OwnershipLost,
  ownerLeaseMs,
  resultsOf,
  toView,
} from "./journal.ts";
import { createSaga } from "./saga.ts";

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

/** A start tells again of what ended this recently; whoever has heard of it ignores it. */
const retellMs = 24 * 3600 * 1000;

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

  const view = (record: OperationRecord): OperationView =>
    toView(record, running.get(record.id)?.progress ?? record.progress ?? null);
  const journal = createJournal({ store, self, onWrite: (record) => options.onChange?.(view(record)) });
  const saga = createSaga({
    journal,
    audit,
    fleet,
    isStopping: () => stopping,
    log: options.log,
    onProgress(id, text) {
      const entry = running.get(id);
      if (!entry || entry.progress === text) return;
      entry.progress = text;
      // In the journal, for who watches from another instance; a line that is lost was not worth a failure.
      journal.write(id, (record) => ({ ...record, progress: entry.progress })).catch(() => {});
    },
  });

  /** The steps of this version, when they are the ones in the journal; another version's are left to that version. */
  const stepsOf = (record: OperationRecord): Step[] | null => {
    const steps = options.operationByName(record.operation)?.steps(record.plan) ?? [];
    const isSame =
      steps.length === record.steps.length && steps.every((step, n) => step.name === record.steps[n]?.name);
    return isSame ? steps : null;
  };

  /** Runs it in the background, renewing the lease; ends by itself when another gateway took it. */
  function launch(record: OperationRecord, steps: Step[]): void {
    const entry = { abort: new AbortController(), progress: null, ended: Promise.resolve() };
    running.set(record.id, entry);
    const renewal = setInterval(() => {
      journal.renew(record.id).catch((error: unknown) => {
        if (error instanceof OwnershipLost) entry.abort.abort(error);
      });
    }, ownerLeaseMs / 3);
    const backward = (): AbortSignal => {
      entry.abort = new AbortController();
      return entry.abort.signal;
    };
    entry.ended = saga
      .run(record, steps, { forward: entry.abort.signal, backward })
      .catch((error: unknown) => {
        if (error instanceof OwnershipLost || stopping) return;
        options.log("error", "an operation stopped and will be taken up again", {
          operation: record.id,
          error: describeError(error).message,
        });
      })
      .finally(() => {
        clearInterval(renewal);
        running.delete(record.id);
      });
  }

  return {
    async start(approval) {
      const tool = options.operationByName(approval.operation);
      if (tool) await journal.begin(approval, tool);
    },

    async resume({ holdsName }) {
      if (stopping) return;
      for (const { id, version } of await journal.list()) {
        if (running.has(id) || ended.get(id) === version) continue;
        const record = await journal.read(id).catch((error: unknown) => {
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
          // Its end may have been told to nobody: a kill can come between the two.
          const isRecent = (record.endedAt ?? 0) > (await store.now()) - retellMs;
          if (isRecent) options.onChange?.(view(record));
          continue;
        }
        if (record.steps.every((step) => step.attempts === 0)) {
          // The journal is newer than its approval: a remembered approval could still say that nothing was decided.
          store.refresh?.(`approvals/${record.approval}`);
          store.refresh?.("fleet/paused");
          const approval = await options.approvalState(record.approval);
          if (approval === "approved" || (await options.isPaused())) continue;
          // The journal was prepared and the approval then decided otherwise: nothing of it ran, nothing will.
          if (approval !== "executed") {
            await journal.discard(id, version);
            continue;
          }
        }
        const steps = stepsOf(record);
        if (!steps) continue;
        const acquired = await journal.acquire(id, { holdsName });
        if (acquired && !running.has(id) && !stopping) launch(acquired, steps);
      }
    },

    async cancel(id, by) {
      const { record } = await journal.change(id, (current) =>
        current.state === "running" && !current.cancelRequested ? { ...current, cancelRequested: by } : undefined,
      );
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
      const { changed, record } = await journal.change(id, (current) => {
        const isUnfinished = current.state === "failed" && current.steps.some((step) => step.state === "compensating");
        if (!isUnfinished) return undefined;
        return { ...current, state: "compensating", endedAt: null, owner: null, resumed: (current.resumed ?? 0) + 1 };
      });
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
      const record = await journal.read(id);
      return record ? view(record) : null;
    },

    async results(id) {
      const record = await journal.read(id);
      return record ? resultsOf(record) : {};
    },

    async list() {
      const records = await Promise.all((await journal.list()).map(({ id }) => journal.read(id).catch(() => null)));
      return records.flatMap((record) => (record ? [view(record)] : [])).sort((a, b) => b.startedAt - a.startedAt);
    },

    async stop() {
      stopping = true;
      for (const entry of running.values()) entry.abort.abort(new Error("the gateway stops"));
      await Promise.all([...running.values()].map((entry) => entry.ended));
    },
  };
}
