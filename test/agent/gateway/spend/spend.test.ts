import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore } from "../../../../agent/gateway/store/sqlite.ts";
import type { Policy } from "../../../../tools/policy.ts";
import type { Store } from "../../../../tools/store.ts";
import {
  ada,
  answerTo,
  freeModel,
  heartbeat,
  noon,
  openDesk,
  pinBudgets,
  type SpendDesk,
  tokensFor,
  unpricedModel,
} from "../../../support/spend-desk.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";
import { waitFor } from "../../../support/wait.ts";

async function openStore(budgets: Partial<Policy["budgets"]> = {}): Promise<Store> {
  const store = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  onTestFinished(() => store.close());
  await pinBudgets(store, budgets);
  return store;
}

async function open(budgets: Partial<Policy["budgets"]> = {}): Promise<SpendDesk & { store: Store }> {
  const store = await openStore(budgets);
  return { ...openDesk(store), store };
}

/** A gateway that is killed now leaves what is stored; the next one begins with that. */
async function restart(store: Store, desk: SpendDesk): Promise<SpendDesk> {
  return openDesk(store, { clock: desk.clock });
}

const total = async (desk: SpendDesk): Promise<number> => (await desk.report()).today.usd;

test("books what a request used under model, purpose, person and kind of conversation", async () => {
  const desk = await open();
  await desk.use("r1", 0.5);
  await desk.use("r2", 0.25, { about: answerTo("m2", heartbeat), purpose: "summaries" });
  const { lines, today, runs } = await desk.report();
  expect(today.usd).toBeCloseTo(0.75);
  expect(lines).toMatchObject([
    { model: "dollar", purpose: "personality", person: ada, conversation: "chat", usd: 0.5, outputTokens: 500_000 },
    { model: "dollar", purpose: "summaries", person: heartbeat, conversation: "schedule", usd: 0.25, requests: 1 },
  ]);
  expect(runs).toMatchObject([
    { message: "m1", usd: 0.5, conversationId: "talk-m1" },
    { message: "m2", usd: 0.25 },
  ]);
});

test("an end that is told twice counts once, and one of nothing used costs nothing", async () => {
  const desk = await open();
  await desk.begin("r1");
  expect(await desk.end("r1", 0.3)).toBeCloseTo(0.3);
  expect(await desk.end("r1", 0.9)).toBeCloseTo(0.3);
  await desk.begin("r2");
  expect(await desk.end("r2", null)).toBe(0);
  const { today, lines } = await desk.report();
  expect(today).toEqual({ usd: expect.closeTo(0.3), reservedUsd: 0 });
  expect(lines.map(({ requests }) => requests)).toEqual([1]);
});

test("asking again with the same id is the same request; for another answer it is refused", async () => {
  const desk = await open();
  expect(await desk.begin("r1", { usd: 1 })).toEqual({ status: "allowed" });
  expect(await desk.begin("r1", { usd: 1 })).toEqual({ status: "allowed" });
  expect((await desk.report()).today.reservedUsd).toBe(1);
  expect(await desk.begin("r1", { about: answerTo("m2") })).toMatchObject({ code: "budget_request_used" });
  await desk.end("r1", 1);
  expect(await desk.begin("r1")).toMatchObject({ code: "budget_request_used" });
});

test("requests that come together cannot have more than what is left", async () => {
  const desk = await open({ usdPerDay: 1 });
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => desk.begin(`r${index}`, { usd: 0.3, about: answerTo(`m${index}`) })),
  );
  expect(answers.filter((answer) => answer?.status === "allowed")).toHaveLength(3);
  expect((await desk.report()).today.reservedUsd).toBeLessThanOrEqual(1);
});

