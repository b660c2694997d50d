import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openMemory, type Provenance } from "../../memory/index.ts";
import type { DocumentSource } from "../../memory/search-source.ts";
import { openChangeFeed } from "../../memory/watch.ts";
import { type FolderWatch, watchFolders } from "../../memory/watch-folders.ts";
import { fillMemory } from "../support/memory-fill.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { waitFor } from "../support/wait.ts";

const ada: Provenance = { author: "Ada", source: "test", trust: "self" };
const anHourMs = 3_600_000;

function memoryAt(directory: string, writer: string, watchSweepMs = anHourMs) {
  return openMemory({ directory, writer, watchSweepMs });
}

test("hears of other writers in a directory that is not there yet, in new folders and in old ones", async () => {
  const directory = join(temporaryDirectory(), "deep", "memory");
  const memory = memoryAt(directory, "one", 20);
  const heard = new Set<string>();
  const stop = memory.watch((document) => heard.add(document));
  const other = memoryAt(directory, "two");
  await other.write("root.md", "x\n", ada);
  await waitFor(() => heard.has("root.md"));
  await other.write("daily/2026-01-31.md", "x\n", ada);
  await waitFor(() => heard.has("daily/2026-01-31.md"));
  await other.write("a/b/c/d.md", "x\n", ada);
  await waitFor(() => heard.has("a/b/c/d.md"));
  heard.clear();
  await other.append("daily/2026-01-31.md", "y\n", ada);
  await waitFor(() => heard.has("daily/2026-01-31.md"));
  await other.remove("root.md", ada);
  await waitFor(() => heard.has("root.md"));
  stop();
  await other.close();
  await memory.close();
});

/** A source whose signatures the test sets, and a feed over it that is closed at the end. */
function feedOver(
  signatures: Map<string, string>,
  options: { sweepMs?: number; openFolders?: () => FolderWatch; directory?: string } = {},
) {
  const looks = { now: 0, most: 0, count: 0 };
  const source: Pick<DocumentSource, "documents" | "signature"> = {
    async documents() {
      looks.count += 1;
      looks.now += 1;
      looks.most = Math.max(looks.most, looks.now);
      return [...signatures.keys()];
    },
    async signature(document) {
      const [last] = [...signatures.keys()].slice(-1);
      if (document === last) looks.now -= 1;
      const signature = signatures.get(document) ?? null;
      if (signature === "unreachable") throw new Error("cannot be seen now");
      return signature;
    },
  };
  const directory = options.directory ?? temporaryDirectory();
  const feed = openChangeFeed({ directory, source, ...options });
  onTestFinished(() => feed.close());
  return { feed, looks, directory };
}

/** Where the system grants no watch: what a full table of inotify watches looks like. */
function refusing(): FolderWatch {
  return {
    add: async () => "refused",
    addNow: () => "refused",
    has: () => false,
    prune: async () => undefined,
    remove: () => undefined,
    close: () => undefined,
  };
}

test("without events everything is looked at from time to time, one look at a time", async () => {
  const signatures = new Map<string, string>(Array.from({ length: 100 }, (_, number) => [`n${number}.md`, "1"]));
  const { feed, looks } = feedOver(signatures, { sweepMs: 10, openFolders: refusing });
  const heard: string[] = [];
  feed.subscribe((document) => heard.push(document));
  await feed.sweep();
  expect(heard).toEqual([]);
  signatures.set("n7.md", "2");
  signatures.delete("n8.md");
  signatures.set("new.md", "1");
  await waitFor(() => new Set(heard).size === 3);
  expect(new Set(heard)).toEqual(new Set(["n7.md", "n8.md", "new.md"]));
  await Promise.all([feed.sweep(), feed.sweep(), feed.sweep()]);
  expect(looks.most).toBe(1);
});

test("a document that cannot be seen for a moment is not told as gone", async () => {
  const signatures = new Map([
    ["a.md", "1"],
    ["b.md", "1"],
  ]);
  const { feed } = feedOver(signatures);
  const heard: string[] = [];
  feed.subscribe((document) => heard.push(document));
  await feed.sweep();
  signatures.set("a.md", "unreachable");
  signatures.set("b.md", "2");
  expect(await feed.sweep()).toEqual(
    new Map([
      ["a.md", "1"],
      ["b.md", "2"],
    ]),
  );
  await waitFor(() => heard.includes("b.md"));
  expect(heard).not.toContain("a.md");
});

