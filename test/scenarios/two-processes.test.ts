/** Mind and gateway: either may be killed and started while the other runs, and every message is answered once. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { instancePaths } from "../../agent/paths.ts";
import { chat, claimsOf, entriesOf, textOf } from "../support/chat.ts";
import { makeFleet, processesBelow, startFleet, type TestFleet } from "../support/fleet.ts";
import { expectConsistent } from "../support/kills.ts";
import { answerOf, startTalkingModel, type TalkingModel } from "../support/talking-model.ts";
import { waitFor } from "../support/wait.ts";

const timeout = 240_000;
const patience = { timeoutMs: 90_000 };
const question = "tell me slowly";

async function talkingFleet(config: Record<string, unknown> = {}): Promise<{ fleet: TestFleet; model: TalkingModel }> {
  const model = await startTalkingModel();
  const fleet = await startFleet({ config: { models: { personality: model.config }, ...config } });
  return { fleet, model };
}

function pidOf(fleet: TestFleet, role: "gateway" | "mind", instance?: string): number | undefined {
  return processesBelow(fleet.home).find((one) => one.role === role && (!instance || one.instance === instance))?.pid;
}

/** Waits for a process of that role with another pid than before. */
function successor(
  fleet: TestFleet,
  role: "gateway" | "mind",
  before: number | undefined,
  instance?: string,
): Promise<number> {
  return waitFor(
    () => {
      const pid = pidOf(fleet, role, instance);
      return pid === before ? undefined : pid;
    },
    { ...patience, what: `another ${role}` },
  );
}

async function expectAnsweredOnce(fleet: TestFleet, conversation: string): Promise<void> {
  const claims = await claimsOf(await fleet.store(), ({ request }) => request.conversation === conversation);
  expect(claims).toMatchObject([
    { state: "answered", answer: { done: { reason: "answered", text: answerOf(question) } } },
  ]);
  const roles = (await entriesOf(fleet, conversation)).map(({ body }) => body.role);
  expect(roles).toEqual(["user", "assistant", "end"]);
}

