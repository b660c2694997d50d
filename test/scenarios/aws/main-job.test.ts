/** The main job over `provider: aws`: the same words, approvals and steps as on one machine, and what AWS holds after. */
import { expect, test } from "vitest";
import type { FleetStatus } from "../../../tools/fleet/model.ts";
import { whyNotRepaired } from "../../support/aws.ts";
import { expectCloudConsistent, makeCloudFleet } from "../../support/cloud-fleet.ts";
import { git } from "../../support/git.ts";

test.skipIf(whyNotRepaired())(
  "a fleet of one grows, replaces, rolls, prunes and retires on AWS",
  { timeout: 240_000 },
  async () => {
    const cloud = await makeCloudFleet();
    const { fleet } = cloud;
    await fleet.start();
    const revision = git(fleet.program, "rev-parse", "HEAD");
    const run = async (text: string) => {
      const approval = await fleet.propose(text);
      await fleet.approve(approval.id);
      const operation = await fleet.ended(approval.id, { timeoutMs: 90_000 });
      expect({ state: operation.state, error: operation.error }).toEqual({ state: "succeeded", error: null });
      return { approval, operation };
    };

    const { approval } = await run("spawn a sibling");
    expect(approval.plan.facts.image).toMatchObject({
      revision,
      derivation: expect.stringMatching(/^\/.*\/store\/[a-z0-9]{32}-image\.drv$/),
    });
    expect(approval.plan.cost.monthlyUsd).toBeGreaterThan(15);
    const { instances } = await fleet.json<FleetStatus>("fleet", "status");
    expect(instances.map(({ name, state, epoch }) => ({ name, state, epoch }))).toEqual([
      { name: "CLAWDINATOR-1", state: "ready", epoch: 1 },
      { name: "CLAWDINATOR-2", state: "ready", epoch: 1 },
    ]);
    expect(instances[1]).toMatchObject({ revision, machine: expect.stringMatching(/^i-[0-9a-f]{17}$/) });
    const answered = await fleet.cli(["ask", "--to", "CLAWDINATOR-2", "version"]);
    expect(answered.stdout).toContain("CLAWDINATOR-2");
    expect(answered.stdout).toContain(revision.slice(0, 12));
    await expectCloudConsistent(cloud, { epochs: { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 1 }, images: 1 });

    // The AMI is there: nothing is built or sent again.
    const imported = await run("spawn a sibling");
    const importStep = await fleet.json<{ results: { import_image: Record<string, unknown> } }>(
      "operations",
      "show",
      imported.operation.id,
    );
    expect(importStep.results.import_image).toMatchObject({ image: expect.stringMatching(/^ami-/), reused: true });

    const next = cloud.newRevision("Second");
    await run(`replace CLAWDINATOR-2 with revision ${next}`);
    expect(await fleet.instance("CLAWDINATOR-2")).toMatchObject({ state: "ready", revision: next, epoch: 2 });
    await run(`roll the fleet to revision ${next}`);
    expect(await fleet.instance("CLAWDINATOR-3")).toMatchObject({ state: "ready", revision: next, epoch: 2 });
    const epochs = { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 2, "CLAWDINATOR-3": 2 };
    await expectCloudConsistent(cloud, { epochs, images: 2 });

    await run("retire CLAWDINATOR-3");
    // What ran before stays, for a way back, until a newer one is the way back.
    const third = cloud.newRevision("Third");
    await run(`replace CLAWDINATOR-2 with revision ${third}`);
    const drift = await fleet.json<{ items: unknown[] }>("fleet", "drift");
    expect(drift.items).toEqual([]);
    const pruned = await fleet.json<{ id: string; plan: { changes: { what: string }[] } }>(
      "image",
      "prune",
      "--keep",
      "0",
    );
    expect(pruned.plan.changes.map(({ what }) => what)).toEqual([
      expect.stringMatching(/^image img-[0-9a-f]{12} ami-[0-9a-f]+ snap-[0-9a-f]+$/),
    ]);
    await fleet.approve(pruned.id);
    expect(await fleet.ended(pruned.id)).toMatchObject({ state: "succeeded" });
    await expectCloudConsistent(cloud, { epochs: { "CLAWDINATOR-1": 1, "CLAWDINATOR-2": 3 }, images: 2 });
  },
);
