/** The one retry layer of EBS direct: the client itself never tries again. */
import { setTimeout as sleep } from "node:timers/promises";
import { asAwsError, awsErrorCode, isNotFound } from "../errors.ts";
import type { Outcome } from "./rate.ts";

/** Doubled with each failure of one call up to the longest; the pause is a random part of it. */
const firstPauseMs = 60;
const longestPauseMs = 5_000;
/** Without one success for this long, the upload gives up; it can be resumed. */
export const patienceMs = 120_000;
/** A fresh snapshot may be unknown to some of the service's machines for this long. */
export const visibilityMs = 120_000;
/** The second one is dated right. */
const clockAttempts = 3;

const throttles = new Set([
  "ThrottlingException",
  "RequestThrottledException",
  "RequestThrottled",
  "Throttling",
  "RequestLimitExceeded",
  "SlowDown",
  "TooManyRequestsException",
]);
const brokenConnections = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
  "TimeoutError",
  "HPE_INVALID_CONSTANT",
]);

/** What a failure means for the pace; null when trying again is useless. */
export function outcomeOf(error: unknown): Exclude<Outcome, "ok"> | null {
  const code = awsErrorCode(error);
  const { $metadata, code: systemCode } = error as {
    $metadata?: { httpStatusCode?: number };
    code?: string;
  };
  const status = $metadata?.httpStatusCode ?? 0;
  if (throttles.has(code) || status === 429) return "throttled";
  if (status >= 500 || brokenConnections.has(code) || brokenConnections.has(systemCode ?? "")) return "failed";
  return null;
}

/** The service refused this machine's time, and the SDK's client now goes by the service's. */
function wasClockSet(error: unknown): boolean {
  return (error as { $metadata?: { clockSkewCorrected?: boolean } }).$metadata?.clockSkewCorrected === true;
}

export function pauseMs(failures: number): number {
  const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 10));
  return longest * (0.5 + Math.random() / 2);
}

/**
 * Calls until it succeeds, fails for good, or patience ends. `visibility` also waits out "not found" for so many
 * milliseconds, for things that were just made.
 */
export async function persist<T>(
  what: string,
  options: { signal: AbortSignal; visibility?: number; patience?: number },
  call: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  for (let failures = 1; ; failures++) {
    options.signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      const waited = performance.now() - start;
      const mayAppear = isNotFound(error) && waited < (options.visibility ?? 0);
      const mayRecover = outcomeOf(error) !== null && waited < (options.patience ?? patienceMs);
      const isClockSet = wasClockSet(error) && failures < clockAttempts;
      if (!mayAppear && !mayRecover && !isClockSet) throw asAwsError(error, what);
      await sleep(pauseMs(failures), undefined, { signal: options.signal });
    }
  }
}
