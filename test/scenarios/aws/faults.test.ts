/** What AWS does on a bad day, met by whole operations: they recover, or they end with the next step and leave nothing. */
import { expect, test } from "vitest";
import type { OperationView } from "../../../agent/protocol.ts";
import { whyNotRepaired } from "../../support/aws.ts";
import { type CloudFleet, expectCloudConsistent, makeCloudFleet } from "../../support/cloud-fleet.ts";

const timeout = 300_000;
const one = { "CLAWDINATOR-1": 1 };
const two = { ...one, "CLAWDINATOR-2": 1 };

async function started(config: Record<string, Record<string, unknown>> = {}): Promise<CloudFleet> {
  const cloud = await makeCloudFleet({ config });
  await cloud.fleet.start();
  return cloud;
}

async function runTo(cloud: CloudFleet, text: string): Promise<OperationView> {
  const { fleet } = cloud;
  const approval = await fleet.propose(text);
  await fleet.approve(approval.id);
  return fleet.ended(approval.id, { timeoutMs: 180_000 });
}

test.skipIf(whyNotRepaired())(
  "throttles, server errors, lost connections and lost answers: a sibling comes up, once",
  { timeout },
  async () => {
    const cloud = await started();
    cloud.emulator.setFaults({
      "ec2:RunInstances": [
        { late: true, drop: true, times: 1 },
        { p: 0.1, code: "RequestLimitExceeded", status: 503 },
      ],
      "ec2:RegisterImage": { late: true, drop: true, times: 1 },
      "ebs:CompleteSnapshot": { late: true, drop: true, times: 1 },
      "s3:*": [
        { p: 0.04, code: "SlowDown", status: 503 },
        { p: 0.03, code: "InternalError", status: 500 },
        { p: 0.03, drop: true },
      ],
      "*": [
        { p: 0.04, code: "ThrottlingException", status: 429 },
        { p: 0.03, code: "InternalError", status: 500 },
        { p: 0.03, drop: true },
      ],
    });
    expect(await runTo(cloud, "spawn a sibling")).toMatchObject({ state: "succeeded", error: null });
    cloud.emulator.setFaults({});
    await expectCloudConsistent(cloud, { epochs: two, images: 1 });
  },
);

test.skipIf(whyNotRepaired())("what was just made and cannot be seen yet is waited for", { timeout }, async () => {
  const cloud = await started();
  const unseen = (code: string) => ({ code, times: 6 });
  cloud.emulator.setFaults({
    "ec2:DescribeInstances": { ...unseen("InvalidInstanceID.NotFound"), after: 4 },
    "ec2:DescribeSnapshots": unseen("InvalidSnapshot.NotFound"),
    "ec2:DescribeImages": { ...unseen("InvalidAMIID.NotFound"), after: 6 },
  });
  expect(await runTo(cloud, "spawn a sibling")).toMatchObject({ state: "succeeded", error: null });
  cloud.emulator.setFaults({});
  await expectCloudConsistent(cloud, { epochs: two, images: 1 });
});

test.skipIf(whyNotRepaired())(
  "credentials that expire in the middle end in the next step, with nothing left over",
  { timeout },
  async () => {
    const cloud = await started();
    const expired = { code: "ExpiredToken", status: 400 };
    cloud.emulator.setFaults({ "ec2:RegisterImage": expired });
    const failed = await runTo(cloud, "spawn a sibling");
    expect(failed).toMatchObject({
      state: "compensated",
      error: { message: expect.stringContaining("(ExpiredToken)") },
    });
    expect(failed.error?.hint).toContain("log in again");
    cloud.emulator.setFaults({});
    await expectCloudConsistent(cloud, { epochs: one, images: 0 });
    // With good ones the same request goes through.
    expect(await runTo(cloud, "spawn a sibling")).toMatchObject({ state: "succeeded" });
    await expectCloudConsistent(cloud, { epochs: two, images: 1 });
  },
);

test.skipIf(whyNotRepaired())(
  "an instance that never becomes ready is removed, and its console is in the report",
  { timeout },
  async () => {
    const cloud = await started({ fleet: { candidateSeconds: 8 } });
    cloud.room.hold(true);
    const failed = await runTo(cloud, "spawn a sibling");
    expect(failed.state).toBe("compensated");
    expect(failed.error?.message).toMatch(/^clawd-[0-9a-f]{12} proving itself for CLAWDINATOR-2 did not happen within/);
    expect(failed.error?.log.length).toBeGreaterThan(0);
    cloud.room.hold(false);
    await expectCloudConsistent(cloud, { epochs: one, images: 1 });
  },
);

test.skipIf(whyNotRepaired())(
  "a region without capacity is reported with what to do, and nothing is left running",
  { timeout },
  async () => {
    const cloud = await started();
    cloud.emulator.setFaults({ "ec2:RunInstances": { code: "InsufficientInstanceCapacity", status: 500 } });
    const failed = await runTo(cloud, "spawn a sibling");
    expect(failed.state).toBe("compensated");
    expect(failed.error?.message).toMatch(/no t3\.small to give now.*Nothing was launched/);
    expect(failed.error?.hint).toMatch(/subnets|instanceType|later/);
    cloud.emulator.setFaults({});
    await expectCloudConsistent(cloud, { epochs: one, images: 1 });
  },
);

test.skipIf(whyNotRepaired())(
  "a launch that would cost more than policy allows is refused when it is planned",
  { timeout },
  async () => {
    const cloud = await started({ aws: { instanceType: "m7i.xlarge", rootGiB: 1024 } });
    const { stdout } = await cloud.fleet.cli(["ask", "spawn a sibling"]);
    expect(stdout).toMatch(/it would cost \$2\d\d\.\d\d a month and policy allows \$200\.00/);
    expect(stdout).toContain("budgets.usdPerMonth");
    expect((await cloud.fleet.json<{ approvals: unknown[] }>("approvals", "list")).approvals).toEqual([]);
  },
);