test("two instances share the day's budget, also when both want the last of it at once", async () => {
  const store = await openStore({ usdPerDay: 2 });
  const clock = { now: noon };
  const desks = ["i-000000000001", "i-000000000002"].map((instance) => openDesk(store, { instance, clock }));
  let spent = 0;
  for (let round = 0; round < 12; round++) {
    const answers = await Promise.all(
      desks.map((desk, index) => desk.begin(`r${round}`, { usd: 0.3, about: answerTo(`m${round}-${index}`) })),
    );
    for (const [index, answer] of answers.entries()) {
      if (answer?.status !== "allowed") continue;
      spent += 0.3;
      if (round % 2 === 0) await desks[index]?.end(`r${round}`, 0.3);
    }
  }
  expect(spent).toBeLessThanOrEqual(2);
  expect(spent).toBeGreaterThan(1);
  for (const desk of desks) {
    const { today, lines } = await desk.report();
    expect(today.usd + today.reservedUsd).toBeCloseTo(spent);
    await desk.spend.state().ledger.flush();
    expect(new Set(lines.map(({ name }) => name)).size).toBeGreaterThan(0);
  }
});

test("the last part of the day's budget is a maintainer's; a timer and an instance stop before it", async () => {
  const desk = await open({ usdPerDay: 10, usdPerRun: 10, reserveUsd: 2 });
  await desk.use("r1", 7.9);
  const timer = await desk.begin("r2", { usd: 0.2, about: answerTo("m2", heartbeat) });
  expect(timer).toMatchObject({ status: "refused", code: "budget_reserve", until: Date.parse("2026-11-24T00:00:00Z") });
  expect(timer).toMatchObject({
    message: expect.stringContaining("until 2026-11-24T00:00:00Z (in 12.0 hours)"),
    hint: expect.stringContaining("policy_change"),
  });
  // Half of the reserve is there for health checks, so that a replacement can still be proved.
  expect(await desk.begin("r3", { usd: 0.2, about: null, purpose: "proof" })).toEqual({ status: "allowed" });
  await desk.end("r3", 1);
  expect(await desk.begin("r4", { usd: 0.2, about: null, purpose: "proof" })).toMatchObject({ code: "budget_reserve" });
  expect(await desk.begin("r5", { usd: 0.2, about: null, purpose: "summaries" })).toMatchObject({
    code: "budget_reserve",
  });
  await desk.use("r6", 1, { about: answerTo("m6") });
  expect(await desk.begin("r7", { usd: 0.2, about: answerTo("m7") })).toMatchObject({ code: "budget_day" });
});

