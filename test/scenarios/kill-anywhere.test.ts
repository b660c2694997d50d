/**
 * `kill -9` of the gateway that runs an operation, at everything that its journal notes: when a step is about to act,
 * when it has acted, and when that is noted, forwards and backwards. Each point kills once within one run of the
 * operation. Before a step the journal says what it said after the one before, so there only the first step of a build
 * is killed here; with CLAWDINATOR_TEST_KILLS=all every step is. `npm run soak` kills at each point by itself.
 */
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { breakHolder, holderFailure } from "../support/broken-program.ts";
import { makeFleet, type TestFleet } from "../support/fleet.ts";
import { commitFiles } from "../support/git.ts";
import {
  buildThroughKills,
  expectAudited,
  expectConsistent,
  type Failpoints,
  makeFailpoints,
  pointsOf,
  runThroughKills,
  type SurvivedRun,
} from "../support/kills.ts";
import { waitFor } from "../support/wait.ts";

const timeout = 600_000;

const points =
  process.env.CLAWDINATOR_TEST_KILLS === "all"
    ? []
    : ["build_image.before", ".intent", ".effect", ".after", "compensate.before"];

async function armedFleet(config: Record<string, unknown> = {}): Promise<{ fleet: TestFleet; failpoints: Failpoints }> {
  const fleet = makeFleet({ config });
  const failpoints = makeFailpoints(dirname(fleet.home), points);
  await fleet.start({ environment: failpoints.environment });
  return { fleet, failpoints };
}

async function expectSurvived(
  { fleet, failpoints }: { fleet: TestFleet; failpoints: Failpoints },
  run: SurvivedRun,
  expected: { state: string; epochs: Record<string, number> },
): Promise<void> {
  const { operation, fired, starts } = run;
  expect({ state: operation.state, error: operation.state === "succeeded" ? operation.error : null }).toEqual({
    state: expected.state,
    error: null,
  });
  const passed = pointsOf(operation).filter(failpoints.includes);
  expect(fired.sort()).toEqual(passed.sort());
  expect(starts).toBe(passed.length);
  await expectConsistent(fleet, expected.epochs);
  await expectAudited(fleet, operation);
}

function newRevision(fleet: TestFleet, text: string): string {
  return commitFiles(fleet.program, { "docs/revision.md": `${text}\n` }, text);
}

test("image build, launch, replace and retire survive a kill at every point of every step", { timeout }, async () => {
  const armed = await armedFleet();
  const { fleet, failpoints } = armed;
  const throughKills = (text: string) => runThroughKills(fleet, failpoints, text);

  const first = newRevision(fleet, "First");
  const built = await buildThroughKills(fleet, failpoints, first);
  await expectSurvived(armed, built, { state: "succeeded", epochs: { "CLAWDINATOR-1": 1 } });

  const second = newRevision(fleet, "Second");
  const launched = await throughKills(`spawn a sibling at ${second}`);
  await expectSurvived(armed, launched, { state: "succeeded", epochs: { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 1 } });

  const third = newRevision(fleet, "Third");
  const replaced = await throughKills(`replace CLAWDINATOR-2 with revision ${third}`);
  await expectSurvived(armed, replaced, { state: "succeeded", epochs: { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 2 } });
  expect(await fleet.instance("CLAWDINATOR-2")).toMatchObject({ state: "ready", revision: third });

  const retired = await throughKills("retire CLAWDINATOR-2");
  await expectSurvived(armed, retired, { state: "succeeded", epochs: { "CLAWDINATOR-1": 1 } });
});

test("a roll survives a kill at every point, and so does undoing a replacement that fails after the handover", {
  timeout,
}, async () => {
  const armed = await armedFleet({ fleet: { candidateSeconds: 15 } });
  const { fleet, failpoints } = armed;
  const launch = await fleet.propose("spawn a sibling");
  await fleet.approve(launch.id);
  expect(await fleet.ended(launch.id, { timeoutMs: 120_000 })).toMatchObject({ state: "succeeded" });

  const revision = newRevision(fleet, "Rolled");
  const rolled = await runThroughKills(fleet, failpoints, `roll the fleet to revision ${revision}`);
  await expectSurvived(armed, rolled, { state: "succeeded", epochs: { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 2 } });
  const before = await fleet.instance("CLAWDINATOR-2");
  expect(before).toMatchObject({ state: "ready", revision });

  // It proves itself and gets the name before it fails, so every compensation there is has something to undo.
  const broken = breakHolder(fleet.program);
  const undone = await runThroughKills(fleet, failpoints, `replace CLAWDINATOR-2 with revision ${broken}`);
  await expectSurvived(armed, undone, { state: "compensated", epochs: { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 4 } });
  const { steps, error } = undone.operation;
  expect(steps.filter(({ state }) => state === "compensated").map(({ name }) => name)).toEqual([
    "import_image",
    "start_candidate",
    "commit_desired",
    "drain",
    "give_name",
  ]);
  expect(error?.log.join("\n")).toContain(holderFailure);
  const after = await fleet.instance("CLAWDINATOR-2");
  expect(after).toMatchObject({ instance: before.instance, revision });
  await waitFor(async () => (await fleet.instance("CLAWDINATOR-2")).state === "ready", {
    timeoutMs: 60_000,
    what: "the old instance acting again",
  });
  expect((await fleet.cli(["ask", "--to", "CLAWDINATOR-2", "version"])).stdout).toContain("CLAWDINATOR-2");
});

test("an operation whose gateway dies and stays dead is finished by another instance", { timeout }, async () => {
  const { fleet, failpoints } = await armedFleet({ fleet: { leaseSeconds: 5 } });
  const launch = await fleet.propose("spawn a sibling");
  await fleet.approve(launch.id);
  expect(await fleet.ended(launch.id, { timeoutMs: 120_000 })).toMatchObject({ state: "succeeded" });
  const { operation, starts } = await runThroughKills(fleet, failpoints, "spawn a sibling", {
    point: "start_candidate.effect",
    restart: false,
  });
  expect(starts).toBe(0);
  const adopter = (await fleet.instance("CLAWDINATOR-2")).instance;
  expect(operation).toMatchObject({ state: "succeeded", owner: { instance: adopter } });
  await fleet.start();
  await expectConsistent(fleet, { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 1, "CLAWDINATOR-3": 1 });
  await expectAudited(fleet, operation);
});
