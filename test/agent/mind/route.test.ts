import { expect, test } from "vitest";
import { interpreterModel } from "../../../agent/mind/models/interpreter.ts";
import { meteredModel } from "../../../agent/mind/models/metered.ts";
import type { Model, ModelEvent, ModelFailure, ModelMessage, ModelRequest } from "../../../agent/mind/models/model.ts";
import { openAiChatModel } from "../../../agent/mind/models/openai-chat.ts";
import { retryAfterOf, waitBefore, withFallback } from "../../../agent/mind/models/retry.ts";
import { makeCooldowns, routeModel } from "../../../agent/mind/models/route.ts";
import type { Spend, SpendRequest } from "../../../agent/mind/models/spend.ts";
import type { Usage } from "../../../agent/protocol.ts";
import { modelRequest } from "../../support/model-request.ts";
import { type OpenAiServer, type PreparedAnswer, startOpenAiServer } from "../../support/openai-server.ts";
import { says, scriptedModel, text, usage } from "../../support/scripted-model.ts";

const answers = (words: string): PreparedAnswer => ({ stream: [{ delta: { content: words } }, { finish: "stop" }] });
const breaksAfter = (words: string): PreparedAnswer => ({ stream: [{ delta: { content: words } }], ends: "broken" });
const fails = (status: number, headers: Record<string, string> = {}, error: object = {}): PreparedAnswer => ({
  status,
  headers,
  body: { error: { message: `status ${status}`, ...error } },
});
const busy = fails(503, { "retry-after-ms": "30" });

async function endpoint(model: string, prepared: PreparedAnswer[]): Promise<{ server: OpenAiServer; model: Model }> {
  const server = await startOpenAiServer(prepared);
  return { server, model: openAiChatModel({ baseUrl: server.baseUrl, model, environment: {} }) };
}

function failing(
  failure: Partial<ModelFailure> & { code: string },
  name = "claude",
): Model & { requests: ModelRequest[] } {
  const error = { message: `${name} failed`, hint: "do something", ...failure };
  const model = scriptedModel(
    Array.from({ length: 9 }, (): ModelEvent[] => [{ type: "stop", reason: "error", error }]),
  );
  return Object.assign(model, { name, identity: () => ({ provider: "anthropic", model: name }) });
}

function gpt(...turns: ModelEvent[][]): Model & { requests: ModelRequest[] } {
  return Object.assign(scriptedModel(turns), { name: "gpt", identity: () => ({ provider: "openai", model: "gpt-9" }) });
}

function router(models: Model[]) {
  let now = 1_000_000;
  const route = routeModel({ models: () => models, cooldowns: makeCooldowns(() => now), random: () => 0 });
  const pass = (ms: number) => {
    now += ms;
  };
  return { route, pass };
}

async function ask(model: Model, request: Partial<ModelRequest> = {}): Promise<ModelEvent[]> {
  const events: ModelEvent[] = [];
  for await (const event of model.stream(modelRequest(request))) events.push(event);
  return events;
}

const said = (events: ModelEvent[]) => {
  const from = events.findLastIndex(({ type }) => type === "again") + 1;
  return events
    .slice(from)
    .flatMap((event) => (event.type === "text" ? [event.text] : []))
    .join("");
};
const notices = (events: ModelEvent[]) => events.flatMap((event) => (event.type === "notice" ? [event.text] : []));

test("an overloaded model is waited for as it asks, then the next one takes over, and one line says so", async () => {
  const first = await endpoint("big", [busy, busy, busy, answers("First again.")]);
  const second = await endpoint("small", [answers("Second."), answers("Second still."), answers("And again.")]);
  const { route, pass } = router([first.model, second.model]);

  const startedAt = performance.now();
  const events = await ask(route);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(55);
  expect(first.server.requests).toHaveLength(3);
  expect(said(events)).toBe("Second.");
  expect(notices(events)).toEqual(["big is overloaded; small answers this one."]);
  expect(events.at(-1)).toMatchObject({ type: "stop", reason: "end", model: second.model.name });

  // The next turn does not wait again and says nothing more; the next message says it once.
  expect(notices(await ask(route))).toEqual([]);
  const other = await ask(route, { message: "m2" });
  expect(notices(other)).toHaveLength(1);
  expect(first.server.requests).toHaveLength(3);

  pass(61_000);
  const later = await ask(route, { message: "m3" });
  expect(said(later)).toBe("First again.");
  expect(notices(later)).toEqual([]);
});

