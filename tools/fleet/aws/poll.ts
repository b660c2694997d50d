import { setTimeout as sleep } from "node:timers/promises";
import { isNotFound } from "./errors.ts";

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

/**
 * A listing. One that answers "not found" comes from a part of AWS that has not heard of what another part made a moment
 * ago: it says nothing of what there is, and is asked again.
 */
export async function list<T>(visibilityMs: number, call: () => Promise<T>): Promise<T> {
  let unheard: unknown;
  const answer = await poll({
    timeoutMs: visibilityMs,
    async check() {
      try {
        return { value: await call() };
      } catch (error) {
        if (!isNotFound(error)) throw error;
        unheard = error;
        return null;
      }
    },
  });
  if (answer) return answer.value;
  throw unheard;
}
