/** `cron-jobs.json`, read again when it changes. A bad one changes nothing: the last good one stays in force. */
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { describeError } from "../../../tools/errors.ts";
import type { Log } from "../../log.ts";
import { type Job, parseJobs } from "../../schedule.ts";

export interface JobsFile {
  /** Looks whether the file changed; true when jobs were taken over from it. Never throws. */
  look(): Promise<boolean>;
  jobs(): readonly Job[];
  /** What is wrong with the file as it is now. */
  problem(): string | null;
}

export function createJobsFile(options: {
  path: string;
  /** Where the last good one is kept, for a start that finds a bad one. */
  lastGood: string;
  cronProblem(cron: string): string | null;
  log: Log;
}): JobsFile {
  const { path, lastGood, log } = options;
  let jobs: readonly Job[] = [];
  let problem: string | null = null;
  let stamp = "never";
  let wasThere = false;
  let wasGood = false;

  /** Size and time of the file; null when there is none. */
  const readStamp = async (): Promise<string | null> => {
    try {
      const { ino, size, mtimeNs } = await stat(path, { bigint: true });
      return `${ino} ${size} ${mtimeNs}`;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  };

  const complain = (text: string): void => {
    if (problem === text) return;
    problem = text;
    log("warn", "the schedule's file is not taken over", { problem: text });
  };

  const keep = async (text: string): Promise<void> => {
    // A copy that a crash loses is made again at the next start, so it needs no fsync.
    const temporary = `${lastGood}.${process.pid}.tmp`;
    await writeFile(temporary, text, { mode: 0o600 });
    await rename(temporary, lastGood);
  };

  /** At a start with a bad file: what was in force before it. */
  const recall = async (): Promise<boolean> => {
    if (wasGood) return false;
    wasGood = true;
    try {
      jobs = parseJobs(await readFile(lastGood, "utf8"), { ...options, path: lastGood });
      return true;
    } catch {
      return false;
    }
  };

  return {
    async look() {
      try {
        const now = await readStamp();
        if (now === null) {
          // Before it was ever there, there is nothing to be missed: the workspace is still being made.
          if (wasThere) complain(`${path} is gone; the jobs that it held go on. Without jobs it says "jobs": []`);
          stamp = "gone";
          return false;
        }
        if (now === stamp) return false;
        const text = await readFile(path, "utf8");
        stamp = now;
        wasThere = true;
        jobs = parseJobs(text, options);
        wasGood = true;
        problem = null;
        await keep(text).catch((error: unknown) =>
          log("warn", "the schedule was taken over, but its copy is not kept", { error: describeError(error).message }),
        );
        return true;
      } catch (error) {
        const { message, hint } = describeError(error);
        complain(`${message}\n${hint}`);
        return recall();
      }
    },
    jobs: () => jobs,
    problem: () => problem,
  };
}
