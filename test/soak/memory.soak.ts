/**
 * The storm over the memory in full: 16 writers do 500 operations each while a random one is killed every 200 ms, on a real
 * disk; then the same over faulty file steps. `run.ts` starts it; results go as JSON lines to the file SOAK_RESULTS.
 */
import { appendFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runStorm, type StormOptions } from "../support/memory/storm.ts";
import { verifyStorm } from "../support/memory/verify.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import type { SoakResult } from "./kinds.ts";

const isWanted = (process.env.SOAK_ONLY ?? "memory").split(",").includes("memory");
const resultsFile = process.env.SOAK_RESULTS ?? "";
const deadlineMs = Number(process.env.SOAK_MINUTES ?? 45) * 60_000;

const storms: { point: string; count: number; faults?: StormOptions["faults"] }[] = [
  { point: "16 × 500 through kills", count: 500 },
  { point: "16 × 100 through kills, pauses and faults", count: 100, faults: { listingAgeMs: 60_000, pauseMs: 1_000 } },
];

for (const [index, { point, ...storm }] of storms.entries()) {
  test.runIf(isWanted)(`memory: ${point}`, { timeout: deadlineMs }, async () => {
    const startedAt = performance.now();
    const options = {
      root: temporaryDirectory(),
      writers: 16,
      readers: 2,
      killEveryMs: 200,
      seed: 11,
      deadlineMs,
      ...storm,
    };
    const failure = await runStorm(options)
      .then(() => verifyStorm(options))
      .then(
        () => null,
        (error: Error) => error.message,
      );
    const seconds = (performance.now() - startedAt) / 1000;
    const result: SoakResult = { kind: "memory", point, index: index + 1, of: storms.length, seconds, failure };
    if (resultsFile !== "") appendFileSync(resultsFile, `${JSON.stringify(result)}\n`);
    expect(failure).toBeNull();
  });
}
