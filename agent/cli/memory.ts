/** The hive mind from the command line: straight on its directory, so that it works while no gateway runs. */
import { hostname, userInfo } from "node:os";
import { join, resolve } from "node:path";
import {
  type Memory,
  type MemoryRevision,
  type MemoryWritten,
  openMemory,
  type Provenance,
} from "../../memory/index.ts";
import { ToolError } from "../../tools/errors.ts";
import {
  type DocumentDifference,
  documentDifference,
  readForPeople,
  unknownRevision,
  writeForPeople,
} from "../memory-people.ts";
import { fleetPaths } from "../paths.ts";
import type { CommandContext } from "./context.ts";
import { table, timeOf, UsageError } from "./output.ts";
import { readConfig } from "./read-config.ts";

/** More than any document may hold; the memory itself says what is too large. */
const maxInputBytes = 64 * 1024 * 1024;

const conflictHint = "it holds contradicting passages between `<!-- conflict: … -->` and `<!-- end of conflict -->`";

/** Opens the memory for as long as the work takes. */
export async function withMemory<T>(
  context: CommandContext,
  work: (memory: Memory, provenance: Provenance) => Promise<T>,
): Promise<T> {
  const author = userInfo().username;
  const memory = openMemory({
    directory: directoryOf(context),
    // Stable, so that one person's notes follow each other; several commands at once are told apart by their content.
    writer: `cli-${author}-${hostname()}`.replace(/[^A-Za-z0-9-]/g, "-").slice(0, 80),
    index: join(context.home, "cache", "memory-index"),
  });
  try {
    return await work(memory, { author, source: `command line on ${hostname()}`, trust: "maintainer" });
  } finally {
    await memory.close();
  }
}

function directoryOf(context: CommandContext): string {
  return fleetPaths(context.home, readConfig(context.home)).memory;
}

export async function list(context: CommandContext, options: Record<string, unknown>): Promise<void> {
  const all = await withMemory(context, (memory) => memory.list(options.deleted ? { deleted: true } : {}));
  const documents = options.deleted ? all.filter(({ isDeleted }) => isDeleted) : all;
  context.output.result({ documents }, () =>
    documents.length === 0
      ? options.deleted
        ? "nothing was deleted"
        : "memory is empty"
      : table(
          ["DOCUMENT", "BYTES", "CHANGED (UTC)", "TRUST", ""],
          documents.map((one) => [
            one.document,
            String(one.bytes),
            timeOf(one.at || null),
            one.trust,
            one.isConflicted ? "conflict" : "",
          ]),
        ),
  );
}

export async function read(context: CommandContext, document: string, options: Record<string, unknown>): Promise<void> {
  const revision = options.revision;
  if (typeof revision === "string") return readRevision(context, document, revision);
  const found = await withMemory(context, (memory) => readForPeople(memory, document));
  context.output.result(found, () => found.text);
  if (found.isConflicted) context.output.note(`${document}: ${conflictHint}`);
  if (found.notice !== undefined) context.output.note(`${document}: ${found.notice}`);
}

async function readRevision(context: CommandContext, document: string, revision: string): Promise<void> {
  const found = await withMemory(context, async (memory) => {
    const one = (await memory.history(document)).find((each) => each.revision === revision);
    if (!one) throw unknownRevision(document, revision);
    const { author, trust, at, kind } = one;
    return { document, text: (await memory.textAt(document, revision)) ?? "", revision, author, trust, at, kind };
  });
  context.output.result(found, () => found.text);
}

export async function write(
  context: CommandContext,
  document: string,
  text: string | undefined,
  options: Record<string, unknown>,
): Promise<void> {
  const written = { text: text || (await readInput()), vouch: options.vouch === true };
  await change(context, (memory, provenance) => writeForPeople(memory, document, { write: written, provenance }));
}

export async function append(context: CommandContext, document: string, text: string | undefined): Promise<void> {
  const content = text || (await readInput());
  if (content === "") throw new UsageError("there is nothing to add", "give the text after the document, or by stdin");
  await change(context, (memory, provenance) => memory.append(document, content, provenance));
}

export async function edit(context: CommandContext, document: string, options: Record<string, unknown>): Promise<void> {
  const passage = { before: String(options.before), after: String(options.after) };
  await change(context, async (memory, provenance) => {
    await readForPeople(memory, document);
    return memory.edit(document, passage, provenance);
  });
}

export async function search(context: CommandContext, query: string, options: Record<string, unknown>): Promise<void> {
  const limit = typeof options.limit === "number" ? { limit: Math.max(1, options.limit) } : {};
  const matches = await withMemory(context, (memory) => memory.search(query, limit));
  context.output.result({ matches }, () =>
    matches.length === 0
      ? "nothing found"
      : matches
          .map(({ document, line, snippet, author, trust }) => {
            const who = trust === "public" ? `${author}, public text` : author;
            return `${document}:${line}  ${snippet.replace(/\s+/g, " ")}  [${who}]`;
          })
          .join("\n"),
  );
}

