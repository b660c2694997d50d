/**
 * Sixteen processes write to the same few documents while a random one is killed every 200 ms and others read: nothing
 * that was acknowledged is lost. Each does 500 operations, and 50 where the file steps fail as well; `npm run soak -- memory`
 * does it on a real disk and with more faults.
 */
import { expect, test } from "vitest";
import { openMemory } from "../../memory/index.ts";
import { memoryDirectory } from "../support/memory/directory.ts";
import { readJournal } from "../support/memory/journal.ts";
import { documents, signedLine } from "../support/memory/plan.ts";
import { runStorm, type StormOptions, stormPaths } from "../support/memory/storm.ts";
import { verifyStorm } from "../support/memory/verify.ts";

const storm = (): StormOptions => ({
  root: memoryDirectory(),
  writers: 16,
  readers: 2,
  count: 500,
  killEveryMs: 200,
  seed: 7,
  deadlineMs: 280_000,
});

test("sixteen writers through kills: every acknowledged write is there, all read the same", {
  timeout: 300_000,
}, async () => {
  const options = storm();
  const { kills, reads } = await runStorm(options);
  expect(kills).toBeGreaterThan(5);
  expect(reads).toBeGreaterThan(5);
  expect((await verifyStorm(options)).acknowledged).toBe(16 * 500);
});

test("the same over stale listings, lost answers, full disks, skewed clocks and pauses", {
  timeout: 300_000,
}, async () => {
  const options: StormOptions = { ...storm(), count: 50, faults: { listingAgeMs: 60_000, pauseMs: 500 } };
  const { kills, pauses } = await runStorm(options);
  expect(kills).toBeGreaterThan(5);
  expect(pauses).toBeGreaterThan(5);
  const { acknowledged, refused } = await verifyStorm(options);
  expect(acknowledged).toBe(16 * 50);
  expect(refused).toBeGreaterThan(0);
});

test("the judge of a storm sees a write that is gone, one that stands twice, and one that was undone", async () => {
  const options: StormOptions = { ...storm(), writers: 2, readers: 0, count: 7, killEveryMs: 60_000 };
  await runStorm(options);
  await verifyStorm(options);
  const paths = stormPaths(options.root);
  const tokens = readJournal(paths.journal("w01")).flatMap((entry) => (entry.type === "acknowledged" ? [entry] : []));
  const lineOf = (number: number, prefix: string): string =>
    signedLine(prefix, tokens.find((entry) => entry.number === number)?.token ?? "");
  const spoil = async (document: string, change: (text: string) => string): Promise<string> => {
    const memory = openMemory({ directory: paths.memory, writer: "vandal" });
    const before = (await memory.read(document))?.text ?? "";
    const provenance = { author: "vandal", source: "storm:vandal", trust: "self" } as const;
    await memory.write(document, change(before), provenance);
    await memory.close();
    const problems = await verifyStorm(options).catch((error: Error) => error.message);
    const again = openMemory({ directory: paths.memory, writer: "vandal" });
    await again.write(document, before, provenance);
    await again.close();
    return String(problems);
  };
  const appended = lineOf(5, "- ");
  expect(await spoil(documents.log, (text) => text.replace(`${appended}\n`, ""))).toMatch(
    /w01\.5\.0 was appended and is lost/,
  );
  expect(await spoil(documents.log, (text) => `${text}${appended}\n`)).toMatch(/w01\.5\.0 stands 2 times/);
  const value = lineOf(3, "value: ");
  const older = signedLine("value: ", "w01.0.0");
  expect(await spoil(documents.owned, (text) => text.replace(value, older))).toMatch(/wrote w01\.3\.0 last/);
  const topic = tokens.find((entry) => entry.number === 7)?.token ?? "";
  const other = (text: string): string =>
    text
      .split("\n")
      .map((line) =>
        line.includes(topic)
          ? line.replace(/^(topic \d+: ).*/, (_all, prefix: string) => signedLine(prefix, "w99.1.1"))
          : line,
      )
      .join("\n");
  expect(await spoil(documents.topics, other)).toMatch(/w01\.7\.\d+ is gone, and nobody replaced it/);
});
