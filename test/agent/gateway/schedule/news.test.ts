import { expect, test } from "vitest";
import type { ConversationEntry } from "../../../../agent/protocol.ts";
import { newsOf } from "../../../../agent/schedule-news.ts";

function run(message: string, text: string | null): ConversationEntry[] {
  const author = { kind: "schedule" as const, id: "heartbeat", name: "heartbeat" };
  const bodies: ConversationEntry["body"][] = [
    { role: "user", author, channel: "schedule", text: "Heartbeat" },
    ...(text === null ? [] : [{ role: "end" as const, reason: "answered", text }]),
  ];
  return bodies.map((body, index) => ({ formatVersion: 1, id: `${message}.${index}`, at: index, message, body }));
}

test("a run of a job counts as news once it ended with something to say", () => {
  const entries = [...run("one", "ALL_QUIET"), ...run("two", "look at this"), ...run("three", null)];
  const told = newsOf("schedule-heartbeat", entries).map(({ message }) => message);
  expect(told).toEqual(["two", "two"]);
});

test("in a person's conversation everything counts, whatever it says", () => {
  const entries = run("one", "ALL_QUIET");
  expect(newsOf("console-1", entries)).toBe(entries);
});
