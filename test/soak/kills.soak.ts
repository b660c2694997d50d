/**
 * One kill at exactly one point per run of an operation, for every point of every step. `run.ts` starts it; results go
 * as JSON lines to the file SOAK_RESULTS.
 */
import { appendFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { breakHolder } from "../support/broken-program.ts";
import { makeFleet, type TestFleet } from "../support/fleet.ts";
import { commitFiles } from "../support/git.ts";
import {
  buildThroughKills,
  expectAudited,
  expectConsistent,
  type Failpoints,
  makeFailpoints,
  pointsOf,
  runThroughKills,
  type SurvivedRun,
} from "../support/kills.ts";
import { operationKinds, type SoakResult } from "./kinds.ts";

const only = process.env.SOAK_ONLY?.split(",") ?? operationKinds;
const resultsFile = process.env.SOAK_RESULTS ?? "";
const deadline = performance.now() + Number(process.env.SOAK_MINUTES ?? 45) * 60_000;
const patience = { timeoutMs: 120_000 };
const hour = 3_600_000;

/** A fleet that is used again as long as it is in order. */
interface Bench {
  fleet: TestFleet;
  failpoints: Failpoints;
  /** Epoch that CLAWDINATOR-2 was last given; 0 when there was none. */
  epoch: number;
  hasSibling: boolean;
  revisions: number;
}

interface Kind {
  state: "succeeded" | "compensated";
  needsSibling: boolean;
  run(bench: Bench, point: string | undefined): Promise<SurvivedRun>;
  /** What the bench is after the operation. */
  after(bench: Bench): Pick<Bench, "epoch" | "hasSibling">;
}

const nothing = "none";
/** For `random`: how many operations, and how often the gateway is killed while one runs. */
const randomRounds = 25;
const killsInRound = 8;

function newRevision(bench: Bench): string {
  bench.revisions++;
  return commitFiles(
    bench.fleet.program,
    { "docs/revision.md": `${bench.revisions}\n` },
    `Revision ${bench.revisions}`,
  );
}

function byChat(text: (bench: Bench) => string): Kind["run"] {
  return (bench, point) => runThroughKills(bench.fleet, bench.failpoints, text(bench), { point: point ?? nothing });
}

const kinds: Record<(typeof operationKinds)[number], Kind> = {
  build: {
    state: "succeeded",
    needsSibling: false,
    run: (bench, point) =>
      buildThroughKills(bench.fleet, bench.failpoints, newRevision(bench), { point: point ?? nothing }),
    after: ({ epoch, hasSibling }) => ({ epoch, hasSibling }),
  },
  launch: {
    state: "succeeded",
    needsSibling: false,
    run: byChat((bench) => `spawn a sibling at ${newRevision(bench)}`),
    after: ({ epoch }) => ({ epoch: epoch + 1, hasSibling: true }),
  },
  replace: {
    state: "succeeded",
    needsSibling: true,
    run: byChat((bench) => `replace CLAWDINATOR-2 with revision ${newRevision(bench)}`),
    after: ({ epoch }) => ({ epoch: epoch + 1, hasSibling: true }),
  },
  roll: {
    state: "succeeded",
    needsSibling: true,
    run: byChat((bench) => `roll the fleet to revision ${newRevision(bench)}`),
    after: ({ epoch }) => ({ epoch: epoch + 1, hasSibling: true }),
  },
  retire: {
    state: "succeeded",
    needsSibling: true,
    run: byChat(() => "retire CLAWDINATOR-2"),
    after: ({ epoch }) => ({ epoch, hasSibling: false }),
  },
  undo: {
    state: "compensated",
    needsSibling: true,
    run: byChat((bench) => `replace CLAWDINATOR-2 with revision ${breakHolder(bench.fleet.program)}`),
    // To the candidate and back.
    after: ({ epoch }) => ({ epoch: epoch + 2, hasSibling: true }),
  },
  random: {
    state: "succeeded",
    needsSibling: true,
    run: (bench) =>
      runThroughKills(bench.fleet, bench.failpoints, `replace CLAWDINATOR-2 with revision ${newRevision(bench)}`, {
        point: nothing,
        randomKills: killsInRound,
      }),
    after: ({ epoch }) => ({ epoch: epoch + 1, hasSibling: true }),
  },
};

async function makeBench(): Promise<Bench> {
  const fleet = makeFleet({ config: { fleet: { candidateSeconds: 15 } } });
  const failpoints = makeFailpoints(dirname(fleet.home));
  await fleet.start({ environment: failpoints.environment });
  return { fleet, failpoints, epoch: 0, hasSibling: false, revisions: 0 };
}

/** Without any kill. */
async function carryOut(bench: Bench, text: string): Promise<void> {
  const approval = await bench.fleet.propose(text);
  await bench.fleet.approve(approval.id);
  expect(await bench.fleet.ended(approval.id, patience)).toMatchObject({ state: "succeeded" });
}

async function prepare(bench: Bench, kind: Kind): Promise<void> {
  if (kind.needsSibling && !bench.hasSibling) {
    await carryOut(bench, "spawn a sibling");
    Object.assign(bench, { epoch: bench.epoch + 1, hasSibling: true });
  } else if (!kind.needsSibling && bench.hasSibling) {
    await carryOut(bench, "retire CLAWDINATOR-2");
    bench.hasSibling = false;
  }
}

async function round(bench: Bench, kind: Kind, point: string | undefined): Promise<SurvivedRun> {
  await prepare(bench, kind);
  const run = await kind.run(bench, point);
  Object.assign(bench, kind.after(bench));
  expect(run.operation.state).toBe(kind.state);
  expect(run.fired).toEqual(point === undefined || kind === kinds.random ? [] : [point]);
  await expectConsistent(bench.fleet, {
    "CLAWDINATOR-1": 1,
    ...(bench.hasSibling ? { "CLAWDINATOR-2": bench.epoch } : {}),
  });
  await expectAudited(bench.fleet, run.operation);
  return run;
}

for (const name of operationKinds) {
  test.runIf(only.includes(name))(`${name} survives a kill at each single point`, { timeout: 4 * hour }, async () => {
    const kind = kinds[name];
    let bench = await makeBench();
    const { operation } = await round(bench, kind, undefined);
    const points =
      name === "random"
        ? Array.from({ length: randomRounds }, (_, index) => `round ${index + 1}`)
        : pointsOf(operation);
    const failures: SoakResult[] = [];
    for (const [index, point] of points.entries()) {
      if (performance.now() > deadline)
        throw new Error(`out of time after ${index} of ${points.length} points; go on with --only ${name}`);
      const startedAt = performance.now();
      const failure = await round(bench, kind, point).then(
        () => null,
        (error: unknown) => (error as Error).message,
      );
      const seconds = (performance.now() - startedAt) / 1000;
      const result: SoakResult = { kind: name, point, index: index + 1, of: points.length, seconds, failure };
      appendFileSync(resultsFile, `${JSON.stringify(result)}\n`);
      if (failure === null) continue;
      failures.push(result);
      await bench.fleet.stop();
      bench = await makeBench();
    }
    expect(failures).toEqual([]);
  });
}
