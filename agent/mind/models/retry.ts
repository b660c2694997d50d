/** The one retry layer for model endpoints. */
import { setTimeout as delay } from "node:timers/promises";

/** Five attempts in all; with doubling waits that is up to about 15 s, which outlasts a short overload. */
export const maxAttempts = 5;
const firstWaitMs = 500;
const longestWaitMs = 8_000;
/** An endpoint that asks for more than this is told to the person instead. */
const longestRetryAfterMs = 60_000;

/**
 * Milliseconds to wait before attempt `attempt` (2 is the first repetition), or null when it should not be made. A
 * `retry-after` is honoured; otherwise waits double, with jitter so that siblings do not come back together.
 */
export function waitBefore(
  attempt: number,
  retryAfterMs: number | null,
  random: () => number = Math.random,
): number | null {
  if (attempt > maxAttempts) return null;
  if (retryAfterMs !== null) return retryAfterMs <= longestRetryAfterMs ? retryAfterMs : null;
  const wait = Math.min(longestWaitMs, firstWaitMs * 2 ** (attempt - 2));
  return Math.round(wait * (0.5 + random() / 2));
}

/** Reads `retry-after-ms` and `retry-after` (seconds or a date). */
export function retryAfterOf(headers: Headers | undefined, nowMs: number): number | null {
  const milliseconds = Number(headers?.get("retry-after-ms") ?? Number.NaN);
  if (Number.isFinite(milliseconds) && milliseconds >= 0) return milliseconds;
  const value = headers?.get("retry-after");
  if (!value) return null;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}

/** Returns false when the signal ended the wait. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return delay(milliseconds, true, { signal }).catch(() => false);
}
