/** The memory's upkeep as the fleet's keeper does it, over a real memory. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createMemoryKeeper } from "../../../agent/gateway/memory-keeper.ts";
import type { Log } from "../../../agent/log.ts";
import { openMemory, seedMemory } from "../../../memory/index.ts";
import { loadSnapshot } from "../../../memory/snapshot.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const ada = { author: "Ada", source: "chat", trust: "maintainer" } as const;
const dayMs = 24 * 3600 * 1000;

function open() {
  const home = temporaryDirectory();
  const directory = join(home, "memory");
  const backups = join(home, "backups");
  const memory = openMemory({ directory, writer: "gateway" });
  onTestFinished(() => memory.close());
  const logged: string[] = [];
  const log: Log = (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  let now = Date.parse("2026-01-31T12:00:00Z");
  const options = { open: async () => memory, directory, backups, log, now: () => now, firstLookMs: 0 };
  /** A keeper of its own for each look, as after a restart. */
  const look = async (changed: Partial<typeof options> = {}): Promise<void> => {
    const keeper = createMemoryKeeper({ ...options, ...changed });
    await keeper.look();
    await keeper.stop();
  };
  const pass = (days: number): void => {
    now += days * dayMs;
  };
  return { directory, backups, memory, logged, look, pass };
}

test("links the daily notes and saves the memory once a week, keeping four", async () => {
  const { directory, backups, memory, look, pass, logged } = open();
  await seedMemory(memory);
  await memory.append("daily/2026-01-31.md", "x", ada);
  await look();
  expect(await memory.read("index.md")).toMatchObject({
    trust: "maintainer",
    text: expect.stringContaining("- [2026-01-31](daily/2026-01-31.md)"),
  });
  expect(readdirSync(backups)).toEqual(["memory-2026-01-31.tar.gz"]);
  writeFileSync(join(backups, "mine.txt"), "stays");
  for (let week = 0; week < 5; week++) {
    pass(6);
    await look();
    pass(1);
    await look();
  }
  expect(readdirSync(backups).sort()).toEqual([
    "memory-2026-02-14.tar.gz",
    "memory-2026-02-21.tar.gz",
    "memory-2026-02-28.tar.gz",
    "memory-2026-03-07.tar.gz",
    "mine.txt",
  ]);
  const other = join(temporaryDirectory(), "memory");
  const loaded = await loadSnapshot(other, join(backups, "memory-2026-03-07.tar.gz"));
  expect(loaded).toMatchObject({ present: 0, refused: [] });
  const documentsIn = (place: string) => readdirSync(join(place, ".hive")).filter((name) => !name.startsWith("."));
  expect(documentsIn(other).sort()).toEqual(documentsIn(directory).sort());
  expect(logged.filter((line) => !line.startsWith("info"))).toEqual([]);
});

test("an empty memory is left alone, and a part that fails keeps no other from its turn", async () => {
  const { backups, memory, look, logged, directory } = open();
  await look();
  expect(logged).toEqual([]);
  await memory.write("index.md", "# Index\n", ada);
  await memory.append("daily/2026-01-31.md", "x", ada);
  const blocked = join(directory, "..", "blocked");
  writeFileSync(blocked, "a file where a folder should be");
  await look({ backups: blocked });
  expect((await memory.read("index.md"))?.text).toContain("2026-01-31");
  expect(logged.filter((line) => line.startsWith("warn"))).toEqual([
    expect.stringContaining("the memory's snapshot failed and will be tried again"),
  ]);
  await look({ open: () => Promise.reject(new Error("no disk")) });
  expect(logged.at(-1)).toContain("the memory's upkeep failed and will be tried again");
  mkdirSync(backups);
  await look();
  expect(readdirSync(backups)).toHaveLength(1);
});

test("a look does nothing before its time, and nothing after the keeper has stopped", async () => {
  const { memory, directory, logged } = open();
  let opened = 0;
  const keeper = createMemoryKeeper({
    open: async () => {
      opened++;
      return memory;
    },
    directory,
    backups: null,
    log: () => void logged.push("x"),
  });
  await keeper.look();
  expect(opened).toBe(0);
  await keeper.stop();
  await keeper.look();
  expect(opened).toBe(0);
});
