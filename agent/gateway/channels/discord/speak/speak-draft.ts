/** An answer in the making: one message that is edited at the rate that its channel allows. */
import type { Place } from "../contract.ts";
import type { Poster } from "./post.ts";

/** Discord takes about five edits in 5 s for a channel; one a second leaves room for what else is said there. */
const leastMs = 1_000;
const mostMs = 10_000;
/** An answer that is whole by then is posted once, with nothing to edit. */
const firstMs = 500;
/** A call that took longer waited for a limit: REST goes by the headers of the answers before. */
const slowMs = 700;

export interface Draft {
  /** What should be seen now. The newest counts. */
  want(content: string): void;
  /** Nothing is shown from now on. Resolves when what is under way has ended. */
  close(): Promise<void>;
}

export function createDraft({ poster, place, key }: { poster: Poster; place: Place; key: string }): Draft {
  let wanted: string | null = null;
  let shown: string | null = null;
  let everyMs = leastMs;
  let nextAt: number | null = null;
  let isClosed = false;
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> = Promise.resolve();

  const show = async (): Promise<void> => {
    let started = performance.now();
    let content: string | null = null;
    const last = await poster
      .show(place.channel, () => {
        content = wanted;
        started = performance.now();
        if (isClosed || content === null || content === shown) return null;
        return [{ key, channel: place.channel, replyTo: place.replyTo, content, isDraft: true }];
      })
      .catch(() => null);
    if (last?.state === "shown") shown = content;
    if (last?.state === "gone" || last?.state === "refused") isClosed = true;
    const wasSlow = last?.state === "later" || performance.now() - started > slowMs;
    everyMs = wasSlow ? Math.min(mostMs, everyMs * 2) : Math.max(leastMs, everyMs * 0.8);
  };

  const schedule = (): void => {
    if (isClosed || timer || wanted === shown) return;
    nextAt ??= performance.now() + firstMs;
    timer = setTimeout(() => {
      running = show().then(() => {
        timer = null;
        nextAt = performance.now() + everyMs;
        schedule();
      });
    }, nextAt - performance.now());
  };

  return {
    want(content) {
      wanted = content;
      schedule();
    },
    async close() {
      isClosed = true;
      if (timer) clearTimeout(timer);
      await running;
    },
  };
}
