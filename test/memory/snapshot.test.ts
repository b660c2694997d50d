import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "tar";
import { expect, test } from "vitest";
import { loadSnapshot, writeSnapshot } from "../../memory/snapshot.ts";
import { ada, openTestMemory, place } from "../support/memory-revisions.ts";
import { temporaryDirectory } from "../support/temporary.ts";

test("35: a snapshot brings everything back in an empty directory, deleted documents too", async () => {
  const { directory, memory } = openTestMemory();
  await memory.write("x.md", "one\n", ada);
  await memory.append("daily/2026-01-31.md", "rain", ada);
  await memory.write("gone.md", "gone\n", ada);
  await memory.remove("gone.md", ada);
  const file = join(directory, "../memory.tar.gz");
  expect(await writeSnapshot(directory, file)).toEqual({ documents: 3, revisions: 4 });
  const to = join(temporaryDirectory(), "memory");
  expect(await loadSnapshot(to, file)).toEqual({ added: 4, present: 0, refused: [] });
  expect(await loadSnapshot(to, file)).toEqual({ added: 0, present: 4, refused: [] });
  const copy = openTestMemory({ directory: to }).memory;
  expect(await copy.list({ deleted: true })).toEqual(await memory.list({ deleted: true }));
  for (const name of ["x.md", "daily/2026-01-31.md", "gone.md"]) {
    expect(await copy.read(name)).toEqual(await memory.read(name));
    expect(await copy.history(name)).toEqual(await memory.history(name));
  }
});

test("35: loading is a union: what came since stays, what was lost or damaged comes back", async () => {
  const { directory, memory } = openTestMemory();
  const first = await memory.write("x.md", "one\n", ada);
  const second = await memory.append("x.md", "two", ada);
  const file = join(directory, "../memory.tar.gz");
  await writeSnapshot(directory, file);
  await memory.append("x.md", "three", ada);
  await memory.close();
  rmSync(join(directory, ".hive/x.md", `${first.revision}.md`));
  truncateSync(join(directory, ".hive/x.md", `${second.revision}.md`), 10);
  expect(await loadSnapshot(directory, file)).toEqual({ added: 2, present: 0, refused: [] });
  const again = openTestMemory({ directory }).memory;
  expect((await again.read("x.md"))?.text).toBe("one\ntwo\nthree\n");
  expect(await again.check()).toEqual([]);
});

test("35: names that lead elsewhere, links, strange files and wrong contents are refused", async () => {
  const from = temporaryDirectory();
  const good = place(from, { text: "good\n" });
  const wrong = place(from, { text: "right\n", document: "wrong.md" });
  writeFileSync(join(from, `.hive/wrong.md/${wrong}.md`), "changed");
  mkdirSync(join(from, ".hive/.hidden.md"));
  writeFileSync(join(from, `.hive/.hidden.md/${good}.md`), "x");
  writeFileSync(join(from, "plain.md"), "x");
  symlinkSync("/etc/passwd", join(from, `.hive/x.md/0000000009-a-${"0".repeat(24)}.md`));
  const file = join(temporaryDirectory(), "hostile.tar.gz");
  await create({ cwd: from, gzip: true, file, preservePaths: true }, [".hive", "plain.md", `${from}/plain.md`]);
  const to = join(temporaryDirectory(), "memory");
  const loaded = await loadSnapshot(to, file);
  expect(loaded.added).toBe(1);
  expect(loaded.refused).toHaveLength(5);
  expect(readdirSync(to, { recursive: true }).map(String).sort()).toEqual([
    ".hive",
    ".hive/x.md",
    `.hive/x.md/${good}.md`,
  ]);
  // Not even where the place itself is a link.
  const outside = temporaryDirectory();
  const linked = temporaryDirectory();
  mkdirSync(join(linked, ".hive"));
  symlinkSync(outside, join(linked, ".hive/x.md"));
  await expect(loadSnapshot(linked, file)).rejects.toMatchObject({ code: "document_link" });
  expect(readdirSync(outside)).toEqual([]);
});

test("35: a damaged snapshot and an empty memory are told of, and a failed snapshot leaves no file", async () => {
  const { directory, memory } = openTestMemory();
  const file = join(temporaryDirectory(), "memory.tar.gz");
  await expect(writeSnapshot(directory, file)).rejects.toMatchObject({ code: "memory_empty" });
  await memory.write("x.md", "one\n", ada);
  await expect(writeSnapshot(directory, join(directory, "no/such/folder.tar.gz"))).rejects.toMatchObject({
    code: "memory_unavailable",
  });
  await writeSnapshot(directory, file);
  const whole = readFileSync(file);
  writeFileSync(file, whole.subarray(0, whole.length / 2));
  await expect(loadSnapshot(join(directory, "../to"), file)).rejects.toMatchObject({ code: "snapshot_unreadable" });
  writeFileSync(file, "this is no archive");
  await expect(loadSnapshot(join(directory, "../to"), file)).rejects.toMatchObject({ code: "snapshot_unreadable" });
  await expect(loadSnapshot(directory, join(directory, "no"))).rejects.toMatchObject({ code: "memory_unavailable" });
  expect(readdirSync(join(file, ".."))).toEqual(["memory.tar.gz"]);
});
