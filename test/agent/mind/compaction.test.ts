import { expect, test } from "vitest";
import { makeCompaction } from "../../../agent/mind/compaction.ts";
import { manyFacts, mostFacts } from "../../../agent/mind/compaction-facts.ts";
import { type Body, type History, makeHistory } from "../../../agent/mind/history.ts";
import type { Model, ModelEvent, ModelFailure, ModelMessage } from "../../../agent/mind/models/model.ts";
import type { ConversationEntry } from "../../../agent/protocol.ts";
import { conversationScript } from "../../support/conversation-script.ts";
import { expectWholePairs } from "../../support/message-pairs.ts";
import { scriptedModel } from "../../support/scripted-model.ts";
import { saves, scriptedSummarizer, stubbornSummarizer } from "../../support/scripted-summarizer.ts";

const reads = (contextTokens: number | null): Model => ({ ...scriptedModel([]), contextTokens, maxOutputTokens: 500 });

interface Bench {
  history: History;
  entries: ConversationEntry[];
  fallbacks: ModelFailure[];
  say: ReturnType<typeof conversationScript>;
  add(...entries: ConversationEntry[]): void;
  turn(more?: {
    isFull?: boolean;
    inputTokens?: number;
    message?: string;
    signal?: AbortSignal;
  }): Promise<ModelMessage[] | null>;
  summaries(): Body<"summary">[];
}

function bench(options: { model?: Model; summaries?: Model; contextTokens?: number; message?: string } = {}): Bench {
  const say = conversationScript();
  const entries: ConversationEntry[] = [];
  const history = makeHistory();
  const fallbacks: ModelFailure[] = [];
  const compactions = new Map<string, ReturnType<typeof makeCompaction>>();
  const add = (...more: ConversationEntry[]) => {
    for (const entry of more) {
      entries.push(entry);
      history.add(entry);
    }
  };
  return {
    history,
    entries,
    fallbacks,
    say,
    add,
    turn({ isFull = false, inputTokens, message = options.message ?? "m1", signal } = {}) {
      const beforeTurn =
        compactions.get(message) ??
        makeCompaction({
          history,
          message,
          conversation: "talk",
          run: "r1",
          model: options.model ?? reads(2_000),
          summaries: options.summaries ?? scriptedSummarizer(),
          contextTokens: options.contextTokens ?? 100_000,
          system: "You are a test.",
          tools: () => [],
          append: async (body) => add(say.entry(message, body)),
          onFallback: (failure) => fallbacks.push(failure),
          now: () => Date.UTC(2026, 0, 2),
        });
      compactions.set(message, beforeTurn);
      const messages = history.messagesFor(message);
      return beforeTurn({
        messages,
        isFull,
        inputTokens: inputTokens ?? null,
        signal: signal ?? new AbortController().signal,
      });
    },
    summaries: () => entries.flatMap(({ body }) => (body.role === "summary" ? [body] : [])),
  };
}

/** Answered messages `first`…`last` of about 100 tokens each, then a question. */
function talk({ say, add }: Bench, count: number, plant: (number: number) => string = () => ""): string {
  for (let number = 1; number <= count; number++) {
    const message = `t${number}`;
    add(say.user(message, `question ${number} ${plant(number)}`), say.assistant(message, "", [`c${number}`]));
    add(say.result(message, `c${number}`, `result ${number} ${"x".repeat(150)}`));
    add(say.assistant(message, `answer ${number} ${"y".repeat(100)}`), say.end(message, `answer ${number}`));
  }
  add(say.user("m1", "and now?"));
  return "m1";
}

const proposal = (digit: string) => ({
  proposal: {
    approval: `ap-${digit.repeat(12)}`,
    operation: "instance_launch",
    digest: digit.repeat(64),
    summary: `launch CLAWDINATOR-${digit}`,
    state: "pending",
    expiresAt: Date.UTC(2026, 0, 3),
    quorum: 1,
    warnings: [],
  },
});

test("leaves a conversation alone that is short enough", async () => {
  const one = bench();
  talk(one, 3);
  expect(await one.turn()).toBeNull();
  expect(one.summaries()).toEqual([]);
});

