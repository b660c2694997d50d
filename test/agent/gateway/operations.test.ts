/** Two gateways over one store, and an operation that not every machine can run. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import type { ApprovalRecord } from "../../../agent/gateway/approval-record.ts";
import { createAuditLog } from "../../../agent/gateway/audit.ts";
import { ownerLeaseMs } from "../../../agent/gateway/journal.ts";
import { createOperations, type Operations } from "../../../agent/gateway/operations.ts";
import { openSqliteStore } from "../../../agent/gateway/store/sqlite.ts";
import type { OperationView } from "../../../agent/protocol.ts";
import { notOnThisMachine, ToolError } from "../../../tools/errors.ts";
import type { FleetServices } from "../../../tools/fleet/services.ts";
import type { Store } from "../../../tools/store.ts";
import { defineOperation, type Plan } from "../../../tools/tool.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { waitFor } from "../../support/wait.ts";

const id = "op-000000000001";
/** How long an operation that was passed on waits for others. */
const passedOnMs = 60_000;

interface Bench {
  /** Who ran the step or undid it, in order. */
  runs: string[];
  /** Instances that lack what the second step needs. */
  lacking: Set<string>;
  advance(ms: number): void;
  gateway(instance: string): Operations;
  /** What the gateway does at its tick, and what comes of it. */
  tick(operations: Operations, options?: { holdsName?: boolean }): Promise<OperationView>;
  audited(): Promise<string[]>;
}

async function open(): Promise<Bench> {
  const real = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  let offsetMs = 0;
  const store: Store = { ...real, now: async () => (await real.now()) + offsetMs };
  const audit = createAuditLog(store);
  const runs: string[] = [];
  const lacking = new Set<string>();
  const instances = new Map<Operations, string>();
  const weld = defineOperation({
    name: "weld",
    description: "Needs a torch.",
    input: z.strictObject({}),
    plan: async () => {
      throw new Error("is planned by hand here");
    },
    steps: () => [
      {
        name: "measure",
        run: async ({ fleet }) => {
          runs.push(`${fleet.self.instance} measure`);
          return { result: null };
        },
        compensate: async ({ fleet }) => void runs.push(`${fleet.self.instance} undo`),
      },
      {
        name: "weld",
        run: async ({ fleet }) => {
          runs.push(`${fleet.self.instance} weld`);
          if (lacking.has(fleet.self.instance))
            throw new ToolError("no torch here", { code: notOnThisMachine, hint: "bring one" });
          return { result: null };
        },
      },
    ],
  });
  onTestFinished(async () => {
    for (const operations of instances.keys()) await operations.stop();
    await real.close();
  });
  const bench: Bench = {
    runs,
    lacking,
    advance(ms) {
      offsetMs += ms;
    },
    gateway(instance) {
      const fleet = { store, self: { instance } } as unknown as FleetServices;
      const operations = createOperations({
        store,
        audit,
        fleet,
        operationByName: () => weld,
        isPaused: async () => false,
        approvalState: async () => "executed",
        log: () => {},
      });
      instances.set(operations, instance);
      return operations;
    },
    async tick(operations, { holdsName = true } = {}) {
      const self = instances.get(operations);
      await operations.resume({ holdsName });
      // Taken, it is this one's until it has ended or was let go.
      const rested = await waitFor(
        async () => {
          const now = await operations.get(id);
          return now && (now.owner !== self || now.endedAt !== null) ? now : null;
        },
        { what: "the operation coming to rest" },
      );
      // Told last; after that the gateway is free to look at it again.
      if (rested.owner === null && rested.endedAt === null && runs.at(-1)?.startsWith(`${self} `))
        await waitFor(async () => (await bench.audited()).includes(`${self} step.passed_on`));
      await new Promise(setImmediate);
      return rested;
    },
    audited: async () =>
      (await audit.list({ limit: 100, subject: id }))
        .reverse()
        .map(({ action, surface }) => `${surface} ${action.replace("operation.", "")}`),
  };
  return bench;
}

const approval = {
  id: "ap-1",
  operation: "weld",
  digest: "d".repeat(64),
  operationId: id,
  votes: [],
  plan: {
    operation: "weld",
    summary: "weld it",
    facts: {},
    proposer: { name: "Ada", conversation: null },
  } as unknown as Plan,
} as unknown as ApprovalRecord;

