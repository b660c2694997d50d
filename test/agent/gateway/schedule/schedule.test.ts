import { utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ToolError } from "../../../../tools/errors.ts";
import type { Store } from "../../../../tools/store.ts";
import { actor } from "../../../support/painting.ts";
import { hourly, openDesk } from "./desk.ts";

const ids = (messages: { id: string }[]): string[] => messages.map(({ id }) => id);

test("a job runs at its time, once, as a message of the schedule in the job's own conversation", async () => {
  const desk = await openDesk();
  const one = await desk.start();
  desk.at("2026-06-01T10:59:59Z");
  await one.look();
  expect(await desk.messages()).toEqual([]);
  desk.at("2026-06-01T11:00:00Z");
  await one.look();
  await one.look();
  expect(await desk.messages()).toMatchObject([
    {
      id: "cron-hourly-20260601T110000Z",
      to: "CLAWDINATOR-1",
      channel: "schedule",
      conversation: "schedule-hourly",
      author: { kind: "schedule", id: "hourly" },
      text: "look around",
    },
  ]);
  await desk.answer("cron-hourly-20260601T110000Z", "two things wait");
  await one.look();
  expect(await one.outcomes("hourly")).toMatchObject([
    { result: "answered", trigger: "time", detail: "two things wait", at: Date.parse("2026-06-01T11:00:00Z") },
  ]);
  desk.at("2026-06-01T12:00:10Z");
  await one.look();
  expect(ids(await desk.messages())).toEqual(["cron-hourly-20260601T120000Z"]);
  expect(one.schedule.counts().get("hourly")).toEqual({ fired: 2, missed: 0, skipped: 0 });
});

test("two gateways fire a singleton once, whoever is first, and each its own of a job that is not one", async () => {
  const desk = await openDesk();
  const each = { ...hourly, id: "each", singleton: false };
  const one = await desk.start("CLAWDINATOR-1", [hourly, each]);
  const two = await desk.start("CLAWDINATOR-2", [hourly, each]);
  for (let hour = 11; hour < 17; hour++) {
    desk.at(`2026-06-01T${hour}:00:01Z`);
    await Promise.all([one.look(), two.look(), one.look()]);
    await Promise.all([two.look(), one.look()]);
    const time = `20260601T${hour}0000Z`;
    expect(ids(await desk.messages())).toEqual([
      `cron-each-CLAWDINATOR-1-${time}`,
      `cron-each-CLAWDINATOR-2-${time}`,
      `cron-hourly-${time}`,
    ]);
    for (const id of ids(await desk.messages())) await desk.answer(id, "done");
  }
  await one.look();
  expect((await one.outcomes("hourly")).map(({ result }) => result)).toEqual(Array(6).fill("answered"));
  const fired = [one, two].map(({ schedule }) => schedule.counts().get("hourly")?.fired ?? 0);
  expect(fired.reduce((sum, count) => sum + count)).toBe(6);
});

test("a gateway that read the record before another one dealt with the time leaves it alone", async () => {
  const desk = await openDesk();
  let held: Promise<void> | null = null;
  const slow: Store = {
    ...desk.store,
    async get(key) {
      const entry = await desk.store.get(key);
      const wait = key === "schedule/hourly" ? held : null;
      if (wait) held = null;
      await wait;
      return entry;
    },
  };
  const one = await desk.start("CLAWDINATOR-1");
  const two = await desk.start("CLAWDINATOR-2", [hourly], slow);
  desk.at("2026-06-01T11:00:00Z");
  const release = Promise.withResolvers<void>();
  held = release.promise;
  const late = two.look();
  await one.look();
  release.resolve();
  await late;
  expect(held).toBeNull();
  expect(ids(await desk.messages())).toEqual(["cron-hourly-20260601T110000Z"]);
  expect(await two.outcomes("hourly")).toEqual([]);
  expect(two.schedule.counts().get("hourly")).toBeUndefined();
});

test("a conversation that another name owns is written by that name's holder alone", async () => {
  const desk = await openDesk();
  const one = await desk.start("CLAWDINATOR-1");
  desk.at("2026-06-01T11:00:00Z");
  await one.look();
  await desk.answer("cron-hourly-20260601T110000Z", "done");
  const two = await desk.start("CLAWDINATOR-2");
  desk.at("2026-06-01T12:00:00Z");
  await two.look();
  expect(await desk.messages()).toMatchObject([{ id: "cron-hourly-20260601T120000Z", to: "CLAWDINATOR-1" }]);
});