test("shortens the oldest part and keeps the newest word for word", async () => {
  const one = bench();
  talk(one, 40, (number) => (number === 2 ? "FACT(promise): I promised to look on Friday." : ""));
  const messages = await one.turn();
  expect(messages).toEqual(one.history.messagesFor("m1"));
  const [summary] = one.summaries();
  expect(summary).toMatchObject({ model: "scripted summarizer", text: expect.stringContaining("They talked") });
  expect(summary?.facts).toEqual([{ id: "f1", kind: "promise", text: "I promised to look on Friday" }]);
  const text = JSON.stringify(messages);
  expect(messages?.at(-1)).toMatchObject({ role: "user", text: "and now?" });
  expect(text).toContain("answer 40");
  expect(text).not.toContain("question 5 ");
  expect(text).toContain("I promised to look on Friday");
  expectWholePairs(messages ?? []);
  expect(await one.turn()).toBeNull();
});

test("the model's own count corrects our estimate", async () => {
  const one = bench({ model: reads(8_000) });
  talk(one, 20);
  expect(await one.turn()).toBeNull();
  one.add(one.say.assistant("m1", "", ["c"]), one.say.result("m1", "c", "r"));
  expect(await one.turn({ inputTokens: 7_900 })).not.toBeNull();
});

test("a long answer's own turns are shortened, too, but never its question", async () => {
  const one = bench();
  one.add(one.say.user("m1", "Do a lot."));
  for (let number = 1; number <= 60; number++) {
    one.add(one.say.assistant("m1", "", [`c${number}`]), one.say.result("m1", `c${number}`, "z".repeat(200)));
  }
  const messages = (await one.turn()) ?? [];
  expect(messages[0]?.text).toContain("summary by the program");
  expect(messages[1]).toMatchObject({ role: "user", text: "Do a lot." });
  expect(messages.at(-1)).toMatchObject({ call: "c60" });
  expect(messages.length).toBeLessThan(40);
  expectWholePairs(messages);
});

test("open operations stay whatever the summarizer says, until a notice tells their end", async () => {
  const settlesAll = stubbornSummarizer([
    saves({ summary: "Nothing matters.", newFacts: [], settled: [`ap-${"1".repeat(12)}/op-${"1".repeat(12)}`, "f1"] }),
  ]);
  const one = bench({ summaries: settlesAll });
  one.add(one.say.user("p", "launch two"), one.say.assistant("p", "", ["a", "b"]));
  one.add(
    one.say.result("p", "a", "Proposed", { data: proposal("1") }),
    one.say.result("p", "b", "Proposed", { data: proposal("2") }),
  );
  one.add(one.say.end("p", "Proposed."));
  talk(one, 40);
  await one.turn();
  await one.turn({ isFull: true });
  expect(one.summaries().length).toBeGreaterThan(1);
  const open = () =>
    one
      .summaries()
      .at(-1)
      ?.facts.map(({ kind, text }) => `${kind} ${text}`) ?? [];
  expect(open()).toEqual([
    expect.stringMatching(/^operation .*launch CLAWDINATOR-1.*ap-111111111111/),
    expect.stringMatching(/^operation .*launch CLAWDINATOR-2.*ap-222222222222/),
  ]);
  one.add(one.say.notice(`notice-op-${"1".repeat(12)}`, "launch CLAWDINATOR-1 — done"), one.say.user("m2", "more"));
  for (let number = 0; number < 60; number++)
    one.add(one.say.assistant("m2", "", [`d${number}`]), one.say.result("m2", `d${number}`, "w".repeat(200)));
  await one.turn({ message: "m2" });
  expect(open()).toEqual([expect.stringContaining("launch CLAWDINATOR-2")]);
});

