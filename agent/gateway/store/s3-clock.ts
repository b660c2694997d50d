/**
 * S3's time from the `Date` of its answers. An answer dated D that was asked for at `sentAt` and came at `receivedAt`
 * says that somewhere in between S3's clock stood in [D, D + 1 s). Many answers narrow that down to far less than the
 * second that one tells.
 *
 * `read` gives the lower bound. It is never ahead of S3, so a taker never believes a lease over too early; a holder
 * writes its lease's end from a clock that may be behind by `errorMs`, and takes that off what it allows itself.
 */

/** `Date` has whole seconds. */
const resolutionMs = 1_000;

/** Quartz drifts by up to about 100 parts in a million; twice that, so that old answers never claim too much. */
const driftPerMs = 200e-6;

/** Without a fresh answer for this long, one is asked for. */
const freshForMs = 600_000;

/** A sleeping machine's monotonic clock stands still while the other goes on: then nothing that was known holds. */
const jumpMs = 500;

export interface S3Clock {
  observe(sample: { dateMs: number; sentAt: number; receivedAt: number }): void;
  /** Milliseconds since 1970, never going back; null when S3 must be asked first. */
  read(): number | null;
  /** How far `read` may be behind. */
  errorMs(): number;
}

interface Bounds {
  /** S3's time less the monotonic time lies between these. */
  low: number;
  high: number;
  at: number;
  wallAt: number;
}

export function createS3Clock(options: { monotonic?: () => number; wall?: () => number } = {}): S3Clock {
  const monotonic = options.monotonic ?? (() => performance.now());
  const wall = options.wall ?? Date.now;
  let bounds: Bounds | null = null;
  let last = 0;

  /** What is known now: older knowledge is worth less by the drift since. */
  const current = (): Bounds | null => {
    if (!bounds) return null;
    const at = monotonic();
    const wallAt = wall();
    if (Math.abs(wallAt - bounds.wallAt - (at - bounds.at)) > jumpMs) return null;
    const drift = (at - bounds.at) * driftPerMs;
    return { low: bounds.low - drift, high: bounds.high + drift, at, wallAt };
  };

  return {
    observe({ dateMs, sentAt, receivedAt }) {
      const fresh = { low: dateMs - receivedAt, high: dateMs + resolutionMs - sentAt };
      const known = current();
      const agrees = known !== null && known.low <= fresh.high && fresh.low <= known.high;
      bounds = {
        low: agrees ? Math.max(known.low, fresh.low) : fresh.low,
        high: agrees ? Math.min(known.high, fresh.high) : fresh.high,
        at: monotonic(),
        wallAt: wall(),
      };
    },

    read() {
      const known = current();
      if (!known || !bounds || known.at - bounds.at > freshForMs) return null;
      last = Math.max(last, Math.floor(known.at + known.low));
      return last;
    },

    errorMs() {
      const known = current();
      return known ? Math.ceil(known.high - known.low) + 1 : resolutionMs;
    },
  };
}
