/** Kills of the first instance's gateway at named points, and what must be true of a fleet that was killed and came back. */
import { randomInt } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { OperationView } from "../../agent/protocol.ts";
import { processesWithArguments } from "../../tools/fleet/local/process.ts";
import type { NameRecord } from "../../tools/fleet/services.ts";
import { readAll, type Store } from "../../tools/store.ts";
import { processesBelow, type TestFleet } from "./fleet.ts";
import { instancesBelow } from "./fleet-socket.ts";
import { git } from "./git.ts";
import { waitFor } from "./wait.ts";

const forwardPoints = ["before", "intent", "effect", "after"] as const;
const backwardPoints = ["compensate.before", "compensate.effect"] as const;

export interface Failpoints {
  environment: Record<string, string>;
  /** Every point kills, once each; or each whose name ends so. */
  armAll(): void;
  /** Whether `armAll` arms the point. */
  includes(point: string): boolean;
  /** Only this point kills, once. */
  arm(point: string): void;
  disarm(): void;
  /** Points that killed since the last disarming, as `<step>.<point>`. */
  fired(): string[];
}

/** `endings`: of the names of points, where not every one is to kill. */
export function makeFailpoints(directory: string, endings: string[] = []): Failpoints {
  const root = join(directory, "failpoints");
  const reset = (): void => {
    rmSync(root, { recursive: true, force: true });
    mkdirSync(root, { recursive: true });
  };
  const arm = (point: string): void => {
    reset();
    writeFileSync(join(root, point.replaceAll("/", "~")), point === "every" ? endings.join("\n") : "");
  };
  reset();
  return {
    environment: { CLAWDINATOR_FAILPOINTS: root },
    armAll: () => arm("every"),
    includes: (point) => endings.length === 0 || endings.some((ending) => point.endsWith(ending)),
    arm,
    disarm: reset,
    fired() {
      try {
        return readdirSync(join(root, "fired")).map((file) => file.replaceAll("~", "/"));
      } catch {
        return [];
      }
    },
  };
}

/** Every point that a run of this operation passes, from its journal, so that a new step is covered by itself. */
export function pointsOf(operation: OperationView): string[] {
  const forward = operation.steps.flatMap((step) => {
    if (step.state === "pending") return [];
    const reached = step.error === null ? forwardPoints : forwardPoints.slice(0, 2);
    return reached.map((point) => `${step.name}.${point}`);
  });
  const undone = operation.steps.filter((step) => step.state === "compensated");
  return [...forward, ...undone.flatMap((step) => backwardPoints.map((point) => `${step.name}.${point}`))];
}

export interface SurvivedRun {
  operation: OperationView;
  /** Points that killed, as `<step>.<point>`. */
  fired: string[];
  /** How often the gateway was started again. */
  starts: number;
}

/** Starts the gateway again whenever it dies, until `done`; returns how often it was started. */
async function keepStarting(
  fleet: TestFleet,
  options: { environment: Record<string, string>; done(): Promise<boolean> },
): Promise<number> {
  let starts = 0;
  for (;;) {
    let hasDied = false;
    const died = fleet.exited().then(() => {
      hasDied = true;
    });
    const deadline = performance.now() + 120_000;
    while (!(await options.done())) {
      if (hasDied) break;
      if (performance.now() > deadline)
        throw new Error(`neither did the operation end nor the gateway die\n${fleet.output()}`);
      await Promise.race([died, delay(fleet.lookEveryMs)]);
    }
    if (!hasDied || (await options.done())) return starts;
    starts++;
    // It may die before it is ready, which is what this is about.
    await fleet.start({ environment: options.environment }).catch(() => {});
  }
}

/**
 * Proposes by chat, approves, and restarts the gateway at each kill until the operation has ended. The siblings rest
 * until the first instance has taken the operation, so that the kills meet the one that runs it.
 */
export async function runThroughKills(
  fleet: TestFleet,
  failpoints: Failpoints,
  text: string,
  options: { restart?: boolean; point?: string; randomKills?: number; others?: () => number[] } = {},
): Promise<SurvivedRun> {
  const approval = await fleet.propose(text);
  const store = await fleet.store();
  const find = finder(store, (operation) => operation.approval === approval.id);
  return throughKills({
    ...options,
    fleet,
    failpoints,
    find,
    begin: async () => {
      if (approval.state === "pending") await fleet.approve(approval.id);
    },
  });
}

