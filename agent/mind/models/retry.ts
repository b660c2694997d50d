/** The one retry layer for model endpoints: how long to wait, and how often; route.ts does it. */
import { setTimeout as delay } from "node:timers/promises";

export interface RetryLimits {
  /** Attempts in all, the first one included. */
  attempts: number;
  /** An endpoint that asks for more than this is not waited for. */
  longestRetryAfterMs: number;
}

/** Nobody else can answer. Doubling waits add up to about 7 s, which outlasts a short overload. */
export const lastResort: RetryLimits = { attempts: 5, longestRetryAfterMs: 60_000 };
/** Somebody else can: a person should not wait long for the first choice. Up to about 1.5 s. */
export const withFallback: RetryLimits = { attempts: 3, longestRetryAfterMs: 10_000 };
/** It failed a moment ago. */
export const onceOnly: RetryLimits = { attempts: 1, longestRetryAfterMs: 0 };

const firstWaitMs = 500;
const longestWaitMs = 8_000;

/**
 * Milliseconds to wait before attempt `attempt` (2 is the first repetition), or null when it should not be made. A
 * `retry-after` is honoured; otherwise waits double, with jitter so that siblings do not come back together.
 */
export function waitBefore(
  attempt: number,
  retryAfterMs: number | null,
  options: { limits?: RetryLimits; random?: () => number } = {},
): number | null {
  const { limits = lastResort, random = Math.random } = options;
  if (attempt > limits.attempts) return null;
  if (retryAfterMs !== null) return retryAfterMs <= limits.longestRetryAfterMs ? retryAfterMs : null;
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
