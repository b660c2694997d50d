/**
 * How fast blocks are sent: one controller of rate and concurrency for the whole upload. Both rise by addition while
 * all goes well and fall by multiplication when the service asks for less (rate) or answers badly (concurrency), as TCP
 * does. It decides by shares over short epochs: a stray throttle costs that block a moment, not all others their pace.
 */
import { setTimeout as sleep } from "node:timers/promises";

export type Outcome = "ok" | "throttled" | "failed";

/** Half of what is needed for 1 GB/s at 20 ms; doubled within an epoch or two where that pays. */
const firstConcurrency = 32;
const leastConcurrency = 2;
/** An epoch ends after this time, and not before so many answers. */
const epochMs = 250;
const epochAnswers = 12;
/** Shares of an epoch's answers above which it counts as congestion. */
const throttledShare = 0.08;
const failedShare = 0.15;
const decrease = 0.7;
const concurrencyStep = 4;
/** Of the present rate, per epoch without congestion. */
const rateStep = 0.03;
/** Below the measured rate, to empty what the service has queued. */
const rateMargin = 0.9;
/** A limit this far above what is reached limits nothing. */
const uselessFactor = 4;

export interface RateController {
  /** Waits until one more request may go. */
  enter(signal: AbortSignal): Promise<void>;
  /** Tells how it ended. */
  leave(outcome: Outcome): void;
  /** Requests a second; null while nothing limits it. */
  limit(): number | null;
  concurrency(): number;
}

export function createRateController(options: { most: number; now?: () => number }): RateController {
  const now = options.now ?? (() => performance.now());
  let concurrency = Math.min(firstConcurrency, options.most);
  let limit: number | null = null;
  let inFlight = 0;
  let nextStart = 0;
  let epoch = { start: now(), ok: 0, throttled: 0, failed: 0 };
  const waiting: (() => void)[] = [];

  const admit = (): void => {
    while (waiting.length > 0 && inFlight < Math.floor(concurrency)) {
      inFlight++;
      waiting.shift()?.();
    }
  };

  const endEpoch = (at: number): void => {
    const { ok, throttled, failed } = epoch;
    const answers = ok + throttled + failed;
    const seconds = (at - epoch.start) / 1000;
    if (throttled / answers > throttledShare) {
      limit = Math.max(1, (ok / seconds) * rateMargin);
      concurrency = Math.max(leastConcurrency, concurrency * decrease);
    } else if (failed / answers > failedShare) {
      concurrency = Math.max(leastConcurrency, concurrency * decrease);
    } else {
      concurrency = Math.min(options.most, concurrency + concurrencyStep);
      if (limit !== null) {
        limit *= 1 + rateStep;
        if (limit > (ok / seconds) * uselessFactor) limit = null;
      }
    }
    epoch = { start: at, ok: 0, throttled: 0, failed: 0 };
  };

  return {
    async enter(signal) {
      if (inFlight < Math.floor(concurrency)) inFlight++;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      if (limit === null) return;
      // Starts are spread evenly, with jitter, so that two uploaders do not fall into step.
      const at = Math.max(now(), nextStart);
      nextStart = at + (1000 / limit) * (0.9 + 0.2 * Math.random());
      if (at <= now()) return;
      try {
        await sleep(at - now(), undefined, { signal });
      } catch (error) {
        inFlight--;
        admit();
        throw error;
      }
    },
    leave(outcome) {
      inFlight--;
      epoch[outcome]++;
      const at = now();
      const answers = epoch.ok + epoch.throttled + epoch.failed;
      if (at - epoch.start >= epochMs && answers >= epochAnswers) endEpoch(at);
      admit();
    },
    limit: () => limit,
    concurrency: () => Math.floor(concurrency),
  };
}
