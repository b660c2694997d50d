import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createSitrepDesk, type SitrepSources } from "../../../../agent/gateway/schedule/sitrep.ts";
import type { ScheduleView } from "../../../../agent/schedule.ts";
import type { FleetStatus } from "../../../../tools/fleet/model.ts";
import type { Store } from "../../../../tools/store.ts";
import { sampleApproval, sampleFleet, sampleOperation } from "../../../support/console-samples.ts";
import { openPainters } from "../../../support/painting.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const start = Date.parse("2026-06-01T10:00:00Z");
const hour = 3_600_000;

async function openDesk(given: Partial<SitrepSources> = {}) {
  const painters = await openPainters({ path: join(temporaryDirectory(), "store.sqlite") });
  onTestFinished(() => painters.close());
  const clock = { now: start };
  const store: Store = { ...painters.store, now: async () => clock.now };
  const schedule: ScheduleView = { at: start, file: "/w/cron-jobs.json", problem: null, paused: false, jobs: [] };
  const fleet = sampleFleet();
  const sources = {
    store,
    status: async (): Promise<FleetStatus> => fleet,
    drift: async () => ({ at: start, items: [] }),
    approvals: async () => [],
    operations: async () => [],
    isPaused: async () => false,
    schedule: async () => schedule,
    ...given,
  };
  return { desk: createSitrepDesk(sources), clock, fleet };
}

const newKeys = async (desk: { read(): Promise<{ items: { key: string; isNew: boolean }[] }> }): Promise<string[]> =>
  (await desk.read()).items.filter(({ isNew }) => isNew).map(({ key }) => key);

test("a healthy fleet has nothing for a person", async () => {
  const { desk } = await openDesk();
  expect(await desk.read()).toMatchObject({ items: [], fleet: { instances: 1, ready: 1 }, spend: null });
});

test("says what waits and for how long, what failed, who is not well, what drifted, and that all is paused", async () => {
  const approval = {
    ...sampleApproval({ id: "ap-1" }),
    createdAt: start - 3 * hour,
    expiresAt: start + 21 * hour,
    summary: "launch CLAWDINATOR-2",
  };
  approval.plan.proposer.publicSources = ["github.com/o/r#1"];
  const failed = { ...sampleOperation({ id: "op-1", state: "failed" }), endedAt: start - hour, summary: "launch it" };
  const old = { ...sampleOperation({ id: "op-2", state: "failed" }), endedAt: start - 48 * hour };
  const { desk, fleet } = await openDesk({
    approvals: async () => [approval, { ...approval, id: "ap-2", state: "rejected" }],
    operations: async () => [failed, old, { ...failed, id: "op-3", state: "succeeded" }],
    drift: async () => ({ at: start, items: [{ kind: "missing", name: "CLAWDINATOR-2", detail: "not there" }] }),
    isPaused: async () => true,
    spend: async () => ({
      text: "Spent today: $5.00 of $5.00.",
      stopped: [{ id: "b1", text: "CLAWDINATOR-1 is stopped: the day's budget is spent" }],
    }),
  });
  const [self] = fleet.instances;
  if (self) fleet.instances.push({ ...self, name: "CLAWDINATOR-3", state: "lost", heartbeatAgeMs: 600_000 });
  const { items, spend } = await desk.read();
  expect(items.map(({ text }) => text)).toEqual([
    expect.stringMatching(/^the fleet is paused/),
    "CLAWDINATOR-1 is stopped: the day's budget is spent",
    "CLAWDINATOR-3 is lost and was last heard of 10 min ago",
    expect.stringMatching(/^operation op-1 failed 60 min ago \(launch it\)/),
    expect.stringMatching(
      /^approval ap-1 has waited 3 h, 21 h left: launch CLAWDINATOR-2 .*public text had a part in it$/,
    ),
    "drift of CLAWDINATOR-2: not there",
  ]);
  expect(items.flatMap(({ sources }) => sources)).toEqual(["github.com/o/r#1"]);
  expect(spend).toBe("Spent today: $5.00 of $5.00.");
});

test("a heartbeat tells each thing once, what is still open again after a day, and nothing is lost when one fails", async () => {
  const approval = { ...sampleApproval({ id: "ap-1" }), createdAt: start, expiresAt: start + 72 * hour };
  const approvals = [approval];
  const { desk, clock } = await openDesk({ approvals: async () => approvals });
  await desk.begin("run-1", true);
  await desk.begin("run-1", true);
  expect(await newKeys(desk)).toEqual(["approval/ap-1/0"]);

  // The first run was told: the next one has only what came since.
  clock.now += hour;
  approvals.push({ ...approval, id: "ap-2", createdAt: clock.now });
  await desk.begin("run-2", true);
  expect(await newKeys(desk)).toEqual(["approval/ap-2/0"]);

  // The second one failed: what it was to tell is still news.
  clock.now += hour;
  await desk.begin("run-3", false);
  expect(await newKeys(desk)).toEqual(["approval/ap-2/0"]);
  clock.now += hour;
  await desk.begin("run-4", true);
  expect(await newKeys(desk)).toEqual([]);
  clock.now = start + 24 * hour;
  await desk.begin("run-5", true);
  expect(await newKeys(desk)).toEqual(["approval/ap-1/1"]);
});
