/** Switching an instance in place: what the plan binds, what is refused, and how it is undone. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore } from "../../agent/gateway/store/sqlite.ts";
import { writeHeartbeat } from "../../tools/fleet/heartbeats.ts";
import { createLocalProvider } from "../../tools/fleet/local/provider.ts";
import type { DesiredState, FleetStatus } from "../../tools/fleet/model.ts";
import { giveName } from "../../tools/fleet/names.ts";
import type { FleetProvider, FleetServices } from "../../tools/fleet/services.ts";
import { instanceSwitch } from "../../tools/instance-switch.ts";
import type { Plan, PlanContext, StepContext } from "../../tools/tool.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const name = "CLAWDINATOR-2";
const [before, after] = ["b".repeat(40), "a".repeat(40)];
const signal = new AbortController().signal;
type Switched = Parameters<NonNullable<FleetProvider["switchRevision"]>>[1];

/** A fleet of one machine; `onSwitch` is what happens on it. */
async function setUp(onSwitch: (options: Switched) => Promise<void>, runs = before) {
  const store = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  onTestFinished(() => store.close());
  await giveName(store, { name, to: "i-2", from: null, leaseMs: 600_000 });
  const says = (revision: string) =>
    writeHeartbeat(store, {
      formatVersion: 1,
      instance: "i-2",
      name,
      epoch: 1,
      state: "ready",
      revision,
      image: "aws-1",
      dirty: false,
      version: "1",
      pid: 1,
      mindPid: null,
      port: null,
      startedAt: 0,
      at: 0,
      phases: [],
      checks: [],
    });
  await says(runs);
  let desired: DesiredState = {
    formatVersion: 1,
    instances: { [name]: { host: "aws", type: "t3.small", revision: before, tokenSecret: null } },
  };
  const calls: { instance: string; revision: string; token: string; undoes: string | null }[] = [];
  const commits: string[] = [];
  const provider: Partial<FleetProvider> = {
    kind: "aws",
    resolveRevision: async (revision) => (revision === "main" ? after : revision),
    list: async () => [
      { instance: "i-2", name, image: "aws-1", revision: before, liveness: "running", machine: "i-0123456789abcdef0" },
    ],
    async switchRevision(instance, options) {
      const { revision, token, undoes } = options;
      calls.push({ instance, revision, token, undoes });
      await onSwitch(options);
      return { command: "c" };
    },
  };
  const fleet = {
    store,
    provider,
    self: { instance: "i-1", name: "CLAWDINATOR-1", revision: after, image: "aws-1", dirty: false },
    desired: async () => desired,
    setDesired: async (change: (state: DesiredState) => DesiredState) => {
      desired = change(desired);
    },
    status: async () =>
      ({
        at: 0,
        instances: [{ name, epoch: 1, instance: "i-2", image: "aws-1", revision: runs }],
        self: { name: null, instance: "i-1" },
      }) as unknown as FleetStatus,
    repository: {
      async commit({ message }: { message: string }) {
        commits.push(message.split("\n")[0] ?? "");
        return { commit: `commit-${commits.length}` };
      },
    },
  } as unknown as FleetServices;
  const context: PlanContext = {
    fleet,
    signal,
    proposer: {
      kind: "maintainer",
      id: "1",
      name: "Ada",
      message: null,
      conversation: null,
      influencedByPublicText: false,
    },
  };
  const propose = async (input: { name: string; revision?: string }) => {
    const fixed = (await instanceSwitch.normalize?.(context, input)) ?? input;
    return instanceSwitch.plan(context, fixed);
  };
  const stepContext = (plan: Plan, token: string): StepContext => ({
    fleet,
    plan,
    digest: "d",
    operationId: "op-1",
    approval: "ap-1",
    approvedBy: ["Ada"],
    token,
    results: {},
    progress: () => {},
    signal,
  });
  return { propose, context, says, calls, commits, stepContext, desired: () => desired };
}

async function planned(fleet: Awaited<ReturnType<typeof setUp>>) {
  const draft = await fleet.propose({ name, revision: "main" });
  const plan = { ...draft, proposer: fleet.context.proposer } as unknown as Plan;
  return { draft, plan, steps: instanceSwitch.steps(plan) };
}

test("binds name, instance, epoch, machine and both revisions, and costs nothing", async () => {
  const { draft } = await planned(await setUp(async () => {}));
  expect(draft.facts).toMatchObject({
    revision: after,
    switch: {
      machine: "i-0123456789abcdef0",
      old: { name, instance: "i-2", epoch: 1, revision: before },
      before: { revision: before },
      entry: { revision: after },
    },
  });
  expect(draft.targets).toEqual([{ name, instance: "i-2", epoch: 1 }]);
  expect(draft.changes.at(-1)).toEqual({ what: "system of i-0123456789abcdef0", before, after });
  expect(draft.cost.monthlyUsd).toBe(0);
  expect(draft.warnings).toEqual([expect.stringContaining("goes on from image aws-1")]);
});

test("switches, is verified by the heartbeat alone, and then commits the desired state", async () => {
  const verdicts: boolean[] = [];
  const fleet = await setUp(async ({ verify }) => {
    verdicts.push(await verify());
    await fleet.says(after);
    verdicts.push(await verify());
  });
  const { plan, steps } = await planned(fleet);
  for (const step of steps) await step.run(fleet.stepContext(plan, `token-of-${step.name}`));
  expect(verdicts).toEqual([false, true]);
  expect(fleet.calls).toEqual([{ instance: "i-2", revision: after, token: "token-of-switch", undoes: null }]);
  expect(fleet.commits).toEqual(["Switch CLAWDINATOR-2 to aaaaaaaaaaaa"]);
  expect(fleet.desired().instances[name]?.revision).toBe(after);
});

test("is undone by switching back, which names what it undoes", async () => {
  const fleet = await setUp(async ({ revision }) => fleet.says(revision));
  const { plan, steps } = await planned(fleet);
  for (const step of steps) await step.run(fleet.stepContext(plan, "token"));
  for (const step of [...steps].reverse()) await step.compensate?.(fleet.stepContext(plan, "token"));
  expect(fleet.calls.at(-1)).toEqual({ instance: "i-2", revision: before, token: "undo-token", undoes: "token" });
  expect(fleet.desired().instances[name]?.revision).toBe(before);
  expect(fleet.commits.at(-1)).toBe("Undo: Switch CLAWDINATOR-2 to aaaaaaaaaaaa");
});

test("refuses what could not be switched back, what runs it already, and who is not there", async () => {
  const fromCheckout = await setUp(async () => {}, "checkout");
  await expect(fromCheckout.propose({ name, revision: "main" })).rejects.toMatchObject({ code: "not_switchable" });
  const current = await setUp(async () => {}, after);
  await expect(current.propose({ name, revision: "main" })).rejects.toMatchObject({ code: "already_there" });
  await expect(current.propose({ name: "CLAWDINATOR-9" })).rejects.toMatchObject({ code: "unknown_instance" });
});

test("is refused where instances are processes, with what to use in its place", async () => {
  const { context } = await setUp(async () => {});
  const provider = createLocalProvider({ home: temporaryDirectory(), programRepository: null, environment: {} });
  const local = { ...context, fleet: { ...context.fleet, provider } };
  for (const ask of [instanceSwitch.normalize, instanceSwitch.plan]) {
    await expect(ask?.(local, { name })).rejects.toMatchObject({
      code: "not_switchable",
      message: expect.stringContaining("local"),
      hint: expect.stringContaining("instance_replace"),
    });
  }
});