test("after downtime the newest missed time runs once, and the older ones are noted as skipped", async () => {
  const desk = await openDesk();
  const before = await desk.start();
  desk.at("2026-06-01T11:00:00Z");
  await before.look();
  await desk.answer("cron-hourly-20260601T110000Z", "done");
  await before.look();
  before.schedule.stop();
  desk.at("2026-06-01T15:20:00Z");
  const after = await desk.start();
  await after.look();
  expect(ids(await desk.messages())).toEqual(["cron-hourly-20260601T150000Z"]);
  expect(await after.outcomes("hourly")).toMatchObject([
    { result: "skipped", detail: "3 earlier times were missed" },
    { result: "answered" },
  ]);
  expect(after.schedule.counts().get("hourly")).toEqual({ fired: 1, missed: 4, skipped: 3 });
  await desk.answer("cron-hourly-20260601T150000Z", "caught up");
  const again = await desk.start();
  await again.look();
  expect(await desk.messages()).toEqual([]);
  expect(await again.outcomes("hourly")).toMatchObject([{ result: "answered", trigger: "catch-up" }, {}, {}]);
});

test("a time that was missed for too long is not made up for", async () => {
  const desk = await openDesk();
  const daily = { ...hourly, id: "daily", cron: "0 11 * * *", catchUpHours: 2 };
  const one = await desk.start("CLAWDINATOR-1", [daily]);
  one.holds.name = false;
  desk.at("2026-06-01T14:00:00Z");
  await one.look();
  one.holds.name = true;
  await one.look();
  expect(await desk.messages()).toEqual([]);
  expect(await one.outcomes("daily")).toMatchObject([
    { result: "skipped", detail: "missed, and too long ago (over 2 h)" },
  ]);
  desk.at("2026-06-02T11:00:00Z");
  await one.look();
  expect(ids(await desk.messages())).toEqual(["cron-daily-20260602T110000Z"]);
});

test("a clock that jumps forward and back fires no time twice", async () => {
  const desk = await openDesk();
  const one = await desk.start();
  for (const time of ["11:00:00", "13:30:00", "10:00:00", "11:00:00", "12:00:00", "13:00:00"]) {
    desk.at(`2026-06-01T${time}Z`);
    await one.look();
    for (const id of ids(await desk.messages())) await desk.answer(id, "done");
    await one.look();
  }
  expect((await one.outcomes("hourly")).filter(({ result }) => result === "answered").map(({ at }) => at)).toEqual([
    Date.parse("2026-06-01T13:00:00Z"),
    Date.parse("2026-06-01T11:00:00Z"),
  ]);
});

test("a run that still goes on is not started again, and that is noted", async () => {
  const desk = await openDesk();
  const one = await desk.start();
  for (const hour of [11, 12]) {
    desk.at(`2026-06-01T${hour}:00:00Z`);
    await one.look();
  }
  expect(ids(await desk.messages())).toEqual(["cron-hourly-20260601T110000Z"]);
  expect(await one.outcomes("hourly")).toMatchObject([
    { result: "skipped", detail: "the run of 2026-06-01 11:00 UTC was still going on" },
  ]);
  await expect(one.schedule.act("hourly", "run", actor("1"))).rejects.toMatchObject({ code: "job_running" });
});

test("a message that a crash kept from being sent is sent by the next process of that name", async () => {
  const desk = await openDesk();
  const one = await desk.start();
  desk.at("2026-06-01T11:00:00Z");
  await one.look();
  // As if the process had died between its claim of the time and the message.
  await desk.store.delete("messages/CLAWDINATOR-1/cron-hourly-20260601T110000Z");
  one.schedule.stop();
  const two = await desk.start();
  await two.look();
  expect(ids(await desk.messages())).toEqual(["cron-hourly-20260601T110000Z"]);
});

test("a run whose instance is gone for good ends as lost, and the next time runs elsewhere", async () => {
  const desk = await openDesk();
  const one = await desk.start("CLAWDINATOR-1");
  const two = await desk.start("CLAWDINATOR-2");
  desk.at("2026-06-01T11:00:00Z");
  await one.look();
  one.schedule.stop();
  const record = (await desk.store.get("names/CLAWDINATOR-1"))?.value as object;
  await desk.store.put("names/CLAWDINATOR-1", { ...record, holder: null });
  desk.at("2026-06-01T12:00:00Z");
  await two.look();
  desk.at("2026-06-01T13:00:00Z");
  await two.look();
  expect(await two.outcomes("hourly")).toContainEqual(expect.objectContaining({ result: "lost" }));
  const waiting = (await desk.messages()).find(({ to }) => to === "CLAWDINATOR-2");
  expect(waiting?.id).toMatch(/^cron-hourly-20260601T1[23]0000Z$/);
});