test("who began an operation owns it first; another holder takes it only when that lease has run out", async () => {
  const bench = await open();
  const [first, second] = [bench.gateway("i-1"), bench.gateway("i-2")];
  await first.start(approval);
  expect(await bench.tick(second)).toMatchObject({ owner: "i-1", state: "running" });
  expect(bench.runs).toEqual([]);
  bench.advance(ownerLeaseMs - 5_000);
  await bench.tick(second);
  expect(bench.runs).toEqual([]);
  bench.advance(5_100);
  expect(await bench.tick(second, { holdsName: false })).toMatchObject({ owner: "i-1" });
  expect(await bench.tick(second)).toMatchObject({ state: "succeeded" });
  expect(bench.runs).toEqual(["i-2 measure", "i-2 weld"]);
  await bench.tick(first);
  expect(bench.runs).toHaveLength(2);
});

test("whoever plans and begins it last owns it while nothing of it has run; after that nobody takes it by that", async () => {
  const bench = await open();
  const [first, second] = [bench.gateway("i-1"), bench.gateway("i-2")];
  await first.start(approval);
  await second.start(approval);
  expect(await bench.tick(first)).toMatchObject({ owner: "i-2", state: "running" });
  expect(bench.runs).toEqual([]);
  expect(await bench.tick(second)).toMatchObject({ state: "succeeded" });
  await first.start(approval);
  await bench.tick(first);
  expect(bench.runs).toEqual(["i-2 measure", "i-2 weld"]);
});

test("the one that began it runs it, also before it holds a name again", async () => {
  const bench = await open();
  const first = bench.gateway("i-1");
  await first.start(approval);
  expect(await bench.tick(first, { holdsName: false })).toMatchObject({ state: "succeeded" });
  expect(bench.runs).toEqual(["i-1 measure", "i-1 weld"]);
});

test("a step that this machine cannot do goes on at another one, and what is done is not done again", async () => {
  const bench = await open();
  bench.lacking.add("i-1");
  const [first, second] = [bench.gateway("i-1"), bench.gateway("i-2")];
  await first.start(approval);
  expect(await bench.tick(first)).toMatchObject({ state: "running", owner: null, error: null });
  // Not at once again by itself.
  await bench.tick(first);
  bench.advance(passedOnMs - 1_000);
  await bench.tick(first);
  expect(bench.runs).toEqual(["i-1 measure", "i-1 weld"]);
  expect(await bench.tick(second)).toMatchObject({ state: "succeeded", owner: "i-2" });
  expect(bench.runs).toEqual(["i-1 measure", "i-1 weld", "i-2 weld"]);
  expect((await bench.audited()).filter((line) => !line.includes("step.started"))).toEqual([
    "i-1 step.succeeded",
    "i-1 step.passed_on",
    "i-2 step.succeeded",
    "i-2 succeeded",
  ]);
});

test("each instance passes it on once; then it fails, once nobody took it for a minute, and is undone", async () => {
  const bench = await open();
  for (const instance of ["i-1", "i-2"]) bench.lacking.add(instance);
  const [first, second] = [bench.gateway("i-1"), bench.gateway("i-2")];
  await first.start(approval);
  await bench.tick(first);
  bench.advance(passedOnMs / 2);
  expect(await bench.tick(second)).toMatchObject({ state: "running", owner: null });
  // The minute begins anew with the last one that passed it on.
  bench.advance(passedOnMs - 1_000);
  for (const operations of [first, second]) expect(await bench.tick(operations)).toMatchObject({ owner: null });
  expect(bench.runs).toEqual(["i-1 measure", "i-1 weld", "i-2 weld"]);
  bench.advance(1_100);
  expect(await bench.tick(second)).toMatchObject({
    state: "compensated",
    error: { message: "no torch here", hint: "bring one" },
  });
  expect(bench.runs.slice(3)).toEqual(["i-2 weld", "i-2 undo"]);
  await bench.tick(first);
  expect(bench.runs).toHaveLength(5);
});

test("a restart of the one that passed it on does not make it try at once again", async () => {
  const bench = await open();
  bench.lacking.add("i-1");
  const first = bench.gateway("i-1");
  await first.start(approval);
  await bench.tick(first);
  await first.stop();
  const again = bench.gateway("i-1");
  await bench.tick(again);
  expect(bench.runs).toEqual(["i-1 measure", "i-1 weld"]);
  bench.advance(passedOnMs + 100);
  expect(await bench.tick(again)).toMatchObject({ state: "compensated" });
});

test("cancelled while it waits for another machine, it is undone at once", async () => {
  const bench = await open();
  bench.lacking.add("i-1");
  const first = bench.gateway("i-1");
  await first.start(approval);
  await bench.tick(first);
  await first.cancel(id, "maintainer:1");
  expect(await bench.tick(first)).toMatchObject({ state: "cancelled" });
  expect(bench.runs).toEqual(["i-1 measure", "i-1 weld", "i-1 undo"]);
});
