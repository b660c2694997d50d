import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { openMemory, type Provenance } from "../../memory/index.ts";
import { openMemoryIndex } from "../../memory/search-index.ts";
import { cutPassages } from "../../memory/search-passages.ts";
import type { DocumentSource } from "../../memory/search-source.ts";
import { stem } from "../../memory/search-stem.ts";
import { openChangeFeed } from "../../memory/watch.ts";
import { fillMemory } from "../support/memory-fill.ts";
import { runModule } from "../support/run-module.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { waitFor } from "../support/wait.ts";

const ada: Provenance = { author: "Ada", source: "discord #ops", trust: "maintainer" };

function place(): { directory: string; index: string } {
  const root = temporaryDirectory();
  return { directory: join(root, "memory"), index: join(root, "index") };
}

function open({ directory, index }: { directory: string; index?: string }, writer = "one") {
  return openMemory({ directory, writer, ...(index === undefined ? {} : { index }) });
}

async function documents(memory: ReturnType<typeof openMemory>, query: string): Promise<string[]> {
  return (await memory.search(query)).map(({ document }) => document);
}

test("a match says where it stands, and who wrote it from what", async () => {
  const memory = open(place());
  await memory.write(
    "daily/2026-01-31.md",
    "# Day\n\nNothing.\n\n## Images\n\nOld ones\nare pruned on Fridays.\n",
    ada,
  );
  const { revision } = await memory.append("daily/2026-01-31.md", "Done.\n", {
    author: "Bob",
    source: "https://example.org/1",
    trust: "public",
  });
  expect(await memory.search("pruning friday")).toEqual([
    {
      document: "daily/2026-01-31.md",
      line: 8,
      snippet: expect.stringContaining("are pruned on Fridays."),
      score: expect.any(Number),
      author: "Bob",
      source: "https://example.org/1",
      trust: "public",
      revision,
    },
  ]);
  await memory.close();
});

test("own writes are found at once: new, changed, renamed, removed and restored ones", async () => {
  const memory = open(place());
  expect(await memory.search("canary")).toEqual([]);
  const { revision } = await memory.write("ops.md", "The canary goes first.\n", ada);
  expect(await documents(memory, "canary")).toEqual(["ops.md"]);
  await memory.edit("ops.md", { before: "canary", after: "sparrow" }, ada);
  expect(await documents(memory, "canary")).toEqual([]);
  expect(await documents(memory, "sparrow")).toEqual(["ops.md"]);
  await memory.rename("ops.md", "birds/ops.md", ada);
  expect(await documents(memory, "sparrow")).toEqual(["birds/ops.md"]);
  await memory.remove("birds/ops.md", ada);
  expect(await memory.search("sparrow")).toEqual([]);
  await memory.restore("ops.md", revision, ada);
  expect(await documents(memory, "canary")).toEqual(["ops.md"]);
  await memory.close();
});

test("what another process of this host writes is found as soon as the watch tells", async () => {
  const where = place();
  const memory = open({ directory: where.directory });
  await memory.write("daily/old.md", "Nothing.\n", ada);
  expect(await memory.search("canary")).toEqual([]);
  const script = `
    const { openMemory } = await import(project("memory/index.ts"));
    const memory = openMemory({ directory: ${JSON.stringify(where.directory)}, writer: "two" });
    const ada = ${JSON.stringify(ada)};
    await memory.append("daily/old.md", "A canary sang.", ada);
    await memory.write("new-folder/new.md", "A canary flew.", ada);
    await memory.close();`;
  expect(await runModule(script).ended).toBe(0);
  await waitFor(async () => (await documents(memory, "canary")).length === 2);
  // An edit by hand is found like any other.
  writeFileSync(join(where.directory, "hand.md"), "Another canary.\n");
  await waitFor(async () => (await documents(memory, "canary")).includes("hand.md"));
  await memory.close();
});

test("what another host writes is found by looking from time to time", async () => {
  const { directory } = place();
  fillMemory(directory, [{ document: "far/away.md", text: "Nothing.\n" }]);
  const memory = openMemory({ directory, writer: "one", watchSweepMs: 50 });
  expect(await memory.search("canary")).toEqual([]);
  // No event comes of this one: the revisions of a document that rested are not watched.
  fillMemory(directory, [{ document: "far/away.md", text: "A canary.\n" }]);
  await waitFor(async () => (await documents(memory, "canary")).length === 1);
  await memory.close();
});

