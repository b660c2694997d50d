/** The main job: ask for a sibling, approve the exact plan, watch it come up, talk to it. */
import { join } from "node:path";
import { expect, test } from "vitest";
import type { FleetStatus } from "../../tools/fleet/model.ts";
import { startFleet } from "../support/fleet.ts";
import { git } from "../support/git.ts";

test("asked for a sibling and given an approval, a fleet of one becomes a fleet of two", async () => {
  const fleet = await startFleet();
  const revision = git(fleet.program, "rev-parse", "HEAD");

  const asked = await fleet.cli(["ask", "spawn a sibling", "--json"]);
  expect(asked.code).toBe(0);
  const proposal = asked.lines.find((line) => line.type === "proposal");
  expect(proposal).toMatchObject({
    operation: "instance_launch",
    state: "pending",
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(asked.lines.at(-1)).toMatchObject({ type: "done", reason: "answered" });

  await fleet.approve(String(proposal?.approval));
  const operation = await fleet.ended(String(proposal?.approval));
  expect(operation.state).toBe("succeeded");

  const { instances } = await fleet.json<FleetStatus>("fleet", "status");
  expect(instances.map(({ name, state, epoch }) => ({ name, state, epoch }))).toEqual([
    { name: "CLAWDINATOR-1", state: "ready", epoch: 1 },
    { name: "CLAWDINATOR-2", state: "ready", epoch: 1 },
  ]);
  const [first, second] = instances;
  expect(first).toMatchObject({ revision, image: "checkout", dirty: false });
  expect(second).toMatchObject({ revision, image: expect.stringMatching(/^local-[0-9a-f]{16}$/) });
  expect(second?.checks.map(({ name, ok }) => ({ name, ok }))).toEqual(
    expect.arrayContaining([
      { name: "mind", ok: true },
      { name: "model", ok: true },
      { name: "memory", ok: true },
    ]),
  );

  const answered = await fleet.cli(["ask", "--to", "CLAWDINATOR-2", "version"]);
  expect(answered.stdout).toContain("CLAWDINATOR-2");
  expect(answered.stdout).toContain(revision.slice(0, 12));

  // The fleet repository tells who asked and what allowed it.
  const intent = git(join(fleet.home, "fleet", "repo.git"), "log", "-1", "--format=%B", "main");
  expect(intent).toMatch(/^Launch CLAWDINATOR-2 at/);
  expect(intent).toContain(`Approval: ${proposal?.approval}`);
  expect(intent).toMatch(/^Asked-by: .+ \(maintainer 1\)$/m);
  expect(intent).toMatch(/^Operation: [0-9a-f]{64}\/commit_desired$/m);

  // One value, as programs read it; the image is there already.
  const built = await fleet.json<Record<string, unknown>>("image", "build");
  expect(built).toMatchObject({ revision, reused: true, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(built.bytes).toBeGreaterThan(0);
  expect(built.path).toContain(String(second?.image));

  const mixed = await fleet.cli([
    "ask",
    "--to",
    "CLAWDINATOR-2",
    "--conversation",
    "cli-clawdinator-1",
    "version",
    "--json",
  ]);
  expect(mixed.code).toBe(1);
  expect(mixed.lines).toEqual([{ error: expect.objectContaining({ code: "other_conversation" }) }]);
});