test("a mind or a gateway killed in the middle of an answer: the answer still comes, once", { timeout }, async () => {
  const { fleet, model } = await talkingFleet();

  // Two readers each: the command line, and a page that posts the same message again whenever it loses the connection.
  const asked = fleet.cli(["ask", "--conversation", "cli", question]);
  await waitFor(() => model.waiting() === 1, { ...patience, what: "the first question at the model" });
  const posted = chat(fleet, { conversation: "web", text: question, message: "web-1" }, patience.timeoutMs);
  await waitFor(() => model.waiting() === 2, { ...patience, what: "the second question at the model" });

  const mind = pidOf(fleet, "mind");
  process.kill(Number(mind), "SIGKILL");
  const secondMind = await successor(fleet, "mind", mind);
  await waitFor(() => model.waiting() === 2, { ...patience, what: "both questions at the model again" });

  const gateway = pidOf(fleet, "gateway");
  await fleet.kill();
  expect(pidOf(fleet, "mind")).toBe(secondMind);
  await fleet.start();
  expect(await successor(fleet, "gateway", gateway)).toBe(fleet.pid());
  // The same mind goes on with the same runs.
  expect(pidOf(fleet, "mind")).toBe(secondMind);
  expect(model.waiting()).toBe(2);

  model.letGo();
  const { code, stdout } = await asked;
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${answerOf(question)}\n` });
  expect(textOf(await posted)).toBe(answerOf(question));
  await expectAnsweredOnce(fleet, "cli");
  await expectAnsweredOnce(fleet, "web");
  await expectConsistent(fleet, { "CLAWDINATOR-1": 1 });
});

test("both killed in the middle of an answer: the answer comes after the restart, once", { timeout }, async () => {
  const { fleet, model } = await talkingFleet();
  const posted = chat(fleet, { conversation: "web", text: question, message: "web-1" }, patience.timeoutMs);
  await waitFor(() => model.waiting() === 1, patience);
  const mind = Number(pidOf(fleet, "mind"));
  await fleet.kill();
  process.kill(mind, "SIGKILL");
  await fleet.start();
  await waitFor(() => model.waiting() === 1, patience);
  model.letGo();
  expect(textOf(await posted)).toBe(answerOf(question));
  await expectAnsweredOnce(fleet, "web");
});

test("an answer that is not ready when its instance is replaced is given by the next one, once", {
  timeout,
}, async () => {
  const { fleet, model } = await talkingFleet({ fleet: { drainSeconds: 1 } });
  const launch = await proposeDirectly(fleet, "instance_launch", {});
  await fleet.approve(launch);
  expect(await fleet.ended(launch, patience)).toMatchObject({ state: "succeeded" });
  const asked = fleet.cli(["ask", "--to", "CLAWDINATOR-2", "--conversation", "cli", question]);
  const posted = chat(
    fleet,
    { conversation: "web", text: question, message: "web-1", to: "CLAWDINATOR-2" },
    patience.timeoutMs,
  );
  await waitFor(() => model.waiting() === 2, { ...patience, what: "both questions at the model" });
  const replace = await proposeDirectly(fleet, "instance_replace", { name: "CLAWDINATOR-2" });
  await fleet.approve(replace);
  expect(await fleet.ended(replace, patience)).toMatchObject({ state: "succeeded", error: null });
  await waitFor(() => model.waiting() === 2, { ...patience, what: "both questions at the model again" });
  model.letGo();
  expect(await asked).toMatchObject({ code: 0, stdout: `${answerOf(question)}\n` });
  expect(textOf(await posted)).toBe(answerOf(question));
  await expectAnsweredOnce(fleet, "cli");
  await expectAnsweredOnce(fleet, "web");
  await expectConsistent(fleet, { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 2 });
});

test("a sibling's gateway that is killed is started again as the same instance, and its mind goes on", {
  timeout,
}, async () => {
  const { fleet, model } = await talkingFleet({ fleet: { leaseSeconds: 4 } });
  const launch = await proposeDirectly(fleet, "instance_launch", {});
  await fleet.approve(launch);
  expect(await fleet.ended(launch, patience)).toMatchObject({ state: "succeeded" });
  const before = await fleet.instance("CLAWDINATOR-2");
  const posted = chat(
    fleet,
    { conversation: "web", text: question, message: "web-1", to: "CLAWDINATOR-2" },
    patience.timeoutMs,
  );
  await waitFor(() => model.waiting() === 1, patience);

  const gateway = Number(pidOf(fleet, "gateway", before.instance));
  const mind = pidOf(fleet, "mind", before.instance);
  process.kill(gateway, "SIGKILL");
  await waitFor(() => pidOf(fleet, "gateway", before.instance) === undefined, patience);
  await successor(fleet, "gateway", undefined, before.instance);
  await waitFor(async () => (await fleet.instance("CLAWDINATOR-2")).state === "ready", patience);
  expect(pidOf(fleet, "mind", before.instance)).toBe(mind);
  model.letGo();
  expect(textOf(await posted)).toBe(answerOf(question));
  await expectAnsweredOnce(fleet, "web");
  expect(await fleet.instance("CLAWDINATOR-2")).toMatchObject({
    instance: before.instance,
    epoch: 1,
    port: before.port,
  });
  await expectConsistent(fleet, { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 1 });
  const { entries } = await fleet.json<{ entries: { action: string; subject: string; detail: string }[] }>(
    "audit",
    "--subject",
    "CLAWDINATOR-2",
  );
  expect(entries.filter(({ action }) => action === "instance.restarted")).toMatchObject([
    { detail: `${before.instance} had died` },
  ]);
});

test("SIGTERM parks what cannot end in time, leaves no process, and the next start answers", { timeout }, async () => {
  const { fleet, model } = await talkingFleet({ fleet: { drainSeconds: 1 } });
  const posted = chat(fleet, { conversation: "web", text: question, message: "web-1" }, patience.timeoutMs);
  await waitFor(() => model.waiting() === 1, patience);
  const startedAt = performance.now();
  process.kill(Number(fleet.pid()), "SIGTERM");
  expect(await fleet.exited()).toEqual({ code: 0, signal: null });
  // One second to end the answer, then what it takes to park it: far below the time after which it would be killed.
  expect(performance.now() - startedAt).toBeLessThan(15_000);
  expect(processesBelow(fleet.home)).toEqual([]);
  await fleet.start();
  await waitFor(() => model.waiting() === 1, patience);
  model.letGo();
  expect(textOf(await posted)).toBe(answerOf(question));
  await expectAnsweredOnce(fleet, "web");
});

test("SIGTERM lets an answer end that is nearly ready", { timeout }, async () => {
  const { fleet, model } = await talkingFleet();
  const asked = fleet.cli(["ask", "--conversation", "cli", question]);
  await waitFor(() => model.waiting() === 1, patience);
  process.kill(Number(fleet.pid()), "SIGTERM");
  await waitFor(() => fleet.output().includes('"stopping"'), patience);
  model.letGo();
  expect(await asked).toMatchObject({ code: 0, stdout: `${answerOf(question)}\n` });
  expect(await fleet.exited()).toEqual({ code: 0, signal: null });
  await expectAnsweredOnce(fleet, "cli");
  expect(processesBelow(fleet.home)).toEqual([]);
});

test("a mind that keeps dying is started again ever more slowly", { timeout }, async () => {
  const fleet = makeFleet();
  await fleet.start();
  const instance = String(processesBelow(fleet.home)[0]?.instance);
  for (let round = 0; round < 4; round++) {
    const mind = await waitFor(() => pidOf(fleet, "mind"), patience);
    process.kill(mind, "SIGKILL");
    await successor(fleet, "mind", mind);
  }
  const log = fleet.output() + readFileSync(join(instancePaths(fleet.home, instance).logs, "mind.log"), "utf8");
  const waits = [...log.matchAll(/"backoffMs":(\d+)/g)].map(([, milliseconds]) => Number(milliseconds));
  expect(waits).toEqual([100, 200, 400, 800]);
  expect((await fleet.cli(["ask", "version"])).stdout).toContain("CLAWDINATOR-1");
});

/** As the console's forms do: the model of these tests calls no tools. */
async function proposeDirectly(fleet: TestFleet, operation: string, input: Record<string, unknown>): Promise<string> {
  const response = await fleet.fetch("/api/operations", { method: "POST", body: { operation, input } });
  const body = (await response.json()) as { approval: { id: string } };
  expect(response.status).toBe(200);
  return body.approval.id;
}
