import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findConversations } from "../../../agent/conversations/find.ts";
import { transcriptLines } from "../../../agent/conversations/transcript.ts";
import type { ConversationEntry } from "../../../agent/protocol.ts";
import { conversationScript } from "../../support/conversation-script.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

function store(
  directory: string,
  conversation: string,
  entries: ConversationEntry[],
  more: { at: number; epoch?: number },
): void {
  const folder = join(directory, conversation);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${more.epoch ?? 1}.jsonl`);
  writeFileSync(path, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  utimesSync(path, more.at, more.at);
}

test("lists conversations newest first, each with the first line of its first question, page by page", async () => {
  const directory = temporaryDirectory();
  const say = conversationScript();
  for (let number = 0; number < 7; number++) {
    const entries = [say.notice(`n${number}`, "boot"), say.user(`m${number}`, `Question ${number}\nand more`)];
    // Two of the same second.
    store(directory, `talk-${number}`, entries, { at: 1_000 + Math.floor(number / 2) });
  }
  store(directory, "only-notices", [say.notice("n", "hello")], { at: 10 });
  mkdirSync(join(directory, "empty"));
  const ids: string[] = [];
  let after: string | undefined;
  do {
    const page = await findConversations({ directory, limit: 3, ...(after ? { after } : {}) });
    expect(page.conversations.length).toBeLessThanOrEqual(3);
    ids.push(...page.conversations.map(({ id }) => id));
    for (const { id, title, matches } of page.conversations) {
      expect(title).toBe(id === "only-notices" ? id : `Question ${id.at(-1)}`);
      expect(matches).toEqual([]);
    }
    after = page.next ?? undefined;
  } while (after !== undefined);
  expect(ids).toEqual(["talk-6", "talk-4", "talk-5", "talk-2", "talk-3", "talk-0", "talk-1", "only-notices"]);
  expect(await findConversations({ directory: join(directory, "missing"), limit: 3 })).toEqual({
    conversations: [],
    next: null,
  });
});

test("finds a text in any case, in questions, answers, results and notices, and shows where", async () => {
  const directory = temporaryDirectory();
  const say = conversationScript();
  const long = `${"before ".repeat(40)}the "Drain\nTimeout" is 20 s${" after".repeat(60)}`;
  store(directory, "asked", [say.user("m1", 'What is the "drain\ntimeout"?')], { at: 5 });
  store(directory, "told", [say.user("m2", "Hm"), say.assistant("m2", long)], { at: 4 });
  store(
    directory,
    "read",
    [say.user("m3", "Hm"), say.assistant("m3", "", ["c"]), say.result("m3", "c", 'DRAIN "drain\ntimeout"')],
    { at: 3 },
  );
  store(directory, "noticed", [say.user("m4", "Hm")], { at: 1 });
  store(directory, "noticed", [say.notice("n", 'ÄRGER: "drain\ntimeout"')], { at: 2, epoch: 2 });
  store(directory, "not", [say.user("m5", "drain"), say.end("m5", '"drain\ntimeout"')], { at: 1 });
  const { conversations } = await findConversations({ directory, text: '"DRAIN\nTIMEOUT"', limit: 10 });
  expect(conversations.map(({ id, title }) => [id, title])).toEqual([
    ["asked", 'What is the "drain'],
    ["told", "Hm"],
    ["read", "Hm"],
    ["noticed", "Hm"],
  ]);
  expect(conversations[0]?.matches).toEqual([
    { entry: "m1.0", at: expect.any(Number), by: "Ann", snippet: 'What is the "drain timeout"?' },
  ]);
  expect(conversations[1]?.matches[0]?.snippet).toMatch(/^….*the "Drain Timeout" is 20 s.*…$/);
  expect(conversations[2]?.matches[0]?.by).toBe("look");
  expect((await findConversations({ directory, text: "ärger", limit: 10 })).conversations).toMatchObject([
    { id: "noticed" },
  ]);
});

test("bounds what a search gives, goes on where it ended, and stops when nobody waits", async () => {
  const directory = temporaryDirectory();
  const say = conversationScript();
  for (let number = 0; number < 5; number++) {
    const entries = Array.from({ length: 10 }, (_, index) => say.user(`m${number}-${index}`, "needle"));
    store(directory, `talk-${number}`, entries, { at: 100 - number });
  }
  const first = await findConversations({ directory, text: "needle", limit: 2 });
  expect(first.conversations.map(({ matches }) => matches.length)).toEqual([3, 3]);
  const second = await findConversations({ directory, text: "needle", limit: 10, after: first.next ?? "" });
  expect(second.conversations.map(({ id }) => id)).toEqual(["talk-2", "talk-3", "talk-4"]);
  expect(second.next).toBeNull();
  await expect(
    findConversations({ directory, text: "needle", limit: 9, signal: AbortSignal.abort() }),
  ).rejects.toThrow();
});

test("searches long lines and broken ones, wherever the pieces that are read end", async () => {
  const directory = temporaryDirectory();
  const say = conversationScript();
  const folder = join(directory, "talk");
  mkdirSync(folder);
  const lines = [
    JSON.stringify(say.user("m1", `ü${"ä".repeat(400_000)} eins`)),
    "{broken needle",
    JSON.stringify(say.user("m2", `zwei ${"ö".repeat(131_070)} needle`)),
    JSON.stringify(say.user("m3", "last needle")),
  ];
  writeFileSync(join(folder, "1.jsonl"), lines.join("\n"));
  const { conversations } = await findConversations({ directory, text: "needle", limit: 1 });
  expect(conversations[0]?.matches.map(({ entry }) => entry)).toEqual(["m2.0", "m3.0"]);
  expect((await findConversations({ directory, text: "ä eins", limit: 1 })).conversations).toHaveLength(1);
});

test("shows every entry as text, and where a summary stands", () => {
  const say = conversationScript();
  const entries = [
    say.user("m1", "one"),
    say.assistant("m1", "Look:", ["c1"]),
    say.result("m1", "c1", Array.from({ length: 20 }, (_, line) => `line ${line}`).join("\n"), {
      trust: "public",
      source: "https://example.org",
    }),
    say.end("m1", "Look:", "interrupted"),
    say.user("m2", "two"),
  ];
  const facts = [{ id: "f1", kind: "promise" as const, text: "Look on Friday" }];
  entries.push(say.summary("m2", "m1.3", "They looked.", { facts }));
  const text = transcriptLines(entries).join("\n");
  expect(text).toMatch(/Ann \(console\):\n {2}one/);
  expect(text).toContain('→ look {"at":"c1"}');
  expect(text).toContain("← look, from the public: https://example.org:");
  expect(text).toContain("… 8 more lines; --json has them");
  expect(text.indexOf("up to here its model sees the summary m2.1")).toBeLessThan(text.indexOf("two"));
  expect(text).toContain("- promise: Look on Friday");
});