/** A source over texts in memory that tells what was loaded. */
function countingSource(texts: Map<string, string | null>): DocumentSource & { loaded: string[] } {
  const loaded: string[] = [];
  return {
    loaded,
    documents: async () => [...texts.keys()],
    signature: async (document) => (texts.has(document) ? `s${texts.get(document)}` : null),
    load: async (document) => {
      loaded.push(document);
      const text = texts.get(document);
      if (text === "unreadable") throw new Error("cannot be read");
      if (text === undefined) return null;
      const who = { revision: "r", author: "Ada", source: "test", trust: "self" as const, at: 7, isConflicted: false };
      return { document, text, ...who };
    },
  };
}

function openCounting(texts: Map<string, string | null>, directory: string | null) {
  const source = countingSource(texts);
  const feed = openChangeFeed({ directory: temporaryDirectory(), source, sweepMs: 3_600_000 });
  const index = openMemoryIndex({ directory, source, feed });
  const close = async () => {
    await index.close();
    await feed.close();
  };
  return { source, index, close };
}

test("an index that is opened again reads only what changed since", async () => {
  const directory = join(temporaryDirectory(), "index");
  const texts = new Map<string, string | null>(
    Array.from({ length: 600 }, (_, number) => [`n${number}.md`, `Note ${number} of many.\n`]),
  );
  texts.set("gone.md", null);
  const first = openCounting(texts, directory);
  expect(await first.index.list()).toHaveLength(600);
  expect(first.source.loaded).toHaveLength(601);
  expect((await first.index.search("note 599", 10))[0]).toMatchObject({ document: "n599.md" });
  expect(first.source.loaded).toHaveLength(601);
  await first.close();
  texts.set("n7.md", "Changed canary.\n");
  texts.set("new.md", "New canary.\n");
  texts.delete("n8.md");
  const second = openCounting(texts, directory);
  expect((await second.index.search("canary", 10)).map(({ document }) => document).sort()).toEqual(["n7.md", "new.md"]);
  expect(second.source.loaded.sort()).toEqual(["n7.md", "n8.md", "new.md"]);
  expect(await second.index.list()).toHaveLength(600);
  expect(await second.index.list({ deleted: true })).toContainEqual({
    document: "gone.md",
    bytes: 0,
    at: 7,
    trust: "self",
    isDeleted: true,
  });
  await second.close();
});

test("a document that cannot be read keeps none from searching, and is tried again", async () => {
  const texts = new Map<string, string | null>([
    ["bad.md", "unreadable"],
    ["good.md", "A canary.\n"],
  ]);
  const { index, close } = openCounting(texts, null);
  expect(await index.search("canary", 10)).toHaveLength(1);
  texts.set("bad.md", "Another canary.\n");
  await waitFor(async () => (await index.search("canary", 10)).length === 2);
  await close();
});

test.each<[string, (path: string) => void]>([
  ["was deleted", (path) => rmSync(path)],
  ["is no database", (path) => writeFileSync(path, "this is no database, but longer than a header is: ".repeat(40))],
  ["is empty", (path) => writeFileSync(path, "")],
  ["lost its tables", (path) => new DatabaseSync(path).exec("DROP TABLE passages")],
  ["is of another version", (path) => new DatabaseSync(path).exec("PRAGMA user_version = 9999")],
  [
    "has a damaged word index",
    (path) => new DatabaseSync(path, { defensive: false }).exec("UPDATE words_data SET block = x'00ff00ff'"),
  ],
])("an index that %s is built anew", async (_what, damage) => {
  const where = place();
  const first = open(where);
  await first.write("ops.md", "The canary goes first.\n", ada);
  expect(await documents(first, "canary")).toEqual(["ops.md"]);
  await first.close();
  damage(join(where.index, "memory.sqlite"));
  const second = open(where, "two");
  expect(await documents(second, "canary")).toEqual(["ops.md"]);
  await second.write("more.md", "A second canary.\n", ada);
  expect((await documents(second, "canary")).sort()).toEqual(["more.md", "ops.md"]);
  await second.close();
});

test("where no index can be put on disk, it lives in memory", async () => {
  const where = place();
  mkdirSync(dirname(where.index), { recursive: true });
  writeFileSync(where.index, "a file where the folder should be");
  const memory = open(where);
  await memory.write("ops.md", "The canary goes first.\n", ada);
  expect(await documents(memory, "canary")).toEqual(["ops.md"]);
  await memory.close();
});

