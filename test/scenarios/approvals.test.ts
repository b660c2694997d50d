/** Who may decide what in a real fleet: maintainers, quorums, policy changes, foreign commits, drift, restarts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ApprovalView, AuditEntry } from "../../agent/protocol.ts";
import type { DriftItem } from "../../tools/fleet/model.ts";
import type { Policy } from "../../tools/policy.ts";
import { type CommandResult, processesBelow, startFleet, type TestFleet } from "../support/fleet.ts";
import { commitFiles, git } from "../support/git.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { waitFor } from "../support/wait.ts";

/** Long for a machine that does other things besides. */
const waitMs = 60_000;
const launchEntry = (revision: string) => ({ host: "local", type: "process", revision, tokenSecret: null });

async function policyOf(fleet: TestFleet): Promise<Policy> {
  const pin = (await (await fleet.store()).get("policy/pin"))?.value as { text: string };
  return JSON.parse(pin.text) as Policy;
}

function proposePolicy(
  fleet: TestFleet,
  policy: Policy,
  environment: Record<string, string> = {},
): Promise<ApprovalView> {
  return ok(
    fleet.cli(["operations", "propose", "policy_change", "--input", JSON.stringify({ policy }), "--json"], {
      environment,
    }),
  );
}

async function ok<T>(command: Promise<CommandResult>): Promise<T> {
  const { code, stdout, stderr } = await command;
  if (code !== 0) throw new Error(`failed: ${stdout}${stderr}`);
  return JSON.parse(stdout) as T;
}

function approveAs(fleet: TestFleet, id: string, token: string): Promise<CommandResult> {
  return fleet.cli(["approvals", "approve", id, "--json"], { environment: { CLAWDINATOR_TOKEN: token } });
}

async function show(fleet: TestFleet, id: string): Promise<ApprovalView> {
  return fleet.json<ApprovalView>("approvals", "show", id);
}

async function audit(fleet: TestFleet): Promise<AuditEntry[]> {
  return (await fleet.json<{ entries: AuditEntry[] }>("audit", "--limit", "500")).entries;
}

/** Somebody's own clone of the fleet repository, with one more commit pushed. */
function pushForeign(fleet: TestFleet, path: string, change: (text: string) => string): string {
  const clone = join(temporaryDirectory(), "clone");
  git(fleet.home, "clone", "--quiet", join(fleet.home, "fleet", "repo.git"), clone);
  const commit = commitFiles(clone, { [path]: change(readFileSync(join(clone, path), "utf8")) }, "By hand");
  git(clone, "push", "--quiet", "origin", "HEAD:main");
  return commit;
}

async function driftOf(fleet: TestFleet): Promise<Extract<DriftItem, { kind: "unapproved_commit" }>[]> {
  const { items } = await fleet.json<{ items: DriftItem[] }>("fleet", "drift");
  return items.filter((item) => item.kind === "unapproved_commit");
}

async function repositoryProposal(fleet: TestFleet, operation: string): Promise<ApprovalView> {
  return waitFor(
    async () => {
      const response = await fleet.fetch("/api/approvals");
      const { approvals } = (await response.json()) as { approvals: ApprovalView[] };
      return approvals.find(
        (one) => one.plan.proposer.kind === "repository" && one.operation === operation && one.state === "pending",
      );
    },
    { timeoutMs: waitMs, what: `a proposal of ${operation} by the repository` },
  );
}

