import { expect, test } from "vitest";
import { z } from "zod";
import {
  type Interruption,
  type LoopOptions,
  type LoopTool,
  type RecordedBody,
  runLoop,
} from "../../../agent/mind/loop.ts";
import { interpreterModel } from "../../../agent/mind/models/interpreter.ts";
import type { ModelEvent, ModelRequest } from "../../../agent/mind/models/model.ts";
import { makeToolbox } from "../../../agent/mind/toolbox.ts";
import type { ProposeAnswer, RunEvent } from "../../../agent/protocol.ts";
import { ToolError } from "../../../tools/errors.ts";
import { defineReadTool, type ReadContext, type Trust } from "../../../tools/tool.ts";
import { call, calls, says, scriptedModel, text, usage } from "../../support/scripted-model.ts";

const proposal: ProposeAnswer = {
  status: "proposed",
  approval: "ap-1",
  operation: "instance_retire",
  digest: "d1",
  summary: "retire CLAWDINATOR-2",
  state: "pending",
  expiresAt: 0,
  quorum: 1,
  warnings: [],
};

const trustSeen: Trust[] = [];

function toolbox(answer: ProposeAnswer = proposal): LoopTool[] {
  const echo = defineReadTool({
    name: "echo",
    description: "Says it again.",
    input: z.strictObject({ word: z.string(), trust: z.enum(["public", "self"]).optional() }),
    async run(context, input) {
      trustSeen.push(context.trust);
      const provenance = input.trust === undefined ? {} : { trust: input.trust, source: "https://example.org" };
      return { text: `${input.word} (${context.call})`, ...provenance };
    },
  });
  const fail = defineReadTool({
    name: "fail",
    description: "Fails.",
    input: z.strictObject({}),
    async run() {
      throw new ToolError("the disk is full", { code: "disk_full", hint: "make room" });
    },
  });
  return makeToolbox({
    readTools: [echo, fail],
    operations: [{ name: "instance_retire", description: "Retires.", inputSchema: {} }],
    context: { trust: "maintainer", conversation: "talk" } as unknown as ReadContext,
    propose: async () => answer,
  });
}

async function loop(options: Partial<LoopOptions> & Pick<LoopOptions, "model">) {
  const events: RunEvent[] = [];
  const records: RecordedBody[] = [];
  const result = await runLoop({
    system: "You are a test.",
    message: "m1",
    conversation: "c1",
    run: "m1.1",
    messages: [{ role: "user", text: "Hello" }],
    tools: toolbox(),
    limits: { turns: 5, tokens: 100_000, seconds: 30 },
    signal: new AbortController().signal,
    emit: (event) => events.push(event),
    record: async (...bodies) => void records.push(...bodies),
    ...options,
  });
  // As a run does: the last turn is stored with the end.
  records.push(...result.unstored);
  return { result, events, records };
}

test("runs calls, gives their results back and joins the texts of all turns", async () => {
  const model = scriptedModel([
    [text("Let me look."), ...calls(call("c1", "echo", { word: "a" }), call("c2", "echo", { word: "b" }))],
    [usage(10, 5), ...says("Done.")],
  ]);
  const { result, events, records } = await loop({ model });
  expect(result).toMatchObject({
    reason: "answered",
    text: "Let me look.\n\nDone.",
    usage: { turns: 2, inputTokens: 10, outputTokens: 5 },
  });
  expect(model.requests[1]?.messages.slice(-2)).toMatchObject([
    { role: "tool", call: "c1", ok: true, text: "a (c1)" },
    { role: "tool", call: "c2", ok: true, text: "b (c2)" },
  ]);
  expect(events.map((event) => (event.type === "tool" ? `${event.call} ${event.state}` : event.type))).toEqual([
    "text",
    "c1 started",
    "c1 succeeded",
    "c2 started",
    "c2 succeeded",
    "text",
  ]);
  expect(records.map(({ role }) => role)).toEqual(["assistant", "tool", "tool", "assistant"]);
});

test.each([
  ["an unknown tool", call("c1", "nonsense"), /nonsense is not available.*tools: echo, fail, instance_retire/],
  ["bad input", call("c1", "echo", { word: 3, other: true }), /word: .*expected string.*Unrecognized key.*bad_input/s],
  ["a failing tool", call("c1", "fail"), /the disk is full\. make room \(disk_full\)/],
  [
    "unreadable input",
    { type: "call", call: { call: "c1", name: "echo", input: "{", problem: "not JSON" } },
    /echo: not JSON/,
  ],
] as [string, ModelEvent, RegExp][])(
  "%s becomes an error result that the model reads",
  async (_title, made, message) => {
    const model = scriptedModel([calls(made), says("I see.")]);
    const { result, events } = await loop({ model });
    expect(result.reason).toBe("answered");
    expect(model.requests[1]?.messages.at(-1)).toMatchObject({
      role: "tool",
      ok: false,
      text: expect.stringMatching(message),
    });
    expect(events).toContainEqual(expect.objectContaining({ type: "tool", state: "failed" }));
  },
);

