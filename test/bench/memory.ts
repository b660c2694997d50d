/**
 * What it costs when many write to one memory: fsynced appends of 16 processes to one document, and the same work done by
 * shell scripts under a lock, by git and by SQLite; and how soon a large memory answers.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openMemory } from "../../memory/index.ts";
import { overLoopbackNfs } from "./memory-nfs.ts";
import { gitAppend, lockedAppend, lockedWholeFile } from "./memory-peers.ts";
import { measureMemorySearch } from "./memory-search.ts";
import type { BenchWriter } from "./memory-writer.ts";
import type { UploadFigure } from "./upload.ts";

const writers = 16;
/** Appends of each writer, so that a run takes a few seconds. */
const appends = 250;
const lockedAppends = 25;
const wholeWrites = 25;
const gitCommits = 2;
const names = Array.from({ length: writers }, (_, index) => `w${String(index).padStart(2, "0")}`);

interface Run {
  perSecond: number;
  p50: number;
  p99: number;
}

interface Writer {
  child: ChildProcess;
  line(): Promise<string>;
  ended: Promise<void>;
}

export async function measureMemory(options: {
  directory: string;
  runs: number;
  note(text: string): void;
}): Promise<{ figures: UploadFigure[]; skipped: string | null }> {
  const directory = join(options.directory, "memory");
  mkdirSync(directory);
  const figures: UploadFigure[] = [...(await measureWriters({ ...options, directory }))];
  const noNfs = await overLoopbackNfs(join(directory, "nfs"), async (mounted) => {
    figures.push(...(await measureWriters({ ...options, directory: mounted, where: "over NFS" })));
  });
  options.note("memory: opening one of 100,000 revisions");
  figures.push(...(await measureOpening(directory, options.runs)));
  rmSync(directory, { recursive: true });
  figures.push(...(await measureMemorySearch(options)));
  return { figures, skipped: noNfs === null ? null : `memory over a loopback NFS mount: not available: ${noNfs}` };
}

/** All that writes, in a directory of any file system. */
async function measureWriters(options: {
  directory: string;
  runs: number;
  /** Goes behind each name, such as `over NFS`. */
  where?: string;
  note(text: string): void;
}): Promise<UploadFigure[]> {
  const { runs, note } = options;
  const where = options.where ? `, ${options.where}` : "";
  const isHere = where === "";
  const fresh = (name: string): string => {
    const path = join(options.directory, name);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
    return path;
  };
  const results = {
    memory: [] as Run[],
    locked: [] as Run[],
    git: [] as Run[],
    sqlite: [] as Run[],
    lost: [] as number[],
  };
  for (let run = 0; run < runs; run++) {
    note(`memory${where}: ${writers} writers, run ${run + 1} of ${runs}`);
    results.memory.push(await runWriters("memory", fresh("hive"), appends));
    if (isHere) results.sqlite.push(await runWriters("sqlite", join(fresh("sqlite"), "lines.sqlite"), appends));
    results.locked.push(await runShells(lockedAppend(lockedAppends), fresh("locked"), lockedAppends));
    const whole = fresh("whole");
    writeFileSync(join(whole, "whole.md"), "# Log\n");
    await runShells(lockedWholeFile(wholeWrites), whole, wholeWrites);
    results.lost.push(lostOf(join(whole, "whole.md")));
    // Half a minute for so few commits; once tells enough.
    if (run === 0) results.git.push(await runGit(fresh("git")));
  }
  const rows = (name: string, runsOf: Run[], limits: { perSecond?: number; p99?: number } = {}): UploadFigure[] => [
    {
      name: `${name}${where}`,
      unit: "/s",
      values: runsOf.map(({ perSecond }) => perSecond),
      ...(limits.perSecond ? { limit: limits.perSecond, isLeast: true } : {}),
    },
    { name: `${name}${where}, p50`, unit: "ms", values: runsOf.map(({ p50 }) => p50) },
    {
      name: `${name}${where}, p99`,
      unit: "ms",
      values: runsOf.map(({ p99 }) => p99),
      ...(limits.p99 ? { limit: limits.p99 } : {}),
    },
  ];
  return [
    ...rows("memory: appends of 16 processes, fsynced", results.memory, isHere ? { perSecond: 1000, p99: 60 } : {}),
    ...rows("the same by shell scripts under flock", results.locked),
    ...rows("the same by git (commit, pull --rebase, push)", results.git),
    ...(isHere ? rows("the same by SQLite in WAL mode", results.sqlite) : []),
    {
      name: `whole-file writes lost by shell scripts, of ${writers * wholeWrites}${where}`,
      unit: "writes",
      values: results.lost,
    },
  ];
}

function startProcess(command: string, parameters: string[], cwd?: string): Writer {
  const child = spawn(command, parameters, {
    ...(cwd ? { cwd } : {}),
    env: { PATH: process.env.PATH, HOME: cwd, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...gitIdentity },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let text = "";
  let wake = (): void => undefined;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    wake();
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`${parameters[0]} ended with ${code}`))));
  });
  ended.catch(() => undefined);
  const line = async (): Promise<string> => {
    while (!text.includes("\n")) {
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), ended]);
      if (child.exitCode !== null && !text.includes("\n")) throw new Error("a writer ended without an answer");
    }
    const end = text.indexOf("\n");
    const first = text.slice(0, end);
    text = text.slice(end + 1);
    return first;
  };
  return { child, line, ended };
}

