import { setTimeout as sleep } from "node:timers/promises";

/** Long enough for a loaded machine; a test that needs it is broken, not slow. */
const defaultTimeoutMs = 30_000;

/**
 * The first value of `check` that is neither false, null nor undefined; throws when none comes in time.
 * It looks every 10 ms, or less often where a look costs something.
 */
export async function waitFor<T>(
  check: () => T | Promise<T>,
  options: { timeoutMs?: number; what?: string; everyMs?: number } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== false && value !== null && value !== undefined) return value as Exclude<T, false | null | undefined>;
    if (performance.now() >= deadline) throw new Error(`${options.what ?? "it"} did not come true in ${timeoutMs} ms`);
    await sleep(options.everyMs ?? 10);
  }
}