export async function history(context: CommandContext, document: string): Promise<void> {
  const revisions = await withMemory(context, async (memory) => {
    const found = await memory.history(document);
    if (found.length === 0) await readForPeople(memory, document);
    return found;
  });
  context.output.result({ document, revisions }, () =>
    table(
      ["REVISION", "KIND", "WRITTEN (UTC)", "AUTHOR", "TRUST", "FROM"],
      revisions.map((one) => [one.revision, kindOf(one), timeOf(one.at || null), one.author, one.trust, one.source]),
    ),
  );
}

function kindOf({ kind, movedTo, movedFrom }: MemoryRevision): string {
  if (movedTo !== undefined) return `renamed to ${movedTo}`;
  return movedFrom === undefined ? kind : `${kind}, was ${movedFrom}`;
}

export async function restore(context: CommandContext, document: string, revision: string): Promise<void> {
  await change(context, (memory, provenance) => memory.restore(document, revision, provenance));
}

export async function remove(context: CommandContext, document: string): Promise<void> {
  const written = await withMemory(context, async (memory, provenance) => {
    await readForPeople(memory, document);
    return memory.remove(document, provenance);
  });
  context.output.result(
    written,
    () => `${document} is deleted; \`clawdinator memory history ${document}\` lists what can be restored`,
  );
}

export async function rename(context: CommandContext, from: string, to: string): Promise<void> {
  await change(context, async (memory, provenance) => {
    await readForPeople(memory, from);
    return memory.rename(from, to, provenance);
  });
}

export async function diff(context: CommandContext, document: string, options: Record<string, unknown>): Promise<void> {
  const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  const revisions = { from: textOf(options.from), to: textOf(options.to) };
  const difference = await withMemory(context, (memory) => documentDifference(memory, document, revisions));
  context.output.result(difference, () => differenceText(difference));
}

function differenceText({ document, from, to, hunks }: DocumentDifference): string {
  const marks = { same: " ", added: "+", removed: "-" };
  const body = hunks.flatMap(({ fromLine, toLine, lines }) => [
    `@@ -${fromLine} +${toLine} @@`,
    ...lines.map(({ kind, text }) => marks[kind] + text),
  ]);
  const head = [`--- ${document} ${from.join(" + ") || "(nothing)"}`, `+++ ${document} ${to}`];
  return [...head, ...(body.length > 0 ? body : ["(the same text)"])].join("\n");
}

export async function check(context: CommandContext): Promise<void> {
  const problems = await withMemory(context, (memory) => memory.check());
  const ok = problems.length === 0;
  context.output.result({ ok, problems }, () =>
    ok
      ? "nothing is damaged, lost or left out"
      : problems
          .map(
            ({ document, revision, problem, hint }) =>
              `${document}${revision ? ` ${revision}` : ""}: ${problem}\n  → ${hint}`,
          )
          .join("\n"),
  );
  if (!ok) process.exitCode = 1;
}

export async function snapshot(context: CommandContext, file: string): Promise<void> {
  const { writeSnapshot } = await import("../../memory/snapshot.ts");
  const path = resolve(file);
  // What people changed by hand and nobody has read yet is taken in by listing.
  await withMemory(context, (memory) => memory.list());
  const saved = await writeSnapshot(directoryOf(context), path);
  context.output.result(
    { file: path, ...saved },
    () => `saved ${saved.documents} documents with ${saved.revisions} revisions to ${path}`,
  );
}

export async function load(context: CommandContext, file: string): Promise<void> {
  const { loadSnapshot } = await import("../../memory/snapshot.ts");
  const path = resolve(file);
  const loaded = await loadSnapshot(directoryOf(context), path);
  const { added, present, refused } = loaded;
  context.output.result(
    { file: path, ...loaded },
    () => `${added} revisions added, ${present} were there already; what was there stays`,
  );
  for (const { entry, why } of refused) context.output.note(`not taken: ${entry}: ${why}`);
  if (refused.length > 0) process.exitCode = 1;
}

/** Does it, and tells what it did; a conflict that it met is told too. */
async function change(
  context: CommandContext,
  work: (memory: Memory, provenance: Provenance) => Promise<MemoryWritten>,
): Promise<void> {
  const { written, isConflicted } = await withMemory(context, async (memory, provenance) => {
    const done = await work(memory, provenance);
    return { written: done, isConflicted: (await memory.read(done.document))?.isConflicted ?? false };
  });
  context.output.result({ ...written, isConflicted }, () => `${written.document} is at ${written.revision}`);
  if (isConflicted) context.output.note(`${written.document}: ${conflictHint}`);
}

async function readInput(): Promise<string> {
  if (process.stdin.isTTY) throw new UsageError("there is no text", "give it after the document, or by stdin");
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxInputBytes) {
      throw new ToolError(`the text has more than ${maxInputBytes} bytes`, {
        code: "document_too_large",
        hint: "memory holds notes: keep large files elsewhere and name the place",
      });
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new ToolError("the text is not UTF-8", {
      code: "document_not_text",
      hint: "memory holds Markdown text only; convert it first, such as with iconv",
      cause,
    });
  }
}
