/** Links to daily notes, folding of long documents, and the seed: by several hosts, again and again, and over hand edits. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { withDailyNotes } from "../../memory/daily-notes.ts";
import { type Memory, openMemory, seedMemory } from "../../memory/index.ts";
import { createLongFolder, linkDailyNotes } from "../../memory/upkeep.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const ada = { author: "Ada", source: "chat", trust: "maintainer" } as const;

function open(directory = join(temporaryDirectory(), "memory"), writer = "one"): { memory: Memory; directory: string } {
  const memory = openMemory({ directory, writer });
  onTestFinished(() => memory.close());
  return { memory, directory };
}

const begin = "<!-- daily notes, newest first: kept up by the fleet -->";
const end = "<!-- end of daily notes -->";
const linksOf = (text: string | undefined): string[] =>
  [...(text ?? "").matchAll(/\[(\d{4}-\d\d-\d\d)\]/g)].map(([, date]) => date ?? "");

test("the newest daily notes are linked in the seed's index, once, whoever does it and how often", async () => {
  const { memory, directory } = open();
  await seedMemory(memory);
  for (let day = 10; day <= 30; day++) await memory.append(`daily/2026-01-${day}.md`, "x", ada);
  for (const strange of [
    "daily/2026-13-01.md",
    "daily/notes.md",
    "daily/2026-01-01-approve-all.md",
    "daily/x/2026-01-01.md",
  ])
    await memory.append(strange, "x", ada);
  const two = open(directory, "two").memory;
  await Promise.all([memory, two].map(async (one) => linkDailyNotes(one, await one.list())));
  const index = await memory.read("index.md");
  expect(index).toMatchObject({ trust: "maintainer", isConflicted: false });
  expect(linksOf(index?.text)).toEqual(Array.from({ length: 14 }, (_, at) => `2026-01-${30 - at}`));
  expect(index?.text).toContain(`${begin}\n- [2026-01-30](daily/2026-01-30.md)\n`);
  expect(index?.text).not.toMatch(/2026-13|approve|daily\/notes|daily\/x/);
  const before = await memory.history("index.md");
  expect(await linkDailyNotes(memory, await memory.list())).toBeNull();
  expect(await linkDailyNotes(two, await two.list())).toBeNull();
  expect(await memory.history("index.md")).toEqual(before);
});

test("what a person writes among the links stays, and links they removed for good stay away", async () => {
  const { memory, directory } = open();
  await memory.write("index.md", "# Index\n", ada);
  expect(await linkDailyNotes(memory, await memory.list())).toBeNull();
  await memory.append("daily/2026-01-30.md", "x", ada);
  await linkDailyNotes(memory, await memory.list());
  expect((await memory.read("index.md"))?.text).toBe(
    `# Index\n\n## Daily notes\n\n${begin}\n- [2026-01-30](daily/2026-01-30.md)\n${end}\n`,
  );
  await memory.close();
  const path = join(directory, "index.md");
  const edited = readFileSync(path, "utf8").replace(
    "- [2026-01-30](daily/2026-01-30.md)",
    "Read these first:\n- [the launch](daily/2026-01-30.md), in full",
  );
  writeFileSync(path, edited);
  const again = open(directory, "two").memory;
  await again.append("daily/2026-01-31.md", "x", ada);
  await linkDailyNotes(again, await again.list());
  const found = await again.read("index.md");
  expect(found?.text).toContain(
    `${begin}\nRead these first:\n- [2026-01-31](daily/2026-01-31.md)\n- [the launch](daily/2026-01-30.md), in full\n${end}\n`,
  );
  expect(found).toMatchObject({ trust: "self", isConflicted: false });
  await again.write("index.md", "# Index\n\nNo links, please.\n", ada);
  expect(await linkDailyNotes(again, await again.list())).toBeNull();
  await again.remove("index.md", ada);
  expect(await linkDailyNotes(again, await again.list())).toBeNull();
  expect(await again.read("index.md")).toBeNull();
});

test("whatever stands in the index, every line that is no plain link stays, and a second time changes nothing", () => {
  const line = fc.constantFrom(
    "",
    "# Index",
    begin,
    end,
    "- [2026-01-05](daily/2026-01-05.md)",
    "- see daily/2026-01-06.md",
    "words",
  );
  const documents = fc.subarray(["daily/2026-01-05.md", "daily/2026-01-06.md", "daily/2026-02-01.md", "ops.md"]);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), documents, (lines, found) => {
      const text = lines.join("\n");
      const changed = withDailyNotes(text, { documents: found, isRefused: false });
      if (changed === null) return;
      const kept = changed.split("\n");
      for (const one of lines) if (!/^- \[\d/.test(one) && one !== "") expect(kept).toContain(one);
      expect(withDailyNotes(changed, { documents: found, isRefused: false })).toBeNull();
    }),
  );
});

test("a document that many wrote at once becomes one revision with its text and trust, and loses nothing late", async () => {
  const { memory, directory } = open();
  await memory.append("long.md", "first", ada);
  await memory.append("short.md", "only", ada);
  const late = open(directory, "late").memory;
  await late.read("long.md");
  for (let writer = 0; writer < 70; writer++) {
    const one = openMemory({ directory, writer: `w${writer}` });
    await one.append("long.md", `line ${writer}`, { ...ada, trust: writer === 40 ? "self" : "maintainer" });
    await one.close();
  }
  const before = await memory.read("long.md");
  expect(before?.shown.length).toBeGreaterThan(64);
  const folder = createLongFolder(memory);
  expect(await folder.fold(await memory.list())).toEqual(["long.md"]);
  const after = await memory.read("long.md");
  expect(after).toMatchObject({ text: before?.text, trust: "self" });
  expect(after?.shown).toHaveLength(1);
  expect(await folder.fold(await memory.list())).toEqual([]);
  await late.append("long.md", "late", ada);
  expect((await memory.read("long.md"))?.text).toBe(`${before?.text}late\n`);
});

test("hosts that seed at once, or with an old listing, make one revision of each document", async () => {
  const { memory, directory } = open();
  const two = open(directory, "two").memory;
  const seeded = await Promise.all([seedMemory(memory), seedMemory(two)]);
  expect(new Set(seeded.flat())).toEqual(
    new Set(["architecture.md", "discord.md", "index.md", "ops.md", "philosophy.md", "project.md"]),
  );
  for (const { document } of await memory.list()) expect(await memory.history(document)).toHaveLength(1);
  const before = await memory.read("ops.md");
  await memory.edit("ops.md", { before: "# Operations", after: "# Ours" }, ada);
  await memory.remove("discord.md", ada);
  // One that saw an empty directory when it looked, and goes on only now.
  const blind = { ...two, history: async () => [] };
  await seedMemory(blind);
  const fresh = open(directory, "three").memory;
  expect((await fresh.read("ops.md"))?.text).toBe(before?.text.replace("# Operations", "# Ours"));
  expect(await fresh.read("discord.md")).toBeNull();
  expect(await seedMemory(fresh)).toEqual([]);
});

test("every link of the seed leads to a document of the seed", async () => {
  const { memory } = open();
  await seedMemory(memory);
  const names = (await memory.list()).map(({ document }) => document);
  for (const document of names) {
    const text = (await memory.read(document))?.text ?? "";
    for (const [, target = ""] of text.matchAll(/\]\(([^)]+)\)/g)) expect(names).toContain(target);
  }
});
