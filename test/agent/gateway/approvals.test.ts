import { expect, test } from "vitest";
import { actor, story } from "../../support/painting.ts";
import { approve, get, open, refusal, reject } from "../../support/voting.ts";
import { waitFor } from "../../support/wait.ts";

const dayMs = 24 * 3600 * 1000;

test("an approval lets exactly its plan run, once, and the audit log tells it", async () => {
  const painters = await open();
  const plan = await painters.propose();
  expect(plan).toMatchObject({ state: "pending", quorum: 1, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(await painters.execute(plan.id)).toBe(false);
  expect(await approve(painters, plan)).toMatchObject({ outcome: "approved" });
  expect(await painters.execute(plan.id)).toBe(true);
  expect(await painters.execute(plan.id)).toBe(false);
  await painters.operations.resume({ holdsName: true });
  await waitFor(async () => (await painters.operations.list())[0]?.state === "succeeded");
  expect(await painters.strokes()).toBe(1);
  expect(await get(painters, plan.id)).toMatchObject({
    state: "executed",
    operationId: `op-${plan.digest.slice(0, 12)}`,
  });
  expect(await story(painters, plan.id)).toEqual([
    "approval.proposed maintainer:1",
    "approval.approve maintainer:2",
    "approval.executed instance:i-000000000001",
  ]);
});

test("the same proposal made again finds the first one", async () => {
  const painters = await open();
  const first = await painters.propose({ key: "call-1" });
  expect(await painters.propose({ key: "call-1" })).toEqual(first);
  expect(await painters.approvals.list()).toHaveLength(1);
});

test("what changed after the approval is refused with the difference, and the new plan is proposed in its place", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan);
  await painters.store.put("wall", "green");
  expect(await painters.execute(plan.id)).toBe(false);
  const refused = await get(painters, plan.id);
  expect(refused.state).toBe("superseded");
  expect(refused.reason).toContain('wall: "white" → "green"');
  const successor = await get(painters, refused.supersededBy ?? "");
  expect(successor).toMatchObject({
    state: "pending",
    votes: [],
    summary: "paint the green wall",
    plan: { proposer: plan.plan.proposer },
  });
  expect(successor.digest).not.toBe(plan.digest);
  expect(await refusal(approve(painters, plan))).toMatchObject({
    code: "superseded",
    hint: expect.stringContaining(successor.id),
  });
  await approve(painters, successor);
  expect(await painters.execute(successor.id)).toBe(true);
  expect(await painters.execute(plan.id)).toBe(false);
});

test("a plan that makes no sense any more is refused without a successor", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan);
  await painters.store.put("wall", "gone");
  expect(await painters.execute(plan.id)).toBe(false);
  expect(await get(painters, plan.id)).toMatchObject({
    state: "superseded",
    supersededBy: null,
    reason: expect.stringContaining("there is no wall"),
  });
});

test("a fault while the facts are derived leaves the approval as it is", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan);
  await painters.store.put("wall", "hidden");
  await expect(painters.execute(plan.id)).rejects.toThrow("too dark");
  await painters.store.put("wall", "white");
  expect(await painters.execute(plan.id)).toBe(true);
});

test("what this machine lacks leaves the approval to one that has it", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan);
  await painters.store.put("wall", "high");
  await expect(painters.execute(plan.id)).rejects.toThrow("no ladder here");
  expect(await get(painters, plan.id)).toMatchObject({ state: "approved" });
  await painters.store.put("wall", "white");
  expect(await painters.execute(plan.id)).toBe(true);
});

test("a successor that a crash kept from being proposed is proposed by the next look", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan);
  await painters.store.put("wall", "green");
  await painters.execute(plan.id);
  const { supersededBy } = await get(painters, plan.id);
  await painters.store.delete(`approvals/${supersededBy}`);
  const restarted = await open({ path: painters.path, instance: "i-000000000002" });
  await restarted.approvals.approved();
  expect(await get(restarted, supersededBy ?? "")).toMatchObject({ state: "pending", summary: "paint the green wall" });
});

test("a policy that changes between approval and execution supersedes", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan);
  await painters.setPolicy({ quorum: 2 });
  expect(await painters.execute(plan.id)).toBe(false);
  const refused = await get(painters, plan.id);
  expect(refused).toMatchObject({ state: "superseded", reason: expect.stringContaining("policy") });
  expect(await get(painters, refused.supersededBy ?? "")).toMatchObject({ state: "pending", quorum: 2, votes: [] });
});