test("with a second approver the policy needs both, whatever the change says of itself", async () => {
  const fleet = await startFleet();
  const first = fleet.token();

  const stranger = await fleet.json<{ token: string }>("maintainers", "add", "Somebody");
  const launch = await fleet.propose("spawn a sibling");
  const refused = await approveAs(fleet, launch.id, stranger.token);
  expect(refused.code).toBe(1);
  expect(refused.lines[0]).toMatchObject({ error: { code: "not_an_approver" } });
  expect((await show(fleet, launch.id)).state).toBe("pending");

  const added = await fleet.json<{ maintainer: { id: string }; token: string; approval: string }>(
    "maintainers",
    "add",
    "Grace",
    "--approver",
  );
  await fleet.approve(added.approval);
  expect((await fleet.ended(added.approval)).state).toBe("succeeded");
  const second = added.token;
  const { id } = added.maintainer;
  expect((await policyOf(fleet)).approvers).toEqual(["1", id]);
  // What was proposed under the policy before is not executed under this one.
  await fleet.approve(launch.id);
  const superseded = await waitFor(
    async () => {
      const one = await show(fleet, launch.id);
      return one.state === "superseded" ? one : null;
    },
    { timeoutMs: waitMs },
  );
  expect(superseded.reason).toContain("policy");

  // Changes that would approve themselves: alone again, and no approval at all.
  const policy = await policyOf(fleet);
  const alone = await proposePolicy(fleet, { ...policy, approvers: ["1"] });
  const automatic = await proposePolicy(fleet, {
    ...policy,
    operations: {
      ...policy.operations,
      policy_change: { mode: "auto", quorum: 1, expiresHours: 24 },
      github_land: { mode: "approve", quorum: 1, expiresHours: 24 },
    },
  });
  for (const change of [alone, automatic]) {
    expect(change).toMatchObject({
      state: "pending",
      quorum: 2,
      plan: { policy: { rule: { mode: "approve", quorum: 2 } } },
    });
    expect(await ok<ApprovalView>(approveAs(fleet, change.id, first))).toMatchObject({
      state: "pending",
      votes: [{ maintainer: "1" }],
    });
    const again = await approveAs(fleet, change.id, first);
    expect(again.lines[0]).toMatchObject({ error: { code: "already_voted" } });
    // The other one's vote, borrowed by --as, does not help either.
    await ok(fleet.cli(["approvals", "approve", change.id, "--as", id, "--json"]));
    expect((await show(fleet, change.id)).state).toBe("pending");
  }
  expect((await policyOf(fleet)).approvers).toEqual(["1", id]);
  await ok(
    fleet.cli(["approvals", "reject", automatic.id, "--reason", "no", "--json"], {
      environment: { CLAWDINATOR_TOKEN: second },
    }),
  );
  expect((await show(fleet, automatic.id)).state).toBe("rejected");

  // A commit asks for a change: it needs both, too.
  pushForeign(fleet, "policy.json", (text) =>
    JSON.stringify({ ...(JSON.parse(text) as Policy), budgets: { usdPerDay: 5, usdPerRun: 1 } }),
  );
  const byCommit = await repositoryProposal(fleet, "policy_change");
  expect(byCommit).toMatchObject({ quorum: 2, plan: { proposer: { influencedByPublicText: true } } });
  expect((await ok<ApprovalView>(approveAs(fleet, byCommit.id, first))).state).toBe("pending");
  expect((await policyOf(fleet)).budgets.usdPerDay).toBe(20);
  const third = await approveAs(fleet, byCommit.id, stranger.token);
  expect(third.lines[0]).toMatchObject({ error: { code: "not_an_approver" } });
  await ok(approveAs(fleet, byCommit.id, second));
  expect((await fleet.ended(byCommit.id, { timeoutMs: waitMs })).state).toBe("succeeded");
  expect((await policyOf(fleet)).budgets).toEqual({ usdPerDay: 5, usdPerRun: 1 });
  expect(await driftOf(fleet)).toEqual([]);

  // What one of two proposes has one vote that counts; what a commit proposes has both, and so they change it back.
  const stuck = await proposePolicy(fleet, { ...(await policyOf(fleet)), approvers: ["1"] });
  expect(stuck.plan.warnings).toEqual([expect.stringContaining("a commit to the fleet repository")]);
  await ok(approveAs(fleet, stuck.id, first));
  expect((await ok<ApprovalView>(approveAs(fleet, stuck.id, second))).state).toBe("pending");
  pushForeign(fleet, "policy.json", (text) => JSON.stringify({ ...(JSON.parse(text) as Policy), approvers: ["1"] }));
  const back = await repositoryProposal(fleet, "policy_change");
  await ok(approveAs(fleet, back.id, first));
  expect((await ok<ApprovalView>(approveAs(fleet, back.id, second))).state).toBe("approved");
  expect((await fleet.ended(back.id, { timeoutMs: waitMs })).state).toBe("succeeded");
  expect((await policyOf(fleet)).approvers).toEqual(["1"]);
  const former = await approveAs(fleet, (await fleet.propose("spawn a sibling")).id, second);
  expect(former.lines[0]).toMatchObject({ error: { code: "not_an_approver" } });
}, 180_000);

