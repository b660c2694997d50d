import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listFiles } from "../../../agent/conversations/files.ts";
import { openConversation, readConversation } from "../../../agent/conversations.ts";
import type { ConversationEntry } from "../../../agent/protocol.ts";
import { ConfigError } from "../../../tools/errors.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

let count = 0;
function entry(message: string, body: ConversationEntry["body"]): ConversationEntry {
  count += 1;
  return { formatVersion: 1, id: `e${count}`, at: count, message, body };
}

const notice = (text: string) => entry("n", { role: "notice", text });

async function write(directory: string, epoch: number, entries: ConversationEntry[]): Promise<string> {
  const conversation = await openConversation({ directory, conversation: "talk", epoch });
  await Promise.all(entries.map((each) => conversation.append(each)));
  await conversation.close();
  return join(directory, "talk", `${epoch}.jsonl`);
}

test("keeps entries in order over epochs", async () => {
  const directory = temporaryDirectory();
  const entries = [notice("1"), notice("2"), notice("3")];
  await write(directory, 10, entries.slice(1));
  await write(directory, 9, entries.slice(0, 1));
  expect(await readConversation({ directory, conversation: "talk" })).toEqual(entries);
  expect(await readConversation({ directory, conversation: "other" })).toEqual([]);
  expect((await listFiles(directory)).map(({ conversation }) => conversation)).toEqual(["talk"]);
  expect(await listFiles(join(directory, "missing"))).toEqual([]);
});

test("reading an unknown conversation creates nothing", async () => {
  const directory = temporaryDirectory();
  await readConversation({ directory, conversation: "talk" });
  expect(readdirSync(directory)).toEqual([]);
});

test("a torn last line is moved aside and nothing complete is lost", async () => {
  const directory = temporaryDirectory();
  const first = notice("1");
  const path = await write(directory, 1, [first]);
  appendFileSync(path, '{"formatVersion":1,"id":"e9","te');
  expect(await readConversation({ directory, conversation: "talk" })).toEqual([first]);
  const second = notice("2");
  await write(directory, 1, [second]);
  expect(await readConversation({ directory, conversation: "talk" })).toEqual([first, second]);
  expect(readFileSync(`${path}.torn`, "utf8")).toBe('{"formatVersion":1,"id":"e9","te\n');
});

test("a last line that only lacks its line break counts", async () => {
  const directory = temporaryDirectory();
  const [first, second] = [notice("1"), notice("2")];
  const path = await write(directory, 1, [first]);
  writeFileSync(path, readFileSync(path, "utf8").trimEnd());
  expect(await readConversation({ directory, conversation: "talk" })).toEqual([first]);
  await write(directory, 1, [second]);
  expect(await readConversation({ directory, conversation: "talk" })).toEqual([first, second]);
});

test("a corrupt line in the middle is told with file and line, and every byte stays", async () => {
  const directory = temporaryDirectory();
  const path = await write(directory, 1, [notice("1"), notice("2"), notice("3")]);
  const lines = readFileSync(path, "utf8").split("\n");
  const broken = [lines[0], "{corrupt", lines[2], '{"torn'].join("\n");
  writeFileSync(path, broken);
  const open = openConversation({ directory, conversation: "talk", epoch: 1 });
  await expect(open).rejects.toThrow(ConfigError);
  await expect(open).rejects.toThrow(/talk\/1\.jsonl is corrupt in line 2/);
  await expect(openConversation({ directory, conversation: "talk", epoch: 2 })).rejects.toThrow(/line 2/);
  expect(readFileSync(path, "utf8")).toBe(broken);
  expect(readdirSync(join(directory, "talk"))).toEqual(["1.jsonl"]);
});

test("an entry of an unknown format is refused, not guessed", async () => {
  const directory = temporaryDirectory();
  const path = await write(directory, 1, [notice("1")]);
  appendFileSync(path, `${JSON.stringify({ ...notice("2"), formatVersion: 2 })}\n`);
  await expect(readConversation({ directory, conversation: "talk" })).rejects.toThrow(/corrupt in line 2/);
});

test("a name that is no conversation id is refused", async () => {
  await expect(readConversation({ directory: temporaryDirectory(), conversation: "../x" })).rejects.toThrow();
});
