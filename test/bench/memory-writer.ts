/**
 * One of the writers that `memory.ts` measures, as a process of its own: says that it is ready, waits for a line, does
 * its writes, and prints how long each took, in milliseconds. Started as `node memory-writer.ts JSON`.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";

export interface BenchWriter {
  how: "memory" | "sqlite";
  /** The memory's directory, or the database's file. */
  path: string;
  writer: string;
  count: number;
}

/** So many writes are done before the clock starts: they load what is loaded once. */
const warmUps = 5;
const text = "- a line as a bot would note it, with the address of what it saw and what it thought of it\n";

interface Target {
  append(document: string): Promise<void>;
  close(): Promise<void>;
}

async function openTarget({ how, path, writer }: BenchWriter): Promise<Target> {
  if (how === "memory") {
    const { openMemory } = await import("../../memory/index.ts");
    const memory = openMemory({ directory: path, writer });
    const provenance = { author: writer, source: "bench", trust: "self" } as const;
    return {
      append: async (document) => void (await memory.append(document, text, provenance)),
      close: () => memory.close(),
    };
  }
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(path, { timeout: 30_000 });
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec("CREATE TABLE IF NOT EXISTS lines (document TEXT, text TEXT) STRICT");
  const insert = database.prepare("INSERT INTO lines VALUES (?, ?)");
  return {
    append: async (document) => void insert.run(document, text),
    close: async () => database.close(),
  };
}

async function run(options: BenchWriter): Promise<void> {
  const target = await openTarget(options);
  for (let warmUp = 0; warmUp < warmUps; warmUp++) await target.append("warm-up.md");
  writeSync(1, "ready\n");
  const input = createInterface({ input: process.stdin });
  await new Promise<void>((resolve) => input.once("line", () => resolve()));
  input.close();
  const times: number[] = [];
  for (let index = 0; index < options.count; index++) {
    const began = performance.now();
    await target.append("log.md");
    times.push(performance.now() - began);
  }
  writeSync(1, `${JSON.stringify(times)}\n`);
  await target.close();
}

await run(JSON.parse(process.argv[2] ?? "") as BenchWriter);
