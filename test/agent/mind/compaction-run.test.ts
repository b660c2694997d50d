/** Compaction inside real runs: what the model is sent, what is stored, and that a run goes on through it. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readConversation } from "../../../agent/conversations.ts";
import { makeConversationPool } from "../../../agent/mind/conversation-pool.ts";
import type { Model, ModelRequest } from "../../../agent/mind/models/model.ts";
import { performRun, type RunServices, type RunWork } from "../../../agent/mind/run.ts";
import type { RunEvent } from "../../../agent/protocol.ts";
import { openMemory } from "../../../memory/index.ts";
import { expectWholePairs } from "../../support/message-pairs.ts";
import { call, calls, says, scriptedModel } from "../../support/scripted-model.ts";
import { scriptedSummarizer } from "../../support/scripted-summarizer.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const unasked = () => Promise.reject(new Error("the test has no gateway"));

test("runs of a long conversation are shortened between turns, keep what matters and answer all the same", async () => {
  const directory = temporaryDirectory();
  const requests: ModelRequest[] = [];
  const model: Model = {
    ...scriptedModel([]),
    contextTokens: 8_000,
    maxOutputTokens: 500,
    async *stream(request) {
      requests.push({ ...request, messages: structuredClone(request.messages) });
      const last = request.messages.at(-1);
      yield* last?.role === "tool"
        ? says("Read.")
        : calls(call(`c${request.message}`, "memory_read", { document: "a.md" }));
    },
  };
  const summaries = scriptedSummarizer();
  const memory = openMemory({ directory: join(directory, "memory"), writer: "test", index: join(directory, "index") });
  const pool = makeConversationPool();
  onTestFinished(async () => {
    await pool.close();
    await memory.close();
  });
  await memory.write("a.md", `# A\n\n${"long ".repeat(200)}\n`, { author: "ada", source: "test", trust: "maintainer" });
  const services: RunServices = {
    models: { personality: model, coding: null, summaries, refresh: async () => undefined },
    readTools: (await import("../../../tools/read-tools.ts")).readTools,
    memory,
    log: () => undefined,
    limits: { turns: 10, tokens: 10_000_000, seconds: 60 },
    contextTokens: 32_000,
    workspace: join(directory, "workspace"),
    conversations: join(directory, "conversations"),
    openConversation: pool.open,
    hello: () => ({
      instance: "i-1",
      name: "CLAWDINATOR-1",
      epoch: 1,
      program: { version: "0", revision: "0".repeat(40), image: "checkout" },
      operations: [],
    }),
    fleet: { status: unasked, drift: unasked },
    cost: unasked,
    sitrep: unasked,
    propose: unasked,
  };
  const ask = async (number: number, text: string): Promise<RunEvent | undefined> => {
    const work: RunWork = {
      type: "run",
      run: `m${number}.1`,
      message: `m${number}`,
      conversation: "long",
      channel: "console",
      epoch: 1,
      author: { kind: "maintainer", id: "1", name: "Ada" },
      text,
      resumed: false,
    };
    const events: RunEvent[] = [];
    await performRun(work, services, new AbortController().signal, (event) => events.push(event));
    return events.at(-1);
  };
  for (let number = 0; number < 30; number++) {
    const text = number === 2 ? "FACT(promise): The canary waits for Ada." : `Question ${number}.`;
    expect(await ask(number, text)).toMatchObject({ type: "done", reason: "answered", text: "Read." });
  }
  for (const { messages } of requests) {
    expectWholePairs(messages);
    expect(JSON.stringify(messages).length).toBeLessThan(8_000 * 4);
  }
  const last = requests.at(-1)?.messages ?? [];
  expect(JSON.stringify(last)).toContain("The canary waits for Ada");
  expect(JSON.stringify(last)).not.toContain("Question 3.");
  expect(last.filter(({ role }) => role === "user").at(-1)).toMatchObject({ text: "Question 29." });
  const stored = await readConversation({ directory: services.conversations, conversation: "long" });
  expect(stored.filter(({ body }) => body.role === "summary").length).toBeGreaterThan(1);
  expect(stored.filter(({ body }) => body.role === "user")).toHaveLength(30);
});
