/** Memory's tools as a model uses them: what others write meanwhile, what is gone, and errors that say what to do. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Memory, openMemory } from "../../memory/index.ts";
import { readTools } from "../../tools/read-tools.ts";
import type { ReadContext, ToolResult } from "../../tools/tool.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const ada = { author: "Ada", source: "chat", trust: "maintainer" } as const;

function open(directory = join(temporaryDirectory(), "memory"), writer = "w"): { memory: Memory; directory: string } {
  const memory = openMemory({ directory, writer });
  onTestFinished(() => memory.close());
  return { memory, directory };
}

function toolsOf(memory: Memory, conversation = "talk") {
  let calls = 0;
  return (name: string, input: object = {}, call = `${conversation}-${++calls}`): Promise<ToolResult> => {
    const tool = readTools.find((each) => each.name === name);
    if (!tool) throw new Error(`there is no tool ${name}`);
    const context = { memory, author: { kind: "instance", id: "i", name: "CLAWDINATOR-1" }, trust: "self" };
    return tool.run({ ...context, conversation, call } as unknown as ReadContext, tool.input.parse(input));
  };
}

test("a whole text replaces what its conversation has read, and what others wrote meanwhile stays", async () => {
  const { memory, directory } = open();
  const sibling = open(directory, "sibling").memory;
  await memory.write("plan.md", "# Plan\n\none\n\ntwo\n", ada);
  const use = toolsOf(memory);
  await use("memory_read", { document: "plan.md" });
  await sibling.edit("plan.md", { before: "two", after: "two, by the sibling" }, ada);
  // Another conversation of the same mind reads the newer text; that is not what this one has seen.
  await toolsOf(memory, "other")("memory_read", { document: "plan.md" });
  const { text } = await use("memory_write", { document: "plan.md", text: "# Plan\n\none, by me\n\ntwo\n" });
  expect(text).toMatch(/^Wrote plan\.md, revision \S+\.$/);
  expect((await memory.read("plan.md"))?.text).toBe("# Plan\n\none, by me\n\ntwo, by the sibling\n");
});

test("contradicting texts are both kept, and whoever wrote and whoever reads is told", async () => {
  const { memory, directory } = open();
  const sibling = open(directory, "sibling").memory;
  await memory.write("plan.md", "one\n", ada);
  const use = toolsOf(memory);
  await use("memory_read", { document: "plan.md" });
  await sibling.write("plan.md", "theirs\n", ada, { base: (await sibling.read("plan.md"))?.shown ?? [] });
  const { text } = await use("memory_write", { document: "plan.md", text: "ours\n" });
  expect(text).toContain("It holds contradicting passages");
  const read = await use("memory_read", { document: "plan.md" });
  expect(read.text).toContain("theirs\n");
  expect(read.text).toContain("ours\n");
  expect(read.text).toContain(
    "(It holds contradicting passages between conflict marks: settle them with memory_edit.)",
  );
  expect((await use("memory_read")).text).toContain("(conflict)");
  const settled = await use("memory_write", { document: "plan.md", text: "settled\n" });
  expect(settled.text).not.toContain("contradicting");
  expect((await memory.read("plan.md"))?.text).toBe("settled\n");
});

test("a document that this conversation has not read is not replaced", async () => {
  const { memory } = open();
  await memory.write("plan.md", "one\n", ada);
  const use = toolsOf(memory);
  const write = { document: "plan.md", text: "two\n" };
  await expect(use("memory_write", write)).rejects.toMatchObject({
    code: "not_read",
    hint: expect.stringContaining("read it first"),
  });
  await toolsOf(memory, "other")("memory_read", { document: "plan.md" });
  await expect(use("memory_write", write)).rejects.toMatchObject({ code: "not_read" });
  await use("memory_read", { document: "plan.md" });
  await use("memory_append", { document: "plan.md", text: "added" });
  // Its own addition is part of what it has seen; after an edit it looks again.
  await use("memory_write", write);
  expect((await memory.read("plan.md"))?.text).toBe("two\n");
  await use("memory_edit", { document: "plan.md", before: "two", after: "three" });
  await expect(use("memory_write", write)).rejects.toMatchObject({ code: "not_read" });
});

test("a call that is made again after a crash writes once", async () => {
  const { memory } = open();
  const use = toolsOf(memory);
  await use("memory_write", { document: "plan.md", text: "one\n" }, "a");
  await use("memory_edit", { document: "plan.md", before: "one", after: "two" }, "b");
  const before = await memory.history("plan.md");
  await use("memory_write", { document: "plan.md", text: "one\n" }, "a");
  await use("memory_edit", { document: "plan.md", before: "one", after: "two" }, "b");
  expect(await memory.history("plan.md")).toEqual(before);
  expect((await memory.read("plan.md"))?.text).toBe("two\n");
});

test("what was deleted or renamed is told as such, and its history stays", async () => {
  const { memory } = open();
  await memory.write("old.md", "one\n", ada);
  await memory.write("gone.md", "one\n", ada);
  await memory.rename("old.md", "new.md", ada);
  await memory.remove("gone.md", ada);
  const use = toolsOf(memory);
  await expect(use("memory_read", { document: "old.md" })).rejects.toMatchObject({
    code: "document_renamed",
    message: "old.md was renamed to new.md",
  });
  await expect(use("memory_edit", { document: "gone.md", before: "one", after: "two" })).rejects.toMatchObject({
    code: "document_deleted",
    hint: expect.stringContaining("a maintainer can restore"),
  });
  await expect(use("memory_read", { document: "never.md" })).rejects.toMatchObject({ code: "document_missing" });
  expect((await use("memory_history", { document: "old.md" })).text).toContain("(renamed to new.md)");
  expect((await use("memory_history", { document: "new.md" })).text).toContain("(renamed from old.md)");
  expect((await use("memory_read")).text).toMatch(/^1 document:\nnew\.md /);
});

test("long documents and long lists come in parts that say how to go on", async () => {
  const { memory } = open();
  const use = toolsOf(memory);
  const lines = Array.from({ length: 300 }, (_, index) => `${index + 1} ${"word ".repeat(100)}`);
  await memory.write("long.md", lines.join("\n"), ada);
  await memory.write("wide.md", `short\n${"x".repeat(900_000)}\nend`, ada);
  let text = "";
  let from = 1;
  let parts = 0;
  for (let next: number | null = 1; next !== null; parts++) {
    from = next;
    const part = await use("memory_read", { document: "long.md", fromLine: from });
    expect(part.text.length).toBeLessThan(41_000);
    expect(JSON.stringify(part.data).length).toBeLessThan(45_000);
    const more = /\n\(line (\d+) of 300: use fromLine\)$/.exec(part.text);
    text += `${more ? part.text.slice(0, more.index) : part.text}\n`;
    next = more ? Number(more[1]) : null;
  }
  expect(parts).toBeGreaterThan(3);
  expect(text).toBe(`${lines.join("\n")}\n`);
  const wide = (await use("memory_read", { document: "wide.md" })).text;
  expect(wide.length).toBeLessThan(5_000);
  expect(wide).toMatch(/^short\nx+…\nend$/);
  await expect(use("memory_read", { document: "long.md", fromLine: 301 })).rejects.toMatchObject({
    code: "line_missing",
  });
  const entry = { bytes: 1, at: 0, trust: "self" } as const;
  const log = Array.from({ length: 210 }, (_, day) => ({ ...entry, document: `log/${day}.md` }));
  const listed = toolsOf({ ...memory, list: async () => [...log, { ...entry, document: "long.md" }] });
  expect((await listed("memory_read")).text).toMatch(/^211 documents:\nlog\/ {2}210 documents\nlong\.md {2}1 bytes/);
  expect((await listed("memory_read", { folder: "log" })).text).toContain("(10 more: use folder, or memory_search)");
  expect((await listed("memory_read", { folder: "nothing" })).text).toBe("There is nothing in nothing/");
});

test("refusals name what is wrong and what to do, and nothing of the document", async () => {
  const { memory } = open();
  await memory.write("plan.md", "the tide\nthe tide\n", ada);
  const use = toolsOf(memory);
  const key = `ghp_${"a1B2".repeat(9)}`;
  for (const [name, input, code] of [
    ["memory_edit", { document: "plan.md", before: "the tide", after: "x" }, "edit_refused"],
    ["memory_edit", { document: "plan.md", before: "the moon", after: "x" }, "edit_refused"],
    ["memory_append", { document: "../etc.md", text: "x" }, "document_name"],
    ["memory_append", { document: "plan.md", text: `token ${key}` }, "secret_refused"],
    ["memory_write", { document: "big.md", text: "x".repeat(1_100_000) }, "document_too_large"],
  ] as const) {
    const error = (await use(name, input).then(
      () => null,
      (reason: unknown) => reason,
    )) as { code: string; message: string; hint: string } | null;
    expect(error).toMatchObject({ code, hint: expect.stringMatching(/./) });
    expect(`${error?.message} ${error?.hint}`).not.toContain("the tide");
    expect(`${error?.message} ${error?.hint}`).not.toContain(key);
  }
});
