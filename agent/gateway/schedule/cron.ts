/**
 * Times by a cron expression, with node-cron. Its matcher tells whether a moment matches; it looks for the next match
 * from the machine's present time only, so times after or before another moment are found here by asking that matcher.
 */
import type { NodeCron, ScheduledTask } from "node-cron";

const minuteMs = 60_000;
const quarterMs = 15 * minuteMs;
/** Two moments this far apart lie on the same day or on two that follow each other, whatever the clocks do. */
const stepMs = 20 * 60 * minuteMs;
/** An expression may mean the 29th of February on a Monday. */
const farthestMs = 30 * 366 * 24 * 60 * minuteMs;

const fields = ["minute", "hour", "day of month", "month", "day of week"] as const;

export interface CronTimes {
  /** The first time after `at`; null when there is none within 30 years. */
  next(at: number): number | null;
  /** The newest time that is after `after` and not after `upTo`. */
  newest(range: { after: number; upTo: number }): number | null;
  /** How many times lie after `after` and before `before`; counts no further than `most`. */
  count(range: { after: number; before: number; most: number }): number;
  close(): void;
}

export interface Cron {
  /** What is wrong with an expression; null when nothing is. */
  problem(expression: string): string | null;
  times(when: { cron: string; timezone: string }): CronTimes;
  /** Rings at each time by this machine's clock, until it is stopped. Rings never keep the process alive. */
  alarm(when: { cron: string; timezone: string }, ring: () => void): { stop(): void };
}

/** Loads node-cron, which nothing needs before there is a schedule to look at. */
export async function loadCron(): Promise<Cron> {
  const { nodeCron } = await import("node-cron");
  return {
    problem: (expression) => problemOf(nodeCron, expression),
    times: (when) => timesOf(nodeCron, when),
    alarm({ cron, timezone }, ring) {
      const task = nodeCron.schedule(cron, ring, { timezone, logger: quiet, suppressMissedWarning: true, unref: true });
      return { stop: () => void task.destroy() };
    },
  };
}

/** It would write to the terminal; what is missed is found by the store's clock. */
const quiet = { info() {}, warn() {}, error() {}, debug() {} };

function problemOf(nodeCron: NodeCron, expression: string): string | null {
  const parts = expression.trim().split(/\s+/);
  if (parts.length !== fields.length) {
    return `“${expression}” is not five fields (${fields.join(", ")}), such as 0 * * * * for every full hour`;
  }
  const { valid, errors } = nodeCron.validateDetailed(expression);
  if (valid) return null;
  return errors.map(({ message }) => message).join("; ") || `“${expression}” is no cron expression`;
}

function timesOf(nodeCron: NodeCron, { cron, timezone }: { cron: string; timezone: string }): CronTimes {
  const [minute = "*", hour = "*", ...dayFields] = cron.trim().split(/\s+/);
  const task = (expression: string): ScheduledTask => nodeCron.createTask(expression, () => {}, { timezone });
  const days = task(["*", "*", ...dayFields].join(" "));
  const hours = task(["*", hour, ...dayFields].join(" "));
  const minutes = task([minute, hour, ...dayFields].join(" "));
  const isEveryHour = nodeCron.parse(cron).hour.length === 24;
  const wallClock = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, dateStyle: "short", timeStyle: "short" });
  const isAt = (matcher: ScheduledTask, at: number): boolean => matcher.match(new Date(at));

  /** When clocks go back, an hour comes twice: a time of day that was named counts once, the first time. */
  const isRepeated = (at: number): boolean => {
    if (isEveryHour) return false;
    const shown = wallClock.format(at);
    return [30, 60, 120].some((earlier) => wallClock.format(at - earlier * minuteMs) === shown);
  };

  /** Where to look next, with what surely does not match left out; `direction` is 1 or -1. */
  const skip = (at: number, direction: 1 | -1): number => {
    // Offsets of time zones are whole quarters of an hour, so within a quarter the hour and the day stay the same.
    const quarter = Math.floor(at / quarterMs) * quarterMs;
    const outside = direction === 1 ? quarter + quarterMs : quarter - minuteMs;
    if (!isAt(days, at)) return isAt(days, at + direction * stepMs) ? outside : at + direction * stepMs;
    return isAt(hours, at) ? at + direction * minuteMs : outside;
  };

  const isTime = (at: number): boolean => isAt(minutes, at) && !isRepeated(at);

  const times: CronTimes = {
    next(after) {
      let at = Math.floor(after / minuteMs) * minuteMs + minuteMs;
      for (const end = at + farthestMs; at < end; at = skip(at, 1)) if (isTime(at)) return at;
      return null;
    },
    newest({ after, upTo }) {
      let at = Math.floor(upTo / minuteMs) * minuteMs;
      for (const end = Math.max(after, upTo - farthestMs); at > end; at = skip(at, -1)) if (isTime(at)) return at;
      return null;
    },
    count({ after, before, most }) {
      let found = 0;
      for (let at = times.next(after); at !== null && at < before && found < most; at = times.next(at)) found += 1;
      return found;
    },
    close() {
      for (const one of [days, hours, minutes]) void one.destroy();
    },
  };
  return times;
}