test("several processes with one index directory each find their own writes at once", async () => {
  const where = place();
  fillMemory(
    where.directory,
    Array.from({ length: 400 }, (_, number) => ({ document: `n${number}.md`, text: `Note ${number}: a canary.\n` })),
  );
  const script = `
    const { openMemory } = await import(project("memory/index.ts"));
    const memory = openMemory(${JSON.stringify({ ...where, writer: "two" })});
    for (let round = 0; round < 20; round++) {
      await memory.append("n" + round + ".md", "More from two.", ${JSON.stringify(ada)});
      const found = await memory.search("more two", { limit: 50 });
      if (found.length <= round) throw new Error("own write was not found in round " + round);
    }
    console.log((await memory.list()).length);
    await memory.close();`;
  const others = [runModule(script), runModule(script.replaceAll("two", "three"))];
  const memory = open(where);
  for (let round = 100; round < 120; round++) {
    await memory.append(`n${round}.md`, "More from one.", ada);
    expect((await memory.search("more one", { limit: 50 })).length).toBeGreaterThan(round - 100);
  }
  for (const { ended, lines } of others) {
    expect(await ended).toBe(0);
    expect(lines).toEqual(["400"]);
  }
  await waitFor(async () => (await memory.search("more two three", { limit: 100 })).length >= 20);
  await memory.close();
});

test("nothing in a query is taken as an instruction, and none fails", async () => {
  const memory = open(place());
  await memory.write("ops.md", "Drop the canary. NEAR the end, OR else.\n", ada);
  const hostile = [
    "",
    " ",
    '"',
    "'; DROP TABLE documents; --",
    'name : canary AND "',
    "canary*",
    "^canary",
    "{name} : x",
    "NEAR(canary drop, 5)",
    "a OR (b AND",
    "-canary",
    "\u0000canary\u0000",
    "\ud800 canary \udc00",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ﬁ İ ǅ",
    "日本語 テキスト",
    "the of and",
    "%_\\",
    "[".repeat(500),
    "word ".repeat(2_000),
    "x".repeat(10_240),
    "canary ".repeat(1_500),
    Array.from({ length: 1_500 }, (_, number) => `w${number}`).join(" "),
  ];
  for (const query of hostile) expect(Array.isArray(await memory.search(query)), query.slice(0, 40)).toBe(true);
  for (const query of ["canary*", "\u0000canary\u0000", "-canary", "Drop 'canary'; --", 'CANARY"']) {
    expect(await documents(memory, query), query).toEqual(["ops.md"]);
  }
  expect(await memory.search("canary", { limit: 0 })).toHaveLength(1);
  expect(await memory.search("canary", { limit: 1e9 })).toHaveLength(1);
  await memory.close();
});

test("words are found in other forms, without accents, in composed names, and before they are typed to the end", async () => {
  const memory = open(place());
  await memory.write("a.md", "Instances were retired in Zürich.\n", ada);
  await memory.write("b.md", "Call instanceLaunchPlan or HTTPServer here.\n", ada);
  expect(await documents(memory, "retiring instance")).toEqual(["a.md", "b.md"]);
  expect(await documents(memory, "zurich")).toEqual(["a.md"]);
  expect(await documents(memory, "ZÜRICH")).toEqual(["a.md"]);
  expect(await documents(memory, "launch plan")).toEqual(["b.md"]);
  expect(await documents(memory, "http server")).toEqual(["b.md"]);
  expect(await documents(memory, "instances reti")).toEqual(["a.md", "b.md"]);
  expect(await documents(memory, "how do I remove what was retired?")).toEqual(["a.md"]);
  await memory.close();
});

test("passages with all words come first, and names and headings say more than text", async () => {
  const memory = open(place());
  const filler = "Something else entirely is told here.\n".repeat(5);
  await memory.write("one.md", `Rollback rollback rollback. ${filler}`, ada);
  await memory.write("both.md", `${filler}The rollback of the database took long.\n`, ada);
  await memory.write("text.md", `${filler}The backup is made at night.\n`, ada);
  await memory.write("backup.md", `${filler}It is made at night.\n`, ada);
  await memory.write("headed.md", `# Backup\n\n${filler}It is made at night.\n`, ada);
  expect((await documents(memory, "rollback database"))[0]).toBe("both.md");
  expect((await documents(memory, "backup night")).slice(0, 3).sort()).toEqual(["backup.md", "headed.md", "text.md"]);
  expect((await documents(memory, "backup night"))[2]).toBe("text.md");
  await memory.close();
});

test("one long document does not fill the answer", async () => {
  const memory = open(place());
  const paragraph = `A canary.${" It sang for a long time.".repeat(60)}\n\n`;
  await memory.write("long.md", paragraph.repeat(30), ada);
  await memory.write("short.md", "Canary.\n", ada);
  const found = await documents(memory, "canary");
  expect(found.filter((document) => document === "long.md")).toHaveLength(3);
  expect(found).toContain("short.md");
  await memory.close();
});