test("a request whose estimate is more than what is left is refused beforehand, and costs nothing", async () => {
  const desk = await open({ usdPerDay: 1 });
  const answer = await desk.begin("r1", { usd: 1.5 });
  expect(answer).toMatchObject({
    status: "refused",
    code: "budget_day",
    message: expect.stringMatching(/would cost about \$1\.50, and \$1\.00 of today's \$1\.00 is left/),
  });
  expect((await desk.report()).today).toEqual({ usd: 0, reservedUsd: 0 });
});

test("a refusal is final for its answer: smaller requests and the next process are refused, too", async () => {
  const desk = await open({ usdPerDay: 1 });
  const first = await desk.begin("r1", { usd: 1.5 });
  expect(await desk.begin("r2", { usd: 0.01 })).toEqual(first);
  const next = await restart(desk.store, desk);
  expect(await next.begin("r3", { usd: 0.01 })).toEqual(first);
  expect(await next.begin("r4", { usd: 0.01, about: answerTo("m2") })).toEqual({ status: "allowed" });
  expect((await next.report()).refusals).toEqual({ budget_day: 1 });
});

test("a higher budget is in force at once, also for an answer that was refused", async () => {
  const desk = await open({ usdPerDay: 1 });
  expect(await desk.begin("r1", { usd: 1.5 })).toMatchObject({ code: "budget_day" });
  await pinBudgets(desk.store, { usdPerDay: 2 });
  // What a policy says is read again after two seconds at the latest.
  await waitFor(async () => (await desk.begin("r2", { usd: 1.5 }))?.status === "allowed", { what: "the new budget" });
});

test("an answer over its limit goes no further; the next one does", async () => {
  const desk = await open({ usdPerRun: 1 });
  await desk.use("r1", 0.6);
  await desk.use("r2", 0.6);
  const refused = await desk.begin("r3");
  expect(refused).toMatchObject({ code: "budget_run", message: expect.stringContaining("has cost $1.20") });
  const next = await restart(desk.store, desk);
  expect(await next.begin("r4", { usd: 0.001 })).toMatchObject({ code: "budget_run" });
  expect(await next.begin("r5", { about: answerTo("m2") })).toEqual({ status: "allowed" });
  expect((await next.report()).breaker).toMatchObject([{ scope: "answer", subject: "m1", code: "budget_run" }]);
});

test("a job over its limit is stopped until the day ends, whatever message it comes with", async () => {
  const desk = await open({ usdPerRun: 1 });
  await desk.use("r1", 1.2, { about: answerTo("m1", heartbeat) });
  expect(await desk.begin("r2", { about: answerTo("m1", heartbeat) })).toMatchObject({ code: "budget_run" });
  expect(await desk.begin("r3", { about: answerTo("m2", heartbeat) })).toMatchObject({ code: "budget_run" });
  expect(await desk.begin("r4", { about: answerTo("m3") })).toEqual({ status: "allowed" });
  desk.clock.now += 13 * 3_600_000;
  expect(await desk.begin("r5", { about: answerTo("m4", heartbeat) })).toEqual({ status: "allowed" });
});

test("spend without progress stops an answer; text and new tool results are progress, repeated ones are not", async () => {
  const desk = await open({ usdWithoutProgress: 1 });
  const about = { conversation: "talk-m1", message: "m1" };
  const called = (input: string) => ({
    ...{ type: "tool" as const, call: "c", name: "memory_read", state: "succeeded" as const },
    ...{ text: "found", input },
  });
  await desk.use("r1", 0.7);
  desk.spend.onEvent(about, called("a"));
  await desk.use("r2", 0.7);
  desk.spend.onEvent(about, { type: "text", text: "Looking." });
  await desk.use("r3", 0.7);
  desk.spend.onEvent(about, called("a"));
  desk.spend.onEvent(about, { type: "text", text: "  \n" });
  desk.spend.onEvent(about, { ...called("b"), state: "failed" });
  await desk.use("r4", 0.7);
  expect(await desk.begin("r5")).toMatchObject({ code: "budget_progress", message: expect.stringContaining("$1.40") });
});

test("answers in a row that came to nothing open the instance's breaker; a maintainer resets it, and that is audited", async () => {
  const desk = await open({ usdWithoutProgress: 1 });
  const fail = async (message: string, usd: number, reason: "failed" | "answered" = "failed") => {
    await desk.use(`r-${message}`, usd, { about: answerTo(message) });
    const usage = { turns: 1, inputTokens: 0, outputTokens: 0, usd: 0 };
    desk.spend.onEvent({ conversation: "talk", message }, { type: "done", reason, text: "", usage });
  };
  await fail("m1", 0.6);
  await fail("m2", 0.1, "answered");
  await fail("m3", 0.6);
  expect(await desk.begin("r3", { about: answerTo("m4") })).toEqual({ status: "allowed" });
  await desk.end("r3", 0);
  await fail("m5", 0.6);
  const about = answerTo("m6");
  const refused = await waitFor(async () => {
    const answer = await desk.begin("r6", { about });
    return answer?.status === "refused" && answer;
  });
  expect(refused).toMatchObject({
    code: "budget_breaker",
    message: expect.stringContaining("2 answers in a row spent $1.20"),
  });
  expect(refused).toMatchObject({ hint: expect.stringContaining("clawdinator cost reset") });

  const next = await restart(desk.store, desk);
  expect(await next.begin("r7", { about: answerTo("m7") })).toMatchObject({ code: "budget_breaker" });
  expect(await next.begin("r8", { about: answerTo("m8"), model: freeModel })).toEqual({ status: "allowed" });
  const closed = await next.spend.reset({ id: "1", name: "Ada" }, "console");
  expect(closed).toMatchObject([{ scope: "instance", label: "CLAWDINATOR-1" }]);
  expect(await next.begin("r9", { about })).toEqual({ status: "allowed" });
  const audit = await desk.store.list("audit/");
  const actions = await Promise.all(audit.map(async ({ key }) => (await desk.store.get(key))?.value));
  expect(actions).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ action: "spend.breaker.opened" }),
      expect.objectContaining({ action: "spend.breaker.reset", actor: "maintainer:1" }),
    ]),
  );
});

