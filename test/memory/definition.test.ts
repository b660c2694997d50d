/** Each sentence of docs/memory-format.md, by its number. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { realFiles } from "../../memory/files.ts";
import { openMemory } from "../../memory/index.ts";
import { isConflicted } from "../../memory/merge.ts";
import type { MemoryProblem } from "../../memory/types.ts";
import { ada, openTestMemory, place } from "../support/memory-revisions.ts";

const revisionFiles = (directory: string): string[] => readdirSync(join(directory, ".hive/x.md")).sort();

test("1: a revision's name says its number, writer and hash, and its content is a header and the text", async () => {
  const { directory, memory } = openTestMemory();
  const { revision } = await memory.write("x.md", "---\none\n---\n", ada);
  const [name = ""] = revisionFiles(directory);
  const file = readFileSync(join(directory, ".hive/x.md", name), "utf8");
  const hash = createHash("sha256").update(file).digest("hex").slice(0, 24);
  expect(name).toBe(`0000000001-one-${hash}.md`);
  expect(revision).toBe(`0000000001-one-${hash}`);
  expect(file).toMatch(/^---\nformat: 1\ndocument: "x\.md"\nkind: "full"\nlamport: 1\nwriter: "one"\nparents: \[\]\n/);
  expect(file.endsWith("\n---\n---\none\n---\n")).toBe(true);
  expect((await openTestMemory({ directory }).memory.read("x.md"))?.text).toBe("---\none\n---\n");
});

test("2: an append holds only what it adds, a delete has no text", async () => {
  const { memory } = openTestMemory();
  await memory.write("x.md", "one\n", ada);
  await memory.append("x.md", "two", ada);
  await memory.remove("x.md", ada);
  const history = await memory.history("x.md");
  expect(history.map(({ kind, bytes }) => [kind, bytes])).toEqual([
    ["delete", 0],
    ["append", 4],
    ["full", 4],
  ]);
});

test("3: parents of a full text are what its author had seen; those of an append the heads and its own last append", async () => {
  const { directory, memory } = openTestMemory();
  const first = await memory.write("x.md", "one\n", ada);
  const second = await memory.append("x.md", "two", ada);
  const third = await memory.append("x.md", "three", ada);
  const parentsOf = async (revision: string): Promise<string[] | undefined> =>
    (await memory.history("x.md")).find((one) => one.revision === revision)?.parents;
  expect(await parentsOf(second.revision)).toEqual([first.revision]);
  expect(await parentsOf(third.revision)).toEqual([first.revision, second.revision]);
  const other = openTestMemory({ directory, writer: "two" }).memory;
  const read = await other.read("x.md");
  expect(read?.shown).toEqual([third.revision]);
  const fourth = await memory.append("x.md", "four", ada);
  const whole = await other.write("x.md", "whole\n", ada);
  expect(await parentsOf(whole.revision)).toEqual([third.revision]);
  expect((await memory.read("x.md"))?.text).toBe("whole\nfour\n");
  const settled = await other.write("x.md", "settled\n", ada, { base: [fourth.revision, whole.revision] });
  expect(await parentsOf(settled.revision)).toEqual([fourth.revision, whole.revision].sort());
  await expect(other.write("x.md", "x", ada, { base: [`0000000001-no-${"0".repeat(24)}`] })).rejects.toMatchObject({
    code: "revision_unknown",
  });
});

test("4: the number is one more than the largest that the writer knew", async () => {
  const { directory, memory } = openTestMemory();
  place(directory, { text: "far\n", lamport: 41 });
  expect((await memory.append("x.md", "next", ada)).revision).toMatch(/^0000000042-one-/);
});

test("5: a write that is acknowledged was flushed, renamed, and its folder flushed, in this order", async () => {
  const steps: string[] = [];
  const real = realFiles();
  const files = {
    ...real,
    create: async (path: string, content: string | Buffer) => {
      await real.create(path, content);
      if (path.includes(".hive/x.md")) steps.push("flushed");
    },
    rename: async (from: string, to: string) => {
      await real.rename(from, to);
      if (to.includes(".hive/x.md")) steps.push("renamed");
    },
    syncDirectory: async (path: string) => {
      await real.syncDirectory(path);
      steps.push(`folder ${path.slice(path.lastIndexOf("memory"))}`);
    },
  };
  const { memory } = openTestMemory({ files });
  await memory.write("x.md", "one\n", ada);
  const folders = ["folder memory/.hive", "folder memory"];
  expect(steps.slice(0, 5)).toEqual([...folders, "flushed", "renamed", "folder memory/.hive/x.md"]);
});

test("6: what a listing misses is opened by name, and own writes are known whatever it shows", async () => {
  const { directory, memory } = openTestMemory();
  const first = place(directory, { text: "one\n" });
  const second = place(directory, { kind: "append", text: "two\n", parents: [first], writer: "two" });
  const third = place(directory, { kind: "append", text: "three\n", parents: [first, second], writer: "two" });
  const real = realFiles();
  const listing = (wanted: (name: string) => boolean) => ({
    ...real,
    list: async (path: string) => {
      const entries = await real.list(path);
      return path.includes(".hive/x.md") ? entries.filter(({ name }) => wanted(name)) : entries;
    },
  });
  const newest = openTestMemory({ directory, writer: "three", files: listing((name) => name.startsWith(third)) });
  expect((await newest.memory.read("x.md"))?.text).toBe("one\ntwo\nthree\n");
  const blind = openTestMemory({ directory, writer: "four", files: listing(() => false) });
  await blind.memory.append("x.md", "four", ada);
  rmSync(join(directory, "x.md"), { force: true });
  expect((await blind.memory.read("x.md"))?.text).toBe("four\n");
  // The view names what the listing hides.
  await memory.read("x.md");
  await memory.close();
  expect((await blind.memory.read("x.md"))?.text).toBe("one\nfour\ntwo\nthree\n");
});

test("7: a lost parent is as if it were not named, and check tells of it", async () => {
  const { directory, memory } = openTestMemory();
  const lost = place(directory, { text: "lost\n" });
  place(directory, { kind: "append", text: "kept\n", parents: [lost], writer: "two" });
  rmSync(join(directory, ".hive/x.md", `${lost}.md`));
  expect((await memory.read("x.md"))?.text).toBe("kept\n");
  expect(await memory.check()).toMatchObject([{ document: "x.md", revision: lost, hint: expect.any(String) }]);
});

test("8: damaged files and unknown formats are skipped, kept, and told of", async () => {
  const { directory } = openTestMemory();
  const first = place(directory, { text: "one\n" });
  const torn = place(directory, { kind: "append", text: "torn\n", parents: [first] });
  const folder = join(directory, ".hive/x.md");
  writeFileSync(join(folder, `${torn}.md`), readFileSync(join(folder, `${torn}.md`)).subarray(0, 150));
  const newer = "---\nformat: 2\nwhatever\n";
  const hash = createHash("sha256").update(newer).digest("hex").slice(0, 24);
  writeFileSync(join(folder, `0000000003-two-${hash}.md`), newer);
  const before = revisionFiles(directory);
  const heard: MemoryProblem[] = [];
  const { memory } = openTestMemory({ directory, onProblem: (problem) => heard.push(problem) });
  expect((await memory.read("x.md"))?.text).toBe("one\n");
  await memory.append("x.md", "two", ada);
  expect((await memory.read("x.md"))?.text).toBe("one\ntwo\n");
  const problems = await memory.check();
  expect(problems.map(({ revision }) => revision)).toEqual([torn, `0000000003-two-${hash}`]);
  expect(problems.map(({ problem }) => problem)).toEqual([
    expect.stringContaining("damaged"),
    expect.stringContaining("format"),
  ]);
  expect(heard.map(({ revision }) => revision)).toEqual([torn, `0000000003-two-${hash}`]);
  expect(revisionFiles(directory)).toEqual(expect.arrayContaining(before));
});

test("8: of a document without one usable revision nobody says that it is not there", async () => {
  const { directory, memory } = openTestMemory();
  const only = place(directory, { text: "one\n" });
  writeFileSync(join(directory, ".hive/x.md", `${only}.md`), "");
  await expect(memory.read("x.md")).rejects.toMatchObject({ code: "revision_unreadable" });
});

test("9, 13: appends that a full text includes are not shown again; the others follow by number, writer and hash", async () => {
  const { directory, memory } = openTestMemory();
  const first = place(directory, { text: "one\n" });
  const included = place(directory, { kind: "append", text: "included\n", parents: [first] });
  place(directory, { kind: "append", text: "b\n", parents: [first], lamport: 5, writer: "b" });
  place(directory, { kind: "append", text: "a without a line break", parents: [first], lamport: 5, writer: "a" });
  place(directory, { kind: "append", text: "earlier\n", parents: [first], lamport: 4, writer: "z" });
  place(directory, { text: "one\nincluded\n", parents: [included] });
  expect((await memory.read("x.md"))?.text).toBe("one\nincluded\nearlier\na without a line break\nb\n");
});

test("10, 11: heads are merged in the order of number and hash, over what both sides include", async () => {
  const { directory, memory } = openTestMemory();
  const base = place(directory, { text: "1\n2\n3\n4\n5\n6\n7\n" });
  const append = place(directory, { kind: "append", text: "8\n", parents: [base] });
  // Both saw the append, so it is part of their base, and standing in both it stands there once.
  place(directory, { text: "one\n2\n3\n4\n5\n6\n7\n8\n", parents: [append], writer: "two" });
  place(directory, { text: "1\n2\n3\nfour\n5\n6\n7\n8\n", parents: [append], writer: "three" });
  expect((await memory.read("x.md"))?.text).toBe("one\n2\n3\nfour\n5\n6\n7\n8\n");
  // One that saw less: its base is the first text alone.
  place(directory, { text: "1\n2\n3\n4\n5\nsix\n7\n", parents: [base], writer: "four" });
  expect((await memory.read("x.md"))?.text).toBe("one\n2\n3\nfour\n5\nsix\n7\n8\n");
});

test("11: with nothing in common the base is empty", async () => {
  const { directory, memory } = openTestMemory();
  const left = place(directory, { text: "same\nleft\n", lamport: 1 });
  const right = place(directory, { text: "same\nright\n", lamport: 2, writer: "two", author: "Bob" });
  expect((await memory.read("x.md"))?.text).toBe(
    `<!-- conflict: Ada, revision ${left} -->\nsame\nleft\n<!-- conflict or: Bob, revision ${right} -->\nsame\nright\n<!-- end of conflict -->\n`,
  );
});

test("11: crossing merges have the text of their common ancestors as base", async () => {
  const { directory, memory } = openTestMemory();
  const root = place(directory, { text: "a\n-\nb\n-\nc\n-\nd\n" });
  const left = place(directory, { text: "A\n-\nb\n-\nc\n-\nd\n", parents: [root], writer: "l" });
  const right = place(directory, { text: "a\n-\nb\n-\nC\n-\nd\n", parents: [root], writer: "r" });
  // Each joined both, and changed one more line: their base holds both joined changes.
  place(directory, { text: "A\n-\nB\n-\nC\n-\nd\n", parents: [left, right], writer: "l" });
  place(directory, { text: "A\n-\nb\n-\nC\n-\nD\n", parents: [left, right], writer: "r" });
  expect((await memory.read("x.md"))?.text).toBe("A\n-\nB\n-\nC\n-\nD\n");
});

test("12, 14: a delete beside another text changes nothing; alone it ends the document until something is appended", async () => {
  const { directory, memory } = openTestMemory();
  const first = place(directory, { text: "one\n" });
  const gone = place(directory, { kind: "delete", parents: [first], writer: "two" });
  expect(await memory.read("x.md")).toBeNull();
  expect(await memory.list()).toEqual([]);
  expect(await memory.list({ deleted: true })).toMatchObject([{ document: "x.md", isDeleted: true }]);
  place(directory, { kind: "append", text: "alone\n", parents: [first], writer: "three", lamport: 2 });
  expect((await memory.read("x.md"))?.text).toBe("alone\n");
  place(directory, { text: "two\n", parents: [first], writer: "four" });
  expect((await memory.read("x.md"))?.text).toBe("two\nalone\n");
  place(directory, { text: "three\n", parents: [gone], writer: "five" });
  expect(isConflicted((await memory.read("x.md"))?.text ?? "")).toBe(true);
});

test("16, 17: both sides are taken, equal changes once; contradictions are kept and marked", async () => {
  const { directory, memory } = openTestMemory();
  const base = place(directory, { text: "1\n2\n3\n4\n5\n" });
  const left = place(directory, { text: "one\n2\nLEFT\n4\n5\nend\n", parents: [base], lamport: 2 });
  const right = place(directory, {
    text: "one\n2\nRIGHT\n4\nfive\nend\n",
    parents: [base],
    lamport: 3,
    writer: "two",
    author: "Eve -->\n<script>--",
  });
  const found = await memory.read("x.md");
  expect(found?.text).toContain(
    `<!-- conflict: Ada, revision ${left} -->\nLEFT\n<!-- conflict or: Eve - -> <script>- -, revision ${right} -->\nRIGHT\n<!-- end of conflict -->\n`,
  );
  expect(found?.text.startsWith("one\n2\n<!--")).toBe(true);
  expect(found?.isConflicted).toBe(true);
  await memory.write("x.md", "one\n2\nBOTH\n4\nfive\nend\n", ada);
  expect(await memory.read("x.md")).toMatchObject({ text: "one\n2\nBOTH\n4\nfive\nend\n", isConflicted: false });
});

test("19, 20: trust is the lowest that is shown, and is never raised by copying", async () => {
  const { directory, memory } = openTestMemory();
  await memory.write("x.md", "public\n", { ...ada, trust: "public" });
  const trustOf = async (document: string): Promise<string | undefined> => (await memory.read(document))?.trust;
  expect(await trustOf("x.md")).toBe("public");
  const edited = await memory.edit("x.md", { before: "public", after: "copied" }, ada);
  expect([edited.trust, await trustOf("x.md")]).toEqual(["public", "public"]);
  await memory.append("x.md", "ours", ada);
  expect(await trustOf("x.md")).toBe("public");
  expect((await memory.rename("x.md", "y.md", ada)).trust).toBe("public");
  expect(await trustOf("y.md")).toBe("public");
  await memory.write("y.md", "checked\n", ada);
  expect(await trustOf("y.md")).toBe("maintainer");
  expect((await memory.restore("x.md", edited.revision, ada)).trust).toBe("public");
  await memory.close();
  const path = join(directory, "x.md");
  writeFileSync(path, readFileSync(path, "utf8").replace("copied", "by hand"));
  const again = openTestMemory({ directory }).memory;
  expect(await again.read("x.md")).toMatchObject({ text: "by hand\n", trust: "public" });
});

test("21: a view is the text and a line with the newest revisions and the hash of the text", async () => {
  const { directory, memory } = openTestMemory();
  const first = place(directory, { text: "no line break" });
  const left = place(directory, { kind: "append", text: "l\n", parents: [first], writer: "l" });
  const right = place(directory, { kind: "append", text: "r", parents: [first], writer: "r" });
  await memory.read("x.md");
  await memory.close();
  const text = "no line break\nl\nr";
  const hash = createHash("sha256").update(text).digest("hex");
  expect(readFileSync(join(directory, "x.md"), "utf8")).toBe(
    `${text}\n<!-- hive revisions=${left},${right} sha256=${hash} -->\n`,
  );
});

test("27: views follow behind the writers; who reads next renews what is old or missing", async () => {
  const { directory, memory } = openTestMemory();
  for (let number = 0; number < 20; number++) await memory.append("x.md", `${number}`, ada);
  await memory.close();
  const path = join(directory, "x.md");
  const view = readFileSync(path, "utf8");
  expect(view).toMatch(/^0\n1\n[\s\S]*19\n<!-- hive/);
  rmSync(path);
  const other = openTestMemory({ directory, writer: "two" }).memory;
  await other.read("x.md");
  await other.close();
  expect(readFileSync(path, "utf8")).toBe(view);
  const third = openTestMemory({ directory, writer: "three" }).memory;
  await third.remove("x.md", ada);
  await third.close();
  expect(existsSync(path)).toBe(false);
});

test("32, 34: history and restore work for deleted documents, and lose nothing", async () => {
  const { memory } = openTestMemory();
  const first = await memory.write("x.md", "one\n", ada);
  const second = await memory.append("x.md", "two", ada);
  const gone = await memory.remove("x.md", ada);
  expect(await memory.textAt("x.md", gone.revision)).toBeNull();
  await expect(memory.restore("x.md", gone.revision, ada)).rejects.toMatchObject({ code: "revision_unknown" });
  await expect(memory.remove("x.md", ada)).rejects.toMatchObject({ code: "document_missing" });
  await memory.restore("x.md", second.revision, ada);
  expect((await memory.read("x.md"))?.text).toBe("one\ntwo\n");
  expect(await memory.textAt("x.md", first.revision)).toBe("one\n");
  expect((await memory.history("x.md")).map(({ kind }) => kind)).toEqual(["full", "delete", "append", "full"]);
});

test("33: a rename moves the text, refuses an existing target, and goes on after a crash in between", async () => {
  const { directory, memory } = openTestMemory();
  await memory.write("x.md", "one\n", ada);
  await memory.write("taken.md", "two\n", ada);
  await expect(memory.rename("x.md", "taken.md", ada)).rejects.toMatchObject({ code: "document_exists" });
  await expect(memory.rename("x.md", "x.md", ada)).rejects.toMatchObject({ code: "document_exists" });
  await expect(memory.rename("no.md", "y.md", ada)).rejects.toMatchObject({ code: "document_missing" });
  const moved = await memory.rename("x.md", "y.md", ada);
  expect(await memory.read("x.md")).toBeNull();
  expect((await memory.read("y.md"))?.text).toBe("one\n");
  const [last] = await memory.history("x.md");
  expect(last).toMatchObject({ kind: "delete", movedTo: "y.md" });
  expect(await memory.history("y.md")).toMatchObject([{ movedFrom: "x.md", revision: moved.revision }]);
  expect((await memory.rename("x.md", "y.md", ada)).revision).toBe(moved.revision);
  await memory.close();

  // As if the process had been killed before the old name ended, and somebody had written to it since.
  const end = join(directory, ".hive/x.md", `${last?.revision}.md`);
  renameSync(end, join(directory, "../end"));
  const after = openMemory({ directory, writer: "one" });
  await after.append("x.md", "late", ada);
  await after.rename("x.md", "y.md", ada);
  expect(await after.read("x.md")).toBeNull();
  expect((await after.read("y.md"))?.text).toBe("one\nlate\n");
});
