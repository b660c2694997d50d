/** A revision that cannot work never gets a name: the candidate goes, the old instance stays, the operation says why. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { OperationView } from "../../agent/protocol.ts";
import type { Heartbeat } from "../../tools/fleet/model.ts";
import { breakGateway, breakMind, gatewayFailure, mindFailure } from "../support/broken-program.ts";
import { processesBelow, startFleet, type TestFleet } from "../support/fleet.ts";
import { git } from "../support/git.ts";
import { expectConsistent } from "../support/kills.ts";
import { waitFor } from "../support/wait.ts";

const timeout = 300_000;

async function fleetOfTwo(): Promise<TestFleet> {
  const fleet = await startFleet({ config: { fleet: { candidateSeconds: 60 } } });
  const approval = await fleet.propose("spawn a sibling");
  await fleet.approve(approval.id);
  expect(await fleet.ended(approval.id, { timeoutMs: 120_000 })).toMatchObject({ state: "succeeded" });
  return fleet;
}

/** From now on candidates have little time. The configuration is read at the start, so both are ended and come back. */
async function hurry(fleet: TestFleet): Promise<void> {
  writeFileSync(
    join(fleet.home, "config.json"),
    JSON.stringify({ gateway: { port: 0 }, fleet: { candidateSeconds: 6 } }),
  );
  const { instance } = await fleet.instance("CLAWDINATOR-2");
  const pair = processesBelow(fleet.home).filter((one) => one.instance === instance);
  await fleet.kill();
  for (const { pid } of pair) process.kill(pid, "SIGKILL");
  await fleet.start();
  const old = new Set(pair.map(({ pid }) => pid));
  const isBack = async (): Promise<boolean> => {
    const now = processesBelow(fleet.home).filter((one) => one.instance === instance && !old.has(one.pid));
    const { state, checks } = await fleet.instance("CLAWDINATOR-2");
    return now.length === 2 && state === "ready" && checks.every(({ ok }) => ok);
  };
  await waitFor(isBack, { timeoutMs: 60_000, what: "CLAWDINATOR-2 coming back" });
}

const desiredOf = (fleet: TestFleet): string =>
  git(join(fleet.home, "fleet", "repo.git"), "show", "HEAD:nix/instances.json");

/** Replaces CLAWDINATOR-2 by the revision and checks that nothing came of it but an explanation. */
async function replaceInVain(fleet: TestFleet, revision: string): Promise<OperationView> {
  const store = await fleet.store();
  const before = await fleet.instance("CLAWDINATOR-2");
  const [instances, desired] = [readdirSync(join(fleet.home, "instances")).sort(), desiredOf(fleet)];
  const processes = processesBelow(fleet.home);

  const approval = await fleet.propose(`replace CLAWDINATOR-2 with revision ${revision}`);
  await fleet.approve(approval.id);
  const states = new Set<string>();
  let isWatching = true;
  const watching = (async () => {
    while (isWatching) {
      const record = (await store.get("names/CLAWDINATOR-2"))?.value as {
        holder: string;
        epoch: number;
        leaseUntil: number;
      };
      const heartbeat = (await store.get("names/CLAWDINATOR-2/1/heartbeat"))?.value as unknown as Heartbeat;
      const isLeased = record.leaseUntil > (await store.now());
      states.add(
        `${record.holder} ${record.epoch} ${heartbeat.state} ${isLeased} ${heartbeat.checks.every(({ ok }) => ok)}`,
      );
      await delay(20);
    }
  })();
  const operation = await fleet.ended(approval.id, { timeoutMs: 120_000 }).finally(() => {
    isWatching = false;
  });
  await watching;

  expect([...states]).toEqual([`${before.instance} 1 ready true true`]);
  expect(operation.state).toBe("compensated");
  expect(readdirSync(join(fleet.home, "instances")).sort()).toEqual(instances);
  expect(processesBelow(fleet.home)).toEqual(processes);
  expect(desiredOf(fleet)).toBe(desired);
  expect(await fleet.instance("CLAWDINATOR-2")).toMatchObject({
    instance: before.instance,
    epoch: 1,
    state: "ready",
    revision: before.revision,
  });
  expect((await fleet.cli(["ask", "--to", "CLAWDINATOR-2", "version"])).stdout).toContain("CLAWDINATOR-2");
  await expectConsistent(fleet, { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 1 });
  return operation;
}

test("a candidate whose mind or gateway cannot start is removed and its last words are told", { timeout }, async () => {
  const fleet = await fleetOfTwo();
  await hurry(fleet);

  const mindless = await replaceInVain(fleet, breakMind(fleet.program));
  expect(mindless.error?.message).toContain("did not happen within 6 s");
  expect(mindless.error?.log.join("\n")).toContain(mindFailure);
  expect(mindless.error?.log.some((line) => line.startsWith("gateway: "))).toBe(true);
  const failed = mindless.steps.find((step) => step.state === "failed" || step.error !== null);
  expect(failed).toMatchObject({ name: "prove_candidate" });
  const proving = (failed?.endedAt ?? 0) - (failed?.startedAt ?? 0);
  expect(proving).toBeGreaterThan(5_000);
  expect(proving).toBeLessThan(20_000);
  // A person who looks at the operation is told the same.
  expect((await fleet.cli(["operations", "show", mindless.id])).stdout).toContain(mindFailure);

  const gone = await replaceInVain(fleet, breakGateway(fleet.program));
  expect([gone.error?.message, ...(gone.error?.log ?? [])].join("\n")).toContain(gatewayFailure);
});
