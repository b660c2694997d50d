import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openMemory, type Provenance, seedMemory } from "../../memory/index.ts";
import { runModule } from "../support/run-module.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { waitFor } from "../support/wait.ts";

const ada: Provenance = { author: "Ada", source: "test", trust: "maintainer" };

function open(writer = "one", directory = join(temporaryDirectory(), "memory")) {
  return { directory, memory: openMemory({ directory, writer, index: join(directory, "..", `index-${writer}`) }) };
}

test("what is written is read, by this and by another writer, and stands in a readable file", async () => {
  const { directory, memory } = open();
  const written = await memory.write("daily/2026-01-31.md", "# Day\n\nIt rained.\n", ada);
  const found = await memory.read("daily/2026-01-31.md");
  expect(found).toEqual({
    document: "daily/2026-01-31.md",
    text: "# Day\n\nIt rained.\n",
    revision: written.revision,
    author: "Ada",
    trust: "maintainer",
    shown: [written.revision],
    isConflicted: false,
  });
  expect(await open("two", directory).memory.read("daily/2026-01-31.md")).toEqual(found);
  await memory.close();
  const view = readFileSync(join(directory, "daily/2026-01-31.md"), "utf8");
  expect(view).toMatch(/^# Day\n\nIt rained\.\n<!-- hive revisions=\S+ sha256=[0-9a-f]{64} -->\n$/);
});

test("reading what is not there creates nothing", async () => {
  const { directory, memory } = open();
  expect(await memory.read("missing.md")).toBeNull();
  expect(await memory.list()).toEqual([]);
  expect(await memory.history("missing.md")).toEqual([]);
  expect(() => readdirSync(directory)).toThrow();
});

test.each([
  ["a private key", "-----BEGIN OPENSSH PRIVATE KEY-----"],
  ["a GitHub token", `ghp_${"a1".repeat(18)}`],
  ["a GitHub token", `github_pat_${"a1".repeat(20)}`],
  ["an AWS access key id", "AKIAIOSFODNN7EXAMPLE"],
  ["a CLAWDINATOR token", `clawd_${"ab12".repeat(8)}`],
  ["a model provider's API key", `sk-proj-${"ab12".repeat(8)}`],
  ["a Discord token", `MTA${"a1".repeat(11)}.GabcdE.${"x".repeat(38)}`],
])("refuses %s and does not repeat it", async (kind, secret) => {
  const { directory, memory } = open();
  const error = await memory.append("x.md", `line\nkey: ${secret}`, ada).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "secret_refused", message: expect.stringContaining(`${kind} (line 2)`) });
  expect(String(error)).not.toContain(secret);
  expect(() => readdirSync(directory)).toThrow();
});

test("prose about keys is no secret", async () => {
  const { memory } = open();
  await memory.write("x.md", "Keys begin with sk- or ghp_; task-list items and risk-free ones do too.\n", ada);
});

test("appends of several processes at once all survive, once each", async () => {
  const { directory, memory } = open();
  await memory.write("log.md", "# Log\n", ada);
  const [writers, each] = [4, 15];
  const processes = Array.from({ length: writers }, (_, writer) =>
    runModule(`
      const { openMemory } = await import(project("memory/index.ts"));
      const memory = openMemory({ directory: ${JSON.stringify(directory)}, writer: "w${writer}" });
      for (let n = 0; n < ${each}; n++) {
        await memory.append("log.md", "- ${writer}." + n, { author: "a", source: "s", trust: "self" });
      }
      await memory.close();
    `),
  );
  expect(await Promise.all(processes.map(({ ended }) => ended))).toEqual(Array(writers).fill(0));
  const lines = (await memory.read("log.md"))?.text.trimEnd().split("\n") ?? [];
  const wanted = Array.from({ length: writers * each }, (_, n) => `- ${Math.floor(n / each)}.${n % each}`);
  expect(lines[0]).toBe("# Log");
  expect(lines.slice(1).sort()).toEqual(wanted.sort());
  for (let writer = 0; writer < writers; writer++) {
    const own = lines.filter((line) => line.startsWith(`- ${writer}.`));
    expect(own, "a writer's own appends keep their order").toEqual(
      Array.from({ length: each }, (_, n) => `- ${writer}.${n}`),
    );
  }
  await memory.close();
  expect(readFileSync(join(directory, "log.md"), "utf8")).toContain(lines.join("\n"));
});

test("a process killed while it writes loses nothing that it acknowledged, and harms nobody", async () => {
  const { directory, memory } = open();
  for (const delayed of [0, 3, 11]) {
    const writer = runModule(`
      const { openMemory } = await import(project("memory/index.ts"));
      const { writeSync } = await import("node:fs");
      const memory = openMemory({ directory: ${JSON.stringify(directory)}, writer: "victim" });
      for (let n = 0; ; n++) {
        const line = "- ${delayed}." + n;
        await memory.append("log.md", line, { author: "a", source: "s", trust: "self" });
        writeSync(1, line + "\\n");
      }
    `);
    await waitFor(() => writer.lines.length > 5 + delayed);
    writer.child.kill("SIGKILL");
    await writer.ended;
    const lines = (await memory.read("log.md"))?.text.split("\n") ?? [];
    expect(lines).toEqual(expect.arrayContaining(writer.lines));
    expect(new Set(lines).size).toBe(lines.length);
  }
  expect((await memory.list()).map(({ document }) => document)).toEqual(["log.md"]);
});

