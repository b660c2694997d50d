/** The schedule of a real gateway with a real mind: by command line, HTTP and chat. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fleetPaths, workspaceOf } from "../../../../agent/paths.ts";
import type { AuditEntry } from "../../../../agent/protocol.ts";
import type { JobView, ScheduleView } from "../../../../agent/schedule.ts";
import heartbeatFile from "../../../../workspace/cron-jobs.json" with { type: "json" };
import { entriesOf } from "../../../support/chat.ts";
import { shareFleet, type TestFleet } from "../../../support/fleet.ts";
import { waitFor } from "../../../support/wait.ts";

const fleetOf = shareFleet();
// A day that is not today: the test runs jobs by hand.
const never = "0 0 29 2 *";

function writeJobs(fleet: TestFleet, jobs: unknown): void {
  const directory = workspaceOf(fleetPaths(fleet.home), "CLAWDINATOR-1");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "cron-jobs.json"), JSON.stringify({ formatVersion: 1, jobs }));
}

const list = (fleet: TestFleet): Promise<ScheduleView> => fleet.json<ScheduleView>("schedule", "list");

/** Runs a job by the command line and waits for its end. */
async function run(fleet: TestFleet, id: string): Promise<JobView> {
  const before = (await list(fleet)).jobs.find((job) => job.id === id)?.outcomes.length ?? 0;
  await fleet.json("schedule", "run", id);
  return waitFor(
    async () => {
      const job = (await list(fleet)).jobs.find((one) => one.id === id);
      return job && job.running === null && job.outcomes.length > before ? job : null;
    },
    { timeoutMs: 60_000, what: `the end of ${id}\n${fleet.output()}` },
  );
}

async function listed(fleet: TestFleet): Promise<string[]> {
  const answer = await fleet.fetch("/api/conversations");
  return ((await answer.json()) as { conversations: { id: string }[] }).conversations.map(({ id }) => id);
}

test("a heartbeat is silent until there is news, tells it once, and an operation's job runs under policy", async () => {
  const fleet = fleetOf();
  // What a new fleet begins with comes with its workspace.
  const first = await waitFor(async () => (await list(fleet)).jobs[0] ?? null, { what: "the first job" });
  expect(first).toMatchObject({ id: "heartbeat", singleton: true, silent: true, nextAt: expect.any(Number) });
  const [heartbeat] = heartbeatFile.jobs;
  writeJobs(fleet, [
    { ...heartbeat, cron: never },
    { id: "build", cron: never, operation: "image_build", input: {} },
    { id: "nonsense", cron: never, operation: "image_build", input: { colour: "red" } },
  ]);
  await waitFor(async () => (await list(fleet)).jobs.length === 3, { what: "the file being taken over" });

  const silent = await run(fleet, "heartbeat");
  expect(silent.outcomes[0]).toMatchObject({ result: "silent", trigger: "person" });
  expect(await listed(fleet)).not.toContain("schedule-heartbeat");
  expect((await entriesOf(fleet, "schedule-heartbeat")).some(({ body }) => body.role === "end")).toBe(true);

  const approval = await fleet.propose("spawn a sibling");
  const told = await run(fleet, "heartbeat");
  expect(told.outcomes[0]).toMatchObject({ result: "answered", detail: expect.stringContaining(approval.id) });
  expect(await listed(fleet)).toContain("schedule-heartbeat");
  expect((await run(fleet, "heartbeat")).outcomes[0]).toMatchObject({ result: "silent" });
  await fleet.json("approvals", "reject", approval.id);

  const built = await run(fleet, "build");
  expect(built.outcomes[0], fleet.output()).toMatchObject({
    result: "succeeded",
    approval: expect.stringMatching(/^ap-/),
  });
  expect((await run(fleet, "nonsense")).outcomes[0]).toMatchObject({ result: "refused" });

  const metrics = await (await fleet.fetch("/metrics", { token: null })).text();
  expect(metrics).toContain('clawdinator_schedule_fired_total{job="heartbeat"} 3');
}, 180_000);

test("jobs are listed, paused and resumed by maintainers alone, and that is audited", async () => {
  const fleet = fleetOf();
  expect((await fleet.fetch("/api/schedule", { token: null })).status).toBe(401);
  const refused = await fleet.fetch("/api/schedule/heartbeat", {
    method: "POST",
    body: { action: "run" },
    token: null,
  });
  expect(refused.status).toBe(401);
  expect((await fleet.fetch("/api/schedule/no..job", { method: "POST", body: { action: "run" } })).status).toBe(404);
  expect((await fleet.fetch("/api/schedule/heartbeat", { method: "POST", body: { action: "x" } })).status).toBe(400);

  writeJobs(fleet, [{ id: "look", cron: "0 * * * *", prompt: "sitrep" }]);
  await waitFor(async () => (await list(fleet)).jobs[0]?.id === "look", { what: "the file being taken over" });
  await fleet.json("schedule", "pause", "look");
  const { stdout } = await fleet.cli(["schedule", "list"]);
  expect(stdout).toMatch(/^look +0 \* \* \* \* +UTC +paused by /m);
  await fleet.json("schedule", "resume", "look");
  expect((await list(fleet)).jobs[0]).toMatchObject({ paused: null, nextAt: expect.any(Number) });
  const { entries } = await fleet.json<{ entries: AuditEntry[] }>("audit", "--subject", "schedule/look");
  expect(entries.map(({ action }) => action)).toEqual(["schedule.resumed", "schedule.paused"]);
  const unknown = await fleet.cli(["schedule", "pause", "nothing"]);
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining("there is no job nothing") });

  const said = await fleet.cli(["ask", "what is scheduled?"]);
  expect(said.stdout).toMatch(/look \(0 \* \* \* \*\): next in \d+ min/);
  expect((await fleet.cli(["ask", "sitrep"])).stdout).toMatch(
    /Nothing needs a person\. Fleet: 1 of 1 instance ready\./,
  );
}, 120_000);

test("a broken file stops nothing and is seen in list and doctor", async () => {
  const fleet = fleetOf();
  writeJobs(fleet, [{ id: "look", cron: "0 25 * * *", prompt: "sitrep" }]);
  const view = await waitFor(
    async () => {
      const found = await list(fleet);
      return found.problem === null ? null : found;
    },
    { what: "the problem being seen" },
  );
  expect(view.problem).toMatch(
    /cron-jobs\.json has a problem:\n {2}job look, cron: 25 is a invalid expression for hour/,
  );
  expect(view.jobs.map(({ id, cron }) => `${id} ${cron}`)).toEqual(["look 0 * * * *"]);
  const { checks } = JSON.parse((await fleet.cli(["doctor", "--json"])).stdout) as {
    checks: { name: string; ok: boolean }[];
  };
  expect(checks.find(({ name }) => name === "instance: schedule")).toMatchObject({ ok: false });
  expect((await fleet.fetch("/readyz", { token: null })).status).toBe(200);
}, 60_000);
