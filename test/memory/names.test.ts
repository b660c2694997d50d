/** Names, sizes and places that a document cannot have: refused with the reason, and nothing written. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MemoryError } from "../../memory/index.ts";
import { ada, openTestMemory } from "../support/memory-revisions.ts";

const everything = (directory: string): string[] => readdirSync(directory, { recursive: true }).map(String).sort();

test.each([
  "../x.md",
  "/etc/x.md",
  "a/../x.md",
  "a/./x.md",
  "x.txt",
  ".hidden.md",
  ".hive/x.md",
  "a.md/b.md",
  "a//b.md",
  "a/b/c/d/e/f.md",
  "x\u0000.md",
  "x\n.md",
  "a\\..\\x.md",
  "",
  `${"x".repeat(4096)}.md`,
  // Look-alikes: a Cyrillic a, a combining accent, a right-to-left mark, a full-width letter.
  "оps.md",
  "cafe\u0301.md",
  "ops\u200f.md",
  "ｏps.md",
  "-x.md",
  "x y.md",
  "x.MD",
])("28: refuses %j as a document", async (document) => {
  const { directory, memory } = openTestMemory();
  for (const work of [
    () => memory.read(document),
    () => memory.write(document, "x", ada),
    () => memory.append(document, "x", ada),
    () => memory.edit(document, { before: "x", after: "y" }, ada),
    () => memory.remove(document, ada),
    () => memory.rename(document, "y.md", ada),
    () => memory.rename("y.md", document, ada),
    () => memory.history(document),
    () => memory.textAt(document, "x"),
    () => memory.restore(document, "x", ada),
  ]) {
    const error = await work().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MemoryError);
    expect(error).toMatchObject({ code: "document_name", message: expect.stringContaining("cannot be a document: ") });
    expect((error as MemoryError).message.length).toBeLessThan(300);
  }
  expect(() => readdirSync(directory)).toThrow("ENOENT");
});

test("29: refuses a new name that differs from one that is there only in case", async () => {
  const { directory, memory } = openTestMemory();
  await memory.write("Daily/ops.md", "one\n", ada);
  await memory.close();
  const other = openTestMemory({ directory, writer: "two" }).memory;
  const before = everything(directory);
  for (const name of ["Daily/Ops.md", "daily/new.md", "daily/ops.md"]) {
    await expect(other.write(name, "two\n", ada)).rejects.toMatchObject({ code: "document_case" });
    await expect(other.append(name, "two\n", ada)).rejects.toMatchObject({ code: "document_case" });
  }
  expect(everything(directory)).toEqual(before);
  // A name made by this very handle counts as well.
  await other.write("new.md", "two\n", ada);
  await expect(other.write("NEW.md", "two\n", ada)).rejects.toMatchObject({ code: "document_case" });
});

test("30: no link below the directory is followed, wherever it stands", async () => {
  const { directory, memory } = openTestMemory();
  const outside = join(directory, "../outside");
  mkdirSync(outside);
  mkdirSync(join(directory, ".hive"), { recursive: true });
  writeFileSync(join(outside, "secret.md"), "outside\n");
  symlinkSync(join(outside, "secret.md"), join(directory, "view.md"));
  symlinkSync(join(outside, "nothing.md"), join(directory, "dangling.md"));
  symlinkSync(outside, join(directory, "folder"));
  symlinkSync(outside, join(directory, ".hive/revisions.md"));
  symlinkSync(outside, join(directory, ".hive/deep"));
  for (const document of ["view.md", "dangling.md", "folder/x.md", "revisions.md", "deep/x.md"]) {
    for (const work of [
      () => memory.read(document),
      () => memory.write(document, "x\n", ada),
      () => memory.append(document, "x\n", ada),
      () => memory.textAt(document, "x"),
    ]) {
      await expect(work()).rejects.toMatchObject({
        code: "document_link",
        message: expect.stringContaining("is a link"),
      });
    }
  }
  expect(await memory.list()).toEqual([]);
  await memory.close();
  expect(everything(outside)).toEqual(["secret.md"]);
  expect(readFileSync(join(outside, "secret.md"), "utf8")).toBe("outside\n");
});

test("30: the memory's own directory may be reached by a link, and its hidden folder may not be one", async () => {
  const { directory, memory } = openTestMemory();
  await memory.write("x.md", "one\n", ada);
  await memory.close();
  const linked = join(directory, "../linked");
  symlinkSync(directory, linked);
  expect((await openTestMemory({ directory: linked }).memory.read("x.md"))?.text).toBe("one\n");
  const other = join(directory, "../other");
  mkdirSync(other);
  symlinkSync(join(directory, ".hive"), join(other, ".hive"));
  await expect(openTestMemory({ directory: other }).memory.read("x.md")).rejects.toMatchObject({
    code: "document_link",
  });
});

test("30: a folder where the file should be is told of", async () => {
  const { directory, memory } = openTestMemory();
  mkdirSync(join(directory, "x.md"), { recursive: true });
  await expect(memory.write("x.md", "one\n", ada)).rejects.toMatchObject({ code: "document_blocked" });
  expect(everything(directory)).toEqual(["x.md"]);
});

test("31: 50 MB are refused, written or appended, and nothing is written", async () => {
  const { directory, memory } = openTestMemory();
  const large = "x".repeat(50 * 1024 * 1024);
  await expect(memory.write("x.md", large, ada)).rejects.toMatchObject({ code: "document_too_large" });
  await expect(memory.append("x.md", large, ada)).rejects.toMatchObject({ code: "document_too_large" });
  expect(() => readdirSync(directory)).toThrow("ENOENT");
});

test("31: one more byte than 1 MiB is refused, also when it is appended or edited in", async () => {
  const { directory, memory } = openTestMemory();
  const full = "x".repeat(1024 * 1024);
  await expect(memory.write("x.md", `${full}x`, ada)).rejects.toThrow(/at most 1048576/);
  await memory.write("x.md", full, ada);
  await expect(memory.append("x.md", "y", ada)).rejects.toThrow(/at most 1048576/);
  await expect(openTestMemory({ directory }).memory.append("x.md", "y", ada)).rejects.toThrow(/at most 1048576/);
  expect((await memory.history("x.md")).length).toBe(1);
});

test.each([
  ["a NUL character", "one\u0000two"],
  ["half a character", "one\ud800two"],
])("31: text with %s is refused", async (what, text) => {
  const { directory, memory } = openTestMemory();
  await expect(memory.write("x.md", text, ada)).rejects.toThrow(`holds ${what}`);
  await expect(memory.append("x.md", text, ada)).rejects.toMatchObject({ code: "document_not_text" });
  expect(() => readdirSync(directory)).toThrow("ENOENT");
});

test.each([
  ["NUL", Buffer.from("one\u0000two")],
  ["bytes that are no UTF-8", Buffer.from([0x6f, 0xff, 0xfe, 0x0a])],
  ["50 MB", Buffer.alloc(50 * 1024 * 1024, "x")],
])("26, 31: a file with %s is neither taken in nor overwritten", async (_what, content) => {
  const { directory, memory } = openTestMemory();
  await memory.write("x.md", "one\n", ada);
  await memory.close();
  const path = join(directory, "x.md");
  writeFileSync(path, content);
  const again = openTestMemory({ directory }).memory;
  expect(await again.read("x.md")).toMatchObject({
    text: "one\n",
    notice: expect.stringContaining("was not taken in"),
  });
  await again.append("x.md", "two", ada);
  expect(await again.check()).toMatchObject([{ document: "x.md", problem: expect.stringContaining("not taken in") }]);
  await again.close();
  expect(readFileSync(path).equals(content)).toBe(true);
  expect((await openTestMemory({ directory }).memory.read("x.md"))?.text).toBe("one\ntwo\n");
});

test("a writer's name is checked before anything else", () => {
  for (const writer of ["", "a b", "a/b", "x".repeat(101), "ä"]) {
    expect(() => openTestMemory({ writer })).toThrow(MemoryError);
  }
});