test("a commit that nobody approved is shown as drift, executed by nobody, and becomes a proposal that carries it out", async () => {
  const fleet = await startFleet();
  const revision = git(fleet.program, "rev-parse", "HEAD");
  const commit = pushForeign(fleet, "nix/instances.json", (text) => {
    const state = JSON.parse(text) as { instances: Record<string, unknown> };
    return JSON.stringify(
      { ...state, instances: { ...state.instances, "CLAWDINATOR-3": launchEntry(revision) } },
      null,
      2,
    );
  });
  expect(await driftOf(fleet)).toMatchObject([{ kind: "unapproved_commit", name: "CLAWDINATOR-3", commit }]);
  const proposal = await repositoryProposal(fleet, "instance_launch");
  expect(proposal).toMatchObject({
    quorum: 1,
    votes: [],
    plan: {
      input: { name: "CLAWDINATOR-3", revision },
      proposer: { kind: "repository", influencedByPublicText: true },
    },
  });
  expect(await (await fleet.fetch("/api/operations")).json()).toEqual({ operations: [] });
  expect(processesBelow(fleet.home).filter(({ role }) => role === "gateway")).toHaveLength(1);

  // Killed between proposal and approval, and again between approval and execution.
  await fleet.kill();
  await fleet.start();
  expect((await show(fleet, proposal.id)).digest).toBe(proposal.digest);
  await fleet.json("pause");
  await fleet.approve(proposal.id);
  await fleet.kill();
  await fleet.start();
  expect((await show(fleet, proposal.id)).state).toBe("approved");
  const late = await fleet.cli(["approvals", "approve", proposal.id, "--json"]);
  expect(late.lines[0]).toMatchObject({ error: { code: "already_decided" } });
  await fleet.json("resume");
  expect((await fleet.ended(proposal.id, { timeoutMs: waitMs })).state).toBe("succeeded");
  expect(await fleet.instance("CLAWDINATOR-3")).toMatchObject({ state: "ready", epoch: 1, revision });
  expect(await driftOf(fleet)).toEqual([]);
  const story = (await audit(fleet)).filter(({ subject }) => subject === proposal.id).map(({ action }) => action);
  expect(story).toEqual(["approval.executed", "approval.refused", "approval.approve", "approval.proposed"]);
  const { approvals } = (await (await fleet.fetch("/api/approvals")).json()) as { approvals: ApprovalView[] };
  expect(approvals).toHaveLength(1);
}, 180_000);

test("a malformed file in the fleet repository is named, harms nothing, and is gone when it is mended", async () => {
  const fleet = await startFleet();
  pushForeign(fleet, "nix/instances.json", (text) => text.replace('"process"', '"process", "colour": "red"'));
  const [item, ...others] = await driftOf(fleet);
  expect(others).toEqual([]);
  expect(item?.detail).toContain("nix/instances.json");
  expect(item?.detail).toContain("colour");
  await waitFor(
    async () =>
      (await audit(fleet)).find(
        ({ action, detail }) => action === "repository.unapproved" && detail.includes("colour"),
      ),
    { timeoutMs: waitMs },
  );
  expect(await fleet.instance("CLAWDINATOR-1")).toMatchObject({ state: "ready" });
  expect((await fleet.cli(["ask", "status"])).stdout).toContain("CLAWDINATOR-1");
  expect(await fleet.json("approvals", "list")).toEqual({ approvals: [] });

  pushForeign(fleet, "policy.json", (text) => text.replace('"approvers": ["1"]', '"approvers": ["1"], "gate": "open"'));
  const details = (await driftOf(fleet)).map(({ detail }) => detail).join("\n");
  expect(details).toContain("policy.json");
  expect(details).toContain("gate");
  expect((await policyOf(fleet)).approvers).toEqual(["1"]);

  pushForeign(fleet, "policy.json", (text) => text.replace(', "gate": "open"', ""));
  pushForeign(fleet, "nix/instances.json", (text) => text.replace(', "colour": "red"', ""));
  expect(await driftOf(fleet)).toEqual([]);
  expect(await fleet.json("approvals", "list")).toEqual({ approvals: [] });
}, 120_000);

test("a plan whose target changed after the approval is refused with the difference, and proposed anew", async () => {
  const fleet = await startFleet();
  const revision = git(fleet.program, "rev-parse", "HEAD");
  const plan = await fleet.json<ApprovalView>(
    "operations",
    "propose",
    "instance_launch",
    "--input",
    JSON.stringify({ name: "CLAWDINATOR-2", revision }),
  );
  await fleet.json("pause");
  await fleet.approve(plan.id);
  // Its name was held and released by somebody in between.
  const store = await fleet.store();
  await store.put("names/CLAWDINATOR-2", {
    formatVersion: 1,
    name: "CLAWDINATOR-2",
    epoch: 7,
    holder: null,
    leaseUntil: 0,
    port: null,
  });
  await fleet.json("resume");
  const refused = await waitFor(
    async () => {
      const one = await show(fleet, plan.id);
      return one.state === "superseded" && one;
    },
    { timeoutMs: waitMs },
  );
  expect(refused.reason).toContain("epoch: 0 → 7");
  const successor = await waitFor(() => show(fleet, refused.supersededBy ?? "").catch(() => null), {
    timeoutMs: waitMs,
  });
  expect(successor).toMatchObject({
    state: "pending",
    operation: "instance_launch",
    plan: { input: { name: "CLAWDINATOR-2" }, proposer: { id: "1" } },
  });
  const late = await fleet.cli(["approvals", "approve", plan.id, "--json"]);
  expect(late).toMatchObject({
    code: 1,
    lines: [{ error: { code: "superseded", hint: expect.stringContaining(successor.id) } }],
  });
  expect(await (await fleet.fetch("/api/operations")).json()).toEqual({ operations: [] });
}, 120_000);
