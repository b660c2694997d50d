/**
 * The schedule of a name, run by the instance that holds it. node-cron rings; the store's clock decides which times have
 * come, and one conditional write of the job's record decides who deals with a time. So a time is dealt with once,
 * whatever restarts, moves to another instance, runs twice or has a wrong clock.
 */
import { join } from "node:path";
import { describeError, ToolError } from "../../../tools/errors.ts";
import type { Store } from "../../../tools/store.ts";
import type { Log } from "../../log.ts";
import {
  type Job,
  type JobAction,
  type JobView,
  jobsFileName,
  type RunTrigger,
  type ScheduleView,
} from "../../schedule.ts";
import { isSilentAnswer } from "../../schedule-news.ts";
import { type Actor, authorOf } from "../maintainers.ts";
import { createEntries, type Entry } from "./entries.ts";
import { changeRecord, type JobRecord, type JobRun, newRecord, readRecord, withOutcome } from "./job-record.ts";
import { conversationOf, isRunOf, type JobRuns, runId } from "./job-runs.ts";
import { viewOf } from "./view.ts";

const hourMs = 3_600_000;

/** A time that is dealt with later than this was missed, and is made up for. */
const punctualMs = 60_000;

/** More missed times than this are not counted one by one. */
const mostCounted = 1_000;

/** How often a record that another process may change is read, by what reading costs. */
const lookAgainMs = { cheap: 1_000, costly: 30_000 };

export interface ScheduleCounts {
  fired: number;
  missed: number;
  skipped: number;
}

export interface Schedule {
  /** Does what is due, where this instance holds its name. Called often; one call at a time. */
  look(): Promise<void>;
  /** A run of a job has ended here. */
  onEnded(): void;
  view(): Promise<ScheduleView>;
  /** What is wrong with the file, in one line. */
  problem(): string | null;
  /** Throws ToolError when it cannot be done now. */
  act(id: string, action: JobAction, actor: Actor): Promise<JobView>;
  /** Whether an event of a conversation is not to be shown to people: a silent job that has nothing to say, yet or at all. */
  isHeldBack(event: { message: string; type: string; text?: string }): boolean;
  /** Since this process started, by job. */
  counts(): ReadonlyMap<string, ScheduleCounts>;
  stop(): void;
}

export interface ScheduleOptions {
  store: Store;
  name: string;
  /** The name's workspace. */
  workspace: string;
  /** This instance's own directory. */
  directory: string;
  runs: JobRuns;
  /** The name that shall answer in a conversation: this one's, unless another one owns it. */
  takeConversation(conversation: string, name: string): Promise<string>;
  isPaused(): Promise<boolean>;
  /** Whether this instance acts under its name now. */
  holdsName(): boolean;
  /** Something rang: look soon. */
  wake(): void;
  log: Log;
  /** Milliseconds that only go forward. */
  monotonic?: () => number;
}

