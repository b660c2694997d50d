/** Replacing and retiring: the name moves once, nobody holds it twice, and whoever talks to it notices nothing. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { FleetStatus } from "../../tools/fleet/model.ts";
import { chat, claimsOf, entriesOf, textOf } from "../support/chat.ts";
import { processesBelow, startFleet, type TestFleet } from "../support/fleet.ts";
import { readVersion } from "../support/fleet-socket.ts";
import { watchHolders } from "../support/holder-watch.ts";
import { waitFor } from "../support/wait.ts";

const timeout = 300_000;
const patience = { timeoutMs: 120_000 };

async function carryOut(fleet: TestFleet, text: string) {
  const approval = await fleet.propose(text);
  await fleet.approve(approval.id);
  const operation = await fleet.ended(approval.id, patience);
  expect(operation).toMatchObject({ state: "succeeded", error: null });
  return operation;
}

async function epochsOf(fleet: TestFleet): Promise<Record<string, number | null>> {
  const { instances } = await fleet.json<FleetStatus>("fleet", "status");
  return Object.fromEntries(instances.map(({ name, epoch }) => [name, epoch]));
}

test("a replaced sibling keeps name, memory and conversations, and each message in between gets one answer", {
  timeout,
}, async () => {
  const fleet = await startFleet();
  await carryOut(fleet, "spawn a sibling");
  const store = await fleet.store();
  const to = "CLAWDINATOR-2";
  const before = await fleet.instance(to);
  const told = await fleet.cli(["ask", "--to", to, "--conversation", "handover", "remember that owls hunt at night"]);
  expect(told).toMatchObject({ code: 0 });

  const watch = watchHolders({ home: fleet.home, store, name: to });
  const approval = await fleet.propose("replace CLAWDINATOR-2");
  await fleet.approve(approval.id);

  // Messages go out all the time until the name has moved: before, during and after the handover.
  const asked: Promise<{ code: number; stdout: string; stderr: string }>[] = [];
  const posted: Promise<string>[] = [];
  const ended = fleet.ended(approval.id, patience);
  let hasEnded = false;
  void ended.finally(() => {
    hasEnded = true;
  });
  for (let round = 0; !hasEnded || round < 4; round++) {
    if (round < 6) asked.push(fleet.cli(["ask", "--to", to, "--conversation", `cli-${round}`, "version"]));
    const message = { conversation: `web-${round}`, text: "version", message: `fixed-${round}`, to };
    // Two readers of one message: the second post is the first one sent again.
    posted.push(chat(fleet, message, 120_000).then(textOf), chat(fleet, message, 120_000).then(textOf));
    await waitFor(
      async () =>
        (await store.get(`messages/${to}/fixed-${round}`)) || (await store.get(`inbox/console/fixed-${round}`)),
      patience,
    );
  }
  expect(await ended).toMatchObject({ state: "succeeded", error: null });

  for (const { code, stdout, stderr } of await Promise.all(asked)) {
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout.match(/CLAWDINATOR-2/g)).toHaveLength(1);
  }
  for (const text of await Promise.all(posted)) expect(text.match(/CLAWDINATOR-2/g)).toHaveLength(1);
  const claims = await claimsOf(store, (claim) => /^(cli|web)-\d/.test(claim.request.conversation));
  expect(claims).toHaveLength(asked.length + posted.length / 2);
  for (const claim of claims) {
    expect(claim).toMatchObject({ state: "answered", answer: { done: { reason: "answered" }, error: null } });
    const entries = await entriesOf(fleet, claim.request.conversation);
    expect(entries.filter((entry) => entry.message === claim.message && entry.body.role === "end")).toHaveLength(1);
    expect(entries.filter((entry) => entry.message === claim.message && entry.body.role === "user")).toHaveLength(1);
  }
  expect(await store.list(`messages/${to}/`)).toEqual([]);

  // What was begun with the old one goes on with the new one.
  const recalled = await fleet.cli(["ask", "--to", to, "--conversation", "handover", "search memory for owls"]);
  expect(recalled.stdout).toContain("owls hunt at night");
  const entries = await entriesOf(fleet, "handover");
  expect(entries.map((entry) => entry.body.role).filter((role) => role === "user" || role === "end")).toEqual([
    "user",
    "end",
    "user",
    "end",
  ]);
  for (const epoch of [1, 2])
    expect(existsSync(join(fleet.home, "fleet", "conversations", "handover", `${epoch}.jsonl`))).toBe(true);

  const { epochs, answers } = await watch.stop();
  expect(epochs).toEqual([1, 2]);
  expect(answers).toBeGreaterThan(10);
  const after = await fleet.instance(to);
  expect(after).toMatchObject({ state: "ready", epoch: 2, revision: before.revision, port: before.port });
  expect(after.instance).not.toBe(before.instance);
  await expectOnly(fleet, [(await fleet.instance("CLAWDINATOR-1")).instance, after.instance]);
});

test("an instance that runs from a checkout replaces itself and leaves a fleet that goes on without it", {
  timeout,
}, async () => {
  const fleet = await startFleet();
  const store = await fleet.store();
  const before = await fleet.instance("CLAWDINATOR-1");
  await fleet.cli(["ask", "--conversation", "kept", "remember that herons wade"]);
  const watch = watchHolders({ home: fleet.home, store, name: "CLAWDINATOR-1" });
  const approval = await fleet.propose("replace CLAWDINATOR-1");
  await fleet.approve(approval.id);
  const operation = await fleet.ended(approval.id, patience);
  expect(operation).toMatchObject({ state: "succeeded", error: null });
  expect(await fleet.exited()).toEqual({ code: 0, signal: null });
  expect((await watch.stop()).epochs).toEqual([1, 2]);

  const after = await fleet.instance("CLAWDINATOR-1");
  expect(after).toMatchObject({ state: "ready", epoch: 2, port: before.port, revision: before.revision });
  expect(after.image).toMatch(/^local-/);
  expect(await (await fleet.fetch("/api/version", { token: null })).json()).toMatchObject({
    instance: after.instance,
    epoch: 2,
  });
  expect((await fleet.cli(["ask", "--conversation", "kept", "search memory for herons"])).stdout).toContain(
    "herons wade",
  );
  // The last step was not done by the one that it stopped.
  const told = await fleet.json<{ entries: { action: string; actor: string; subject: string }[] }>(
    "audit",
    "--limit",
    "200",
  );
  const handedOver = told.entries.filter((entry) => entry.action === "operation.step.handed_over");
  expect(handedOver).toMatchObject([{ actor: `instance:${before.instance}`, subject: operation.id }]);
  expect(
    told.entries.find((entry) => entry.action === "operation.succeeded" && entry.subject === operation.id),
  ).toMatchObject({ actor: `instance:${after.instance}` });
  await expectOnly(fleet, [after.instance]);

  // The same again, now image by image in the background.
  await carryOut(fleet, "replace CLAWDINATOR-1");
  const third = await fleet.instance("CLAWDINATOR-1");
  expect(third).toMatchObject({ state: "ready", epoch: 3, port: before.port });
  await expectOnly(fleet, [third.instance]);
});

test("an instance that carries out its own retirement hands it over and is gone", { timeout }, async () => {
  const fleet = await startFleet();
  await carryOut(fleet, "spawn a sibling");
  const approval = await fleet.propose("retire CLAWDINATOR-1");
  await fleet.approve(approval.id);
  expect(await fleet.ended(approval.id, patience)).toMatchObject({ state: "succeeded", error: null });
  expect(await fleet.exited()).toEqual({ code: 0, signal: null });
  expect(await epochsOf(fleet)).toEqual({ "CLAWDINATOR-2": 1 });
  await expectOnly(fleet, [(await fleet.instance("CLAWDINATOR-2")).instance]);
  expect((await fleet.cli(["ask", "version"])).stdout).toContain("CLAWDINATOR-2");
  // The last one stays: nobody would be left to finish the job.
  const refused = await fleet.cli(["ask", "retire CLAWDINATOR-2"]);
  expect(refused.stdout).toContain("is the last instance");
});

/** Exactly these instances run, each with gateway and mind, and nothing else is left of any other. */
async function expectOnly(fleet: TestFleet, instances: string[]): Promise<void> {
  const wanted = instances.flatMap((instance) => [`${instance} gateway`, `${instance} mind`]).sort();
  await waitFor(() => processesBelow(fleet.home).length === wanted.length, {
    what: "the right processes running",
  }).catch(() => {});
  expect(
    processesBelow(fleet.home)
      .map(({ instance, role }) => `${instance} ${role}`)
      .sort(),
  ).toEqual(wanted);
  for (const instance of instances)
    expect(await readVersion(fleet.home, instance)).toMatchObject({ instance, holdsName: true });
}
