/**
 * `npm run bench`: prints a table and writes bench-results.json. Figures are medians over several runs of the real
 * program in fresh state directories; nothing here passes or fails.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { instancePaths } from "../../agent/paths.ts";
import type { ApprovalView } from "../../agent/protocol.ts";
import type { FleetStatus } from "../../tools/fleet/model.ts";
import { readLockOwner } from "../../tools/process-lock.ts";
import { table } from "../../tools/text-table.ts";
import { cloneProgram } from "../support/program.ts";
import { measureDependencies } from "./dependencies.ts";
import { measureDiscord } from "./discord.ts";
import { measureThousand } from "./fleet-1000.ts";
import { measureLoop } from "./loop.ts";
import { measureMemory } from "./memory.ts";
import { measureUploads } from "./upload.ts";

const checkout = join(import.meta.dirname, "..", "..");
const runs = Number(process.env.BENCH_RUNS ?? 5);
const deadlineMs = 60_000;

interface Figure {
  name: string;
  unit: string;
  value: number;
  least: number;
  most: number;
  limit: number | null;
  /** The limit is the least that is wanted, not the most. */
  isLeast: boolean;
  /** A comparable program's gateway, measured elsewhere on a machine of this size. */
  peer: number | null;
}

interface Instance {
  child: ChildProcess;
  home: string;
  readyMs: number;
  url: string;
  token: string;
}

const directory = mkdtempSync(join(tmpdir(), "clawdinator-bench-"));
const program = cloneProgram(directory);
const environment = (home: string): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: directory,
  CLAWDINATOR_HOME: home,
  NODE_COMPILE_CACHE: join(directory, "compile-cache"),
});

function start(home: string): Promise<Instance> {
  const begun = performance.now();
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(program, "agent", "main.ts"), "up", "--port", "0", "--json"],
    {
      cwd: program,
      env: environment(home),
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the gateway did not become ready")), deadlineMs);
    let text = "";
    child.on("exit", () => reject(new Error("the gateway ended before it was ready")));
    child.stdout.on("data", (chunk) => {
      text += chunk;
      if (!text.includes("\n")) return;
      clearTimeout(timer);
      const { url, login } = JSON.parse(text) as { url: string; login: string };
      resolve({ child, home, readyMs: performance.now() - begun, url, token: login.split("#login=")[1] ?? "" });
    });
  });
}

function stop({ child }: Instance): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    child.on("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill("SIGTERM");
  });
}

async function api<T>(instance: Instance, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${instance.url}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${instance.token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(deadlineMs),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** Proportional set size: shared pages are divided among the processes that share them. Linux only. */
function pssMegabytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? Number.NaN) / 1024;
}

/** Gateway and mind of a state directory's first instance. */
async function pairMegabytes(instance: Instance): Promise<number> {
  const { instances } = await api<FleetStatus>(instance, "/api/fleet");
  const paths = instancePaths(instance.home, instances[0]?.instance ?? "");
  const pids = [paths.gatewayLock, paths.mindLock].map((lock) => readLockOwner(lock)?.pid ?? 0);
  return pids.reduce((sum, pid) => sum + pssMegabytes(pid), 0);
}

async function pollUntil<T>(look: () => Promise<T | null>): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > end) throw new Error("it did not happen in time");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function approveAndWait(instance: Instance, operation: string, input: unknown): Promise<number> {
  const { approval } = await api<{ approval: ApprovalView }>(instance, "/api/operations", { operation, input });
  const begun = performance.now();
  if (approval.state === "pending")
    await api(instance, `/api/approvals/${approval.id}`, { decision: "approve", digest: approval.digest });
  const state = await pollUntil(async () => {
    const { operationId } = await api<ApprovalView>(instance, `/api/approvals/${approval.id}`);
    if (!operationId) return null;
    const found = await api<{ state: string; endedAt: number | null }>(instance, `/api/operations/${operationId}`);
    return found.endedAt === null ? null : found.state;
  });
  if (state !== "succeeded") throw new Error(`${operation} ${state}`);
  return performance.now() - begun;
}

