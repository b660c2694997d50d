/**
 * Runs one operation as a saga: intent before each step, result after it, compensation in reverse order when one fails.
 * Whatever dies, on whatever line, another run of this code from the same journal finishes or compensates it.
 */
import { describeError, notOnThisMachine, ToolError } from "../../tools/errors.ts";
import type { FleetServices } from "../../tools/fleet/services.ts";
import { type Json, sha256 } from "../../tools/json.ts";
import type { Step, StepContext } from "../../tools/tool.ts";
import type { OperationState } from "../protocol.ts";
import type { AuditLog } from "./audit.ts";
import { failpoint } from "./failpoint.ts";
import { type Journal, type OperationRecord, OwnershipLost, resultsOf, type StepRecord } from "./journal.ts";

const compensationAttempts = 5;

export interface Saga {
  /** From wherever the journal stands to its end, a hand-over or this gateway's stop. Throws OwnershipLost. */
  run(first: OperationRecord, steps: Step[], signals: { forward: AbortSignal; backward(): AbortSignal }): Promise<void>;
}

export function createSaga(options: {
  journal: Journal;
  audit: AuditLog;
  fleet: FleetServices;
  isStopping(): boolean;
  onProgress(id: string, text: string): void;
  log(level: "info" | "warn" | "error", message: string, fields: { [key: string]: Json }): void;
}): Saga {
  const { journal, audit, fleet } = options;
  const self = fleet.self.instance;
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

  const contextOf = (record: OperationRecord, step: string, signal: AbortSignal): StepContext => ({
    fleet,
    plan: record.plan,
    digest: record.digest,
    operationId: record.id,
    approval: record.approval,
    approvedBy: record.approvedBy,
    token: sha256(`${record.digest}/${step}`),
    results: resultsOf(record),
    progress: (text) => options.onProgress(record.id, text),
    signal,
  });

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
      const startedAt = await fleet.store.now();
      record = await journal.writeStep(record.id, step.name, (one) => ({
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
        const endedAt = await fleet.store.now();
        await auditStep(record, step.name, "succeeded", summarize(outcome.result));
        record = await journal.writeStep(record.id, step.name, (one) => ({
          ...one,
          state: "succeeded",
          endedAt,
          result: outcome.result,
        }));
        failpoint(`${step.name}.after`);
      } catch (error) {
        if (error instanceof OwnershipLost || options.isStopping()) throw error;
        const endedAt = await fleet.store.now();
        const { message } = describeError(error);
        if (mayPassOn(record, error)) {
          await passOn(record, step.name, { at: endedAt, message });
          return "handed_over";
        }
        await auditStep(record, step.name, "failed", message);
        const failed = (one: StepRecord): StepRecord =>
          one.name === step.name ? { ...one, state: "failed", endedAt, error: message } : one;
        return fail(record, error, failed);
      }
    }
    return finish(record.id, "succeeded", null);
  }

  async function handOver(record: OperationRecord, step: string): Promise<void> {
    await journal.write(record.id, (current) => ({
      ...current,
      owner: null,
      handedOverBy: self,
      steps: current.steps.map((one) => (one.name === step ? { ...one, state: "pending" } : one)),
    }));
    await auditStep(record, step, "handed_over", "the next step stops this instance, so another one takes over");
  }

  /** What this machine lacks another one may have; each passes an operation on once. */
  const mayPassOn = (record: OperationRecord, error: unknown): boolean =>
    error instanceof ToolError && error.code === notOnThisMachine && !record.passedOn?.by.includes(self);

  async function passOn(record: OperationRecord, step: string, why: { at: number; message: string }): Promise<void> {
    await journal.write(record.id, (current) => ({
      ...current,
      owner: null,
      passedOn: { by: [...(current.passedOn?.by ?? []), self], at: why.at },
      steps: current.steps.map((one) => (one.name === step ? { ...one, state: "pending" } : one)),
    }));
    await auditStep(record, step, "passed_on", why.message);
  }

  /** Turns a failure into compensation, in the same write as the failed step, so that no restart tries that step again. */
  async function fail(
    record: OperationRecord,
    error: unknown,
    change = (step: StepRecord): StepRecord => step,
  ): Promise<OperationRecord> {
    const { message, hint } = describeError(error);
    const log = logOf(error);
    return journal.write(record.id, (current) => ({
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
      record = await journal.writeStep(record.id, step.name, (one) => ({ ...one, state: "compensating" }));
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
      record = await journal.writeStep(record.id, step.name, (one) => ({ ...one, state: "compensated" }));
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
        if (error instanceof OwnershipLost || options.isStopping()) throw error;
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
    const endedAt = await fleet.store.now();
    const described = error ? { ...describeError(error), log: logOf(error) } : null;
    const before = await journal.read(id);
    const detail = described?.message ?? before?.error?.message ?? before?.plan.summary ?? "";
    const once = `${id}/${state}/${before?.resumed ?? 0}`;
    await audit.write({ action: `operation.${state}`, ...actor, subject: id, detail }, { once });
    return journal.write(id, (current) => ({
      ...current,
      state,
      endedAt,
      error: described ? { message: described.message, hint: described.hint, log: described.log } : current.error,
    }));
  }

  return {
    async run(first, steps, { forward, backward }) {
      let record = first;
      if (record.state === "running") {
        const outcome = await runForward(record, steps, forward);
        if (outcome === "handed_over") return;
        record = outcome;
      }
      // What was cancelled must still be undone: only the gateway's own stop may interrupt that.
      if (record.state === "compensating") await runBackward(record, steps, backward());
    },
  };
}

function summarize(result: Json): string {
  const text = JSON.stringify(result);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

function logOf(error: unknown): string[] {
  const log = (error as { log?: unknown }).log;
  return Array.isArray(log) ? log.map(String) : [];
}