test("a second decision is answered with who decided and when", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan, actor("2", { surface: "cli" }));
  const { votes } = await get(painters, plan.id);
  const at = new Date(votes[0]?.at ?? 0).toISOString();
  for (const again of [
    approve(painters, plan, actor("3")),
    reject(painters, plan, actor("3")),
    approve(painters, plan),
  ]) {
    expect(await refusal(again)).toMatchObject({
      code: "already_decided",
      message: expect.stringContaining(`already decided: approved by Person 2 through cli at ${at}`),
    });
  }
  expect((await get(painters, plan.id)).votes).toHaveLength(1);
});

test("a rejection is final and keeps its reason", async () => {
  const painters = await open();
  const plan = await painters.propose();
  expect(await reject(painters, plan)).toMatchObject({
    outcome: "rejected",
    approval: { state: "rejected", reason: "not today" },
  });
  expect(await refusal(approve(painters, plan))).toMatchObject({
    code: "already_decided",
    message: expect.stringContaining("rejected by Person 2"),
  });
  expect(await painters.execute(plan.id)).toBe(false);
});

test("a plan nobody decided in time is expired, by the store's clock", async () => {
  const painters = await open();
  const plan = await painters.propose();
  expect(plan.expiresAt - plan.createdAt).toBe(dayMs);
  painters.advance(dayMs + 1);
  expect(await refusal(approve(painters, plan))).toMatchObject({ code: "expired" });
  expect(await get(painters, plan.id)).toMatchObject({ state: "expired", votes: [] });
  expect(await story(painters, plan.id)).toEqual([
    "approval.proposed maintainer:1",
    "approval.expired clock",
    "approval.refused maintainer:2",
  ]);
});

test("an approval that is not executed in time is expired and never runs", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan);
  painters.advance(dayMs + 1);
  expect(await painters.execute(plan.id)).toBe(false);
  expect((await get(painters, plan.id)).state).toBe("expired");
  await painters.operations.resume({ holdsName: true });
  expect(await painters.operations.list()).toEqual([]);
});

test("an approval that expires while its facts are derived again does not run", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan);
  const executed = painters.approvals.execute(plan.id, async (record) => {
    await painters.operations.start(record);
    painters.advance(dayMs + 1);
  });
  expect(await executed).toBe(false);
  await painters.approvals.expire();
  expect((await get(painters, plan.id)).state).toBe("expired");
  await painters.operations.resume({ holdsName: true });
  expect(await painters.operations.list()).toEqual([]);
});

test("a digest that is not the plan's is refused", async () => {
  const painters = await open();
  const plan = await painters.propose();
  const wrong = { ...plan, digest: "f".repeat(64) };
  expect(await refusal(approve(painters, wrong))).toMatchObject({ code: "wrong_digest" });
  expect((await get(painters, plan.id)).state).toBe("pending");
});

test.each(["ap-000000000000", "../maintainers/1", "", "constructor"])(
  "there is nothing to decide under the id %j",
  async (id) => {
    const painters = await open();
    const plan = await painters.propose();
    expect(await refusal(approve(painters, { ...plan, id }))).toMatchObject({ code: "unknown_approval" });
  },
);

test("a maintainer whom the policy does not name decides nothing", async () => {
  const painters = await open({ approvers: ["1", "2"] });
  const plan = await painters.propose();
  expect(await refusal(approve(painters, plan, actor("3")))).toMatchObject({ code: "not_an_approver" });
  expect(await refusal(reject(painters, plan, actor("3")))).toMatchObject({ code: "not_an_approver" });
  expect(await get(painters, plan.id)).toMatchObject({ state: "pending", votes: [] });
  expect(await story(painters, plan.id)).toContain("approval.refused maintainer:3");
});

test("with a quorum of one the only maintainer approves what they proposed themselves", async () => {
  const painters = await open({ approvers: ["1"] });
  const plan = await painters.propose();
  expect(await approve(painters, plan, actor("1"))).toMatchObject({ outcome: "approved" });
});

test("with a quorum of two the first vote is recorded and the second approves", async () => {
  const painters = await open({ quorum: 2 });
  const plan = await painters.propose();
  expect(await approve(painters, plan, actor("2"))).toMatchObject({
    outcome: "recorded",
    message: "recorded: 1 of 2 approvals",
  });
  expect(await painters.execute(plan.id)).toBe(false);
  expect(await approve(painters, plan, actor("3"))).toMatchObject({ outcome: "approved" });
  expect(await painters.execute(plan.id)).toBe(true);
});

