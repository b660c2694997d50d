import { setTimeout as sleep } from "node:timers/promises";

/** Answers often come at once; what takes longer takes seconds, and EC2 counts requests. */
const firstPauseMs = 100;
const longestPauseMs = 4_000;

/**
 * Looks again, with growing pauses, until `check` gives something other than null; null after `timeoutMs` by this
 * process's monotonic clock. Throws the signal's reason when it is aborted.
 */
export async function poll<T>(options: {
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  check(): Promise<T | null>;
}): Promise<T | null> {
  const { timeoutMs, signal, check } = options;
  const end = performance.now() + timeoutMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 1.5, longestPauseMs)) {
    signal?.throwIfAborted();
    const found = await check();
    if (found !== null) return found;
    const leftMs = end - performance.now();
    if (leftMs <= 0) return null;
    await sleep(Math.min(pauseMs, leftMs), undefined, { signal });
  }
}