test("asks once more for what is not in the form, and then does without", async () => {
  const mends = stubbornSummarizer([
    [
      { type: "text", text: "Sure! Here it is." },
      { type: "stop", reason: "end" },
    ],
    [
      { type: "text", text: '```json\n{"summary":"Mended."}\n```' },
      { type: "stop", reason: "end" },
    ],
  ]);
  const one = bench({ summaries: mends });
  talk(one, 40);
  await one.turn();
  expect(one.summaries()[0]?.text).toBe("Mended.");
  const garbage = stubbornSummarizer([
    [
      { type: "text", text: "no" },
      { type: "stop", reason: "end" },
    ],
  ]);
  const two = bench({ summaries: garbage });
  talk(two, 40);
  const messages = (await two.turn()) ?? [];
  expect(garbage.requests).toHaveLength(2);
  expect(two.fallbacks[0]?.code).toBe("summary_unreadable");
  const [summary] = two.summaries();
  expect(summary?.model).toBe("program");
  expect(summary?.text).toContain("question 33");
  expect(summary?.text.length).toBeLessThan(1_000);
  expect(summary?.text).not.toContain("xxx");
  expect(JSON.stringify(messages).length).toBeLessThan(2_000 * 0.75 * 3.5 + 1_000);
  expectWholePairs(messages);
});

test.each<[string, ModelEvent[]]>([
  ["a refused budget", [{ type: "stop", reason: "error", error: { code: "budget_day", message: "spent", hint: "" } }]],
  [
    "an overloaded summarizer",
    [{ type: "stop", reason: "error", error: { code: "model_overloaded", message: "busy", hint: "" } }],
  ],
])("%s is asked for once, and the conversation goes on with all facts", async (_, events) => {
  const refuses = stubbornSummarizer([
    saves({ summary: "Good.", newFacts: [{ kind: "decision", text: "We ship on Monday" }], settled: [] }),
    events,
  ]);
  const one = bench({ summaries: refuses });
  talk(one, 40);
  await one.turn();
  for (let number = 0; number < 60; number++)
    one.add(one.say.assistant("m1", "", [`d${number}`]), one.say.result("m1", `d${number}`, "w".repeat(200)));
  expect(await one.turn()).not.toBeNull();
  expect(refuses.requests).toHaveLength(2);
  expect(one.summaries().at(-1)).toMatchObject({
    model: "program",
    facts: [{ kind: "decision", text: "We ship on Monday" }],
    text: expect.stringContaining("Good."),
  });
});

test("a record larger than the summarizer's context comes in pieces, and no fact between them is lost", async () => {
  const small = scriptedSummarizer({ contextTokens: 1_000 });
  const one = bench({ model: reads(10_000), summaries: small });
  talk(one, 150, (number) => (number % 10 === 0 ? `FACT(fact): number ${number} counts.` : ""));
  await one.turn();
  expect(small.requests.length).toBeGreaterThan(5);
  for (const request of small.requests) expect(request.messages[0]?.text.length).toBeLessThan(1_000 * 3.5 * 1.5);
  const facts = one.summaries()[0]?.facts.map(({ text }) => text) ?? [];
  const kept = JSON.stringify(one.history.messagesFor("m1"));
  for (let number = 10; number <= 150; number += 10)
    expect(facts.includes(`number ${number} counts`) || kept.includes(`number ${number} counts`)).toBe(true);
});

test("a summarizer that says the piece is too long gets shorter ones", async () => {
  const known = scriptedSummarizer();
  const picky: Model = {
    ...known,
    async *stream(request) {
      if ((request.messages[0]?.text.length ?? 0) > 4_000)
        yield { type: "stop", reason: "error", error: { code: "model_context_full", message: "too long", hint: "" } };
      else yield* known.stream(request);
    },
  };
  const one = bench({ model: reads(10_000), summaries: picky });
  talk(one, 150, (number) => (number === 3 ? "FACT(fact): three counts." : ""));
  await one.turn();
  expect(one.fallbacks).toEqual([]);
  expect(one.summaries()[0]?.facts).toMatchObject([{ text: "three counts" }]);
});

test("an endpoint that says the conversation is too long gets ever less, until nothing is left to shorten", async () => {
  const one = bench({ model: reads(null), contextTokens: 100_000 });
  talk(one, 40);
  expect(await one.turn()).toBeNull();
  const lengths: number[] = [];
  for (;;) {
    const messages = await one.turn({ isFull: true });
    if (messages === null) break;
    expectWholePairs(messages);
    lengths.push(JSON.stringify(messages).length);
  }
  expect(lengths.length).toBeGreaterThan(0);
  expect(lengths.length).toBeLessThanOrEqual(3);
  expect([...lengths].sort((a, b) => b - a)).toEqual(lengths);
  expect(one.history.messagesFor("m1").at(-1)).toMatchObject({ text: "and now?" });
});

