import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createInbox, type Message } from "../../../agent/gateway/inbox.ts";
import { createLive } from "../../../agent/gateway/live.ts";
import { openSqliteStore } from "../../../agent/gateway/store/sqlite.ts";
import type { LiveEvent } from "../../../agent/protocol.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

test("who watches here hears of a notice that another instance wrote into a conversation", async () => {
  const store = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  onTestFinished(() => store.close());
  const live = createLive({
    store,
    approval: async () => null,
    operation: async () => null,
    fleet: async () => ({ at: 0, instances: [], self: { name: "CLAWDINATOR-1", instance: "i-1" } }),
    paused: async () => null,
  });
  const heard: LiveEvent[] = [];
  live.subscribe((event) => heard.push(event));
  await live.scan();

  const inbox = createInbox(store);
  const holder = { instance: "i-2", epoch: 1 };
  const message: Message = {
    formatVersion: 1,
    id: "notice-op-1",
    kind: "notice",
    to: "CLAWDINATOR-2",
    channel: "notice",
    conversation: "talk",
    author: { kind: "instance", id: "i-2", name: "CLAWDINATOR-2" },
    text: "launch CLAWDINATOR-3 — done",
    createdAt: 0,
  };
  await inbox.submit(message);
  await inbox.claim(message, holder);
  await live.scan();
  expect(heard).toEqual([]);

  const usage = { turns: 0, inputTokens: 0, outputTokens: 0, usd: 0 };
  const done = { type: "done" as const, reason: "answered" as const, text: message.text, usage };
  await inbox.answer(message, holder, { proposals: [], error: null, done });
  await live.scan();
  await live.scan();
  expect(heard).toEqual([{ type: "conversation", conversation: "talk", message: "notice-op-1", event: done }]);
});
