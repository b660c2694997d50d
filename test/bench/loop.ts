/**
 * What the loop itself costs: the mind's own runs against an endpoint that answers at once, less a bare fetch of the same
 * endpoint with as much text; and beside both the same conversation by pi-agent-core, which stores nothing.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { mindFlags } from "../../agent/gateway/supervisor.ts";
import type { LoopReport } from "./loop-report.ts";
import type { UploadFigure } from "./upload.ts";

const turns = 1000;
const peerPackage = "@mariozechner/pi-agent-core@0.73.1";
export async function measureLoop(options: {
  directory: string;
  runs: number;
  note(text: string): void;
}): Promise<{ figures: UploadFigure[]; skipped: string | null }> {
  const { runs, note } = options;
  const directory = join(options.directory, "loop");
  mkdirSync(directory);
  const stub = await startStub();
  try {
    const report = (script: string, parameters: string[]) =>
      runScript(script, {
        parameters: [stub.url, ...parameters],
        compileCache: join(options.directory, "compile-cache"),
        // As the supervisor starts a mind; the others as anybody would start them.
        flags: script === "loop-mind.ts" ? mindFlags : [],
      });
    const peer = installPeer(note);
    // Says how long the first request is, and fills the compile cache.
    await report("loop-mind.ts", ["1", join(directory, "warm")]);
    const [firstBytes = 0] = (await (await fetch(`${stub.url}/sizes`)).json()) as number[];
    const bare: LoopReport[] = [];
    const minds: LoopReport[] = [];
    const peers: LoopReport[] = [];
    for (let run = 0; run < runs; run++) {
      note(`loop of ${turns} turns, run ${run + 1} of ${runs}`);
      bare.push(await report("loop-fetch.ts", [String(turns), String(firstBytes)]));
      minds.push(await report("loop-mind.ts", [String(turns), join(directory, `mind-${run}`)]));
      if (peer.directory) peers.push(await report("loop-peer.ts", [String(turns), String(firstBytes), peer.directory]));
    }
    return { figures: figuresOf({ bare, minds, peers }), skipped: peer.missing };
  } finally {
    stub.process.kill();
  }
}

function figuresOf({ bare, minds, peers }: { bare: LoopReport[]; minds: LoopReport[]; peers: LoopReport[] }) {
  /** Milliseconds a turn over the bare fetch of the same run, in the 100 turns before this one. */
  const over = (reports: LoopReport[], turn: number) =>
    reports.map((report, run) => medianBefore(report, turn) - medianBefore(bare[run] ?? report, turn));
  const processorOver = (reports: LoopReport[], turn: number) =>
    reports.map((report, run) => processorBefore(report, turn) - processorBefore(bare[run] ?? report, turn));
  const peer = (values: number[]) => (values.length === 0 ? {} : { peer: Math.round(median(values) * 100) / 100 });
  const growth = (reports: LoopReport[]) =>
    over(reports, turns).map((value, run) => value - (over(reports, 200)[run] ?? 0));
  const figures: UploadFigure[] = [
    { name: "a bare fetch of the model, at 200 turns", unit: "ms", values: bare.map((one) => medianBefore(one, 200)) },
    { name: "loop beside it, at 200 turns", unit: "ms", values: over(minds, 200), limit: 2, ...peer(over(peers, 200)) },
    {
      name: "loop beside it, at 1,000 turns",
      unit: "ms",
      values: over(minds, turns),
      limit: 2,
      ...peer(over(peers, turns)),
    },
    { name: "growth between them", unit: "ms", values: growth(minds), ...peer(growth(peers)) },
    ...[200, turns].map((turn) => ({
      name: `processor time beside it, at ${turn === 200 ? "200" : "1,000"} turns`,
      unit: "ms",
      values: processorOver(minds, turn),
      ...peer(processorOver(peers, turn)),
    })),
  ];
  for (const size of ["pss", "rss"] as const) {
    const atRest = (reports: LoopReport[]) => reports.map((report) => report.atRest[size]);
    figures.push({
      name: `mind after 1,000 turns, at rest, ${size.toUpperCase()}`,
      unit: "MB",
      values: atRest(minds),
      ...(size === "pss" ? { limit: 110 } : {}),
      ...peer(atRest(peers)),
    });
    const busy = (reports: LoopReport[]) => reports.map((report) => report.megabytes.at(-1)?.[size] ?? Number.NaN);
    figures.push({
      name: `the same, without a pause, ${size.toUpperCase()}`,
      unit: "MB",
      values: busy(minds),
      ...peer(busy(peers)),
    });
  }
  return figures;
}

function medianBefore({ milliseconds }: LoopReport, turn: number): number {
  return median(milliseconds.slice(turn - 100, turn));
}

function processorBefore({ processorMilliseconds }: LoopReport, turn: number): number {
  return median(processorMilliseconds.slice(turn - 100, turn));
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Null for the directory where it cannot be had, with why. */
function installPeer(note: (text: string) => void): { directory: string | null; missing: string | null } {
  const directory = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "clawdinator-bench");
  if (existsSync(join(directory, "node_modules", "@mariozechner", "pi-agent-core")))
    return { directory, missing: null };
  note(`installing ${peerPackage} into ${directory}`);
  mkdirSync(directory, { recursive: true });
  const flags = ["--no-audit", "--no-fund", "--ignore-scripts"];
  const installed = spawnSync("npm", ["install", "--prefix", directory, ...flags, peerPackage], { encoding: "utf8" });
  if (installed.status === 0) return { directory, missing: null };
  const why = installed.error?.message ?? installed.stderr.trim().split("\n").at(-1);
  return { directory: null, missing: `${peerPackage} could not be installed: ${why}` };
}

async function startStub(): Promise<{ url: string; process: ChildProcess }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "loop-stub.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (text: Buffer) => resolve(String(text).trim()));
    child.once("exit", () => reject(new Error("the stub endpoint did not start")));
  });
  return { url: `http://127.0.0.1:${port}/v1`, process: child };
}

function runScript(
  script: string,
  { parameters, compileCache, flags }: { parameters: string[]; compileCache: string; flags: string[] },
): Promise<LoopReport> {
  const child = spawn(process.execPath, [...flags, join(import.meta.dirname, script), ...parameters], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: compileCache },
  });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(JSON.parse(text) as LoopReport);
      else reject(new Error(`${script} ended with ${code}`));
    });
  });
}
