/** Compaction over long conversations in real files, and over whatever conversations chance makes. */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readConversation } from "../../../agent/conversations.ts";
import { makeCompaction } from "../../../agent/mind/compaction.ts";
import { findBoundary } from "../../../agent/mind/compaction-boundary.ts";
import { makeConversationPool } from "../../../agent/mind/conversation-pool.ts";
import { makeHistory } from "../../../agent/mind/history.ts";
import type { Model, ModelMessage } from "../../../agent/mind/models/model.ts";
import type { ConversationEntry } from "../../../agent/protocol.ts";
import { conversationScript } from "../../support/conversation-script.ts";
import { expectWholePairs } from "../../support/message-pairs.ts";
import { scriptedModel } from "../../support/scripted-model.ts";
import { scriptedSummarizer } from "../../support/scripted-summarizer.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const model: Model = { ...scriptedModel([]), contextTokens: 8_000, maxOutputTokens: 1_000 };

test("20 planted facts outlive 500 turns, several restarts and compactions; every byte stays readable", async () => {
  const directory = temporaryDirectory();
  const say = conversationScript();
  const planted = Array.from({ length: 20 }, (_, number) => `Planted fact number ${number} holds`);
  const summaries = scriptedSummarizer();
  const written: ConversationEntry[] = [];
  let pool = makeConversationPool();
  let sent = "";
  let compactions = 0;
  let last: ModelMessage[] = [];
  for (let turn = 0; turn < 500; turn++) {
    // The process dies now and then; what it had stored is read again.
    if (turn % 120 === 119) {
      await pool.close();
      pool = makeConversationPool();
    }
    const conversation = await pool.open({ directory, conversation: "talk", epoch: 1 + Math.floor(turn / 200) });
    const append = async (...entries: ConversationEntry[]) => {
      written.push(...entries);
      await Promise.all(entries.map((entry) => conversation.append(entry)));
    };
    const message = `m${turn}`;
    const fact = turn % 25 === 7 ? `FACT(fact): ${planted[(turn - 7) / 25]}.` : "Just talk.";
    await append(say.user(message, `${fact} ${"q".repeat(60)}`));
    const beforeTurn = makeCompaction({
      history: conversation.history,
      message,
      conversation: "talk",
      run: null,
      model,
      summaries,
      contextTokens: 100_000,
      system: "You are a test.",
      tools: () => [],
      append: (body) => append(say.entry(message, body)),
    });
    for (const part of ["calls", "answers"]) {
      const messages = conversation.history.messagesFor(message);
      const signal = new AbortController().signal;
      const replaced = await beforeTurn({ messages, isFull: false, inputTokens: null, signal });
      last = replaced ?? messages;
      const now = JSON.stringify(last).slice(0, -1);
      if (replaced) compactions += 1;
      else expect(now.startsWith(sent)).toBe(true);
      sent = now;
      expectWholePairs(last);
      if (part === "calls") {
        await append(say.assistant(message, "", [`c${turn}`]), say.result(message, `c${turn}`, "r".repeat(200)));
      } else await append(say.assistant(message, "a".repeat(80)), say.end(message, "a".repeat(80)));
    }
    await conversation.close();
  }
  await pool.close();
  expect(compactions).toBeGreaterThan(5);
  const seen = JSON.stringify(last);
  for (const fact of planted) expect(seen).toContain(fact);
  expect(seen.length).toBeLessThan(8_000 * 3.5);
  const stored = await readConversation({ directory, conversation: "talk" });
  expect(stored).toEqual(written);
  expect(stored.filter(({ body }) => body.role === "user")).toHaveLength(500);
}, 60_000);

test("a summary that a crash tore is made again, and what it stood for is there meanwhile", async () => {
  const directory = temporaryDirectory();
  const place = { directory, conversation: "talk", epoch: 1 };
  const say = conversationScript();
  const first = makeConversationPool();
  const before = await first.open(place);
  for (let turn = 0; turn < 200; turn++)
    await Promise.all(
      [say.user(`t${turn}`, "q".repeat(90)), say.end(`t${turn}`, "")].map((entry) => before.append(entry)),
    );
  await before.append(say.user("m1", "and now?"));
  await before.close();
  await first.close();
  const torn = JSON.stringify(say.summary("m1", "t150.1", "They talked."));
  for (const length of [1, torn.length / 2, torn.length - 1]) {
    appendFileSync(join(directory, "talk", "1.jsonl"), torn.slice(0, length));
    const pool = makeConversationPool();
    const conversation = await pool.open(place);
    expect(conversation.history.messagesFor("m1")).toHaveLength(201);
    await conversation.close();
    await pool.close();
  }
  const pool = makeConversationPool();
  const { history, append, close } = await pool.open(place);
  const beforeTurn = makeCompaction({
    history,
    message: "m1",
    conversation: "talk",
    run: null,
    model,
    summaries: scriptedSummarizer(),
    contextTokens: 8_000,
    system: "",
    tools: () => [],
    append: (body) => append({ formatVersion: 1, id: `m1.${history.countOf("m1")}`, at: 1, message: "m1", body }),
  });
  const messages = history.messagesFor("m1");
  const signal = new AbortController().signal;
  const replaced = await beforeTurn({ messages, isFull: false, inputTokens: null, signal });
  await close();
  await pool.close();
  expect(replaced?.length).toBeLessThan(100);
  const stored = await readConversation({ directory, conversation: "talk" });
  expect(makeHistory(stored).messagesFor("m1")).toEqual(replaced);
});