test("a wait that is longer than a person should wait is not made", async () => {
  const first = await endpoint("big", [fails(429, { "retry-after": "3600" })]);
  const second = await endpoint("small", [answers("Second.")]);
  const events = await ask(router([first.model, second.model]).route);
  expect(first.server.requests).toHaveLength(1);
  expect(said(events)).toBe("Second.");
});

test("a stream that breaks begins again with the same model, and its first part is void", async () => {
  const { server, model } = await endpoint("big", [breaksAfter("Half an ans"), answers("A whole answer.")]);
  const events = await ask(router([model]).route);
  expect(events.map(({ type }) => type).filter((type) => type !== "usage")).toEqual(["text", "again", "text", "stop"]);
  expect(said(events)).toBe("A whole answer.");
  expect(server.requests).toHaveLength(2);
});

test("a stream that breaks every time is answered by the next model", async () => {
  const first = await endpoint("big", [breaksAfter("a"), breaksAfter("b"), breaksAfter("c")]);
  const second = await endpoint("small", [answers("Whole.")]);
  const events = await ask(router([first.model, second.model]).route);
  expect(events.filter(({ type }) => type === "again")).toHaveLength(3);
  expect(said(events)).toBe("Whole.");
  // After the last void part, so that it is still shown.
  expect(events.findLastIndex(({ type }) => type === "again")).toBeLessThan(
    events.findIndex(({ type }) => type === "notice"),
  );
});

test.each([
  ["model_declined", "Claude will not answer this; GPT answers this one."],
  ["model_unauthorized", "Claude did not accept our key; GPT answers this one."],
  ["model_unknown", "Claude is not known at its endpoint; GPT answers this one."],
  ["model_refused", "Claude did not accept the request; GPT answers this one."],
])("%s is not asked again: the next model answers at once", async (code, line) => {
  const claude = failing({ code, retryable: false });
  const other = gpt(says("Yes."), says("Still."), says("Other."));
  const { route } = router([claude, other]);
  const events = await ask(route);
  expect(claude.requests).toHaveLength(1);
  expect(said(events)).toBe("Yes.");
  expect(notices(events)).toEqual([line]);
  await ask(route);
  expect(claude.requests).toHaveLength(1);
  // What it will not do for one message it may do for another.
  await ask(route, { message: "m2" });
  expect(claude.requests).toHaveLength(code === "model_declined" || code === "model_refused" ? 2 : 1);
});

test("a conversation that is too long goes back to be shortened", async () => {
  const claude = failing({ code: "model_context_full", retryable: false });
  const other = gpt();
  const events = await ask(router([claude, other]).route);
  expect(events).toMatchObject([{ type: "stop", reason: "error", error: { code: "model_context_full" } }]);
  expect([claude.requests.length, other.requests.length]).toEqual([1, 0]);
});

test("when nobody can answer, the reason names everybody, and a failed model is asked once more only", async () => {
  const claude = failing({ code: "model_unavailable", retryable: true, retryAfterMs: 1 });
  const other = failing({ code: "model_unauthorized", retryable: false }, "gpt");
  const { route } = router([claude, other]);
  const events = await ask(route);
  expect(claude.requests).toHaveLength(3);
  expect(events).toMatchObject([{ type: "stop", error: { code: "model_unavailable" } }]);
  expect(JSON.stringify(events)).toMatch(/claude failed \(3 attempts\).*gpt failed/);
  await ask(route, { message: "m2" });
  expect(claude.requests).toHaveLength(4);
});

test("when nobody can answer, a documented command is answered by the built-in commands", async () => {
  const { route } = router([failing({ code: "model_unavailable", retryable: false })]);
  const events = await ask(route, { messages: [{ role: "user", text: "which version are you?" }] });
  expect(notices(events)).toEqual(["Claude cannot be reached; the built-in commands answer this one."]);
  expect(events.at(-2)).toMatchObject({ type: "call", call: { name: "version" } });
});