test("while the fleet or the job is paused nothing fires; afterwards one missed time does", async () => {
  const desk = await openDesk();
  const one = await desk.start();
  await desk.setPaused(true);
  desk.at("2026-06-01T12:10:00Z");
  await one.look();
  await expect(one.schedule.act("hourly", "run", actor("1"))).rejects.toMatchObject({ code: "paused" });
  expect(await desk.messages()).toEqual([]);
  await desk.setPaused(false);
  desk.at("2026-06-01T12:10:02Z");
  await one.look();
  expect(ids(await desk.messages())).toEqual(["cron-hourly-20260601T120000Z"]);
  await desk.answer("cron-hourly-20260601T120000Z", "done");

  const two = await desk.start("CLAWDINATOR-2");
  const view = await two.schedule.act("hourly", "pause", actor("1"));
  expect(view).toMatchObject({ paused: { by: "Person 1" }, nextAt: null });
  desk.at("2026-06-01T14:00:00Z");
  await Promise.all([one.look(), two.look()]);
  expect(await desk.messages()).toEqual([]);
  expect(await one.schedule.act("hourly", "resume", actor("2"))).toMatchObject({ paused: null });
  desk.at("2026-06-01T14:00:05Z");
  await one.look();
  expect(ids(await desk.messages())).toEqual(["cron-hourly-20260601T140000Z"]);
});

test("a person can run a job now, under an id of its own, also when it is not enabled", async () => {
  const desk = await openDesk();
  const one = await desk.start("CLAWDINATOR-1", [{ ...hourly, enabled: false }]);
  const view = await one.schedule.act("hourly", "run", actor("1"));
  expect(view).toMatchObject({ nextAt: null, running: { trigger: "person", by: "CLAWDINATOR-1" } });
  const [message] = await desk.messages();
  expect(message?.id).toMatch(/^cron-hourly-20260601T103000Z-now-[0-9a-f]{8}$/);
  await desk.answer(message?.id ?? "", "done");
  await one.look();
  expect(await one.outcomes("hourly")).toMatchObject([{ result: "answered", trigger: "person" }]);
  desk.at("2026-06-01T11:00:00Z");
  await one.look();
  expect(await desk.messages()).toEqual([]);
  await expect(one.schedule.act("nothing", "run", actor("1"))).rejects.toThrow(ToolError);
});

test("a bad file changes nothing, says file, job and key once, and is taken over when it is mended", async () => {
  const desk = await openDesk();
  const one = await desk.start();
  const bad = [
    { ...hourly, cron: "61 * * * *" },
    { id: "x", cron: "* * *", prompt: "p" },
    { ...hourly, extra: 1 },
  ];
  one.write(bad);
  await one.look();
  await one.look();
  const { problem, file, jobs } = await one.schedule.view();
  expect(problem).toContain(file);
  expect(problem).toMatch(/job hourly, cron: 61 is a invalid expression for minute/);
  expect(problem).toMatch(/job x, cron: “\* \* \*” is not five fields/);
  expect(problem).toMatch(/job hourly, extra: there is no such key/);
  expect(jobs.map(({ id, cron }) => `${id} ${cron}`)).toEqual(["hourly 0 * * * *"]);
  expect(one.logged.filter((line) => line.includes("not taken over"))).toHaveLength(1);
  desk.at("2026-06-01T11:00:00Z");
  await one.look();
  expect(ids(await desk.messages())).toEqual(["cron-hourly-20260601T110000Z"]);

  // A start finds the bad file, too, and goes on with what was in force before.
  const after = await desk.start("CLAWDINATOR-1", []);
  expect((await after.schedule.view()).jobs).toHaveLength(1);
  after.writeText("{ not json");
  await after.look();
  expect(after.schedule.problem()).toMatch(/is not JSON/);
  after.write([{ ...hourly, id: "other" }]);
  utimesSync(join(file), 1, 1);
  await after.look();
  expect(after.schedule.problem()).toBeNull();
  expect((await after.schedule.view()).jobs.map(({ id }) => id)).toEqual(["other"]);
});

