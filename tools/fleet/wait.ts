import { ToolError } from "../errors.ts";
import type { Store } from "../store.ts";

/** The store tells of changes; this catches what happens outside it, such as a process that dies. */
const pollMs = 100;
/** Where looking costs something, so does what the check asks of the provider. */
const costlyPollMs = 2_000;

/**
 * Looks again after every change of the store until `check` gives something. Throws ToolError `deadline` after
 * `deadlineMs` by this process's monotonic clock, and the signal's reason when it is aborted.
 */
export async function waitForStore<T>(
  store: Store,
  options: { what: string; hint: string; deadlineMs: number; signal: AbortSignal; check(): Promise<T | null> },
): Promise<T> {
  const end = performance.now() + options.deadlineMs;
  let wake = (): void => {};
  const stopWatching = store.watch(() => wake());
  const onAbort = (): void => wake();
  options.signal.addEventListener("abort", onAbort);
  try {
    for (;;) {
      options.signal.throwIfAborted();
      const woken = new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, store.listing === "costly" ? costlyPollMs : pollMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      const found = await options.check();
      if (found !== null) return found;
      if (performance.now() > end) {
        throw new ToolError(`${options.what} did not happen within ${Math.round(options.deadlineMs / 100) / 10} s`, {
          code: "deadline",
          hint: options.hint,
        });
      }
      await woken;
    }
  } finally {
    wake();
    stopWatching();
    options.signal.removeEventListener("abort", onAbort);
  }
}