test("an interruption ends the wait for an overloaded model", async () => {
  const { server, model } = await endpoint("big", [fails(503, { "retry-after": "30" })]);
  const controller = new AbortController();
  const asked = ask(router([model]).route, { signal: controller.signal });
  await expect.poll(() => server.requests.length).toBe(1);
  controller.abort();
  expect((await asked).at(-1)).toEqual({ type: "stop", reason: "interrupted" });
});

// ---- money ----------------------------------------------------------------------------------------------------------

function desk(allowed = Number.POSITIVE_INFINITY) {
  const begins: SpendRequest[] = [];
  const ends: { request: string; usage: Usage | null }[] = [];
  const failure = { code: "budget_day", message: "The budget of today is used up.", hint: "wait until tomorrow" };
  const spend: Spend = {
    async begin(request) {
      begins.push(request);
      return begins.length > allowed ? { allowed: false, failure } : { allowed: true, request: `r${begins.length}` };
    },
    async end(request, used) {
      ends.push({ request, usage: used });
      return used === null ? 0 : 0.5;
    },
  };
  return { spend, begins, ends };
}

test("a budget that is used up is final: one request, and none after it, by any model", async () => {
  const { spend, begins } = desk(1);
  const first = await endpoint("big", [answers("First.")]);
  const second = await endpoint("small", []);
  const { route } = router([first.model, second.model].map((model) => meteredModel(model, { spend })));
  await ask(route);
  for (let turn = 0; turn < 3; turn++) {
    expect((await ask(route)).at(-1)).toMatchObject({ type: "stop", reason: "error", error: { code: "budget_day" } });
  }
  // Not even asked for again within the same answer.
  expect(begins).toHaveLength(2);
  expect([first.server.requests.length, second.server.requests.length]).toEqual([1, 0]);
});

test("without a budget a documented command is answered, with a line that says why", async () => {
  const { spend, begins } = desk(0);
  const { server, model } = await endpoint("big", []);
  const { route } = router([meteredModel(model, { spend })]);
  const question: ModelMessage = { role: "user", text: "which version are you?", context: "from Ada" };
  const events = await ask(route, { messages: [question] });
  expect(notices(events)).toEqual(["The budget of today is used up; the built-in commands answer this one."]);
  expect(events.at(-2)).toMatchObject({ type: "call", call: { name: "version" } });
  const made = { call: "m1-0", name: "version", input: {} };
  const result: ModelMessage = { role: "tool", call: "m1-0", name: "version", ok: true, text: "0.1.0" };
  const after = await ask(route, {
    messages: [question, { role: "assistant", text: "", calls: [made] }, result],
  });
  expect(after.map(({ type }) => type)).toEqual(["text", "stop"]);
  expect(said(after)).toBe("0.1.0");
  expect([begins.length, server.requests.length]).toEqual([1, 0]);
});

test("what a paid model has already done for a command is told, not done again", async () => {
  const { spend } = desk(0);
  const { route } = router([meteredModel(gpt(), { spend })]);
  const made = { call: "toolu_1", name: "version", input: {} };
  const events = await ask(route, {
    messages: [
      { role: "user", text: "version" },
      { role: "assistant", text: "Let me look.", calls: [made] },
      { role: "tool", call: "toolu_1", name: "version", ok: true, text: "0.1.0" },
    ],
  });
  expect(said(events)).toBe("0.1.0");
});

test("a provider whose credit is used up is not asked again for a while", async () => {
  const quota = fails(429, {}, { code: "insufficient_quota", type: "insufficient_quota" });
  const { server, model } = await endpoint("big", [quota, answers("Paid.")]);
  const { route, pass } = router([model]);
  for (const message of ["m1", "m2", "m3"]) {
    expect((await ask(route, { message })).at(-1)).toMatchObject({ reason: "error" });
  }
  expect(server.requests).toHaveLength(1);
  pass(11 * 60_000);
  expect(said(await ask(route, { message: "m4" }))).toBe("Paid.");
});