test("a proposal is shown and the model learns that it is not done", async () => {
  const model = scriptedModel([calls(call("c1", "instance_retire", { name: "CLAWDINATOR-2" })), says("Proposed.")]);
  const { events } = await loop({ model });
  expect(events).toContainEqual({
    type: "proposal",
    approval: "ap-1",
    operation: "instance_retire",
    digest: "d1",
    summary: "retire CLAWDINATOR-2",
    state: "pending",
  });
  expect(model.requests[1]?.messages.at(-1)).toMatchObject({
    ok: true,
    text: expect.stringMatching(
      /^Proposed, not done: .* on its card, which Discord and the console show .* `clawdinator approvals approve ap-1`/,
    ),
  });
});

test("a refused proposal is an error result and no proposal is shown", async () => {
  const model = scriptedModel([calls(call("c1", "instance_retire")), says("No.")]);
  const refusal: ProposeAnswer = { status: "refused", code: "denied", message: "policy denies it", hint: "ask Ada" };
  const { events } = await loop({ model, tools: toolbox(refusal) });
  expect(model.requests[1]?.messages.at(-1)).toMatchObject({ ok: false, text: "policy denies it. ask Ada" });
  expect(events.some(({ type }) => type === "proposal")).toBe(false);
});

test("the interpreter tells an operation that policy let through as started", async () => {
  const messages = [{ role: "user" as const, text: "retire CLAWDINATOR-2" }];
  const approved: ProposeAnswer = { ...proposal, state: "approved" };
  const { result } = await loop({ model: interpreterModel(), messages, tools: toolbox(approved) });
  expect(result.text).toMatch(/^Started: retire CLAWDINATOR-2/);
});

test("the interpreter tells how long a plan can be approved", async () => {
  const messages = [{ role: "user" as const, text: "retire CLAWDINATOR-2" }];
  const told = async (leftMs: number) => {
    const model = interpreterModel({ now: () => proposal.expiresAt - leftMs });
    return (await loop({ model, messages, tools: toolbox(proposal) })).result.text;
  };
  const hourMs = 3_600_000;
  expect(await told(24 * hourMs - 800)).toContain(
    "Nothing happens until a maintainer approves this plan, within 24 h.",
  );
  expect(await told(0.5 * hourMs)).toContain("within 30 min.");
});

test("the interpreter tells plainly that an operation is not available", async () => {
  const { result } = await loop({ model: interpreterModel(), messages: [{ role: "user", text: "update yourself" }] });
  expect(result.text).toBe("I could not do that: self_update is not available on this instance");
});

test("the run's trust sinks with what its tools have read and never rises", async () => {
  trustSeen.length = 0;
  const read = (id: string, trust?: string) => call(id, "echo", { word: "w", trust });
  const model = scriptedModel([calls(read("c1"), read("c2", "public"), read("c3", "self"), read("c4")), says("Done.")]);
  await loop({ model });
  expect(trustSeen).toEqual(["maintainer", "maintainer", "public", "public"]);
});

test("call ids that an endpoint uses twice are told apart", async () => {
  const again = () => calls(call("call_0", "echo", { word: "w" }));
  const model = scriptedModel([again(), again(), calls(call("", "echo", { word: "w" })), says("Done.")]);
  const { records } = await loop({ model });
  const ids = records.flatMap((record) => (record.role === "tool" ? [record.call] : []));
  expect(ids).toHaveLength(3);
  expect(new Set(ids).size).toBe(3);
  // Also from those that are no longer in the model's view.
  const later = await loop({ model: scriptedModel([again(), says("Done.")]), isKnownCall: (id) => ids.includes(id) });
  expect(later.records.find((record) => record.role === "tool")?.call).not.toBe("call_0");
});

test("stops at the limit of turns", async () => {
  const model = scriptedModel([calls(call("c1", "echo", { word: "a" })), calls(call("c2", "echo", { word: "b" }))]);
  const { result, events } = await loop({ model, limits: { turns: 2, tokens: 1000, seconds: 30 } });
  expect(result).toMatchObject({
    reason: "limit",
    error: { code: "limit_reached", message: expect.stringContaining("2 model turns") },
  });
  expect(events.at(-1)).toMatchObject({ type: "error", code: "limit_reached" });
});

test("stops at the limit of tokens", async () => {
  const model = scriptedModel([[usage(900, 200), ...calls(call("c1", "echo", { word: "a" }))]]);
  const { result } = await loop({ model, limits: { turns: 5, tokens: 1000, seconds: 30 } });
  expect(result).toMatchObject({ reason: "limit", error: { message: expect.stringContaining("1000 tokens") } });
});