function figure(
  name: string,
  unit: string,
  values: number[],
  more: { limit?: number; isLeast?: boolean; peer?: number } = {},
): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const round = (value: number | undefined): number => Math.round((value ?? Number.NaN) * 100) / 100;
  return {
    name,
    unit,
    value: round(sorted[Math.floor(sorted.length / 2)]),
    least: round(sorted[0]),
    most: round(sorted.at(-1)),
    limit: more.limit ?? null,
    isLeast: more.isLeast ?? false,
    peer: more.peer ?? null,
  };
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function measure(): Promise<Figure[]> {
  const firstStarts: number[] = [];
  const restarts: number[] = [];
  const memory: number[] = [];
  note("warming the compile cache");
  await stop(await start(join(directory, "warm")));
  for (let run = 0; run < runs; run++) {
    note(`starts, run ${run + 1} of ${runs}`);
    const home = join(directory, `starts-${run}`);
    const first = await start(home);
    firstStarts.push(first.readyMs / 1000);
    await stop(first);
    const again = await start(home);
    restarts.push(again.readyMs / 1000);
    // After the first requests have loaded what they need.
    await api(again, "/api/fleet");
    await api(again, "/api/approvals");
    memory.push(await pairMegabytes(again));
    await stop(again);
  }
  const builds: number[] = [];
  const launches: number[] = [];
  const replaces: number[] = [];
  const fleet = await start(join(directory, "fleet"));
  try {
    note("image build");
    builds.push((await approveAndWait(fleet, "image_build", {})) / 1000);
    for (let run = 0; run < runs; run++) {
      note(`launch, replace and retire, run ${run + 1} of ${runs}`);
      launches.push((await approveAndWait(fleet, "instance_launch", {})) / 1000);
      replaces.push((await approveAndWait(fleet, "instance_replace", { name: "CLAWDINATOR-2" })) / 1000);
      await approveAndWait(fleet, "instance_retire", { name: "CLAWDINATOR-2" });
    }
  } finally {
    await stop(fleet);
  }
  const thousand = await measureThousand({ runs, note });
  const dependencies = measureDependencies(checkout).totalBytes / 1e6;
  return [
    figure("start to ready", "s", restarts, { limit: 0.5, peer: 4.3 }),
    figure("first start ever to ready", "s", firstStarts, { limit: 0.5 }),
    figure("gateway + mind, PSS", "MB", memory, { limit: 180, peer: 926 }),
    figure("approve to sibling ready, image built", "s", launches, { limit: 3 }),
    figure("approve to replaced", "s", replaces),
    figure("image build, dependencies linked", "s", builds),
    figure("status of 1,000 instances on AWS, emulated", "s", thousand.statusSeconds, { limit: 1 }),
    figure("requests for it", "calls", thousand.calls, { limit: 5 }),
    figure("plan of a roll of 1,000", "s", thousand.planSeconds, { limit: 1 }),
    figure("production dependencies without Node", "MB", [dependencies], { limit: 260, peer: 647 }),
  ];
}

function render(figures: Figure[]): string {
  const rows = figures.map((one) => [
    one.name,
    `${one.value} ${one.unit}`,
    one.least === one.most ? "" : `${one.least} – ${one.most}`,
    one.limit === null ? "" : `${one.isLeast ? "≥" : "≤"} ${one.limit} ${one.unit}`,
    one.peer === null ? "" : `${one.peer} ${one.unit}`,
  ]);
  const head = ["figure", "median", "range", "wanted", "a peer"];
  return table([head, ...rows]);
}

/** `npm run bench -- loop` measures only that. */
const parts = ["program", "loop", "upload", "discord", "memory"];
const only = process.argv[2];
if (only !== undefined && !parts.includes(only)) {
  process.stderr.write(`there is no part ${JSON.stringify(only)} to measure; it is one of ${parts.join(", ")}\n`);
  process.exit(2);
}

try {
  const figures = only === undefined || only === "program" ? await measure() : [];
  const none = { figures: [], skipped: null };
  const loops = only === undefined || only === "loop" ? await measureLoop({ directory, runs, note }) : none;
  const uploads =
    only === undefined || only === "upload" ? await measureUploads({ directory, program, runs, note }) : none;
  const discord =
    only === undefined || only === "discord" ? await measureDiscord({ directory, program, runs, note }) : none;
  const memory = only === undefined || only === "memory" ? await measureMemory({ directory, runs, note }) : none;
  const measured = [...loops.figures, ...uploads.figures, ...discord.figures, ...memory.figures];
  for (const { name, unit, values, ...more } of measured) figures.push(figure(name, unit, values, more));
  const skipped = [loops, uploads, memory].flatMap((one) => one.skipped ?? []).join("; ") || null;
  writeFileSync(
    join(checkout, "bench-results.json"),
    `${JSON.stringify({ at: new Date().toISOString(), runs, node: process.version, figures, skipped }, null, 2)}\n`,
  );
  process.stdout.write(`${render(figures)}\n`);
  if (skipped) process.stdout.write(`skipped: ${skipped}\n`);
} finally {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(0);
