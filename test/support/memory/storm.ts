/** A storm: many writers and readers on one memory, each a process of its own, and a `kill -9` of a random one over and over. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { openMemory } from "../../../memory/index.ts";
import { allDocuments, initialText, writerName } from "./plan.ts";
import { createRandom } from "./random.ts";
import type { ReaderOptions } from "./reader.ts";
import type { WriterOptions } from "./writer.ts";

export interface StormOptions {
  /** An empty directory: the memory, the journals and the compile cache lie below it. */
  root: string;
  writers: number;
  readers: number;
  /** Operations that each writer does. */
  count: number;
  killEveryMs: number;
  /** The same seed kills the same writers in the same order. */
  seed: number;
  deadlineMs: number;
  /** Faults in every writer's file steps: listings so old, clocks an hour off, and pauses beside the kills. */
  faults?: { listingAgeMs: number; pauseMs: number };
}

export interface StormReport {
  kills: number;
  pauses: number;
  reads: number;
  seconds: number;
}

export interface StormPaths {
  memory: string;
  journal(writer: string): string;
}

export function stormPaths(root: string): StormPaths {
  return { memory: join(root, "memory"), journal: (writer) => join(root, "journals", `${writer}.jsonl`) };
}

interface Child {
  process: ChildProcess;
  errors: string;
  output: string;
  ended: Promise<number | NodeJS.Signals>;
}

function start(script: string, options: WriterOptions | ReaderOptions, root: string): Child {
  const flags = ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, script), JSON.stringify(options)];
  const child = spawn(process.execPath, flags, {
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: join(root, "compile-cache") },
    // Its standard input ends when this process does, however that comes about.
    stdio: ["pipe", "pipe", "pipe"],
  });
  lower(child.pid);
  const started: Child = {
    process: child,
    errors: "",
    output: "",
    ended: new Promise((resolve) => child.on("close", (code, signal) => resolve(code ?? signal ?? "SIGKILL"))),
  };
  child.stdout.on("data", (chunk) => {
    started.output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    started.errors += chunk;
  });
  return started;
}

/** Sixteen busy processes would starve every test that runs beside them. */
function lower(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It ended at once; whoever waits for it reports that.
  }
}

const hourMs = 3_600_000;

function writerOptions({ root, seed, count, faults }: StormOptions, index: number): WriterOptions {
  const paths = stormPaths(root);
  const writer = writerName(index);
  const skewMs = [hourMs, 0, -hourMs][index % 3] ?? 0;
  return {
    directory: paths.memory,
    writer,
    seed: seed + index,
    count,
    journal: paths.journal(writer),
    ...(faults ? { faults: { listingAgeMs: faults.listingAgeMs, skewMs } } : {}),
  };
}

/** Stops a process for a while; it wakes in the middle of whatever it did. */
function pause(child: ChildProcess, forMs: number): boolean {
  if (!child.kill("SIGSTOP")) return false;
  setTimeout(() => child.kill("SIGCONT"), forMs);
  return true;
}

/** Makes the documents, lets the storm rage until each writer has done its count, and ends all it started. */
export async function runStorm(options: StormOptions): Promise<StormReport> {
  const paths = stormPaths(options.root);
  mkdirSync(join(options.root, "journals"), { recursive: true });
  const first = openMemory({ directory: paths.memory, writer: "first" });
  for (const document of allDocuments) {
    const provenance = { author: "first", source: "storm:first", trust: "self" } as const;
    await first.write(document, initialText(document, options.writers), provenance);
  }
  await first.close();

  const began = performance.now();
  const random = createRandom(options.seed);
  const running = new Map<string, Child>();
  const readers: Child[] = [];
  const report: StormReport = { kills: 0, pauses: 0, reads: 0, seconds: 0 };
  let isOver = false;
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);

  const keepWriting = async (index: number): Promise<void> => {
    const writer = writerName(index);
    for (;;) {
      const child = start("writer.ts", writerOptions(options, index), options.root);
      running.set(writer, child);
      const end = await child.ended;
      running.delete(writer);
      if (end === 0 || isOver) return;
      if (end !== "SIGKILL") return fail(new Error(`the writer ${writer} ended with ${end}: ${child.errors}`));
    }
  };
  const killing = setInterval(() => {
    // Of all writers, done or not: the last one at work would else never live long enough to do anything.
    const anyone = (): Child | undefined => running.get(writerName(Math.floor(random() * options.writers)));
    if (anyone()?.process.kill("SIGKILL")) report.kills++;
    const paused = anyone();
    if (options.faults && paused && pause(paused.process, options.faults.pauseMs)) report.pauses++;
  }, options.killEveryMs);
  const deadline = setTimeout(
    () => fail(new Error(`the storm did not end in ${options.deadlineMs} ms`)),
    options.deadlineMs,
  );
  try {
    for (let index = 0; index < options.readers; index++) {
      const reader = start("reader.ts", { directory: paths.memory, reader: `reader${index}` }, options.root);
      readers.push(reader);
      reader.ended.then((end) => {
        if (end !== 0) fail(new Error(`reader ${index} ended with ${end}: ${reader.errors}`));
      });
    }
    const writing = Array.from({ length: options.writers }, (_, index) => keepWriting(index));
    await Promise.race([failed, Promise.all(writing)]);
    for (const reader of readers) reader.process.kill("SIGTERM");
    await Promise.race([failed, Promise.all(readers.map(({ ended }) => ended))]);
    for (const reader of readers) report.reads += (JSON.parse(reader.output) as { reads: number }).reads;
  } finally {
    clearInterval(killing);
    clearTimeout(deadline);
    isOver = true;
    for (const child of [...running.values(), ...readers]) child.process.kill("SIGKILL");
    await Promise.all([...running.values(), ...readers].map(({ ended }) => ended));
  }
  report.seconds = (performance.now() - began) / 1000;
  return report;
}