test("a reset at one instance holds for the others", async () => {
  const store = await openStore({ usdPerRun: 1 });
  const [one, two] = ["i-000000000001", "i-000000000002"].map((instance) => openDesk(store, { instance }));
  await one?.use("r1", 1.5, { about: answerTo("m1", heartbeat) });
  expect(await one?.begin("r2", { about: answerTo("m1", heartbeat) })).toMatchObject({ code: "budget_run" });
  expect(await two?.begin("r3", { about: answerTo("m2", heartbeat) })).toMatchObject({ code: "budget_run" });
  await two?.spend.reset({ id: "1", name: "Ada" }, "console");
  await waitFor(async () => (await one?.begin("r4", { about: answerTo("m3", heartbeat) }))?.status === "allowed");
});

test("a request that a dead mind had begun is charged as it was estimated; one of the living mind goes on", async () => {
  const desk = await open();
  await desk.begin("r1", { usd: 0.4 });
  await desk.spend.state().ledger.flush();
  const sameMind = await restart(desk.store, desk);
  expect(await sameMind.end("r1", 0.1)).toBeCloseTo(0.1);
  await sameMind.begin("r2", { usd: 0.7 });
  await sameMind.spend.state().ledger.flush();
  const next = await restart(desk.store, desk);
  next.spend.onMind(4712);
  await waitFor(async () => (await next.report()).today.reservedUsd === 0);
  const { today, lines } = await next.report();
  expect(today.usd).toBeCloseTo(0.8);
  expect(lines).toMatchObject([{ requests: 2, estimatedRequests: 1 }]);
  expect(await next.end("r2", 0.1)).toBeCloseTo(0.7);
  expect(await total(next)).toBeCloseTo(0.8);
});

test("a gateway that died before it stored a request is told by the mind what it was", async () => {
  const desk = await open();
  expect(await desk.spend.end({ request: "lost", usage: tokensFor(0.2) })).toBeNull();
  const begun = {
    run: "m1.1",
    purpose: "personality" as const,
    model: { provider: "openai-compatible", model: "dollar" },
    estimate: tokensFor(1),
  };
  const told = { request: "lost", usage: tokensFor(0.2), begun };
  expect(await desk.spend.end(told, answerTo("m1"))).toBeCloseTo(0.2);
  expect(await desk.spend.end(told, answerTo("m1"))).toBeCloseTo(0.2);
  expect(await total(desk)).toBeCloseTo(0.2);
});

test("at midnight a new day begins with a full budget, and what is under way goes with it", async () => {
  const desk = await open({ usdPerDay: 1 });
  await desk.use("r1", 0.9);
  desk.clock.now = Date.parse("2026-11-23T23:59:30Z");
  await desk.begin("r2", { usd: 0.1 });
  expect(await desk.begin("r3", { usd: 0.1, about: answerTo("m2") })).toMatchObject({
    code: "budget_day",
    message: expect.stringContaining("(in 1 minute)"),
  });
  desk.clock.now = Date.parse("2026-11-24T00:00:01Z");
  expect(await desk.begin("r4", { usd: 0.5, about: answerTo("m2") })).toEqual({ status: "allowed" });
  await desk.end("r2", 0.1);
  await desk.end("r4", 0.5);
  await desk.spend.state().ledger.flush();
  const next = await restart(desk.store, desk);
  const { days, lines, today } = await next.report(2);
  expect(days).toEqual(["2026-11-23", "2026-11-24"]);
  expect(lines.map(({ day, usd }) => [day, Number(usd.toFixed(2))])).toEqual([
    ["2026-11-23", 0.9],
    ["2026-11-24", 0.6],
  ]);
  expect(today.usd).toBeCloseTo(0.6);
});

