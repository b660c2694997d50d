/** The jobs that are in force, each with its times; they follow the file. */
import { join } from "node:path";
import type { Store } from "../../../tools/store.ts";
import type { Log } from "../../log.ts";
import type { Job } from "../../schedule.ts";
import { type Cron, type CronTimes, loadCron } from "./cron.ts";
import { recordKey } from "./job-record.ts";
import { createJobsFile, type JobsFile } from "./jobs-file.ts";

/** A file on a shared file system is asked for this often. */
const fileEveryMs = 2_000;

export interface Entry {
  job: Job;
  key: string;
  times: CronTimes;
  alarm: { stop(): void } | null;
  /** Store time of the next look at its record. */
  lookAt: number;
  /** Monotonic time before which its running run is not asked after. */
  askAt: number;
  /** Times before this are none of its own: it came to be, or changed, then. */
  since: number;
  isRunning: boolean;
  /** Runs that this process began. */
  begun: number;
}

export interface Entries {
  /** Looks at the file when it is time to, and loads node-cron the first time. */
  read(): Promise<Cron>;
  all(): Entry[];
  get(id: string): Entry | undefined;
  /** What is wrong with the file. */
  problem(): string | null;
  stop(): void;
}

export function createEntries(options: {
  store: Store;
  name: string;
  path: string;
  /** This instance's own directory. */
  directory: string;
  log: Log;
  monotonic(): number;
}): Entries {
  const { store, name, path, log, monotonic } = options;
  const entries = new Map<string, Entry>();
  let loaded: Promise<{ cron: Cron; file: JobsFile }> | null = null;
  let fileLookAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> = Promise.resolve();
  let isFirst = true;
  let problem: string | null = null;
  let stopped = false;

  const load = (): Promise<{ cron: Cron; file: JobsFile }> => {
    loaded ??= loadCron().then((cron) => {
      const lastGood = join(options.directory, "schedule-last-good.json");
      return { cron, file: createJobsFile({ path, lastGood, cronProblem: cron.problem, log }) };
    });
    return loaded;
  };

  /** Whoever asks while the file is read waits for the same reading. */
  const read = async (): Promise<Cron> => {
    const { cron, file } = await load();
    if (monotonic() >= fileLookAt) {
      fileLookAt = monotonic() + fileEveryMs;
      reading = takeOver(cron, file);
    }
    await reading;
    return cron;
  };

  const takeOver = async (cron: Cron, file: JobsFile): Promise<void> => {
    const now = await store.now();
    const isNew = await file.look();
    problem = file.problem();
    if (!isNew || stopped) return;
    const jobs = file.jobs();
    for (const [id, entry] of entries) if (!jobs.some((job) => job.id === id)) forget(id, entry);
    for (const job of jobs) {
      const before = entries.get(job.id);
      const isSame = before && before.job.cron === job.cron && before.job.timezone === job.timezone;
      if (before && isSame && before.job.enabled === job.enabled && before.job.singleton === job.singleton) {
        before.job = job;
        continue;
      }
      if (before) forget(job.id, before);
      entries.set(job.id, {
        job,
        key: recordKey(job, name),
        times: cron.times(job),
        alarm: null,
        lookAt: 0,
        askAt: 0,
        since: isFirst ? 0 : now,
        isRunning: true,
        begun: 0,
      });
    }
    isFirst = false;
  };

  const forget = (id: string, entry: Entry): void => {
    entry.alarm?.stop();
    entry.times.close();
    entries.delete(id);
  };

  return {
    read,
    all: () => [...entries.values()],
    get: (id) => entries.get(id),
    problem: () => problem,
    stop() {
      stopped = true;
      for (const [id, entry] of [...entries]) forget(id, entry);
    },
  };
}
