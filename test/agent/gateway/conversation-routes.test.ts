import { utimesSync } from "node:fs";
import { join } from "node:path";
import { Hono } from "hono";
import { expect, test } from "vitest";
import { openConversation } from "../../../agent/conversations.ts";
import type { Api } from "../../../agent/gateway/http/context.ts";
import { conversationRoutes } from "../../../agent/gateway/http/conversation-routes.ts";
import type { ConversationEntry } from "../../../agent/protocol.ts";
import { silentAnswer } from "../../../tools/sitrep.ts";
import { conversationScript } from "../../support/conversation-script.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function makeRoutes(said: Record<string, ConversationEntry[]>) {
  const directory = temporaryDirectory();
  let at = 2_000_000_000;
  for (const [conversation, entries] of Object.entries(said)) {
    const writer = await openConversation({ directory, conversation, epoch: 1 });
    for (const entry of entries) await writer.append(entry);
    await writer.close();
    utimesSync(join(directory, conversation, "1.jsonl"), at, at--);
  }
  const app = new Hono();
  conversationRoutes({ paths: { conversations: directory } } as Api, (method, path, _meaning, handler) => {
    app.on(method, path, handler as never);
  });
  return async (path: string) =>
    (await app.request(path)).json() as Promise<{
      conversations: { id: string; updatedAt: number; matches: unknown[] }[];
      next: string | null;
    }>;
}

test("conversations are listed, searched and paged", async () => {
  const say = conversationScript();
  const get = await makeRoutes({
    one: [say.user("m1", "About drains")],
    two: [say.user("m2", "About images"), say.assistant("m2", "No drains here.")],
    three: [say.user("m3", "Hello")],
  });
  const first = await get("/api/conversations?limit=2");
  expect(first.conversations.map(({ id }) => id)).toEqual(["one", "two"]);
  const second = await get(`/api/conversations?after=${first.next}`);
  expect(second).toMatchObject({ conversations: [{ id: "three", title: "Hello", matches: [] }], next: null });
  const found = await get("/api/conversations?q=%20DRAINS");
  expect(found.conversations.map(({ id, matches }) => [id, matches.length])).toEqual([
    ["one", 1],
    ["two", 1],
  ]);
});

test("a job's conversation stands where it last had something to say", async () => {
  const say = conversationScript();
  const told = [say.user("s1", "Look"), say.end("s1", "A disk is full.")];
  const get = await makeRoutes({
    "schedule-heartbeat": [...told, say.user("s2", "Look"), say.end("s2", silentAnswer)],
    "schedule-quiet": [say.user("q1", "Look"), say.end("q1", silentAnswer)],
    talk: [say.user("m1", "Hello")],
  });
  for (let time = 0; time < 2; time++) {
    const { conversations } = await get("/api/conversations");
    expect(conversations.map(({ id }) => id)).toEqual(["talk", "schedule-heartbeat"]);
    expect(conversations[1]?.updatedAt).toBe(told[1]?.at);
  }
});