test("a clock that is set back does not give the spent day again", async () => {
  const desk = await open({ usdPerDay: 1 });
  await desk.use("r1", 1);
  desk.clock.now -= 24 * 3_600_000;
  expect(await desk.begin("r2", { about: answerTo("m2") })).toMatchObject({ code: "budget_day" });
});

test("a request that nobody ended before its gateway died is charged on the next day at the latest", async () => {
  const desk = await open();
  await desk.begin("r1", { usd: 0.4 });
  await desk.spend.state().ledger.flush();
  desk.clock.now += 24 * 3_600_000;
  const other = openDesk(desk.store, { instance: "i-000000000002", clock: desk.clock });
  expect((await other.report(2)).lines).toMatchObject([{ day: "2026-11-23", usd: 0.4, estimatedRequests: 1 }]);
});

test("with a budget of 0 nothing may be spent, and the refusal says so; what is free goes on", async () => {
  const desk = await open({ usdPerDay: 0 });
  expect(await desk.begin("r1")).toMatchObject({
    code: "budget_zero",
    until: null,
    message: expect.stringContaining("is 0"),
  });
  expect(await desk.begin("r2", { model: unpricedModel, about: answerTo("m2") })).toMatchObject({
    code: "budget_zero",
    hint: expect.stringContaining("models.*.price"),
  });
  expect(await desk.begin("r3", { model: freeModel })).toEqual({ status: "allowed" });
  expect(await desk.begin("r4", { model: { provider: "interpreter", model: "interpreter" } })).toEqual({
    status: "allowed",
  });
});

test("a model without a known price is counted in tokens, with a warning", async () => {
  const desk = await open();
  await desk.use("r1", 0.5, { model: unpricedModel });
  const { lines, today, warnings } = await desk.report();
  expect(today.usd).toBe(0);
  expect(lines).toMatchObject([{ price: "unknown", outputTokens: 500_000 }]);
  expect(warnings).toEqual([expect.stringContaining("price unknown: secret-price (openai-compatible)")]);
});

test("nothing is spent that cannot be written down", async () => {
  const store = await openStore({ usdPerDay: 100 });
  let isFull = false;
  const desk = openDesk({
    ...store,
    async put(key, ...rest) {
      if (isFull && key.startsWith("spend/")) throw new Error("the disk is full");
      return store.put(key, ...rest);
    },
  });
  await desk.use("r1", 0.1);
  isFull = true;
  await desk.spend
    .state()
    .ledger.flush()
    .catch(() => {});
  await desk.begin("r2");
  await desk.spend
    .state()
    .ledger.flush()
    .catch(() => {});
  expect(await desk.begin("r3")).toMatchObject({
    code: "budget_ledger",
    message: expect.stringContaining("disk is full"),
  });
  isFull = false;
  expect(await desk.begin("r4")).toEqual({ status: "allowed" });
});

test("a flood of requests, models and answers neither grows the record without end nor spends more", async () => {
  const desk = await open({ usdPerDay: 1000 });
  const answers = [];
  for (let index = 0; index < 80; index++) answers.push(await desk.begin(`open-${index}`, { usd: 0.01 }));
  expect(answers.filter((answer) => answer?.status === "allowed")).toHaveLength(64);
  expect(answers.at(-1)).toMatchObject({ code: "budget_requests_open" });
  for (let index = 0; index < 64; index++) await desk.end(`open-${index}`, 0.01);
  for (let index = 0; index < 1_000; index++) {
    const model = { provider: "openai", model: `gpt-${"x".repeat(100)}-${index}` };
    const about = answerTo(`flood-${index}`);
    await desk.begin(`f-${index}`, { model, about, estimate: tokensFor(0.000001) });
    await desk.end(`f-${index}`, 0.000001);
  }
  await desk.spend.state().ledger.flush();
  const stored = await desk.store.get("spend/2026-11-23/i-000000000001");
  expect(JSON.stringify(stored?.value).length).toBeLessThan(250_000);
  expect((await desk.report()).lines.find(({ model }) => model === "others")).toMatchObject({ requests: 701 });
});
