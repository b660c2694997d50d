/** Waiting, and processes known by pid and start time. */
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { acquireProcessLock, isOwnerAlive, type LockOwner, type ProcessLock } from "../../process-lock.ts";

/** Short enough not to be felt in a launch, long enough to cost nothing. */
const pollMs = 20;

/** Whether `check` came true before `timeoutMs` ran out. */
export async function waitUntil(
  check: () => boolean | Promise<boolean>,
  options: { timeoutMs: number; signal?: AbortSignal },
): Promise<boolean> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    if (await check()) return true;
    if (performance.now() >= deadline) return false;
    await sleep(pollMs, undefined, { signal: options.signal });
  }
}

/** Runs `work` while holding the lock; waits for it without blocking the process. */
export async function withProcessLock<T>(
  path: string,
  options: { signal?: AbortSignal; onWait?: () => void },
  work: () => Promise<T>,
): Promise<T> {
  let lock: ProcessLock | null = acquireProcessLock(path, { waitMs: 0 });
  if (!lock) options.onWait?.();
  while (!lock) {
    options.signal?.throwIfAborted();
    await sleep(pollMs, undefined, { signal: options.signal });
    lock = acquireProcessLock(path, { waitMs: 0 });
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** Signals the process only if it is still the one that was noted; with `group`, everything it started as well. */
export function signalProcess(owner: LockOwner, signal: NodeJS.Signals, options: { group?: boolean } = {}): void {
  if (owner.pid === process.pid || !isOwnerAlive(owner)) return;
  for (const pid of options.group ? [-owner.pid, owner.pid] : [owner.pid]) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // Gone in between, or (for the group) never the leader of one.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/** Pids whose command line has these arguments one after the other; empty where the system has no /proc. */
export async function processesWithArguments(wanted: string[]): Promise<number[]> {
  const needle = `\0${wanted.join("\0")}\0`;
  let names: string[];
  try {
    names = await readdir("/proc");
  } catch {
    return [];
  }
  const found = await Promise.all(
    names
      .filter((name) => /^[0-9]+$/.test(name))
      .map(async (name) => {
        try {
          return (await readFile(`/proc/${name}/cmdline`, "utf8")).includes(needle) ? [Number(name)] : [];
        } catch {
          return [];
        }
      }),
  );
  return found.flat();
}