test("a compaction that is interrupted stores nothing, and the next run makes it", async () => {
  const controller = new AbortController();
  const hangs: Model = {
    ...scriptedSummarizer(),
    async *stream({ signal }) {
      controller.abort();
      signal.throwIfAborted();
      yield { type: "stop", reason: "interrupted" };
    },
  };
  const one = bench({ summaries: hangs });
  talk(one, 40);
  const count = one.entries.length;
  expect(await one.turn({ signal: controller.signal })).toBeNull();
  expect(one.entries).toHaveLength(count);
  const two = bench();
  two.add(...one.entries);
  expect(await two.turn()).not.toBeNull();
  expect(two.summaries()).toHaveLength(1);
});

test("text from the public stays marked through summaries, and its sources are named", async () => {
  const one = bench();
  one.add(one.say.user("p", "read it"), one.say.assistant("p", "", ["a"]));
  one.add(
    one.say.result("p", "a", "issue text", { trust: "public", source: "https://example.org/1" }),
    one.say.end("p", "Read."),
  );
  talk(one, 40);
  await one.turn();
  for (let number = 0; number < 60; number++)
    one.add(one.say.assistant("m1", "", [`d${number}`]), one.say.result("m1", `d${number}`, "w".repeat(200)));
  await one.turn();
  expect(one.summaries()).toHaveLength(2);
  expect(one.summaries()[1]).toMatchObject({ trust: "public", sources: ["https://example.org/1"] });
  expect(one.history.trust("m1")).toEqual({ trust: "public", publicSources: ["https://example.org/1"] });
});

test("a model that reads no prompts is given everything, and one that reads none never summarizes", async () => {
  const one = bench({ model: { ...reads(500), readsPrompt: false } });
  talk(one, 40);
  expect(await one.turn()).toBeNull();
  const interpreter = scriptedSummarizer({ readsPrompt: false });
  const two = bench({ summaries: interpreter });
  talk(two, 40);
  expect(await two.turn()).not.toBeNull();
  expect(interpreter.requests).toEqual([]);
  expect(two.summaries()[0]?.model).toBe("program");
});

test("too many facts are merged by the summarizer; one that cannot does not lose operations", async () => {
  const many = Array.from({ length: manyFacts + 20 }, (_, number) => ({ kind: "fact", text: `Fact number ${number}` }));
  const first = saves({ summary: "Much.", newFacts: many, settled: [] });
  const merges = stubbornSummarizer([
    first,
    saves(
      {
        facts: [
          {
            kind: "fact",
            text: "Facts 1 to 60 in one",
            from: Array.from({ length: 60 }, (_, index) => `f${index + 1}`),
          },
        ],
      },
      "save_facts",
    ),
  ]);
  const one = bench({ summaries: merges });
  talk(one, 40);
  await one.turn();
  const facts = one.summaries()[0]?.facts ?? [];
  expect(facts).toHaveLength(41);
  expect(facts.map(({ text }) => text)).toContain("Facts 1 to 60 in one");
  const lost = Array.from({ length: 200 }, (_, number) => ({ kind: "fact", text: `Other ${number}` }));
  const cannot = stubbornSummarizer([
    saves({ summary: "Much.", newFacts: lost, settled: [] }),
    [{ type: "stop", reason: "end" }],
  ]);
  const two = bench({ summaries: cannot });
  two.add(
    two.say.user("p", "launch"),
    two.say.assistant("p", "", ["a"]),
    two.say.result("p", "a", "Proposed", { data: proposal("3") }),
  );
  two.add(two.say.end("p", "Proposed."));
  talk(two, 40);
  await two.turn();
  const carried = two.summaries()[0]?.facts ?? [];
  expect(carried).toHaveLength(mostFacts);
  expect(carried[0]).toMatchObject({ kind: "operation" });
  expect(carried.at(-1)).toMatchObject({ text: "Other 199" });
});