async function* untilAborted(request: ModelRequest): AsyncGenerator<ModelEvent> {
  yield text("Thinking");
  await new Promise((resolve) => request.signal.addEventListener("abort", resolve, { once: true }));
  yield { type: "stop", reason: "interrupted" };
}

test("stops at the limit of time", async () => {
  const { result } = await loop({
    model: scriptedModel([untilAborted]),
    limits: { turns: 5, tokens: 1000, seconds: 0.05 },
  });
  expect(result).toMatchObject({ reason: "limit", text: "Thinking" });
});

test.each([
  ["interrupted", ["assistant"]],
  ["parked", []],
] as const)("a run that is %s stops at once", async (kind, stored) => {
  const controller = new AbortController();
  const emit = () => controller.abort({ kind, reason: "test" } satisfies Interruption);
  const { result, records } = await loop({ model: scriptedModel([untilAborted]), signal: controller.signal, emit });
  expect(result).toMatchObject({ reason: kind, text: "Thinking" });
  expect(records.map(({ role }) => role)).toEqual(stored);
});

test("a model that throws or reports an error fails the run with its reason", async () => {
  const failure = { code: "model_unavailable", message: "no answer", hint: "start it" };
  const { result, events } = await loop({
    model: scriptedModel([[{ type: "stop", reason: "error", error: failure }]]),
  });
  expect(result).toMatchObject({ reason: "failed", error: failure });
  expect(events).toEqual([{ type: "error", ...failure }]);
  expect((await loop({ model: scriptedModel([]) })).result).toMatchObject({
    reason: "failed",
    error: { code: "internal" },
  });
});

test("a turn that begins again is void: what was shown before it is shown again, and no call of it is made", async () => {
  const model = scriptedModel([
    [text("Let me look."), ...calls(call("c1", "instance_retire"))],
    [
      text("It is"),
      call("c2", "echo", { word: "never" }),
      usage(100, 7),
      { type: "cost", usd: 0.5, model: { provider: "anthropic", model: "m" } },
      { type: "again", reason: "the stream broke" },
      { type: "notice", text: "Claude broke off; GPT answers this one." },
      text("It was proposed."),
      usage(20, 3),
      { type: "cost", usd: 0.25, model: { provider: "openai", model: "m" } },
      { type: "stop", reason: "end", model: "the other one" },
    ],
  ]);
  const { result, events, records } = await loop({ model });
  expect(result.text).toBe("Let me look.\n\nIt was proposed.");
  expect(result.usage).toEqual({ turns: 2, inputTokens: 120, outputTokens: 10, usd: 0.75 });
  const again = events.findIndex(({ type }) => type === "restart");
  expect(events.slice(again)).toMatchObject([
    { type: "restart", reason: "the stream broke" },
    { type: "text", text: "Let me look." },
    { type: "proposal", approval: "ap-1" },
    { type: "notice" },
    { type: "text", text: "\n\nIt was proposed." },
  ]);
  expect(records.map(({ role }) => role)).toEqual(["assistant", "tool", "assistant"]);
  expect(records.at(-1)).toMatchObject({ text: "It was proposed.", calls: [], model: "the other one" });
});

test("a turn that begins again before it said anything shows nothing", async () => {
  const model = scriptedModel([[usage(5, 0), { type: "again", reason: "overload" }, usage(5, 1), ...says("Hi.")]]);
  const { result, events } = await loop({ model });
  expect(events).toEqual([{ type: "text", text: "Hi." }]);
  expect(result.usage.inputTokens).toBe(10);
});

test("what a provider wants back is stored with its turn and sent with the next", async () => {
  const replay = { provider: "anthropic", model: "m", items: [{ type: "thinking", signature: "s" }] };
  const turn: ModelEvent[] = [{ type: "replay", replay }, ...calls(call("c1", "echo", { word: "a" }))];
  const model = scriptedModel([turn, says("Done.")]);
  const { records } = await loop({ model });
  expect(records[0]).toMatchObject({ role: "assistant", replay });
  expect(model.requests[1]?.messages[1]).toMatchObject({ role: "assistant", replay });
});

test("a result's origin is stored and told to the gateway", async () => {
  const model = scriptedModel([calls(call("c1", "echo", { word: "w", trust: "public" })), says("Done.")]);
  const { records, events } = await loop({ model });
  expect(records[1]).toMatchObject({ role: "tool", trust: "public", source: "https://example.org" });
  const told = events.find((event) => event.type === "tool" && event.state === "succeeded");
  expect(told).toMatchObject({ publicSource: "https://example.org" });
});

