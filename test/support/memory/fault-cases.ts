/** One operation of the memory with a fault at one of its file steps, and what must hold whatever the fault was. */
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Memory, MemoryError, openMemory, type Provenance } from "../../../memory/index.ts";
import { type Fault, type FileStep, faultsOf, faultyFiles, unflushedFiles } from "./faulty-files.ts";
import { readViewFile } from "./reader.ts";

export const provenance: Provenance = { author: "Ada", source: "test", trust: "maintainer" };

/** Text of each document; those that do not exist are left out. */
export type State = Record<string, string>;

export interface Operation {
  /** Does it as the process that meets the fault. */
  run(memory: Memory, directory: string): Promise<unknown>;
  /** Its effect is there. */
  isDone(state: State): boolean;
  /** Nothing of it is there. */
  isUndone(state: State): boolean;
  /** It replaces whatever it finds when it looks, so only what comes after that look must be there beside it. */
  replacesAll?: boolean;
  /** It may also be half way: a rename has the new document before it ends the old one. */
  isBetween?(state: State): boolean;
}

export const first = "# First\n\none\n\nsecond\n\nthree\n";

/** A memory with a history: texts of several writers, appends that no text includes, a deleted document. */
export async function makeTemplate(directory: string): Promise<void> {
  const one = openMemory({ directory, writer: "one", files: unflushedFiles() });
  const two = openMemory({ directory, writer: "two", files: unflushedFiles() });
  await one.write("a.md", first, provenance);
  await two.append("a.md", "from two\n", provenance);
  await one.edit("a.md", { before: "one", after: "One" }, provenance);
  await one.append("a.md", "from one\n", provenance);
  await two.write("gone.md", "# Gone\n", provenance);
  await two.remove("gone.md", provenance);
  await one.close();
  await two.close();
}

const oldText = `${first.replace("one", "One")}from two\nfrom one\n`;
const is = (text: string) => (state: State) => state["a.md"] === text;
const isOld = is(oldText);

/** What the template's view names: the text that a person reads who opens the file. */
function frontierOf(directory: string): string[] {
  const [, revisions = ""] = /<!-- hive revisions=(\S+) /.exec(readFileSync(join(directory, "a.md"), "utf8")) ?? [];
  return revisions.split(",");
}

export const operations: Record<string, Operation> = {
  "the first append to a new document": {
    run: (memory) => memory.append("daily/notes/2026-01-31.md", "rain\n", provenance),
    isDone: (state) => isOld(state) && state["daily/notes/2026-01-31.md"] === "rain\n",
    isUndone: (state) => isOld(state) && state["daily/notes/2026-01-31.md"] === undefined,
  },
  append: {
    run: (memory) => memory.append("a.md", "new\n", provenance),
    isDone: is(`${oldText}new\n`),
    isUndone: isOld,
  },
  write: {
    // As a person who has read it before, in another process.
    run: async (memory, directory) => memory.write("a.md", "# Anew\n", provenance, { base: frontierOf(directory) }),
    isDone: is("# Anew\n"),
    isUndone: isOld,
  },
  edit: {
    run: (memory) => memory.edit("a.md", { before: "three", after: "3" }, provenance),
    isDone: is(oldText.replace("three", "3")),
    isUndone: isOld,
  },
  remove: {
    replacesAll: true,
    run: (memory) => memory.remove("a.md", provenance),
    isDone: (state) => state["a.md"] === undefined,
    isUndone: isOld,
  },
  rename: {
    run: (memory) => memory.rename("a.md", "moved/b.md", provenance),
    isDone: (state) => state["a.md"] === undefined && state["moved/b.md"] === oldText,
    isUndone: (state) => isOld(state) && state["moved/b.md"] === undefined,
    isBetween: (state) => isOld(state) && state["moved/b.md"] === oldText,
  },
  restore: {
    replacesAll: true,
    async run(memory) {
      const [oldest] = (await memory.history("a.md")).slice(-1);
      await memory.restore("a.md", oldest?.revision ?? "", provenance);
    },
    isDone: is(first),
    isUndone: isOld,
  },
  read: {
    run: (memory) => memory.read("a.md"),
    isDone: isOld,
    isUndone: isOld,
  },
};

