/**
 * Who goes first in this process: what was pressed or commanded is acknowledged before messages are written down, and of
 * those one is taken each time round the event loop, so that what comes over the sockets is not kept waiting.
 */

/** Whatever is being acknowledged lets others wait for so long at most. */
const mostWaitMs = 250;

export interface Courtesy {
  /** While this is under way, others wait. */
  acknowledging<T>(work: Promise<T>): Promise<T>;
  /** Resolves when nothing is being acknowledged, or after a while. */
  acknowledged(): Promise<void>;
  /** The same for longer work: one after the other, each with a look at the sockets before it. */
  turn(): Promise<void>;
}

export function createCourtesy(): Courtesy {
  let count = 0;
  let ended = Promise.withResolvers<void>();
  let last: Promise<void> = Promise.resolve();

  const acknowledged = async (): Promise<void> => {
    if (count === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, mostWaitMs);
    await Promise.race([ended.promise, promise]);
    clearTimeout(timer);
  };

  return {
    async acknowledging(work) {
      if (count++ === 0) ended = Promise.withResolvers<void>();
      try {
        return await work;
      } finally {
        if (--count === 0) ended.resolve();
      }
    },

    acknowledged,

    turn() {
      last = last.then(async () => {
        await new Promise((resolve) => setImmediate(resolve));
        await acknowledged();
      });
      return last;
    },
  };
}
