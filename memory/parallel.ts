/** Many small steps: several at once, and never so many in a row that the rest of the program has to wait. */
import { setImmediate as nextTurn } from "node:timers/promises";

/** Enough that the latency of a network file system does not add up. */
const atOnce = 32;
const longestTurnMs = 8;

/** Does `step` for every item; the results stand in the order of the items. */
export async function mapBounded<T, R>(items: readonly T[], step: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  let turn = performance.now();
  async function worker(): Promise<void> {
    while (next < items.length) {
      const at = next++;
      results[at] = await step(items[at] as T);
      if (performance.now() - turn > longestTurnMs) {
        await nextTurn();
        turn = performance.now();
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}

/** Runs steps of one name one after the other, in the order they came. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();
  #turn = performance.now();

  take<T>(name: string, work: () => Promise<T>): Promise<T> {
    // On a quick disk a step may end without any waiting: timers and signals must get their turn even so.
    const step = async (): Promise<T> => {
      if (performance.now() - this.#turn > longestTurnMs) {
        await nextTurn();
        this.#turn = performance.now();
      }
      return work();
    };
    const turn = (this.#last.get(name) ?? Promise.resolve()).then(step, step);
    const settled = turn
      .catch(() => undefined)
      .finally(() => {
        if (this.#last.get(name) === settled) this.#last.delete(name);
      });
    this.#last.set(name, settled);
    return turn;
  }

  /** Until nothing is under way. */
  async end(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }
}