const gitIdentity = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "bench",
  GIT_AUTHOR_EMAIL: "bench@localhost",
  GIT_COMMITTER_NAME: "bench",
  GIT_COMMITTER_EMAIL: "bench@localhost",
};

function runWriters(how: BenchWriter["how"], path: string, count: number): Promise<Run> {
  const script = join(import.meta.dirname, "memory-writer.ts");
  return race(
    names.map((writer) => {
      const options: BenchWriter = { how, path, writer, count };
      return startProcess(process.execPath, ["--disable-warning=ExperimentalWarning", script, JSON.stringify(options)]);
    }),
    count,
  );
}

function runShells(script: string, directory: string, count: number): Promise<Run> {
  return race(
    names.map((name) => startProcess("bash", ["-c", script, "bash", name], directory)),
    count,
  );
}

function runGit(directory: string): Promise<Run> {
  const git = (...parameters: string[]): void =>
    void execFileSync("git", parameters, { cwd: directory, env: { PATH: process.env.PATH, ...gitIdentity } });
  git("init", "--quiet", "--bare", "--initial-branch=main", "origin.git");
  git("clone", "--quiet", "origin.git", "first");
  git("-C", "first", "commit", "--quiet", "--allow-empty", "-m", "Begin");
  git("-C", "first", "push", "--quiet", "origin", "HEAD:main");
  for (const name of names) git("clone", "--quiet", "origin.git", name);
  const script = gitAppend(gitCommits);
  return race(
    names.map((name) => startProcess("bash", ["-c", script, "bash", name], join(directory, name))),
    gitCommits,
  );
}

/** Lets all begin at once when the last is ready. */
async function race(started: Writer[], count: number): Promise<Run> {
  try {
    for (const { line } of started) await line();
    const began = performance.now();
    for (const { child } of started) child.stdin?.write("go\n");
    const lines = await Promise.all(started.map(({ line }) => line()));
    const seconds = (performance.now() - began) / 1000;
    await Promise.all(started.map(({ ended }) => ended));
    const times = lines.flatMap((line) => JSON.parse(line) as number[]).sort((a, b) => a - b);
    const at = (part: number): number => times[Math.floor(times.length * part)] ?? Number.NaN;
    return { perSecond: (started.length * count) / seconds, p50: at(0.5), p99: at(0.99) };
  } finally {
    for (const { child } of started) child.kill("SIGKILL");
  }
}

function lostOf(path: string): number {
  const lines = new Set(readFileSync(path, "utf8").split("\n"));
  const written = names.flatMap((name) => Array.from({ length: wholeWrites }, (_, index) => `- ${name} ${index}`));
  return written.filter((line) => !lines.has(line)).length;
}

const largeDocuments = 1_000;
const revisionsEach = 100;

/** First read and first append of a process that has seen nothing of it yet. */
async function measureOpening(directory: string, runs: number): Promise<UploadFigure[]> {
  const large = join(directory, "large");
  for (let index = 0; index < largeDocuments; index++) fillDocument(large, `notes/note-${index}.md`, revisionsEach);
  const reads: number[] = [];
  const appended: number[] = [];
  const provenance = { author: "bench", source: "bench", trust: "self" } as const;
  for (let run = 0; run < runs; run++) {
    const document = `notes/note-${500 + run}.md`;
    const reader = openMemory({ directory: large, writer: "reader" });
    const began = performance.now();
    const found = await reader.read(document);
    reads.push(performance.now() - began);
    if (found?.text.split("\n").length !== revisionsEach + 1) throw new Error(`${document} was not read whole`);
    await reader.close();
    const writer = openMemory({ directory: large, writer: "writer" });
    const begun = performance.now();
    await writer.append(`notes/note-${700 + run}.md`, "- new\n", provenance);
    appended.push(performance.now() - begun);
    await writer.close();
  }
  return [
    { name: "memory of 100,000 revisions: opened, first read", unit: "ms", values: reads, limit: 200 },
    { name: "memory of 100,000 revisions: opened, first append", unit: "ms", values: appended, limit: 200 },
  ];
}

/** A text and so many appends to it but one, each naming the one before. */
function fillDocument(directory: string, document: string, revisions: number): void {
  const folder = join(directory, ".hive", document);
  mkdirSync(folder, { recursive: true });
  const parents: string[] = [];
  for (let lamport = 1; lamport <= revisions; lamport++) {
    const kind = lamport === 1 ? "full" : "append";
    const header = {
      document,
      kind,
      lamport,
      writer: "filler",
      parents,
      author: "Filler",
      source: "bench",
      trust: "self",
      at: 1_769_817_600_000,
      nonce: "",
    };
    const lines = Object.entries(header).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
    const file = `---\nformat: 1\n${lines.join("\n")}\n---\n- note ${lamport} of ${document}\n`;
    const hash = createHash("sha256").update(file).digest("hex").slice(0, 24);
    const revision = `${String(lamport).padStart(10, "0")}-filler-${hash}`;
    writeFileSync(join(folder, `${revision}.md`), file);
    parents.splice(1, 1, revision);
  }
}