test("each request is asked for before it is made, and told with what it used and cost", async () => {
  const { spend, begins, ends } = desk();
  const model = meteredModel(
    scriptedModel([[text("Hi."), usage(30, 2), usage(30, 5), { type: "stop", reason: "end" }]]),
    { spend },
  );
  const events = await ask(model, { messages: [{ role: "user", text: "x".repeat(400) }] });
  expect(begins).toMatchObject([{ run: "m1.1", purpose: "personality", model: { provider: "scripted" } }]);
  expect(begins[0]?.estimate.inputTokens).toBeGreaterThanOrEqual(100);
  expect(begins[0]?.estimate.outputTokens).toBe(4_000);
  expect(ends).toMatchObject([{ request: "r1", usage: { inputTokens: 30, outputTokens: 5 } }]);
  expect(events.slice(-2)).toMatchObject([{ type: "cost", usd: 0.5 }, { type: "stop" }]);
});

test.each([
  ["was refused", [] as ModelEvent[], "model_unauthorized", null],
  ["broke off", [text("four".repeat(10))], "model_stream_broken", { outputTokens: 10 }],
  [
    "broke off after some usage",
    [text("four".repeat(10)), usage(30, 1)],
    "model_stream_broken",
    { inputTokens: 30, outputTokens: 10 },
  ],
])("a request that %s is told with what is known", async (_title, before, code, used) => {
  const { spend, ends } = desk();
  const error = { code, message: "", hint: "" };
  await ask(meteredModel(scriptedModel([[...before, { type: "stop", reason: "error", error }]]), { spend }));
  expect(ends).toHaveLength(1);
  if (used === null) expect(ends[0]?.usage).toBeNull();
  else expect(ends[0]?.usage).toMatchObject(used);
});

test("a request that is given up in the middle is charged for what went in", async () => {
  const { spend, begins, ends } = desk();
  const model = meteredModel(scriptedModel([says("Hello there.")]), { spend });
  for await (const event of model.stream(modelRequest())) if (event.type === "text") break;
  expect(ends).toMatchObject([{ usage: { inputTokens: begins[0]?.estimate.inputTokens, outputTokens: 3 } }]);
});

test("a permission that comes after an interruption is given back", async () => {
  const late = Promise.withResolvers<Awaited<ReturnType<Spend["begin"]>>>();
  const { spend, ends } = desk();
  const inner = scriptedModel([]);
  const controller = new AbortController();
  const asked = ask(meteredModel(inner, { spend: { ...spend, begin: () => late.promise } }), {
    signal: controller.signal,
  });
  controller.abort();
  expect(await asked).toEqual([{ type: "stop", reason: "interrupted" }]);
  late.resolve({ allowed: true, request: "r9" });
  await expect.poll(() => ends).toEqual([{ request: "r9", usage: null }]);
  expect(inner.requests).toEqual([]);
});

test("waits double with jitter, a retry-after is honoured, and the last attempt is the last", () => {
  expect(waitBefore(2, null, { random: () => 1 })).toBe(500);
  expect(waitBefore(3, null, { random: () => 0 })).toBe(500);
  expect(waitBefore(5, null, { random: () => 1 })).toBe(4_000);
  expect(waitBefore(2, 1_234)).toBe(1_234);
  expect(waitBefore(2, 3_600_000)).toBeNull();
  expect(waitBefore(2, 20_000, { limits: withFallback })).toBeNull();
  expect(waitBefore(6, 0)).toBeNull();
  expect(retryAfterOf(new Headers({ "retry-after": "2" }), 0)).toBe(2_000);
  expect(retryAfterOf(new Headers({ "retry-after-ms": "15" }), 0)).toBe(15);
});

test("a route of the interpreter alone is the interpreter", async () => {
  const { route } = router([interpreterModel()]);
  expect([route.name, route.readsPrompt, route.contextTokens]).toEqual(["interpreter", false, null]);
  expect(notices(await ask(route, { messages: [{ role: "user", text: "help" }] }))).toEqual([]);
});
