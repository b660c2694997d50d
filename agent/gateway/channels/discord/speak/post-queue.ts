/** Work in order, a line for each channel: one that must wait holds up its own channel only. */
export interface PostQueue {
  run<T>(channel: string, work: () => Promise<T>): Promise<T>;
  idle(): Promise<void>;
}

export function createPostQueue(): PostQueue {
  const tails = new Map<string, Promise<unknown>>();
  return {
    run(channel, work) {
      const before = tails.get(channel) ?? Promise.resolve();
      const mine = before.then(work);
      const tail = mine.catch(() => {});
      tails.set(channel, tail);
      void tail.then(() => {
        if (tails.get(channel) === tail) tails.delete(channel);
      });
      return mine;
    },
    async idle() {
      while (tails.size > 0) await Promise.all(tails.values());
    },
  };
}
