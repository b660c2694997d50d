/** Whether a storm lost anything: the writers' journals against what the memory holds after it. */
import { openMemory } from "../../../memory/index.ts";
import type { MemoryRevision } from "../../../memory/types.ts";
import { type Acknowledged, type Intent, readJournal } from "./journal.ts";
import { allDocuments, documents, readLines, type SignedLine, type StormDocument, writerName } from "./plan.ts";
import { readViewFile, valuesOf } from "./reader.ts";
import { stormPaths } from "./storm.ts";

export interface Verified {
  acknowledged: number;
  /** Writes that took effect though their writer never heard so. */
  unheard: number;
  refused: number;
  conflicts: number;
}

interface Evidence {
  text: string;
  lines: SignedLine[];
  /** Revisions of this document by the token of the attempt that wrote them. */
  written: Map<string, MemoryRevision>;
  byRevision: Map<string, MemoryRevision>;
  intents: Intent[];
  acknowledged: Acknowledged[];
}

/** Throws an error that tells everything that was lost; otherwise says what was counted. */
export async function verifyStorm(options: { root: string; writers: number; count: number }): Promise<Verified> {
  const paths = stormPaths(options.root);
  const writers = Array.from({ length: options.writers }, (_, index) => writerName(index));
  const journals = writers.map((writer) => readJournal(paths.journal(writer)));
  const texts = await convergedTexts(paths.memory, writers);
  const problems: string[] = [];
  const verified: Verified = { acknowledged: 0, unheard: 0, refused: 0, conflicts: 0 };
  const memory = openMemory({ directory: paths.memory, writer: "judge" });
  for (const document of allDocuments) {
    const history = await memory.history(document);
    const entries = journals.flat();
    const text = texts.get(document) ?? "";
    const evidence: Evidence = {
      text,
      lines: readLines(text),
      written: new Map(history.map((revision) => [revision.source.replace("storm:", ""), revision])),
      byRevision: new Map(history.map((revision) => [revision.revision, revision])),
      intents: entries.filter((entry) => entry.type === "intent" && entry.document === document) as Intent[],
      acknowledged: entries.filter(
        (entry) => entry.type === "acknowledged" && entry.document === document,
      ) as Acknowledged[],
    };
    problems.push(...problemsOf(document, evidence, writers));
    verified.acknowledged += evidence.acknowledged.length;
    verified.unheard += evidence.written.size - 1 - evidence.acknowledged.length;
    verified.conflicts += evidence.text.split("<!-- conflict: ").length - 1;
  }
  await memory.close();
  for (const [index, journal] of journals.entries()) {
    const done = new Set(journal.flatMap((entry) => (entry.type === "acknowledged" ? [entry.number] : [])));
    if (done.size !== options.count) problems.push(`${writers[index]} did ${done.size} of ${options.count}`);
    verified.refused += journal.filter((entry) => entry.type === "refused").length;
  }
  if (problems.length === 0) return verified;
  const shown = problems
    .filter((x) => !process.env.X || !x.includes("acknowledged as"))
    .slice(0, 20)
    .join("\n");
  throw new Error(`${problems.length} problems:\n${shown}${problems.length > 20 ? "\n…" : ""}`);
}

/** What every writer sees who begins anew. Throws when two see different bytes, or a view on disk differs. */
async function convergedTexts(directory: string, writers: string[]): Promise<Map<StormDocument, string>> {
  const texts = new Map<StormDocument, string>();
  for (const writer of writers) {
    const memory = openMemory({ directory, writer });
    for (const document of allDocuments) {
      const text = (await memory.read(document))?.text ?? "";
      if (text !== (texts.get(document) ?? text)) throw new Error(`${writer} reads another ${document}:\n${text}`);
      texts.set(document, text);
    }
    await memory.close();
  }
  for (const document of allDocuments) {
    const view = readViewFile(directory, document);
    if (view !== texts.get(document)) throw new Error(`the view of ${document} shows something else:\n${view}`);
  }
  return texts;
}

function problemsOf(document: StormDocument, evidence: Evidence, writers: string[]): string[] {
  const { acknowledged, written } = evidence;
  const unknown = acknowledged
    .filter(({ token, revision }) => written.get(token)?.revision !== revision)
    .map(({ token, revision }) => {
      const found = written.get(token)?.revision ?? "nothing";
      return `${document}: ${token} was acknowledged as ${revision}, and the history has ${found} of it`;
    });
  const more = document === documents.topics ? topicProblems(evidence) : appendProblems(document, evidence);
  return [...unknown, ...more, ...(document === documents.owned ? valueProblems(evidence, writers) : [])];
}

/**
 * What took effect is there, and once. Where a conflict stands that nobody resolved, it may stand on both sides, and again
 * where conflicts were merged with each other.
 */
function appendProblems(document: StormDocument, { intents, written, lines, text }: Evidence): string[] {
  const counts = new Map<string, number>();
  for (const { token, prefix } of lines) if (prefix === "- ") counts.set(token, (counts.get(token) ?? 0) + 1);
  const most = document !== documents.log && text.includes("<!-- conflict: ") ? Number.POSITIVE_INFINITY : 1;
  return intents
    .filter(({ kind, token }) => kind === "append" && (written.has(token) || counts.has(token)))
    .flatMap(({ token }) => {
      const count = counts.get(token) ?? 0;
      if (count === 0) return [`${document}: ${token} was appended and is lost`];
      return count > most ? [`${document}: ${token} stands ${count} times`] : [];
    });
}

/** Each writer's one line shows the last of its writes that took effect. */
function valueProblems({ intents, written, lines }: Evidence, writers: string[]): string[] {
  return writers.flatMap((writer) => {
    const own = intents.filter(({ kind, token }) => kind === "own" && token.startsWith(`${writer}.`));
    const last = own.findLast(({ token }) => written.has(token))?.token;
    const values = valuesOf(lines, writer).map(({ token }) => token);
    if (last === undefined || (values.length === 1 && values[0] === last)) return [];
    return [`${documents.owned}: ${writer} wrote ${last} last, and it shows ${values.join(", ") || "nothing"}`];
  });
}

/**
 * Each topic's line that took effect is in the text, or somebody replaced it who had seen it: by that writer's own
 * journal, and by the parents of what was written.
 */
function topicProblems({ intents, written, lines, byRevision }: Evidence): string[] {
  const shown = new Set(lines.map(({ token }) => token));
  const replacers = new Map<string, Intent[]>();
  for (const intent of intents) {
    if (!written.has(intent.token)) continue;
    for (const token of intent.replaces) replacers.set(token, [...(replacers.get(token) ?? []), intent]);
  }
  return intents
    .filter(({ token }) => written.has(token) && !shown.has(token))
    .flatMap(({ token }) => {
      const by = replacers.get(token) ?? [];
      if (by.length === 0) return [`${documents.topics}: ${token} is gone, and nobody replaced it`];
      const revision = written.get(token)?.revision ?? "";
      const hadSeen = by.some((intent) => isAncestor(revision, written.get(intent.token), byRevision));
      return hadSeen ? [] : [`${documents.topics}: ${token} was replaced by ${by[0]?.token}, which had not seen it`];
    });
}

function isAncestor(
  revision: string,
  of: MemoryRevision | undefined,
  byRevision: Map<string, MemoryRevision>,
): boolean {
  const seen = new Set<string>();
  const open = [...(of?.parents ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === revision) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    open.push(...(byRevision.get(next)?.parents ?? []));
  }
  return false;
}