test("a whole text written over an older one keeps what it did not know, marked", async () => {
  const { directory, memory } = open();
  const other = open("two", directory).memory;
  await memory.write("x.md", "base\n", ada);
  await other.read("x.md");
  await memory.write("x.md", "from one\n", ada);
  await other.write("x.md", "from two\n", { ...ada, trust: "public" });
  const merged = await other.read("x.md");
  expect(merged?.text).toContain("from one");
  expect(merged?.text).toContain("from two");
  expect(merged?.trust).toBe("public");
  expect((await memory.read("x.md"))?.text).toBe(merged?.text);
  // A later writer who saw both settles it.
  await memory.write("x.md", "settled\n", ada);
  expect(await other.read("x.md")).toMatchObject({ text: "settled\n", trust: "maintainer" });
});

test("a writer who saw neither text takes the place of nothing it could not see", async () => {
  const { directory, memory } = open();
  await memory.write("x.md", "one\n", ada);
  const blind = open("two", directory).memory;
  await blind.write("x.md", "two\n", ada);
  expect((await blind.read("x.md"))?.text).toBe("two\n");
  expect((await memory.history("x.md")).map(({ kind }) => kind)).toEqual(["full", "full"]);
});

test("an edit replaces the one occurrence, and refuses none or several", async () => {
  const { memory } = open();
  await memory.write("x.md", "a b a\n", ada);
  await memory.edit("x.md", { before: "b", after: "$& c" }, ada);
  expect((await memory.read("x.md"))?.text).toBe("a $& c a\n");
  await expect(memory.edit("x.md", { before: "a", after: "x" }, ada)).rejects.toThrow(/more than once/);
  await expect(memory.edit("x.md", { before: "z", after: "x" }, ada)).rejects.toThrow(/does not occur/);
  await expect(memory.edit("missing.md", { before: "z", after: "x" }, ada)).rejects.toThrow(/no such document/);
});

test("history names every revision, and any of them can be restored", async () => {
  const { memory } = open();
  await memory.write("x.md", "one\n", ada);
  const second = await memory.append("x.md", "two", ada);
  await memory.write("x.md", "three\n", { author: "Bob", source: "s2", trust: "self" });
  const history = await memory.history("x.md");
  expect(history.map(({ lamport, author, source }) => [lamport, author, source])).toEqual([
    [3, "Bob", "s2"],
    [2, "Ada", "test"],
    [1, "Ada", "test"],
  ]);
  await memory.restore("x.md", second.revision, ada);
  expect((await memory.read("x.md"))?.text).toBe("one\ntwo\n");
  await expect(memory.restore("x.md", "0000000009-x-000000000000000000000000", ada)).rejects.toThrow(
    /no text at revision/,
  );
});

test("the seed is copied once, and never over what people wrote or removed", async () => {
  const { directory, memory } = open();
  await memory.write("ops.md", "Our own.\n", ada);
  const seeded = await seedMemory(memory);
  expect(seeded).toEqual(
    expect.arrayContaining(["index.md", "philosophy.md", "project.md", "architecture.md", "discord.md"]),
  );
  expect(seeded).not.toContain("ops.md");
  expect((await memory.read("ops.md"))?.text).toBe("Our own.\n");
  expect(await seedMemory(open("two", directory).memory)).toEqual([]);
});

test("two that seed at once make one text", async () => {
  const { directory, memory } = open();
  await Promise.all([seedMemory(memory), seedMemory(open("two", directory).memory)]);
  expect((await memory.read("index.md"))?.text).not.toContain("conflict");
});

test("watchers hear of a change by another writer", async () => {
  const { directory, memory } = open();
  const heard: string[] = [];
  const stop = memory.watch((document) => heard.push(document));
  await open("two", directory).memory.write("daily/x.md", "one\n", ada);
  await waitFor(() => heard.includes("daily/x.md"));
  stop();
});

test("files that a crash left behind are no documents and no revisions", async () => {
  const { directory, memory } = open();
  await memory.write("x.md", "one\n", ada);
  writeFileSync(join(directory, ".hive/x.md/.tmp-1-abc"), "half");
  writeFileSync(join(directory, ".tmp-1-abc"), "half");
  expect((await open("two", directory).memory.read("x.md"))?.text).toBe("one\n");
  expect((await memory.list()).map(({ document }) => document)).toEqual(["x.md"]);
});

test("a program that does nothing but read lets its timers ring", async () => {
  const { memory } = open();
  await memory.write("x.md", "one\n", ada);
  let hasRung = false;
  setTimeout(() => {
    hasRung = true;
  }, 1);
  const until = performance.now() + 10_000;
  while (!hasRung && performance.now() < until) await memory.read("x.md");
  expect(hasRung).toBe(true);
});
