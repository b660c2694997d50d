import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { actor, openPainters, story } from "../../support/painting.ts";
import { runModule } from "../../support/run-module.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { approve, get, open } from "../../support/voting.ts";
import { waitFor } from "../../support/wait.ts";

test("a damaged record keeps no other plan from being decided and executed", async () => {
  const painters = await open();
  const plan = await painters.propose();
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(painters.path);
  database.exec(
    "INSERT INTO entries VALUES ('approvals/ap-ffffffffffff', '{broken', 0), ('operations/op-ffffffffffff', '{broken', 0)",
  );
  database.close();
  await approve(painters, plan);
  expect(await painters.approvals.approved()).toEqual([plan.id]);
  expect((await painters.approvals.list()).map(({ id }) => id)).toEqual([plan.id]);
  await painters.approvals.expire();
  expect(await painters.execute(plan.id)).toBe(true);
  await painters.operations.resume({ holdsName: true });
  await waitFor(async () => (await painters.operations.list())[0]?.state === "succeeded");
  await expect(painters.operations.get("op-ffffffffffff")).rejects.toMatchObject({
    code: "store_corrupt",
    message: expect.stringContaining("op-ffffffffffff"),
  });
});

/** Processes of their own on the same file, that begin together with `work`. */
async function inProcesses(options: { count: number; path: string; quorum: number; work: string }): Promise<string[]> {
  const start = Date.now() + 1_500;
  const children = Array.from({ length: options.count }, (_, index) =>
    runModule(`
      const { openPainters, actor } = await import(project("test/support/painting.ts"));
      const painters = await openPainters({ path: ${JSON.stringify(options.path)}, instance: "i-00000000000${index}", quorum: ${options.quorum} });
      const me = ${index};
      while (Date.now() < ${start});
      ${options.work}
      await painters.close();
    `),
  );
  expect(await Promise.all(children.map((child) => child.ended))).toEqual(children.map(() => 0));
  return children.flatMap((child) => child.lines);
}

test("decisions of several processes at once end in exactly one state with consistent votes", async () => {
  const painters = await open({ quorum: 2 });
  const plans = await Promise.all(Array.from({ length: 8 }, () => painters.propose({ kind: "repository", id: "x" })));
  const lines = await inProcesses({
    count: 4,
    path: painters.path,
    quorum: 2,
    work: `
      for (const { id, digest } of ${JSON.stringify(plans.map(({ id, digest }) => ({ id, digest })))}) {
        const decision = me === 3 ? "reject" : "approve";
        const { outcome, code } = await painters.approvals.decide({ id, actor: actor(String((me % 3) + 1)), decision: { decision, digest } });
        console.log(JSON.stringify({ id, decision, outcome: code ?? outcome }));
      }
    `,
  });
  const said = lines.map((line) => JSON.parse(line) as { id: string; decision: string; outcome: string });
  expect(said).toHaveLength(32);
  for (const { id } of plans) {
    const { state, votes } = await get(painters, id);
    const outcomes = said.filter((one) => one.id === id).map((one) => one.outcome);
    const approvals = votes.filter(({ decision }) => decision === "approve").map(({ maintainer }) => maintainer);
    expect(new Set(approvals).size).toBe(approvals.length);
    expect(["approved", "rejected"]).toContain(state);
    expect(outcomes.filter((outcome) => outcome === state)).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === "already_decided" || outcome === "already_voted")).toHaveLength(
      4 - votes.length,
    );
    expect(votes.at(-1)?.decision).toBe(state === "approved" ? "approve" : "reject");
    if (state === "approved") expect(approvals).toHaveLength(2);
  }
});

test("two gateways that execute the same approval run the operation once", async () => {
  const painters = await open();
  const plans = await Promise.all(Array.from({ length: 4 }, () => painters.propose()));
  for (const plan of plans) await approve(painters, plan);
  const other = await open({ path: painters.path, instance: "i-000000000002" });
  const [plan] = plans;
  const results = await Promise.all([painters.execute(plan?.id ?? ""), other.execute(plan?.id ?? "")]);
  expect(results.filter(Boolean)).toHaveLength(1);
  await Promise.all([painters, other].map((one) => one.operations.resume({ holdsName: true })));
  await waitFor(async () => (await painters.operations.list())[0]?.state === "succeeded");
  expect(await painters.strokes()).toBe(1);
});

test("processes that execute the same approvals run each once, and none of their effects becomes a second proposal", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan);
  const lines = await inProcesses({
    count: 4,
    path: painters.path,
    quorum: 1,
    work: `
      const won = await painters.execute(${JSON.stringify(plan.id)});
      await painters.operations.resume({ holdsName: true });
      while ((await painters.operations.list())[0]?.state !== "succeeded") await new Promise((resolve) => setTimeout(resolve, 5));
      await painters.execute(${JSON.stringify(plan.id)});
      console.log(won);
    `,
  });
  expect(lines.filter((line) => line === "true")).toHaveLength(1);
  expect(await painters.strokes()).toBe(1);
  expect(await painters.approvals.list()).toHaveLength(1);
  expect((await get(painters, plan.id)).state).toBe("executed");
});

test("kill -9 between the journal's first record and the deciding write runs nothing twice and loses nothing", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan);
  const killed = runModule(`
    const { openPainters } = await import(project("test/support/painting.ts"));
    const painters = await openPainters({ path: ${JSON.stringify(painters.path)}, instance: "i-00000000000d" });
    await painters.approvals.execute(${JSON.stringify(plan.id)}, async (record) => {
      await painters.operations.start(record);
      process.kill(process.pid, "SIGKILL");
    });
  `);
  expect(await killed.ended).toBe("SIGKILL");
  expect((await get(painters, plan.id)).state).toBe("approved");
  await painters.operations.resume({ holdsName: true });
  expect(await painters.strokes()).toBe(0);
  expect(await painters.execute(plan.id)).toBe(true);
  await painters.operations.resume({ holdsName: true });
  await waitFor(async () => (await painters.operations.list())[0]?.state === "succeeded");
  expect(await painters.strokes()).toBe(1);
});

test("a journal that was prepared for an approval that then ended otherwise is dropped, and nothing of it runs", async () => {
  const painters = await open();
  const plan = await painters.propose();
  await approve(painters, plan);
  await painters.approvals
    .execute(plan.id, async (record) => {
      await painters.operations.start(record);
      throw new Error("the gateway dies here");
    })
    .catch(() => {});
  await painters.store.put("wall", "green");
  expect(await painters.execute(plan.id)).toBe(false);
  await painters.operations.resume({ holdsName: true });
  expect(await painters.operations.list()).toEqual([]);
  expect(await painters.strokes()).toBe(0);
});

test("what a crash kept from the audit log is told by the next look, once", async () => {
  const path = join(temporaryDirectory(), "store.sqlite");
  const before = await openPainters({ path });
  const plan = await before.propose();
  await approve(before, plan, actor("2"));
  const told = await story(before, plan.id);
  // As if the process had died between the record's write and the log's.
  for (const prefix of ["audit/", "audit-once/"]) {
    for (const { key } of await before.store.list(prefix)) await before.store.delete(key);
  }
  expect(await story(before, plan.id)).toEqual([]);
  await before.close();

  const after = await openPainters({ path });
  onTestFinished(() => after.close());
  await after.approvals.approved();
  await after.approvals.approved();
  expect(await story(after, plan.id)).toEqual(told);
});