test("a passage is cut at headings and paragraphs, knows its line, and never grows beyond a size", () => {
  const text = "Lead.\n\n# One\nA\n\nB\n## Two\n\n```\n# no heading\n```\n# Three\nC\n";
  expect(cutPassages(text)).toEqual([
    { line: 1, heading: "", text: "Lead." },
    { line: 3, heading: "One", text: "# One\nA\n\nB" },
    { line: 7, heading: "One › Two", text: "## Two\n\n```\n# no heading\n```" },
    { line: 12, heading: "Three", text: "# Three\nC" },
  ]);
  const long = `${"word ".repeat(3_000)}\n${"line\n".repeat(2_000)}\n\n${"x".repeat(1_000)}\n\n${"y".repeat(1_000)}`;
  const passages = cutPassages(long);
  expect(passages.every((passage) => passage.text.length <= 4_000)).toBe(true);
  expect(
    passages
      .map((passage) => passage.text)
      .join("")
      .replace(/\s/g, ""),
  ).toBe(long.replace(/\s/g, ""));
  expect(cutPassages("")).toEqual([]);
  expect(cutPassages("\n\n")).toEqual([]);
});

test("a list shows size, time, trust and conflicts, and the deleted ones only when asked", async () => {
  const where = place();
  const memory = open(where);
  await memory.write("b.md", "two\n", { ...ada, trust: "public" });
  await memory.write("a.md", "base\n", ada);
  const [{ revision = "" } = {}] = await memory.history("a.md");
  await memory.write("a.md", "mine\n", ada, { base: [revision] });
  await open(where, "two").write("a.md", "yours\n", ada, { base: [revision] });
  await memory.write("gone.md", "x\n", ada);
  await memory.remove("gone.md", ada);
  await waitFor(async () => (await memory.list()).some(({ isConflicted }) => isConflicted));
  const list = await memory.list();
  expect(list).toMatchObject([
    { document: "a.md", trust: "maintainer", isConflicted: true },
    { document: "b.md", bytes: 4, trust: "public", at: expect.any(Number) },
  ]);
  expect((await memory.list({ deleted: true })).map(({ document }) => document)).toEqual(["a.md", "b.md", "gone.md"]);
  await memory.close();
});

test("a search of a memory that is not there finds nothing and makes nothing", async () => {
  const where = place();
  const memory = open({ directory: where.directory });
  expect(await memory.search("anything")).toEqual([]);
  expect(await memory.list()).toEqual([]);
  expect(() => readdirSync(where.directory)).toThrow(/ENOENT/);
  await memory.close();
});

test("what lies outside is never indexed", async () => {
  const where = place();
  const outside = join(where.directory, "..", "outside");
  mkdirSync(outside, { recursive: true });
  mkdirSync(where.directory, { recursive: true });
  writeFileSync(join(outside, "secret.md"), "A canary outside.\n");
  symlinkSync(outside, join(where.directory, "linked"));
  symlinkSync(join(outside, "secret.md"), join(where.directory, "secret.md"));
  const memory = open(where);
  expect(await memory.search("canary")).toEqual([]);
  await memory.close();
});

test("stems are those of SQLite's tokenizer, or ranking would not find what the index found", () => {
  const words =
    "caresses ponies ties cats feed agreed plastered bled motoring sing conflated troubled sized hopping tanned falling " +
    "hissing fizzed failing filing happy sky relational conditional rational valency hesitancy digitizer conformably " +
    "radically differently vilely analogously vietnamization predication operator feudalism decisiveness hopefulness " +
    "callousness formality sensitivity sensibility triplicate formative formalize electricity electrical hopeful goodness " +
    "revival allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent " +
    "adoption homologous communism activate angularity effective bowdlerize probate rate cease controlling rolls yes by " +
    "instances launched retiring deletion deploys deployment configuration configured databases queries queried";
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE VIRTUAL TABLE words USING fts5 (word, tokenize = 'porter unicode61')");
  database.exec("CREATE VIRTUAL TABLE terms USING fts5vocab (words, instance)");
  const all = words.split(" ");
  for (const word of all) database.prepare("INSERT INTO words (word) VALUES (?)").run(word);
  const terms = database.prepare("SELECT term FROM terms ORDER BY doc").all();
  expect(all.map(stem)).toEqual(terms.map(({ term }) => term));
});