/** As above for an operation that the policy starts by itself: the points are armed before it is asked for. */
export async function buildThroughKills(
  fleet: TestFleet,
  failpoints: Failpoints,
  revision: string,
  options: { point?: string } = {},
): Promise<SurvivedRun> {
  const store = await fleet.store();
  const known = new Set((await store.list("operations/")).map(({ key }) => key));
  const find = finder(store, ({ id }) => !known.has(`operations/${id}`));
  return throughKills({
    ...options,
    fleet,
    failpoints,
    find,
    begin: async () => {
      await fleet
        .fetch("/api/operations", { method: "POST", body: { operation: "image_build", input: { revision } } })
        .catch(() => null);
    },
  });
}

/** Reads the operation as it is now; all of them only until the one that is meant is there. */
function finder(store: Store, isMeant: (operation: OperationView) => boolean): () => Promise<OperationView | null> {
  let key: string | null = null;
  return async () => {
    if (key !== null) return ((await store.get(key))?.value ?? null) as unknown as OperationView | null;
    const found = (await readAll(store, "operations/")).find(({ value }) => isMeant(value as unknown as OperationView));
    key = found?.key ?? null;
    return (found?.value ?? null) as unknown as OperationView | null;
  };
}

async function throughKills(options: {
  fleet: TestFleet;
  failpoints: Failpoints;
  find(): Promise<OperationView | null>;
  begin(): Promise<void>;
  /** Whether the gateway that was killed is started again; default true. */
  restart?: boolean;
  /** The only point that kills; default: every one, once each. */
  point?: string;
  /** So many kills besides, each some moment after the last one. */
  randomKills?: number;
  /** Gateways of siblings elsewhere, which rest as well. */
  others?: () => number[];
}): Promise<SurvivedRun> {
  const { fleet, failpoints, find, point, randomKills = 0, others = () => [] } = options;
  if (point === undefined) failpoints.armAll();
  else failpoints.arm(point);
  const first = processesBelow(fleet.home).find(({ pid, role }) => role === "gateway" && pid === fleet.pid());
  const resting = processesBelow(fleet.home).filter(({ pid, role }) => role === "gateway" && pid !== first?.pid);
  for (const { pid } of resting) await suspend(fleet.home, pid);
  const elsewhere = others();
  for (const pid of elsewhere) process.kill(pid, "SIGSTOP");
  try {
    await options.begin();
    await waitFor(
      async () => ((await find())?.owner as unknown as { instance: string } | null)?.instance === first?.instance,
      { timeoutMs: 60_000, everyMs: fleet.lookEveryMs, what: "the first instance taking the operation" },
    );
  } finally {
    for (const pid of [...resting.map((one) => one.pid), ...elsewhere]) process.kill(pid, "SIGCONT");
  }
  const done = async (): Promise<boolean> => ((await find())?.endedAt ?? null) !== null;
  let starts = 0;
  if (options.restart === false) {
    await fleet.exited();
    await waitFor(done, {
      timeoutMs: 120_000,
      everyMs: fleet.lookEveryMs,
      what: "another instance finishing the operation",
    });
  } else {
    const killing = killAtRandom(fleet, { times: randomKills, done });
    starts = await keepStarting(fleet, { environment: failpoints.environment, done });
    // The last one may have come after the operation's end.
    if (await killing) await fleet.start({ environment: failpoints.environment });
  }
  const operation = await find();
  if (!operation) throw new Error("the operation is gone");
  const fired = failpoints.fired();
  failpoints.disarm();
  return { operation, fired, starts };
}

/** Whether it killed one that nobody has started again. */
async function killAtRandom(fleet: TestFleet, options: { times: number; done(): Promise<boolean> }): Promise<boolean> {
  let isDead = false;
  for (let kill = 0; kill < options.times && !(await options.done()); kill++) {
    await delay(randomInt(20, 1500));
    await fleet.kill();
    isDead = await options.done();
  }
  return isDead;
}

/** SIGSTOP, but not while the process holds the store's write lock. */
async function suspend(home: string, pid: number): Promise<void> {
  await waitFor(() => {
    process.kill(pid, "SIGSTOP");
    const database = new DatabaseSync(join(home, "fleet", "store.sqlite"), { timeout: 300 });
    try {
      database.exec("BEGIN IMMEDIATE; ROLLBACK;");
      return true;
    } catch {
      process.kill(pid, "SIGCONT");
      return false;
    } finally {
      database.close();
    }
  });
}

