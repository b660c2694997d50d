/**
 * Work by channel: in each one piece after the other, as it came. What fails is tried again, so that nothing is lost; a
 * fault in the program is not, because it would only hold up what comes after it.
 */
import { setTimeout as delay } from "node:timers/promises";

/** A store that is gone for longer takes the instance's name with it, and whoever holds it next begins at the cursor. */
const attempts = 20;
const longestPauseMs = 5_000;

export interface ChannelQueue {
  add(channel: string, work: () => Promise<void>): void;
  isIdle(channel: string): boolean;
  /** When everything that was added is done. */
  idle(): Promise<void>;
  /** What has not begun is left undone. */
  stop(): Promise<void>;
}

export function createChannelQueue(options: {
  onError(error: unknown, isGivenUp: boolean): void;
  /** Of a failure that would only come again. */
  isFinal?(error: unknown): boolean;
}): ChannelQueue {
  const tails = new Map<string, Promise<void>>();
  const stopped = new AbortController();
  const { signal } = stopped;

  const run = async (work: () => Promise<void>): Promise<void> => {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await work();
        return;
      } catch (error) {
        if (signal.aborted) return;
        const isGivenUp = attempt >= attempts || isProgramFault(error) || options.isFinal?.(error) === true;
        options.onError(error, isGivenUp);
        if (isGivenUp) return;
        await delay(Math.min(longestPauseMs, 100 * 2 ** attempt), undefined, { signal }).catch(() => {});
      }
    }
  };

  return {
    add(channel, work) {
      const before = tails.get(channel);
      const done = (before ? before.then(() => run(work)) : run(work)).then(() => {
        if (tails.get(channel) === done) tails.delete(channel);
      });
      tails.set(channel, done);
    },
    isIdle: (channel) => !tails.has(channel),
    async idle() {
      while (tails.size > 0) await Promise.all(tails.values());
    },
    async stop() {
      stopped.abort();
      await Promise.all(tails.values());
    },
  };
}

/** A request of fetch that failed is a TypeError too, but one with a cause. */
function isProgramFault(error: unknown): boolean {
  const isOfProgram = [TypeError, ReferenceError, RangeError].some((kind) => error instanceof kind);
  return isOfProgram && (error as Error).cause === undefined;
}
