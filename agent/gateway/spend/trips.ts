/** What opens the breaker, and the word about it in the audit log. */
import { type CostBreaker, usdText } from "../../../tools/cost-report.ts";
import { describeError } from "../../../tools/errors.ts";
import type { Log } from "../../log.ts";
import type { AuditLog } from "../audit.ts";
import type { Breaker } from "./breaker.ts";
import { dayEnd } from "./day-record.ts";
import type { Ledger } from "./ledger.ts";
import type { Refusal } from "./limits.ts";
import { jobOf, type RunAbout } from "./types.ts";

export interface Trips {
  /** After a refusal: for this answer, and for whoever asks by itself. Resolves when it is stored. */
  openBreaker(refusal: Refusal, about: RunAbout): Promise<void>;
  /** An answer has ended. */
  onDone(message: string, reason: string): void;
}

export function createTrips(options: {
  instance: string;
  name: string;
  ledger: Ledger;
  breaker: Breaker;
  audit: AuditLog;
  log: Log;
  /** US dollars that answers in a row may cost without being finished; undefined while no policy was read. */
  usdWithoutProgress(): number | undefined;
}): Trips {
  const { instance, name, ledger, breaker, audit, log } = options;

  async function openBreaker(refusal: Refusal, about: RunAbout): Promise<void> {
    const day = ledger.today();
    const common = { code: refusal.code, reason: refusal.message, openedAt: ledger.now(), until: dayEnd(day.day) };
    const entry = (scope: CostBreaker["scope"], subject: string, label: string): CostBreaker => ({
      id: `${day.day}/${scope}/${subject}`,
      scope,
      subject,
      label,
      ...common,
    });
    const entries = [entry("answer", about.message, `an answer to ${about.author.name}`)];
    // A person sees the refusal and decides; a job would come again in an hour.
    if (about.author.kind !== "maintainer") entries.push(entry("job", jobOf(about), about.author.name));
    await tellOpened(entries);
  }

  async function tellOpened(entries: CostBreaker[]): Promise<void> {
    await breaker.open(entries);
    for (const { id, scope, label, reason } of entries) {
      const subject = `spend/${scope}`;
      const told = { action: "spend.breaker.opened", actor: `instance:${instance}`, surface: instance, subject };
      await audit.write({ ...told, detail: `${label}: ${reason}` }, { once: `spend/${id}/${ledger.today().resetAt}` });
    }
  }

  /** Answers in a row that cost something and came to nothing: nothing more is spent here until somebody looks. */
  function onDone(message: string, reason: string): void {
    const day = ledger.today();
    const run = day.runs.find((one) => one.message === message);
    if (!run) return;
    run.outcome = reason;
    run.lastAt = ledger.now();
    if (reason === "answered") day.inARow = { answers: 0, usd: 0 };
    else if (run.usd > 0) day.inARow = { answers: day.inARow.answers + 1, usd: day.inARow.usd + run.usd };
    ledger.changed();
    const limit = options.usdWithoutProgress();
    if (limit === undefined || day.inARow.answers < 2 || day.inARow.usd < limit) return;
    const { answers, usd } = day.inARow;
    const entry: CostBreaker = {
      id: `${day.day}/instance/${instance}`,
      scope: "instance",
      subject: instance,
      label: name,
      code: "budget_progress",
      reason: `${answers} answers in a row spent ${usdText(usd)}, and none of them was finished`,
      openedAt: ledger.now(),
      until: dayEnd(day.day),
    };
    tellOpened([entry])
      .then(() => ledger.flush())
      .catch((error: unknown) => log("warn", "the breaker cannot be stored", { error: describeError(error).message }));
    log("warn", "spend.breaker", { reason: entry.reason });
  }

  return { openBreaker, onDone };
}
