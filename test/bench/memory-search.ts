/**
 * Search over 100,000 notes: how long an answer takes, how long an index takes to build from the revision files, and
 * what both cost in memory; beside `grep` (or ripgrep, where there is one) over the same files.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openMemory } from "../../memory/index.ts";
import { cutNotes } from "../memory/recall-notes.ts";
import { fillMemory } from "../support/memory-fill.ts";
import type { UploadFigure } from "./upload.ts";

const noteCount = 100_000;
const folders = 100;
const wordsOfNote = [30, 110] as const;
/** Words that follow one another in a note come from one place of the real text, so that they keep company as there. */
const wordsOfStretch = 8;
const rounds = 20;
const wantedSearchMs = 10;
const wantedBuildSeconds = 30;

/** What people ask, in equal parts; none of it is special to the notes. */
const queries = {
  "one word": "multicast certificate prompt abort signature worker sqlite cipher heartbeat deprecated".split(" "),
  "three words": [
    "certificate verify error",
    "worker thread message",
    "file read stream",
    "buffer write offset",
    "http request timeout",
    "sqlite database backup",
    "event loop delay",
    "page click locator",
    "git commit author",
    "heap snapshot write",
  ],
  "common words": [
    "buffer callback",
    "function",
    "stream value",
    "node object",
    "returns file",
    "event listener",
    "string",
    "option default",
    "true false",
    "request response",
  ],
  "a question": [
    "how do I close a file that is still open?",
    "what happens when the event loop is blocked for a long time",
    "which function compares two buffers",
    "why does the http server time out on slow requests",
    "how can a worker thread send a message to its parent",
    "is there a limit for the number of listeners of an emitter",
    "where are the keys of a certificate read from",
    "can a test be skipped when a condition is met",
    "what is printed when a promise is rejected and nobody listens",
    "how many connections may a server have at the same time",
  ],
};

/** Sorted milliseconds of many searches, by kind of query. */
interface ChildResult {
  buildSeconds: number;
  buildPeakMegabytes: number;
  againSeconds: number;
  searchMs: Record<string, number[]>;
  listMs: number;
  listed: number;
}

/** Figures of search; fills a directory of about 800 MB and removes it. */
export async function measureMemorySearch(options: {
  directory: string;
  runs: number;
  note(text: string): void;
}): Promise<UploadFigure[]> {
  const directory = join(options.directory, "memory-search");
  const memory = join(directory, "memory");
  const index = join(directory, "index");
  mkdirSync(directory, { recursive: true });
  try {
    options.note(`memory: writing ${noteCount} notes`);
    fillMemory(memory, makeNotes());
    const results: ChildResult[] = [];
    // One build takes as long as all else together, and varies less.
    for (let run = 0; run < Math.min(options.runs, 2); run++) {
      options.note(`memory: index and search, run ${run + 1}`);
      rmSync(index, { recursive: true, force: true });
      results.push(await measureInChild({ memory, index }));
    }
    options.note("memory: grep");
    const peer = measureGrep(join(memory, ".hive"));
    const of = (kind: string): number[] =>
      results.flatMap(({ searchMs }) => searchMs[kind] ?? []).sort((a, b) => a - b);
    const all = Object.keys(queries)
      .flatMap(of)
      .sort((a, b) => a - b);
    return [
      { name: "search of 100,000 notes, p95", unit: "ms", values: [at(all, 0.95)], limit: wantedSearchMs },
      { name: "search of 100,000 notes, p50", unit: "ms", values: [at(all, 0.5)] },
      ...Object.keys(queries).map((kind) => ({
        name: `search of 100,000 notes, ${kind}, p95`,
        unit: "ms",
        values: [at(of(kind), 0.95)],
        limit: wantedSearchMs,
      })),
      {
        name: "index of 100,000 notes built from revision files",
        unit: "s",
        values: results.map(({ buildSeconds }) => buildSeconds),
        limit: wantedBuildSeconds,
      },
      {
        name: "most memory meanwhile (resident)",
        unit: "MB",
        values: results.map(({ buildPeakMegabytes }) => buildPeakMegabytes),
      },
      {
        name: "first search of another process, nothing changed",
        unit: "s",
        values: results.map(({ againSeconds }) => againSeconds),
      },
      { name: "list of 100,000 notes", unit: "ms", values: results.map(({ listMs }) => listMs) },
      { name: `${peer.name} over the same notes, one word`, unit: "ms", values: peer.ms },
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function at(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Notes of words from real text, the same in every run. */
function* makeNotes(): Generator<{ document: string; text: string }> {
  const words = cutNotes().flatMap(({ text }) => text.split(/\s+/).filter((word) => word.length < wordsOfNote[0]));
  const random = seeded(1);
  const below = (most: number): number => Math.floor(random() * most);
  for (let number = 0; number < noteCount; number++) {
    const length = wordsOfNote[0] + below(wordsOfNote[1] - wordsOfNote[0]);
    const chosen: string[] = [];
    while (chosen.length < length) {
      const from = below(words.length - wordsOfStretch);
      chosen.push(...words.slice(from, from + wordsOfStretch));
    }
    const name = `note-${String(number).padStart(6, "0")}`;
    yield { document: `notes-${number % folders}/${name}.md`, text: `# Note ${number}\n\n${chosen.join(" ")}\n` };
  }
}

/** A linear congruential generator with the usual constants: good enough to choose words. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** In a process of its own: what it holds is measured too. */
async function measureInChild(where: { memory: string; index: string }): Promise<ChildResult> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", import.meta.filename, JSON.stringify(where)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`the search bench ended with ${code}`);
  return JSON.parse(output) as ChildResult;
}

async function runChild({ memory: directory, index }: { memory: string; index: string }): Promise<ChildResult> {
  const open = () => openMemory({ directory, writer: "bench", index });
  const seconds = async (work: () => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await work();
    return (performance.now() - started) / 1000;
  };
  const first = open();
  const buildSeconds = await seconds(() => first.search("anything"));
  const buildPeakMegabytes = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
  await first.close();
  const memory = open();
  const againSeconds = await seconds(() => memory.search("anything"));
  const searchMs: Record<string, number[]> = {};
  for (const [kind, list] of Object.entries(queries)) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const query of list) times.push(1000 * (await seconds(() => memory.search(query))));
    }
    searchMs[kind] = times;
  }
  let listed = 0;
  const listMs =
    1000 *
    (await seconds(async () => {
      listed = (await memory.list()).length;
    }));
  if (listed !== noteCount) throw new Error(`the index holds ${listed} of ${noteCount} notes`);
  await memory.close();
  return { buildSeconds, buildPeakMegabytes, againSeconds, searchMs, listMs, listed };
}

function measureGrep(directory: string): { name: string; ms: number[] } {
  const hasRipgrep = spawnSync("rg", ["--version"]).status === 0;
  const [command, parameters] = hasRipgrep
    ? ["rg", ["--files-with-matches", "--hidden", "--no-ignore"]]
    : ["grep", ["-rl"]];
  const ms = ["multicast", "certificate", "heartbeat"].map((word) => {
    const started = performance.now();
    spawnSync(command, [...parameters, word, directory], { maxBuffer: 1024 ** 3 });
    return performance.now() - started;
  });
  return { name: hasRipgrep ? "ripgrep" : "grep -r", ms };
}

if (import.meta.main) {
  process.stdout.write(JSON.stringify(await runChild(JSON.parse(process.argv[2] ?? "{}"))));
}
