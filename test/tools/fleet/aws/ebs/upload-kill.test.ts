import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { UploadResult } from "../../../../../tools/fleet/aws/ebs/upload.ts";
import {
  isRepaired,
  onEmulator,
  type Passing,
  randomBlock,
  readSnapshot,
  snapshotsOf,
  startProxy,
  temporaryDirectory,
  withEmulator,
  writeImage,
} from "./uploads.ts";

const bench = withEmulator();
const main = join(import.meta.dirname, "..", "..", "..", "..", "..", "agent", "main.ts");
const blocks = 48;

/** Where the process is killed: at the request, before the service sees it, or when the answer comes. */
const points: Record<string, { when(passing: Passing, answered: number): boolean; at: "request" | "answer" }> = {
  "before the snapshot is started": { when: ({ path }) => path === "/snapshots", at: "request" },
  "when the snapshot has been started": { when: ({ path }) => path === "/snapshots", at: "answer" },
  "at the first block": { when: ({ isPut }) => isPut, at: "request" },
  "in the middle": { when: ({ isPut }, answered) => isPut && answered >= 36, at: "answer" },
  "before it is completed": { when: ({ path }) => path.includes("/completion/"), at: "request" },
  "when it has been completed": { when: ({ path }) => path.includes("/completion/"), at: "answer" },
};

describe.skipIf(!isRepaired)(`an upload that is killed, ${onEmulator}`, () => {
  for (const [name, point] of Object.entries(points)) {
    it(`${name} goes on when it is run again, with one snapshot and no block twice that was noted`, async () => {
      const directory = temporaryDirectory();
      const file = writeImage(
        directory,
        Array.from({ length: blocks }, () => randomBlock()),
      );
      const before = Object.keys(await snapshotsOf(bench.clients));
      let puts = 0;
      let answered = 0;
      let queue: Promise<unknown> = Promise.resolve();
      let victim: ChildProcess | null = null;
      const strike = (passing: Passing, at: "request" | "answer"): void => {
        if (point.at === at && point.when(passing, answered)) victim?.kill("SIGKILL");
      };
      const url = await startProxy(bench.emulator.url, {
        async onRequest(passing) {
          if (passing.isPut) {
            puts++;
            // One after the other, slowly enough for the journal's batches.
            const turn = queue.then(() => new Promise((resolve) => setTimeout(resolve, 20)));
            queue = turn;
            await turn;
          }
          strike(passing, "request");
          return undefined;
        },
        onAnswer(passing) {
          if (passing.isPut) answered++;
          strike(passing, "answer");
          return undefined;
        },
      });
      const run = (): { child: ChildProcess; ended: Promise<string> } => {
        const child = spawn(
          process.execPath,
          ["--disable-warning=ExperimentalWarning", main, "image", "upload", file, "--json"],
          {
            env: {
              ...process.env,
              ...bench.emulator.environment,
              AWS_ENDPOINT_URL: url,
              CLAWDINATOR_HOME: join(directory, "home"),
            },
            stdio: ["ignore", "pipe", "ignore"],
          },
        );
        let text = "";
        child.stdout.on("data", (chunk) => {
          text += chunk;
        });
        return { child, ended: new Promise((resolve) => child.on("close", () => resolve(text))) };
      };
      const first = run();
      victim = first.child;
      await first.ended;
      expect(first.child.signalCode).toBe("SIGKILL");
      victim = null;
      const firstPuts = puts;
      puts = 0;
      const second = run();
      const result = JSON.parse(await second.ended) as UploadResult;
      expect(second.child.exitCode).toBe(0);
      expect(result.blocks).toBe(blocks);
      if (name === "in the middle") expect(puts).toBeLessThan(blocks - 10);
      if (name.includes("completed")) expect(puts).toBe(0);
      expect(firstPuts + puts).toBeGreaterThanOrEqual(blocks);
      const now = await snapshotsOf(bench.clients);
      expect(Object.keys(now).filter((id) => !before.includes(id))).toEqual([result.snapshot]);
      expect((await readSnapshot(bench.clients, result.snapshot, blocks)).equals(readFileSync(file))).toBe(true);
    });
  }
});
