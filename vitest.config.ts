import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/sequencer.ts";

/** Tests mostly wait for processes they started, so one more than there are cores keeps those busy. */
const maxWorkers = Math.min(availableParallelism() + 1, 8);

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/fixtures/**", "**/node_modules/**"],
    setupFiles: ["test/support/setup.ts"],
    pool: "forks",
    execArgv: ["--disable-warning=ExperimentalWarning"],
    maxWorkers,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A second, as vitest has it, is not long on a loaded machine; what comes in time is not slower for it.
    expect: { poll: { timeout: 15_000 } },
  },
});
