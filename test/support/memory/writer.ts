/**
 * One writer of a storm, as a process of its own: goes on where its journal ends, until it has done its count. Started
 * as `node writer.ts JSON`; ends with 0 when it is done, with 1 and the reason when something was not as it should be.
 */
import { type MemoryFiles, realFiles } from "../../../memory/files.ts";
import { MemoryError, openMemory } from "../../../memory/index.ts";
import type { Memory, MemoryDocument, Provenance } from "../../../memory/types.ts";
import { faultyFiles, randomFaults, staleListings } from "./faulty-files.ts";
import { type Journal, openJournal } from "./journal.ts";
import { endWithParent } from "./orphan.ts";
import { documents, operationAt, readLines, type StormDocument, signedLine, tokenOf, topicCount } from "./plan.ts";
import { createRandom } from "./random.ts";

export interface WriterOptions {
  directory: string;
  writer: string;
  /** Decides which topics are changed. */
  seed: number;
  count: number;
  journal: string;
  faults?: StormFaults;
}

/** What the writer's file steps and clock suffer. */
export interface StormFaults {
  /** How old a listing gets, at most. */
  listingAgeMs: number;
  /** Of this writer's clock. */
  skewMs: number;
}

/** A write that found its line changed by others is tried again on what stands there now. */
const mostAttempts = 200;

interface Attempt {
  number: number;
  token: string;
  provenance: Provenance;
}

/** The document, which the storm made before any writer began. */
async function readExisting(memory: Memory, document: StormDocument): Promise<MemoryDocument> {
  const found = await memory.read(document);
  if (found === null || found.text === "") throw new Error(`${document} is empty or gone`);
  return found;
}

async function writeOnce(memory: Memory, options: WriterOptions, journal: Journal, attempt: Attempt): Promise<void> {
  const { number, token, provenance } = attempt;
  const { kind, document } = operationAt(number);
  const intend = (replaces: string[]): void => journal.add({ type: "intent", number, token, document, kind, replaces });
  const acknowledge = ({ revision }: { revision: string }): void =>
    journal.add({ type: "acknowledged", number, token, document, revision });

  if (kind === "append") {
    intend([]);
    return acknowledge(await memory.append(document, `${signedLine("- ", token)}\n`, provenance));
  }
  const { text, shown } = await readExisting(memory, document);
  const lines = readLines(text);
  if (kind === "own") {
    const own = lines.filter(
      ({ prefix, token: other }) => prefix === "value: " && other.startsWith(`${options.writer}.`),
    );
    const [line] = own;
    if (line === undefined || own.length > 1) throw new Error(`${options.writer} has ${own.length} values: ${text}`);
    expectOwnLast(journal, line.token);
    intend([line.token]);
    const change = { before: line.text, after: signedLine("value: ", token) };
    return acknowledge(await memory.edit(document, change, provenance));
  }
  const prefix = `topic ${(options.seed + number) % topicCount}: `;
  const topics = lines.filter((line) => line.prefix === prefix);
  const isPlain = lines.every(({ isInConflict }) => !isInConflict) && topics.length === 1 && topics[0] !== undefined;
  if (isPlain) {
    intend([topics[0]?.token ?? ""]);
    const change = { before: topics[0]?.text ?? "", after: signedLine(prefix, token) };
    return acknowledge(await memory.edit(document, change, provenance));
  }
  // As a person resolves a conflict: one line of each topic stays.
  const kept = Array.from({ length: topicCount }, (_, topic) => {
    if (prefix === `topic ${topic}: `) return signedLine(prefix, token);
    const last = lines.filter((line) => line.prefix === `topic ${topic}: `).at(-1);
    if (last === undefined) throw new Error(`topic ${topic} is gone: ${text}`);
    return last.text;
  });
  const resolved = `# Topics\n\n${kept.join("\n\n\n")}\n`;
  const remaining = new Set(readLines(resolved).map((line) => line.token));
  intend(lines.map((line) => line.token).filter((other) => !remaining.has(other)));
  acknowledge(await memory.write(document, resolved, provenance, { base: shown }));
}

/** What this writer reads of itself is its last acknowledged value, or one whose acknowledgement it never heard. */
function expectOwnLast(journal: Journal, token: string): void {
  const own = journal.entries.filter((entry) => entry.type !== "refused" && entry.document === documents.owned);
  const acknowledged = own.findLastIndex(
    (entry) => entry.type === "acknowledged" && operationAt(entry.number).kind === "own",
  );
  if (acknowledged < 0 || own.slice(acknowledged).some((entry) => entry.token === token)) return;
  throw new Error(`read ${token} after ${own[acknowledged]?.token} was acknowledged`);
}

/** Faults differ from one start of the process to the next. */
function suffer({ seed, writer }: WriterOptions, faults: StormFaults, journal: Journal): MemoryFiles {
  const random = createRandom(seed * 1_000_003 + journal.entries.length);
  const realNow = Date.now;
  Date.now = () => realNow() + faults.skewMs;
  const others = (name: string): boolean => !name.includes(`-${writer}-`) && !name.includes("-first-");
  const stale = staleListings(realFiles(), {
    ageMs: () => random() * faults.listingAgeMs,
    nowMs: () => performance.now(),
    isHidden: ({ name, changedAtMs }, ageMs) =>
      /^\d{10}-/.test(name) && others(name) && realNow() - changedAtMs < ageMs,
  });
  return faultyFiles(stale, randomFaults(random));
}

async function run(options: WriterOptions): Promise<void> {
  const journal = openJournal(options.journal);
  const { directory, writer, faults } = options;
  const memory = openMemory({ directory, writer, ...(faults ? { files: suffer(options, faults, journal) } : {}) });
  const done = journal.entries.findLast((entry) => entry.type === "acknowledged");
  for (let number = (done?.number ?? 0) + 1; number <= options.count; number++) {
    for (let left = mostAttempts; ; left--) {
      const tried = journal.entries.filter((entry) => entry.type === "intent" && entry.number === number).length;
      const token = tokenOf(options.writer, number, tried);
      const provenance: Provenance = { author: options.writer, source: `storm:${token}`, trust: "self" };
      try {
        await writeOnce(memory, options, journal, { number, token, provenance });
        break;
      } catch (error) {
        if (!(error instanceof MemoryError) || left === 0) throw error;
        journal.add({ type: "refused", token, code: error.code, hint: error.hint });
      }
    }
  }
  await memory.close();
  journal.close();
}

if (import.meta.main) {
  endWithParent();
  await run(JSON.parse(process.argv[2] ?? "") as WriterOptions);
}
