/**
 * How often a bot may begin a session (IDENTIFY). Discord resets a token after 1,000 in 24 hours, so each one is written
 * down for the name before it is sent, whichever process sends it, and a crash loop counts like anything else. Resuming
 * a session is not counted.
 */
import type { Json } from "../../../../../tools/json.ts";
import { type Store, update } from "../../../../../tools/store.ts";

const dayMs = 24 * 3600 * 1000;

export interface IdentifyPace {
  /** Begun in 24 hours, at most: a fifth of what costs the token. */
  dayLimit: number;
  /** So many may follow each other at once: a start, a handover, a new token. */
  freeStarts: number;
  /** After those the wait doubles from the first to the longest. At 10 min a loop of crashes makes about 160 a day. */
  firstWaitMs: number;
  longestWaitMs: number;
  /** A session that lasted this long ends the row of quick ones. */
  settledMs: number;
}

export const identifyPace: IdentifyPace = {
  dayLimit: 200,
  freeStarts: 5,
  firstWaitMs: 5_000,
  longestWaitMs: 600_000,
  settledMs: 900_000,
};

export interface IdentifyBudget {
  /** Milliseconds until one may begin; 0 is now. Takes nothing. */
  waitMs(): Promise<number>;
  /** Writes one down and returns 0, or how long to wait for it. */
  take(): Promise<number>;
  /** Begun in the last 24 hours. */
  count(): Promise<number>;
}

export function createIdentifyBudget(options: { store: Store; name: string; pace?: IdentifyPace }): IdentifyBudget {
  const { store, name } = options;
  const pace = options.pace ?? identifyPace;
  const key = `discord/identify/${name}`;

  const read = async (now: number): Promise<number[]> => startsOf((await store.get(key))?.value ?? null, now);

  return {
    async waitMs() {
      const now = await store.now();
      return waitFor(await read(now), now, pace);
    },

    async take() {
      const now = await store.now();
      let wait = 0;
      await update<Json>(store, key, (current) => {
        const starts = startsOf(current, now);
        wait = waitFor(starts, now, pace);
        return wait > 0 ? undefined : { formatVersion: 1, starts: [...starts, now] };
      });
      return wait;
    },

    async count() {
      return (await read(await store.now())).length;
    },
  };
}

function startsOf(value: Json | null, now: number): number[] {
  const { starts } = (value ?? { starts: [] }) as { starts: number[] };
  return starts.filter((at) => at > now - dayMs);
}

/** `starts` in order, of the last 24 hours. */
function waitFor(starts: readonly number[], now: number, pace: IdentifyPace): number {
  const last = starts.at(-1);
  if (last === undefined) return 0;
  const oldest = starts.at(-pace.dayLimit);
  const untilDay = oldest === undefined ? 0 : oldest + dayMs - now;
  let row = 1;
  for (let i = starts.length - 1; i > 0; i--) {
    const [before, after] = [starts[i - 1] ?? 0, starts[i] ?? 0];
    if (after - before >= pace.settledMs) break;
    row++;
  }
  const isSettled = now - last >= pace.settledMs;
  const pause = isSettled || row < pace.freeStarts ? 0 : pace.firstWaitMs * 2 ** Math.min(row - pace.freeStarts, 30);
  return Math.max(0, untilDay, last + Math.min(pause, pace.longestWaitMs) - now);
}