/** Notes how the operation goes when nothing goes wrong: its file steps, up to the close of the memory. */
export async function recordSteps(template: string, directory: string, operation: Operation): Promise<FileStep[]> {
  cpSync(template, directory, { recursive: true });
  const steps: FileStep[] = [];
  const files = faultyFiles(unflushedFiles(), (step) => {
    steps.push(step);
    return null;
  });
  const memory = openMemory({ directory, writer: "three", files });
  await operation.run(memory, directory);
  await memory.close();
  const state = await stateOf(directory);
  if (!operation.isDone(state)) throw new Error(`without a fault it is not done: ${JSON.stringify(state)}`);
  rmSync(directory, { recursive: true });
  return steps;
}

export function faultCases(steps: FileStep[]): { step: FileStep; fault: Fault }[] {
  return steps.flatMap((step) => faultsOf(step).map((fault) => ({ step, fault })));
}

/**
 * Does the operation with the fault that `faultAt` gives, and then looks with fresh eyes. Returns what is wrong, or null:
 * an acknowledged write is there, a refused one is there as a whole or not at all, and says what to do; all see the same;
 * nothing is damaged; the same process and others can go on.
 */
export async function tryFault(options: {
  template: string;
  directory: string;
  operation: Operation;
  faultAt: (step: FileStep) => Fault | null;
}): Promise<string | null> {
  const { template, directory, operation } = options;
  cpSync(template, directory, { recursive: true });
  let kill: () => void = () => undefined;
  const killed = new Promise<"killed">((resolve) => {
    kill = () => resolve("killed");
  });
  let isOver = false;
  const underWay = new Set<Promise<unknown>>();
  const faultAt = (step: FileStep): Fault | null => {
    if (isOver) return null;
    const fault = options.faultAt(step);
    // What the process has asked the system for still happens.
    if (fault?.kind.startsWith("killed")) setImmediate(() => Promise.all(underWay).then(kill));
    return fault;
  };
  const files = faultyFiles(unflushedFiles(), faultAt, underWay);
  const memory = openMemory({ directory, writer: "three", files });
  const outcome = await Promise.race([settle(operation.run(memory, directory)), killed]);
  const isAcknowledged = outcome === null;
  if (outcome instanceof Error && !(outcome instanceof MemoryError)) return `threw ${outcome.stack}`;
  if (outcome instanceof MemoryError && (outcome.hint === "" || outcome.code === "")) return "an error without a hint";
  const closed = outcome === "killed" ? null : await Promise.race([settle(memory.close()), killed]);
  if (closed instanceof Error && !(closed instanceof MemoryError)) return `close threw ${closed.stack}`;
  isOver = true;

  const state = await stateOf(directory);
  const told = `${outcome instanceof Error ? outcome.message : (outcome ?? "acknowledged")}: ${JSON.stringify(state)}`;
  const { isDone, isUndone, isBetween } = operation;
  if (isAcknowledged && !isDone(state)) return `acknowledged and not there: ${told}`;
  if (!isDone(state) && !isUndone(state) && !isBetween?.(state)) return `half there: ${told}`;
  const later = openMemory({ directory, writer: "four", files: unflushedFiles() });
  await later.append("a.md", "later\n", provenance);
  const [problem] = await later.check();
  await later.close();
  if (problem) return `check says of ${problem.document}: ${problem.problem}`;
  const after = await stateOf(directory);
  if (!after["a.md"]?.endsWith("later\n")) return `a later append is not there: ${JSON.stringify(after)}`;
  rmSync(directory, { recursive: true });
  return null;
}

async function settle(work: Promise<unknown>): Promise<Error | null> {
  return work.then(
    () => null,
    (error: Error) => error,
  );
}

/** What two processes read that know nothing yet. Throws when they differ, or when a view shows something else. */
export async function stateOf(directory: string): Promise<State> {
  const states: State[] = [];
  for (const writer of ["three", "judge"]) {
    const memory = openMemory({ directory, writer, files: unflushedFiles() });
    const state: State = {};
    for (const { document } of await memory.list()) {
      const found = await memory.read(document);
      if (found !== null) state[document] = found.text;
    }
    await memory.close();
    states.push(state);
  }
  const [state = {}, other] = states;
  if (JSON.stringify(state) !== JSON.stringify(other)) throw new Error(`two readers differ: ${JSON.stringify(states)}`);
  for (const [document, text] of Object.entries(state)) {
    const view = readViewFile(directory, document);
    if (view !== text) throw new Error(`the view ${join(directory, document)} shows ${JSON.stringify(view)}`);
  }
  return state;
}