export function createSchedule(options: ScheduleOptions): Schedule {
  const { store, name, runs, log } = options;
  const monotonic = options.monotonic ?? (() => performance.now());
  const againMs = lookAgainMs[store.listing ?? "cheap"];
  const path = join(options.workspace, jobsFileName);
  const entries = createEntries({ store, name, path, directory: options.directory, log, monotonic });
  const counts = new Map<string, ScheduleCounts>();
  let stopped = false;

  const count = (job: Job, what: Partial<ScheduleCounts>): void => {
    const sum = counts.get(job.id) ?? { fired: 0, missed: 0, skipped: 0 };
    for (const key of ["fired", "missed", "skipped"] as const) sum[key] += what[key] ?? 0;
    counts.set(job.id, sum);
  };

  const lookAt = async (entry: Entry, now: number): Promise<void> => {
    const { job, key, times } = entry;
    if (entry.isRunning && monotonic() >= entry.askAt) {
      entry.askAt = monotonic() + againMs;
      await follow(entry);
    }
    if (!job.enabled || now < entry.lookAt) return;
    const record = await readRecord(store, key);
    if (record === null) {
      // It is a new job: its times begin now.
      await changeRecord(store, key, (current) => (current === null ? newRecord(now) : undefined));
      entry.lookAt = times.next(now) ?? Number.POSITIVE_INFINITY;
      return;
    }
    const after = Math.max(record.handled, entry.since);
    const newest = times.newest({ after, upTo: now });
    if (newest === null) {
      entry.lookAt = times.next(Math.max(now, after)) ?? Number.POSITIVE_INFINITY;
      return;
    }
    // Paused by another process or not: what was remembered of it must not decide.
    store.refresh?.("fleet/paused");
    if (record.paused || (await options.isPaused())) {
      entry.lookAt = now + againMs;
      return;
    }
    // Whoever began it may be gone, and nobody else asks how it ended.
    if (record.current) await follow(entry);
    await deal(entry, { now, newest, after });
  };

  /** Deals with the newest time that has come: by running it, or by saying why not. */
  const deal = async (entry: Entry, { now, newest, after }: { now: number; newest: number; after: number }) => {
    const { job, key, times } = entry;
    const older = times.count({ after, before: newest, most: mostCounted });
    const lateMs = now - newest;
    const trigger: RunTrigger = lateMs > punctualMs ? "catch-up" : "time";
    const run = await newRun(job, { id: runId(job, name, newest), at: newest, now, trigger });
    const skipped = (detail: string) => ({ at: newest, trigger, result: "skipped" as const, detail, endedAt: now });
    let why: string | null = null;
    let begun = run;
    const { changed } = await changeRecord(store, key, (current) => {
      why = null;
      // Another instance was first, or a person paused it meanwhile.
      if (current === null || current.handled >= newest || current.paused) return undefined;
      begun = { ...run, wasTold: isTold(current) };
      if (lateMs > job.catchUpHours * hourMs) why = `missed, and too long ago (over ${job.catchUpHours} h)`;
      else if (current.current) why = `the run of ${clock(current.current.at)} was still going on`;
      let next: JobRecord = { ...current, handled: newest };
      if (older > 0) next = withOutcome(next, skipped(`${missedText(older)} missed`));
      return why === null ? { ...next, current: begun } : withOutcome(next, skipped(why));
    });
    entry.lookAt = changed ? (times.next(now) ?? Number.POSITIVE_INFINITY) : now;
    if (!changed) return;
    count(job, { missed: older + (trigger === "catch-up" ? 1 : 0), skipped: older + (why === null ? 0 : 1) });
    if (why !== null) {
      log("info", "a scheduled time was skipped", { job: job.id, time: clock(newest), why });
      return;
    }
    await begin(entry, begun);
  };

  const newRun = async (
    job: Job,
    { id, at, now, trigger }: { id: string; at: number; now: number; trigger: RunTrigger },
  ): Promise<JobRun> => ({
    id,
    at,
    trigger,
    by: name,
    to: job.prompt === undefined ? name : await options.takeConversation(conversationOf(job, name), name),
    startedAt: now,
    work:
      job.prompt === undefined ? { operation: job.operation ?? "", input: job.input ?? {} } : { prompt: job.prompt },
    wasTold: true,
    person: null,
  });

  const begin = async (entry: Entry, run: JobRun): Promise<void> => {
    entry.isRunning = true;
    entry.begun += 1;
    entry.askAt = 0;
    count(entry.job, { fired: 1 });
    log("info", "a job starts", { job: entry.job.id, run: run.id, trigger: run.trigger });
    await runs.start(entry.job, run);
  };

  /** Another run may begin while this one is looked at: what is found then is not about it. */
  const follow = async (entry: Entry): Promise<void> => {
    const { begun } = entry;
    const isRunning = await settle(entry);
    entry.isRunning = isRunning || entry.begun !== begun;
  };

  /** Whether it still runs; writes down how it ended when it has. */
  const settle = async ({ job, key }: Entry): Promise<boolean> => {
    const run = (await readRecord(store, key))?.current;
    if (!run) return false;
    const ending = await runs.ending(job, run);
    if (!ending) return true;
    const endedAt = await store.now();
    const { at, trigger } = run;
    const { changed } = await changeRecord(store, key, (current) =>
      current?.current?.id === run.id
        ? withOutcome({ ...current, current: null }, { at, trigger, endedAt, ...ending })
        : undefined,
    );
    if (changed) log("info", "a job ended", { job: job.id, run: run.id, result: ending.result, detail: ending.detail });
    return false;
  };

  const find = async (id: string): Promise<Entry> => {
    await entries.read();
    const entry = entries.get(id);
    if (entry) return entry;
    throw new ToolError(`there is no job ${id}`, {
      code: "unknown_job",
      hint: `jobs: ${
        entries
          .all()
          .map(({ job }) => job.id)
          .join(", ") || "none"
      }; they are in ${path}`,
    });
  };

  const runNow = async (entry: Entry, actor: Actor): Promise<void> => {
    const { job, key } = entry;
    if (!options.holdsName()) {
      throw new ToolError(`this instance does not hold ${name} now`, { code: "not_holder", hint: "try again soon" });
    }
    if (await options.isPaused()) {
      throw new ToolError("the fleet is paused, so no job starts", {
        code: "paused",
        hint: "`clawdinator resume` ends the pause",
      });
    }
    const now = await store.now();
    const { kind: _, ...person } = authorOf(actor);
    const id = `${runId(job, name, now)}-now-${crypto.randomUUID().slice(0, 8)}`;
    let run: JobRun = { ...(await newRun(job, { id, at: now, now, trigger: "person" })), person };
    let busy: JobRun | null = null;
    const { changed } = await changeRecord(store, key, (current) => {
      busy = current?.current ?? null;
      if (busy) return undefined;
      const record = current ?? newRecord(now);
      run = { ...run, wasTold: isTold(record) };
      return { ...record, current: run };
    });
    if (!changed) {
      const since = (busy as JobRun | null)?.startedAt ?? now;
      throw new ToolError(`${job.id} runs already, since ${clock(since)}`, {
        code: "job_running",
        hint: `\`clawdinator schedule list\` shows when it has ended`,
      });
    }
    await begin(entry, run);
  };

  const viewEntry = async (entry: Entry, now: number): Promise<JobView> => {
    const record = await readRecord(store, entry.key);
    const isOff = !entry.job.enabled || record?.paused;
    const nextAt = isOff ? null : entry.times.next(Math.max(now, record?.handled ?? now));
    return viewOf({ job: entry.job, record, nextAt, conversation: conversationOf(entry.job, name) });
  };

  return {
    async look() {
      if (stopped) return;
      if (!options.holdsName()) {
        for (const entry of entries.all()) {
          entry.alarm?.stop();
          // Whoever held the name meanwhile may have run it.
          Object.assign(entry, { alarm: null, lookAt: 0, isRunning: true });
        }
        return;
      }
      const cron = await entries.read();
      const now = await store.now();
      for (const entry of entries.all()) {
        if (entry.job.enabled) entry.alarm ??= cron.alarm(entry.job, options.wake);
        // One job that fails must not keep the others from their turn.
        await lookAt(entry, now).catch((error: unknown) => {
          entry.lookAt = now + againMs;
          log("error", "a job could not be looked at", { job: entry.job.id, error: describeError(error).message });
        });
      }
    },

    onEnded() {
      for (const entry of entries.all()) entry.askAt = 0;
    },

    async view() {
      await entries.read();
      const now = await store.now();
      const jobs = await Promise.all(entries.all().map((entry) => viewEntry(entry, now)));
      return { at: now, file: path, problem: entries.problem(), paused: await options.isPaused(), jobs };
    },

    problem: entries.problem,

    async act(id, action, actor) {
      const entry = await find(id);
      const now = await store.now();
      if (action === "run") await runNow(entry, actor);
      else {
        const paused = action === "pause" ? { by: actor.maintainer.name, at: now } : null;
        await changeRecord(store, entry.key, (current) => {
          const record = current ?? newRecord(now);
          return (record.paused === null) === (paused === null) ? undefined : { ...record, paused };
        });
        entry.lookAt = 0;
      }
      return viewEntry(entry, now);
    },

    isHeldBack({ message, type, text = "" }) {
      const entry = entries.all().find(({ job }) => job.silent && isRunOf(job, message));
      return entry !== undefined && (type !== "done" || isSilentAnswer(text));
    },

    counts: () => counts,

    stop() {
      stopped = true;
      entries.stop();
    },
  };
}

/** Whether people have seen how its last run ended; what one that failed would have told is told by the next. */
function isTold(record: JobRecord): boolean {
  const last = record.outcomes.find(({ result }) => result !== "skipped");
  return last === undefined || last.result === "answered" || last.result === "silent";
}

function missedText(times: number): string {
  if (times >= mostCounted) return `${mostCounted} earlier times or more were`;
  return times === 1 ? "1 earlier time was" : `${times} earlier times were`;
}

function clock(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