test("with a quorum of two the proposer's own vote does not count", async () => {
  const painters = await open({ quorum: 2 });
  const plan = await painters.propose({ id: "1" });
  expect(await approve(painters, plan, actor("1"))).toMatchObject({
    outcome: "recorded",
    message: expect.stringContaining("the proposer does not count"),
  });
  expect(await approve(painters, plan, actor("2"))).toMatchObject({ outcome: "recorded" });
  expect((await get(painters, plan.id)).state).toBe("pending");
  expect(await refusal(approve(painters, plan, actor("1")))).toMatchObject({ code: "already_voted" });
  expect(await approve(painters, plan, actor("3"))).toMatchObject({ outcome: "approved" });
});

test("where the others are too few for the quorum, the plan says so and the proposer's vote does not make up for it", async () => {
  const painters = await open({ quorum: 2, approvers: ["1", "2"] });
  const plan = await painters.propose({ id: "1" });
  expect(plan.plan.warnings).toEqual([expect.stringContaining("a commit to the fleet repository")]);
  await approve(painters, plan, actor("1"));
  expect(await approve(painters, plan, actor("2"))).toMatchObject({ outcome: "recorded" });
  expect((await get(painters, plan.id)).state).toBe("pending");
  expect(await painters.execute(plan.id)).toBe(false);
});

test("who proposed with --as does not count, and the one in whose name it was done does", async () => {
  const painters = await open({ quorum: 2 });
  const plan = await painters.propose({ id: "2", by: "1" });
  await approve(painters, plan, actor("1"));
  await approve(painters, plan, actor("3"));
  expect((await get(painters, plan.id)).votes.map(({ maintainer, counts }) => [maintainer, counts])).toEqual([
    ["1", false],
    ["3", true],
  ]);
  expect((await get(painters, plan.id)).state).toBe("pending");
  expect(await approve(painters, plan, actor("2"))).toMatchObject({ outcome: "approved" });
});

test("one person has one vote, through however many surfaces", async () => {
  const painters = await open({ quorum: 2 });
  const plan = await painters.propose();
  await approve(painters, plan, actor("2", { surface: "console" }));
  expect(await refusal(approve(painters, plan, actor("2", { surface: "discord" })))).toMatchObject({
    code: "already_voted",
    message: expect.stringContaining("through console"),
  });
  expect((await get(painters, plan.id)).votes).toHaveLength(1);
});

test("who approved may still reject while the quorum is open", async () => {
  const painters = await open({ quorum: 2 });
  const plan = await painters.propose();
  await approve(painters, plan);
  expect(await reject(painters, plan)).toMatchObject({ outcome: "rejected" });
});

test("--as fills a quorum of one and names who used it", async () => {
  const painters = await open();
  const plan = await painters.propose();
  expect(await approve(painters, plan, actor("2", { surface: "cli", by: "1" }))).toMatchObject({ outcome: "approved" });
  const [entry] = (await painters.audit.list({ limit: 10, subject: plan.id })).filter(
    ({ action }) => action === "approval.approve",
  );
  expect(entry).toMatchObject({ actor: "maintainer:2", surface: "cli --as, by maintainer 1" });
});

test("--as never fills a quorum above one, and takes nobody's own vote away", async () => {
  const painters = await open({ quorum: 2 });
  const plan = await painters.propose({ kind: "repository", id: "x" });
  await approve(painters, plan, actor("2", { surface: "cli", by: "1" }));
  await approve(painters, plan, actor("3", { surface: "cli", by: "1" }));
  expect((await get(painters, plan.id)).votes.map((vote) => vote.counts)).toEqual([false, false]);
  await approve(painters, plan, actor("1"));
  expect((await get(painters, plan.id)).state).toBe("pending");
  expect(await approve(painters, plan, actor("2"))).toMatchObject({ outcome: "approved" });
});

test("a policy that lets an operation through needs nobody, and one that denies it takes no proposal", async () => {
  const painters = await open();
  await painters.setPolicy({ operations: { paint: { mode: "auto", quorum: 1, expiresHours: 1 } } });
  const allowed = await painters.propose();
  expect(allowed).toMatchObject({ state: "approved", votes: [{ maintainer: "policy" }] });
  await painters.setPolicy({ operations: { paint: { mode: "deny", quorum: 1, expiresHours: 1 } } });
  await expect(painters.propose()).rejects.toMatchObject({ code: "denied_by_policy" });
  expect(await painters.execute(allowed.id)).toBe(false);
  expect(await get(painters, allowed.id)).toMatchObject({ state: "superseded", supersededBy: null });
});