/** Nothing is orphaned and nothing is there twice. `epochs`: who holds a name now, and in which epoch. */
export async function expectConsistent(fleet: TestFleet, epochs: Record<string, number>): Promise<void> {
  const { home } = fleet;
  const instances = await expectRecordsConsistent(fleet, { epochs, repository: join(home, "fleet", "repo.git") });
  expect(instancesBelow(home).sort()).toEqual(instances);
  expect(readdirSync(join(home, "instances")).filter((name) => name.startsWith("."))).toEqual([]);
  await expectProcesses(home, instances);
}

/** What the store and the fleet repository say fits together; returns the holders, sorted. */
export async function expectRecordsConsistent(
  fleet: TestFleet,
  expected: { epochs: Record<string, number>; repository: string },
): Promise<string[]> {
  const store = await fleet.store();
  const names = (await readAll(store, "names/"))
    .filter(({ key }) => key.split("/").length === 2)
    .map(({ value }) => value as unknown as NameRecord);
  const holders = names.filter(({ holder }) => holder !== null);
  expect(Object.fromEntries(holders.map(({ name, epoch }) => [name, epoch]))).toEqual(expected.epochs);
  const instances = holders.map(({ holder }) => String(holder)).sort();

  expect(await store.list("candidates/")).toEqual([]);
  const now = await store.now();
  const leases = (await readAll(store, "leases/")).map(
    ({ value }) => value as unknown as { holder: string; until: number },
  );
  expect(leases.filter(({ holder, until }) => until > now && !instances.includes(holder))).toEqual([]);
  const live = (await readAll(store, "operations/"))
    .map(({ value }) => value as unknown as OperationView)
    .filter(({ endedAt }) => endedAt === null);
  expect(live).toEqual([]);

  const trailers = git(expected.repository, "log", "--format=%(trailers:key=Operation,valueonly,separator=)", "HEAD")
    .split("\n")
    .filter(Boolean);
  expect(trailers.filter((trailer, index) => trailers.indexOf(trailer) !== index)).toEqual([]);
  return instances;
}

/** Below this state directory run the two processes of each of these instances, and nothing else. */
export async function expectProcesses(home: string, instances: string[]): Promise<void> {
  const wanted = instances.flatMap((instance) => [`${instance} gateway`, `${instance} mind`]);
  const running = (): string[] =>
    processesBelow(home)
      .map(({ instance, role }) => `${instance} ${role}`)
      .sort();
  await waitFor(() => running().join() === wanted.join(), {
    timeoutMs: 30_000,
    what: "each holder's two processes",
  }).catch(() => {});
  expect(running()).toEqual(wanted);
  // Processes that no lock knows of, such as a second mind or a gateway that was started and forgotten.
  const locked = new Set(processesBelow(home).map(({ pid }) => pid));
  const strangers = async (): Promise<number[]> =>
    (await processesWithArguments(["--home", home])).filter((pid) => !locked.has(pid));
  // Between fork and exec a gateway's git looks like a gateway: only a process that stays is one.
  let staying = await strangers();
  await waitFor(
    async () => {
      const now = await strangers();
      staying = staying.filter((pid) => now.includes(pid));
      return staying.length === 0;
    },
    { timeoutMs: 10_000 },
  ).catch(() => {});
  expect(staying).toEqual([]);
}

/** The audit log tells every step once, and the end once. */
export async function expectAudited(fleet: TestFleet, operation: OperationView): Promise<void> {
  const store = await fleet.store();
  const log = (await readAll(store, "audit/")).map(
    ({ value }) => value as unknown as { action: string; subject: string; detail: string },
  );
  const given = log
    .filter(({ action }) => action === "name.given")
    .map(({ subject, detail }) => `${subject} ${detail}`);
  expect(given).toEqual([...new Set(given)]);
  const entries = log.filter(({ subject }) => subject === operation.id);
  const told = (action: string): string[] =>
    entries.filter((entry) => entry.action === action).map(({ detail }) => detail.split(":")[0] ?? "");
  expect(entries.filter(({ action }) => action === `operation.${operation.state}`)).toHaveLength(1);
  const stepsIn = (...states: string[]): string[] =>
    operation.steps.filter(({ state }) => states.includes(state)).map(({ name }) => name);
  const failed = operation.steps.filter(({ error }) => error !== null).map(({ name }) => name);
  expect(told("operation.step.succeeded").sort()).toEqual(
    operation.steps
      .filter(({ name, state }) => state !== "pending" && !failed.includes(name))
      .map(({ name }) => name)
      .sort(),
  );
  expect(told("operation.step.failed").sort()).toEqual(failed.sort());
  expect(told("operation.step.compensated").sort()).toEqual(stepsIn("compensated").sort());
  for (const step of stepsIn("succeeded", "compensated", "failed"))
    expect(told("operation.step.started")).toContain(step);
}
