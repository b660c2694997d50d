/**
 * When upkeep is done. What it does is loaded when it is first due, minutes after a start: see upkeep.ts. Logs are each
 * instance's own to cut; the rest is done by the one that looks after the fleet.
 */
import { setTimeout as delay } from "node:timers/promises";
import { describeError } from "../../../tools/errors.ts";
import type { UpkeepOptions } from "./upkeep.ts";

/** A start and what follows it comes first. */
const firstLookMs = 10 * 60_000;
/** Between two looks at whether it is due. */
const lookEveryMs = 3600_000;
const logsEveryMs = 60_000;
/** Between some steps, so that answers do not wait for it. */
const restMs = { cheap: 50, costly: 200 };

export interface UpkeepKeeper {
  /** Called by the instance that looks after the fleet, again and again. Returns at once. Never throws. */
  look(): void;
  /** Waits until nothing runs any more. */
  stop(): Promise<void>;
}

export function createUpkeepKeeper(
  options: Omit<UpkeepOptions, "rest" | "signal"> & {
    /** This instance's own logs. */
    logs: string;
    /** For tests: milliseconds that only go forward. */
    monotonic?: () => number;
  },
): UpkeepKeeper {
  const { store, log } = options;
  const monotonic = options.monotonic ?? (() => performance.now());
  const abort = new AbortController();
  const { signal } = abort;
  let nextLook = monotonic() + firstLookMs;
  let running: Promise<void> | null = null;

  const cutLogs = async (): Promise<void> => {
    const { logBytes: bytes, logParts: parts, rotateLogs } = await import("./rotate-logs.ts");
    rotateLogs(options.logs, { bytes, parts });
  };
  const timer = setInterval(() => void cutLogs().catch(() => {}), logsEveryMs);
  timer.unref();

  async function work(): Promise<void> {
    const { keepUp } = await import("./upkeep.ts");
    const rest = (): Promise<void> => delay(restMs[store.listing ?? "cheap"], undefined, { signal, ref: false });
    await keepUp({ ...options, rest, signal });
  }

  return {
    look() {
      if (running || signal.aborted || monotonic() < nextLook) return;
      nextLook = monotonic() + lookEveryMs;
      running = work()
        .catch((error: unknown) => {
          if (signal.aborted) return;
          log("warn", "upkeep was not finished and is done again", { error: describeError(error).message });
        })
        .finally(() => {
          running = null;
        });
    },

    async stop() {
      clearInterval(timer);
      abort.abort(new Error("the gateway stops"));
      await running;
    },
  };
}