/** What happens in a conversation, by chance: several messages at once, calls with and without results, notices. */
const eventArbitrary = fc.record({
  message: fc.integer({ min: 0, max: 2 }),
  kind: fc.constantFrom("calls", "calls", "calls", "result", "result", "result", "started", "text", "notice", "end"),
  calls: fc.integer({ min: 1, max: 3 }),
  size: fc.integer({ min: 0, max: 300 }),
});
type Event = { message: number; kind: string; calls: number; size: number };

/** Entries as a mind could have stored them: a message begins with its question, and a new turn comes after all results. */
function entriesOf(events: Event[]): ConversationEntry[] {
  const say = conversationScript();
  const entries: ConversationEntry[] = [];
  const states = new Map<string, { open: string[]; ended: boolean }>();
  let count = 0;
  for (const { message: number, kind, calls, size } of events) {
    const message = `m${number}`;
    const state = states.get(message);
    const text = "x".repeat(size);
    if (kind === "notice") entries.push(say.notice(`n${count++}`, text));
    else if (!state) {
      states.set(message, { open: [], ended: false });
      entries.push(say.user(message, text));
    } else if (state.ended) continue;
    else if (kind === "result" && state.open.length > 0)
      entries.push(say.result(message, state.open.splice(size % state.open.length, 1)[0] ?? "", text));
    else if (kind === "started" && state.open[0]) entries.push(say.started(message, state.open[0]));
    else if (kind === "end") {
      state.ended = true;
      entries.push(say.end(message, text));
    } else if (state.open.length === 0 && kind === "calls") {
      state.open = Array.from({ length: calls }, () => `c${count++}`);
      entries.push(say.assistant(message, "", [...state.open]));
    } else if (state.open.length === 0 && kind === "text") entries.push(say.assistant(message, text));
  }
  return entries;
}

test("no boundary ever parts a call from its result, wherever a conversation was cut off", () => {
  fc.assert(
    fc.property(
      fc.array(eventArbitrary, { minLength: 5, maxLength: 80 }),
      fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 1, maxLength: 4 }),
      (events, keeps) => {
        const entries = entriesOf(events);
        const history = makeHistory();
        const say = conversationScript();
        let places = 0;
        for (const [index, entry] of entries.entries()) {
          history.add(entry);
          const { message } = entry;
          // The loop makes open calls before its next turn, so only messages without any are about to be sent.
          if (entry.body.role === "notice" || hasOpenCalls(history.messagesFor(message))) continue;
          expectWholePairs(history.messagesFor(message));
          if (index % 5 !== 4) continue;
          const { entries: view } = history.viewFor(message);
          const boundary = findBoundary({ entries: view, message, keepTokens: keeps[places++ % keeps.length] ?? 0 });
          if (boundary === null) continue;
          const summary = say.summary(message, boundary.through, "Short.");
          history.add({ ...summary, id: `${message}.s${index}` });
          const messages = history.messagesFor(message);
          expectWholePairs(messages);
          const question = entries.find((one) => one.message === message && one.body.role === "user");
          if (question?.body.role === "user") expect(messages.map(({ text }) => text)).toContain(question.body.text);
          expect(partedResults(boundary.covered, view)).toEqual([]);
          // What is covered is gone from view, and nothing else.
          const covered = new Set(boundary.covered.map(({ id }) => id));
          const left = view.filter(({ id }) => !covered.has(id)).map(({ id }) => id);
          expect(history.viewFor(message).entries.map(({ id }) => id)).toEqual(left);
        }
      },
    ),
    { numRuns: 300 },
  );
});

/** Results in view whose call is covered while they are not. */
function partedResults(covered: ConversationEntry[], view: ConversationEntry[]): string[] {
  const calls = new Set(
    covered.flatMap(({ body }) => (body.role === "assistant" ? body.calls : [])).map(({ call }) => call),
  );
  const left = view.filter((entry) => !covered.includes(entry));
  return left.flatMap(({ body }) => (body.role === "tool" && calls.has(body.call) ? [body.call] : []));
}

function hasOpenCalls(messages: ModelMessage[]): boolean {
  const last = messages.findLastIndex(({ role }) => role === "assistant");
  const turn = messages[last];
  return turn?.role === "assistant" && messages.length - last - 1 < turn.calls.length;
}
