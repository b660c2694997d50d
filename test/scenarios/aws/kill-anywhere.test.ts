/**
 * `kill -9` of the gateway at every step of every operation on AWS, when it has acted without having noted it: nothing is
 * orphaned in the account, nothing is there twice. Where only the journal acts, which is the same code on one machine,
 * those points kill there; with CLAWDINATOR_TEST_KILLS=all here too, when a step is about to act.
 */
import { expect, test } from "vitest";
import { whyNotRepaired } from "../../support/aws.ts";
import { breakHolder, holderFailure } from "../../support/broken-program.ts";
import { type CloudFleet, expectCloudConsistent, makeCloudFleet } from "../../support/cloud-fleet.ts";
import {
  buildThroughKills,
  expectAudited,
  type Failpoints,
  makeFailpoints,
  pointsOf,
  runThroughKills,
  type SurvivedRun,
} from "../../support/kills.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { waitFor } from "../../support/wait.ts";

const timeout = 600_000;

const points = process.env.CLAWDINATOR_TEST_KILLS === "all" ? [".intent", ".effect"] : [".effect"];

async function armedFleet(
  config: Record<string, Record<string, unknown>> = {},
): Promise<{ cloud: CloudFleet; failpoints: Failpoints }> {
  const failpoints = makeFailpoints(temporaryDirectory(), points);
  const cloud = await makeCloudFleet({ config });
  await cloud.fleet.start({ environment: failpoints.environment });
  return { cloud, failpoints };
}

/** Of the machines: they rest until CLAWDINATOR-1, which is killed, has taken the operation. */
function gateways(cloud: CloudFleet): number[] {
  return cloud.room.machines().flatMap(({ state, pid }) => (state === "running" && pid !== null ? [pid] : []));
}

async function expectSurvived(
  { cloud, failpoints }: { cloud: CloudFleet; failpoints: Failpoints },
  run: SurvivedRun,
  expected: { state: string; epochs: Record<string, number>; images: number },
): Promise<void> {
  const { operation, fired, starts } = run;
  expect({ state: operation.state, error: operation.state === "succeeded" ? operation.error : null }).toEqual({
    state: expected.state,
    error: null,
  });
  const expectedPoints = pointsOf(operation).filter(failpoints.includes);
  expect(fired.sort()).toEqual(expectedPoints.sort());
  expect(starts).toBe(expectedPoints.length);
  await expectCloudConsistent(cloud, expected);
  await expectAudited(cloud.fleet, operation);
}

test.skipIf(whyNotRepaired())(
  "build, import, launch, replace, retire and prune survive a kill at every point of every step",
  {
    timeout,
  },
  async () => {
    const armed = await armedFleet();
    const { cloud, failpoints } = armed;
    const { fleet } = cloud;
    const throughKills = (text: string) => runThroughKills(fleet, failpoints, text, { others: () => gateways(cloud) });
    const one = { "CLAWDINATOR-1": 1 };

    const first = cloud.newRevision("Built");
    const built = await buildThroughKills(fleet, failpoints, first);
    await expectSurvived(armed, built, { state: "succeeded", epochs: one, images: 0 });

    const launched = await throughKills(`spawn a sibling at ${first}`);
    await expectSurvived(armed, launched, { state: "succeeded", epochs: { ...one, "CLAWDINATOR-2": 1 }, images: 1 });

    const second = cloud.newRevision("Replaced");
    const replaced = await throughKills(`replace CLAWDINATOR-2 with revision ${second}`);
    await expectSurvived(armed, replaced, { state: "succeeded", epochs: { ...one, "CLAWDINATOR-2": 2 }, images: 2 });
    expect(await fleet.instance("CLAWDINATOR-2")).toMatchObject({ state: "ready", revision: second });

    const retired = await throughKills("retire CLAWDINATOR-2");
    await expectSurvived(armed, retired, { state: "succeeded", epochs: one, images: 2 });

    const pruned = await throughKills("prune images, keep 0");
    await expectSurvived(armed, pruned, { state: "succeeded", epochs: one, images: 0 });
  },
);

test.skipIf(whyNotRepaired())(
  "undoing a replacement that fails after the handover survives a kill at every point",
  { timeout },
  async () => {
    const armed = await armedFleet({ fleet: { candidateSeconds: 15 } });
    const { cloud, failpoints } = armed;
    const { fleet } = cloud;
    const launch = await fleet.propose("spawn a sibling");
    await fleet.approve(launch.id);
    expect(await fleet.ended(launch.id, { timeoutMs: 120_000 })).toMatchObject({ state: "succeeded" });
    const before = await fleet.instance("CLAWDINATOR-2");

    const broken = breakHolder(fleet.program);
    const undone = await runThroughKills(fleet, failpoints, `replace CLAWDINATOR-2 with revision ${broken}`, {
      others: () => gateways(cloud),
    });
    await expectSurvived(armed, undone, {
      state: "compensated",
      epochs: { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 3 },
      images: 1,
    });
    expect(undone.operation.error?.message).toContain("becoming ready");
    expect(cloud.room.machines().some((machine) => machine.output().includes(holderFailure))).toBe(true);
    await waitFor(
      async () => {
        const now = await fleet.instance("CLAWDINATOR-2");
        return now.state === "ready" && now.instance === before.instance;
      },
      { timeoutMs: 60_000, what: "the old instance acting again" },
    );
  },
);
