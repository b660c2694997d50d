/** People edit the views with any editor, while everything else goes on. */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { realFiles } from "../../memory/files.ts";
import type { Memory } from "../../memory/types.ts";
import { ada, openTestMemory } from "../support/memory-revisions.ts";
import { waitFor } from "../support/wait.ts";

/** A memory with x.md and its view. */
async function openWithView(text: string): Promise<{ directory: string; memory: Memory; path: string; view: string }> {
  const { directory, memory } = openTestMemory({ writer: "zero" });
  await memory.write("x.md", text, ada);
  await memory.close();
  const path = join(directory, "x.md");
  return { directory, memory: openTestMemory({ directory }).memory, path, view: readFileSync(path, "utf8") };
}

const textOf = async (memory: Memory): Promise<string | undefined> => (await memory.read("x.md"))?.text;

/** The view as it is once it shows what it is to show. */
async function viewWith(path: string, wanted: string): Promise<string> {
  const read = (): string => {
    const view = existsSync(path) ? readFileSync(path, "utf8") : "";
    return view.startsWith(`${wanted}<!-- hive revisions=`) ? view : "";
  };
  return await waitFor(() => read() || null, { what: `a view with ${JSON.stringify(wanted)}` });
}

test("22: an edit by hand is taken in as one revision by all hosts, and clocks an hour off change nothing", async () => {
  for (const hours of [-1, 0, 1]) {
    const { directory, memory, path, view } = await openWithView("one\ntwo\n");
    writeFileSync(path, view.replace("two", "TWO"));
    utimesSync(path, new Date(), new Date(Date.now() + hours * 3_600_000));
    const other = openTestMemory({ directory, writer: "two" }).memory;
    const [here, there] = await Promise.all([memory.read("x.md"), other.read("x.md")]);
    expect(here).toMatchObject({ text: "one\nTWO\n", author: "hand edit", trust: "self" });
    expect(there).toEqual(here);
    expect((await memory.history("x.md")).map(({ kind, author, at }) => [kind, author, at > 0])).toEqual([
      ["full", "hand edit", false],
      ["full", "Ada", true],
    ]);
    await viewWith(path, "one\nTWO\n");
    await Promise.all([memory.close(), other.close()]);
  }
});

test("22: what a person wrote is not lost by a write that comes first", async () => {
  const { memory, path, view } = await openWithView("one\n");
  writeFileSync(path, view.replace("one", "one by hand"));
  await memory.append("x.md", "two", ada);
  expect(await textOf(memory)).toBe("one by hand\ntwo\n");
});

test("22: lines put below the comment line belong to the edit", async () => {
  const { memory, path, view } = await openWithView("one\n");
  writeFileSync(path, `${view}two\n`);
  expect(await textOf(memory)).toBe("one\ntwo\n");
  await viewWith(path, "one\ntwo\n");
});

test("22: an edit of an old view is merged with what came since", async () => {
  const { memory, path, view } = await openWithView("one\ntwo\nthree\n");
  await memory.write("x.md", "one\ntwo\nTHREE\n", ada);
  await viewWith(path, "one\ntwo\nTHREE\n");
  writeFileSync(path, view.replace("one", "ONE"));
  expect(await textOf(memory)).toBe("ONE\ntwo\nTHREE\n");
});

test("22: saving the same edit again changes nothing", async () => {
  const { memory, path, view } = await openWithView("one\n");
  const edited = view.replace("one", "edited");
  writeFileSync(path, edited);
  await textOf(memory);
  await memory.write("x.md", "later\n", ada);
  writeFileSync(path, edited);
  expect(await textOf(memory)).toBe("later\n");
  expect(await memory.history("x.md")).toHaveLength(3);
});

test("23: a file made by hand becomes a document", async () => {
  const { directory, memory } = openTestMemory();
  mkdirSync(join(directory, "notes"), { recursive: true });
  writeFileSync(join(directory, "notes/mine.md"), "By hand.");
  expect(await memory.list()).toMatchObject([{ document: "notes/mine.md", bytes: 8, trust: "self" }]);
  expect(await memory.read("notes/mine.md")).toMatchObject({ text: "By hand.", author: "hand edit" });
  await memory.append("notes/mine.md", "By a bot.", ada);
  expect((await memory.read("notes/mine.md"))?.text).toBe("By hand.\nBy a bot.\n");
});

test("23: without the comment line nothing is replaced; an empty or removed file is no edit", async () => {
  const { memory, path } = await openWithView("ours\n");
  writeFileSync(path, "");
  expect(await textOf(memory)).toBe("ours\n");
  await viewWith(path, "ours\n");
  rmSync(path);
  expect(await textOf(memory)).toBe("ours\n");
  await viewWith(path, "ours\n");
  writeFileSync(path, "theirs\n");
  const found = await memory.read("x.md");
  expect(found?.isConflicted).toBe(true);
  expect(found?.text).toContain("\nours\n");
  expect(found?.text).toContain("\ntheirs\n");
  await memory.write("x.md", "settled\n", ada);
  await viewWith(path, "settled\n");
});