test("a job whose times change while it runs has none before the change", async () => {
  const desk = await openDesk();
  const one = await desk.start();
  desk.at("2026-06-01T10:50:00Z");
  one.write([{ ...hourly, cron: "*/5 * * * *" }]);
  await one.look();
  expect(await desk.messages()).toEqual([]);
  desk.at("2026-06-01T10:55:00Z");
  await one.look();
  expect(ids(await desk.messages())).toEqual(["cron-hourly-20260601T105500Z"]);
});

test("what is wrong with a job's run is its outcome: a budget, a model, nothing to say", async () => {
  const desk = await openDesk();
  const one = await desk.start("CLAWDINATOR-1", [{ ...hourly, silent: true }]);
  const error = (code: string) => ({ type: "error" as const, code, message: "the day's money is spent", hint: "" });
  const ends: [string, ReturnType<typeof error> | undefined][] = [
    ["", error("budget_day")],
    ["", error("overloaded")],
    [" ALL_QUIET\n", undefined],
    ["ALL_QUIET, but look at this", undefined],
  ];
  for (const [index, [text, failure]] of ends.entries()) {
    desk.at(`2026-06-01T${11 + index}:00:00Z`);
    await one.look();
    await desk.answer(`cron-hourly-20260601T${11 + index}0000Z`, text, failure);
    await one.look();
  }
  expect((await one.outcomes("hourly")).map(({ result }) => result)).toEqual([
    "answered",
    "silent",
    "failed",
    "refused",
  ]);
});

test("a silent job is held back from people until it has something to say", async () => {
  const desk = await openDesk();
  const one = await desk.start("CLAWDINATOR-1", [
    { ...hourly, silent: true },
    { ...hourly, id: "loud" },
  ]);
  const held = (message: string, type: string, text = "") => one.schedule.isHeldBack({ message, type, text });
  expect(held("cron-hourly-20260601T110000Z", "text", "AL")).toBe(true);
  expect(held("cron-hourly-20260601T110000Z", "done", "ALL_QUIET")).toBe(true);
  expect(held("cron-hourly-20260601T110000Z", "done", "look at this")).toBe(false);
  expect(held("cron-loud-20260601T110000Z", "text", "AL")).toBe(false);
  expect(held("another-message", "text", "AL")).toBe(false);
});

test("an operation's job proposes once, waits for the decision, and its end is the outcome", async () => {
  const desk = await openDesk();
  const paint = { id: "paint", cron: "0 * * * *", operation: "paint", input: {} };
  const one = await desk.start("CLAWDINATOR-1", [paint]);
  const two = await desk.start("CLAWDINATOR-2", [paint]);
  desk.at("2026-06-01T11:00:00Z");
  await Promise.all([one.look(), two.look()]);
  const [approval, ...others] = await desk.painters.approvals.list();
  expect(others).toEqual([]);
  expect(approval?.plan.proposer).toMatchObject({ kind: "schedule", id: "paint", influencedByPublicText: false });
  desk.at("2026-06-01T12:00:00Z");
  await Promise.all([one.look(), two.look()]);
  expect(await desk.painters.approvals.list()).toHaveLength(1);
  const { id = "", digest = "" } = approval ?? {};
  await desk.painters.approvals.decide({ id, actor: actor("1"), decision: { decision: "approve", digest } });
  await desk.painters.execute(id);
  await desk.painters.operations.resume({ holdsName: true });
  await expect
    .poll(async () => {
      await Promise.all([one.look(), two.look()]);
      return (await one.outcomes("paint"))[0];
    })
    .toMatchObject({ result: "succeeded", approval: id });
});

test("a policy that denies the operation, and an operation that is unknown, are the job's outcome", async () => {
  const desk = await openDesk();
  await desk.painters.setPolicy({ operations: { paint: { mode: "deny", quorum: 1, expiresHours: 24 } } });
  const paint = { id: "paint", cron: "0 * * * *", operation: "paint" };
  const one = await desk.start("CLAWDINATOR-1", [paint, { ...paint, id: "dance", operation: "dance" }]);
  desk.at("2026-06-01T11:00:00Z");
  await one.look();
  await one.look();
  expect(await one.outcomes("paint")).toMatchObject([
    { result: "refused", detail: "policy denies paint (denied_by_policy)" },
  ]);
  expect(await one.outcomes("dance")).toMatchObject([{ result: "refused" }]);
  expect(await desk.painters.approvals.list()).toEqual([]);
});