test("what changed at one look is told at the next again: a second change within a clock's tick looks the same", async () => {
  const signatures = new Map([["a.md", "1"]]);
  const { feed } = feedOver(signatures);
  let heard = 0;
  feed.subscribe(() => {
    heard += 1;
  });
  await feed.sweep();
  signatures.set("a.md", "2");
  await feed.sweep();
  await waitFor(() => heard === 1);
  await feed.sweep();
  await waitFor(() => heard === 2);
  await feed.sweep();
  expect(heard).toBe(2);
});

test("a storm of renames is told once for each document, not once for each rename", async () => {
  const directory = temporaryDirectory();
  const { feed } = feedOver(new Map([["a.md", "1"]]), { directory });
  const heard: string[] = [];
  feed.subscribe((document) => heard.push(document));
  await feed.sweep();
  for (let round = 0; round < 2_000; round++) {
    writeFileSync(join(directory, ".tmp-x"), "x");
    renameSync(join(directory, ".tmp-x"), join(directory, round % 2 === 0 ? "a.md" : "b.md"));
  }
  await waitFor(() => new Set(heard).size === 2);
  expect(heard.length).toBeLessThan(200);
  expect(new Set(heard)).toEqual(new Set(["a.md", "b.md"]));
});

test("a folder that was replaced is watched again", async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "daily"));
  const { feed } = feedOver(new Map([["daily/a.md", "1"]]), { directory });
  const heard: string[] = [];
  feed.subscribe((document) => heard.push(document));
  await feed.sweep();
  rmSync(join(directory, "daily"), { recursive: true });
  mkdirSync(join(directory, "daily"));
  await feed.sweep();
  writeFileSync(join(directory, "daily", "b.md"), "x");
  await waitFor(() => heard.includes("daily/b.md"));
});

test("few watches are held, however many documents there are, and none after the last listener left", async () => {
  const directory = temporaryDirectory();
  const documents = Array.from({ length: 600 }, (_, number) => ({ document: `many/n${number}.md`, text: "x\n" }));
  fillMemory(directory, documents);
  const held = new Set<string>();
  let most = 0;
  const counting = (): FolderWatch => {
    const real = watchFolders();
    return {
      ...real,
      async add(path, onEntry) {
        const result = await real.add(path, onEntry);
        if (result === "added") held.add(path);
        most = Math.max(most, held.size);
        return result;
      },
      remove(path) {
        held.delete(path);
        real.remove(path);
      },
      close() {
        held.clear();
        real.close();
      },
    };
  };
  const signatures = new Map(documents.map(({ document }) => [document, "1"]));
  const { feed } = feedOver(signatures, { directory, openFolders: counting });
  const heard = new Set<string>();
  const stop = feed.subscribe((document) => heard.add(document));
  await feed.sweep();
  const armed = most;
  expect(armed).toBeLessThan(10);
  // Each becomes hot by a new revision folder entry: the watches for those are bounded too.
  for (const { document } of documents) {
    const folder = join(directory, ".hive", document);
    renameSync(folder, `${folder}.moved`);
    renameSync(`${folder}.moved`, folder);
  }
  await waitFor(() => heard.size === 600);
  expect(most).toBeGreaterThan(armed);
  expect(most).toBeLessThan(armed + 300);
  stop();
  expect(held.size).toBe(0);
});

test("a stopped listener hears nothing more, and the other still does", async () => {
  const signatures = new Map([["a.md", "1"]]);
  const { feed } = feedOver(signatures);
  const first: string[] = [];
  const second: string[] = [];
  const stop = feed.subscribe((document) => first.push(document));
  feed.subscribe((document) => second.push(document));
  await feed.sweep();
  stop();
  signatures.set("a.md", "2");
  await feed.sweep();
  await waitFor(() => second.length > 0);
  expect(first).toEqual([]);
});
