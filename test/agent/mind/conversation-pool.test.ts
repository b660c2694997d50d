import { appendFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openConversation, readConversation } from "../../../agent/conversations.ts";
import { makeConversationPool } from "../../../agent/mind/conversation-pool.ts";
import { conversationScript } from "../../support/conversation-script.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

/** Counts how often files are read, and how many are open. */
function counting() {
  const counts = { opened: 0, closed: 0 };
  const open: typeof openConversation = async (place) => {
    const writer = await openConversation(place);
    counts.opened += 1;
    return {
      ...writer,
      async close() {
        counts.closed += 1;
        await writer.close();
      },
    };
  };
  return { open, counts };
}

test("a conversation stays open between runs and is read once", async () => {
  const directory = temporaryDirectory();
  const say = conversationScript();
  const { open, counts } = counting();
  const pool = makeConversationPool({ open });
  for (let run = 0; run < 5; run++) {
    const conversation = await pool.open({ directory, conversation: "talk", epoch: 1 });
    expect(conversation.history.countOf("m")).toBe(run);
    await conversation.append(say.user("m", `${run}`));
    await conversation.close();
    await conversation.close();
  }
  expect(counts).toEqual({ opened: 1, closed: 0 });
  await pool.close();
  expect(counts).toEqual({ opened: 1, closed: 1 });
  expect(await readConversation({ directory, conversation: "talk" })).toHaveLength(5);
});

test("parts of the process that write at once share one writer", async () => {
  const directory = temporaryDirectory();
  const say = conversationScript();
  const { open, counts } = counting();
  const pool = makeConversationPool({ open });
  const place = { directory, conversation: "talk", epoch: 1 };
  const [one, two] = await Promise.all([pool.open(place), pool.open(place)]);
  await Promise.all([
    one.append(say.user("m1", "one")),
    two.append(say.notice("n1", "two")),
    one.append(say.end("m1", "")),
  ]);
  expect(two.history.countOf("m1")).toBe(2);
  await one.close();
  await two.append(say.notice("n2", "three"));
  await two.close();
  await pool.close();
  expect(counts).toEqual({ opened: 1, closed: 1 });
  const stored = await readConversation({ directory, conversation: "talk" });
  expect(stored.map(({ id }) => id)).toEqual(["m1.0", "n1.0", "m1.1", "n2.0"]);
});

test("what another epoch or another process wrote meanwhile is read", async () => {
  const directory = temporaryDirectory();
  const say = conversationScript();
  const { open, counts } = counting();
  const pool = makeConversationPool({ open });
  const take = async (epoch: number) => {
    const conversation = await pool.open({ directory, conversation: "talk", epoch });
    const count = conversation.history.viewFor("x").entries.length;
    await conversation.close();
    return count;
  };
  const writer = await openConversation({ directory, conversation: "talk", epoch: 1 });
  await writer.append(say.user("m1", "one"));
  expect(await take(2)).toBe(1);
  await writer.append(say.user("m2", "two"));
  await writer.close();
  expect(await take(2)).toBe(2);
  expect(await take(2)).toBe(2);
  expect(counts.opened).toBe(2);
  // The file of this epoch, mended by hand.
  appendFileSync(join(directory, "talk", "2.jsonl"), `${JSON.stringify(say.user("m3", "three"))}\n`);
  expect(await take(2)).toBe(3);
  const path = join(directory, "talk", "1.jsonl");
  const changed = [say.user("m1", "ONE"), say.user("m2", "TWO")].map((entry) => `${JSON.stringify(entry)}\n`).join("");
  writeFileSync(path, changed);
  expect(await take(2)).toBe(3);
  expect(counts.opened).toBe(4);
  await pool.close();
  expect(counts.closed).toBe(4);
});

test("only so many stay open, the last used ones", async () => {
  const directory = temporaryDirectory();
  const say = conversationScript();
  const { open, counts } = counting();
  const pool = makeConversationPool({ open, mostIdle: 2, mostIdleBytes: 10_000 });
  const visit = async (conversation: string, text = "short") => {
    const opened = await pool.open({ directory, conversation, epoch: 1 });
    await opened.append(say.user(`m-${conversation}`, text));
    await opened.close();
  };
  for (const conversation of ["a", "b", "a", "c", "a"]) await visit(conversation);
  expect(counts).toEqual({ opened: 3, closed: 1 });
  await visit("c", "x".repeat(20_000));
  expect(counts).toEqual({ opened: 3, closed: 3 });
  await pool.close();
  const late = await pool.open({ directory, conversation: "a", epoch: 1 });
  await late.close();
  expect(counts.opened).toBe(counts.closed);
});

test("a conversation that nobody uses for long is closed", async () => {
  const directory = temporaryDirectory();
  const { open, counts } = counting();
  const pool = makeConversationPool({ open, idleMs: 1 });
  await (await pool.open({ directory, conversation: "talk", epoch: 1 })).close();
  await expect.poll(() => counts.closed).toBe(1);
});

test("a conversation that could not be read is tried again", async () => {
  const directory = temporaryDirectory();
  const say = conversationScript();
  const pool = makeConversationPool();
  const place = { directory, conversation: "talk", epoch: 1 };
  await (await pool.open(place)).close();
  const path = join(directory, "talk", "1.jsonl");
  writeFileSync(path, "{corrupt\n");
  await expect(pool.open(place)).rejects.toThrow(/line 1/);
  writeFileSync(path, `${JSON.stringify(say.user("m1", "one"))}\n`);
  const again = await pool.open(place);
  expect(again.history.countOf("m1")).toBe(1);
  await again.close();
  await pool.close();
});

test("entries that wait for the disk are written together, in order, and none is half there after a failed write", async () => {
  const directory = temporaryDirectory();
  const say = conversationScript();
  const writer = await openConversation({ directory, conversation: "talk", epoch: 1 });
  const entries = Array.from({ length: 200 }, (_, number) => say.notice(`n${number}`, `notice ${number}`));
  await Promise.all(entries.map((entry) => writer.append(entry)));
  expect(writer.entries).toEqual(entries);
  expect(writer.bytes()).toBe(statSync(join(directory, "talk", "1.jsonl")).size);
  await writer.close();
  // A closed file refuses every write.
  await expect(writer.append(say.notice("late", "late"))).rejects.toThrow();
  await expect(writer.append(say.notice("later", "later"))).rejects.toThrow(/earlier write failed/);
  expect(await writer.isCurrent()).toBe(false);
  expect(await readConversation({ directory, conversation: "talk" })).toEqual(entries);
  expect(readdirSync(join(directory, "talk"))).toEqual(["1.jsonl"]);
});