test("24: a file that is being saved is waited for", async () => {
  const { memory, path, view } = await openWithView("one\n");
  const whole = view.replace("one", "one and a good deal more");
  const file = openSync(path, "w");
  writeSync(file, whole.slice(0, 10));
  const reading = textOf(memory);
  for (let at = 10; at < whole.length; at += 30) {
    await sleep(5);
    writeSync(file, whole.slice(at, at + 30));
  }
  closeSync(file);
  expect(await reading).toBe("one and a good deal more\n");
  expect(await memory.history("x.md")).toHaveLength(2);
});

test("25: an editor that saves into a view that was replaced loses nothing", async () => {
  const { directory, memory, path, view } = await openWithView("one\n");
  const file = openSync(path, "r+");
  await memory.append("x.md", "from a bot", ada);
  await viewWith(path, "one\nfrom a bot\n");
  ftruncateSync(file);
  writeSync(file, view.replace("one", "one by hand"), 0);
  closeSync(file);
  await waitFor(async () => (await textOf(memory)) === "one by hand\nfrom a bot\n", { what: "the edit" });
  await waitFor(() => readdirSync(join(directory, ".hive/.kept")).length === 0, { what: "letting go of the old view" });
});

test("25: after a crash the next one to open the memory finds what was saved into a replaced view", async () => {
  const { directory, memory, path, view } = await openWithView("one\n");
  const file = openSync(path, "r+");
  await memory.append("x.md", "from a bot", ada);
  // Closing does not wait for editors, just as a crash does not.
  await memory.close();
  ftruncateSync(file);
  writeSync(file, view.replace("one", "one by hand"), 0);
  closeSync(file);
  const next = openTestMemory({ directory, writer: "next" }).memory;
  await waitFor(async () => (await textOf(next)) === "one by hand\nfrom a bot\n", { what: "the edit" });
});

test("25: an edit saved between the look at a view and its replacement is taken in", async () => {
  const { directory, path, view } = await openWithView("one\n");
  const real = realFiles();
  let isSaved = false;
  const files = {
    ...real,
    link: async (from: string, to: string) => {
      await real.link(from, to);
      if (isSaved) return;
      isSaved = true;
      // As an editor does it that puts a new file in the place of the old one.
      writeFileSync(`${path}~`, view.replace("one", "one by hand"));
      writeFileSync(path, view.replace("one", "one by hand"));
      rmSync(`${path}~`);
    },
  };
  const { memory } = openTestMemory({ directory, writer: "two", files });
  await memory.append("x.md", "from a bot", ada);
  await waitFor(async () => (await textOf(memory)) === "one by hand\nfrom a bot\n", { what: "the edit" });
});

test("26: an edit with a secret is neither taken in nor overwritten, and told of by line and kind only", async () => {
  const { directory, memory, path, view } = await openWithView("one\n");
  const secret = `ghp_${"a1B2".repeat(9)}`;
  const edited = view.replace("one", `one\nkey: ${secret}`);
  writeFileSync(path, edited);
  const found = await memory.read("x.md");
  expect(found).toMatchObject({
    text: "one\n",
    notice: expect.stringContaining("line 2 looks like it holds a GitHub token"),
  });
  const problems = await memory.check();
  expect(problems).toMatchObject([{ document: "x.md", problem: expect.stringContaining("a GitHub token") }]);
  await memory.append("x.md", "two", ada);
  await memory.close();
  expect(readFileSync(path, "utf8")).toBe(edited);
  expect(JSON.stringify([found, problems])).not.toContain(secret);
  writeFileSync(path, edited.replace(secret, "kept elsewhere"));
  const again = openTestMemory({ directory }).memory;
  expect(await textOf(again)).toBe("one\nkey: kept elsewhere\ntwo\n");
  expect(await again.check()).toEqual([]);
});

test("27: a reader never sees a torn view, and an editor that renames into place is never overwritten", async () => {
  const { memory, path } = await openWithView("0\n");
  let isWriting = true;
  const writing = (async () => {
    for (let number = 1; number <= 30; number++) {
      await memory.append("x.md", `line ${number} ${"x".repeat(5_000)}`, ada);
      await sleep(20);
    }
    isWriting = false;
  })();
  let edits = 0;
  for (let round = 0; isWriting; round++) {
    const view = readFileSync(path, "utf8");
    expect(view).toMatch(/^0\n[\s\S]*<!-- hive revisions=\S+ sha256=[0-9a-f]{64} -->\n$/);
    if (round % 40 === 20) {
      writeFileSync(`${path}.new`, view.replace("0\n", `0\nby hand ${edits++}\n`));
      renameSync(`${path}.new`, path);
    }
    await sleep(5);
  }
  await writing;
  const text = (await textOf(memory)) ?? "";
  for (let number = 0; number < edits; number++) expect(text).toContain(`by hand ${number}\n`);
  for (let number = 1; number <= 30; number++) expect(text).toContain(`line ${number} `);
  expect(edits).toBeGreaterThan(0);
});