function once(repeatable: boolean): { tool: LoopTool; ran: string[] } {
  const ran: string[] = [];
  const tool: LoopTool = {
    name: "send",
    repeatable,
    spec: () => ({ name: "send", description: "Sends.", inputSchema: {} }),
    async run({ call: id }) {
      ran.push(id);
      return { ok: true, text: "sent" };
    },
  };
  return { tool, ran };
}

test("a tool that must not run twice leaves a mark before it runs, and is not run where one lies", async () => {
  const { tool, ran } = once(false);
  const first = await loop({ model: scriptedModel([calls(call("c1", "send")), says("Done.")]), tools: [tool] });
  expect(first.records.map(({ role }) => role)).toEqual(["assistant", "started", "tool", "assistant"]);
  const model = scriptedModel([says("Let me look.")]);
  const messages = [
    { role: "user" as const, text: "Hello" },
    { role: "assistant" as const, text: "", calls: [{ call: "c2", name: "send", input: {} }] },
  ];
  await loop({ model, messages, tools: [tool], startedCalls: ["c2"] });
  expect(ran).toEqual(["c1"]);
  expect(model.requests[0]?.messages.at(-1)).toMatchObject({
    role: "tool",
    ok: false,
    text: expect.stringMatching(/nobody knows whether it ran; it was not run again/),
  });
});

test("a model that makes the same call over and over is stopped", async () => {
  const again = (_: unknown, index: number) => calls(call(`c${index}`, "echo", { word: "w" }));
  const model = scriptedModel(Array.from({ length: 9 }, again));
  const { result } = await loop({ model, limits: { turns: 20, tokens: 100_000, seconds: 30 } });
  expect(model.requests).toHaveLength(5);
  expect(result).toMatchObject({
    reason: "limit",
    error: { code: "repeated_calls", message: expect.stringContaining("called echo 5 times in a row") },
  });
});

test("an empty answer is told as one, unless nobody waits for it", async () => {
  const { result, events, records } = await loop({ model: scriptedModel([[{ type: "stop", reason: "end" }]]) });
  expect(result).toMatchObject({ reason: "answered", text: expect.stringMatching(/^The model said nothing/) });
  expect(events).toEqual([{ type: "text", text: result.text }]);
  expect(records).toEqual([]);
  const silent = await loop({ model: scriptedModel([[{ type: "stop", reason: "end" }]]), mayBeSilent: true });
  expect(silent.result.text).toBe("");
});

test("messages are replaced before a turn and after a refusal for their length, once nothing is left it fails", async () => {
  const full = { code: "model_context_full", message: "too long", hint: "shorten" };
  const refuses: ModelEvent[] = [{ type: "stop", reason: "error", error: full }];
  const seen: { isFull: boolean; inputTokens: number | null }[] = [];
  const options = (left: number): Partial<LoopOptions> => ({
    beforeTurn: async ({ isFull, inputTokens }) => {
      seen.push({ isFull, inputTokens });
      return isFull && left-- > 0 ? [{ role: "user", text: "short" }] : null;
    },
  });
  const model = scriptedModel([[usage(50, 1), ...refuses], says("Hi.")]);
  const { result } = await loop({ model, ...options(1) });
  expect(result).toMatchObject({ reason: "answered", text: "Hi." });
  expect(model.requests[1]?.messages).toEqual([{ role: "user", text: "short" }]);
  expect(seen).toEqual([
    { isFull: false, inputTokens: null },
    { isFull: true, inputTokens: 50 },
  ]);
  const failing = await loop({ model: scriptedModel([refuses, refuses]), ...options(1) });
  expect(failing.result).toMatchObject({ reason: "failed", error: { code: "model_context_full" } });
});

test("an answer whose end was not stored is not given again", async () => {
  const model = scriptedModel([]);
  const messages = [
    { role: "user" as const, text: "Hello" },
    { role: "assistant" as const, text: "Hi.", calls: [] },
  ];
  const { result } = await loop({ model, messages, textSoFar: "Hi." });
  expect(result).toMatchObject({ reason: "answered", text: "Hi.", unstored: [] });
});

test("a resumed run makes only the calls that have no result, under their own ids", async () => {
  const model = scriptedModel([says("Done.")]);
  const made = ["c1", "c2"].map((id) => ({ call: id, name: "echo", input: { word: id } }));
  const { events } = await loop({
    model,
    messages: [
      { role: "user", text: "Hello" },
      { role: "assistant", text: "", calls: made },
      { role: "tool", call: "c1", name: "echo", ok: true, text: "stored" },
    ],
  });
  expect(events.flatMap((event) => (event.type === "tool" && event.state === "started" ? [event.call] : []))).toEqual([
    "c2",
  ]);
  expect(model.requests[0]?.messages.slice(-2)).toMatchObject([{ text: "stored" }, { text: "c2 (c2)" }]);
});
