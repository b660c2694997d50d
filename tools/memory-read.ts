import { z } from "zod";
import type { MemoryDocument, MemoryEntry } from "../memory/index.ts";
import { ToolError } from "./errors.ts";
import { missingDocument } from "./memory-absence.ts";
import { lowestTrustOf, provenanceOfResult, sourceOfDocument } from "./memory-provenance.ts";
import { rememberSeen } from "./memory-seen.ts";
import { shorten } from "./shorten.ts";
import { defineReadTool, type ReadContext, type ToolResult } from "./tool.ts";

/** In one answer; more would crowd out the conversation. */
const maxLines = 400;
const maxCharacters = 40_000;
const maxLineCharacters = 4_000;
/** Above this, folders are counted and not unfolded. */
const maxListed = 200;

export const memoryRead = defineReadTool({
  name: "memory_read",
  description:
    "Reads one document of the shared memory, or lists all documents when none is named. " +
    "Use it before changing a document, and to look up what was decided. Long documents come in parts.",
  input: z.strictObject({
    document: z.string().optional().describe("name such as ops.md or daily/2026-01-31.md; leave out to list all"),
    fromLine: z.number().int().min(1).optional().describe("first line to show, for the next part of a long document"),
    folder: z.string().optional().describe("for a list: only what lies in this folder, such as daily"),
    publicText: z.boolean().optional().describe("for a list: name the documents that hold public text, too"),
  }),
  async run(context, input) {
    if (input.document === undefined) return list(await context.memory.list(), input);
    const found = await context.memory.read(input.document);
    if (found === null) throw await missingDocument(context.memory, input.document);
    rememberSeen(context, found.document, found.shown);
    return show(context, found, input.fromLine ?? 1);
  },
});

async function show(context: ReadContext, found: MemoryDocument, fromLine: number): Promise<ToolResult> {
  const lines = found.text.split("\n");
  if (fromLine > lines.length) {
    throw new ToolError(`${found.document} has ${lines.length} lines, so there is no line ${fromLine}`, {
      code: "line_missing",
      hint: "read it from an earlier line",
    });
  }
  const part = partOf(lines, fromLine - 1);
  const next = fromLine + part.length;
  const notes = [
    next <= lines.length ? `(line ${next} of ${lines.length}: use fromLine)` : "",
    found.isConflicted ? "(It holds contradicting passages between conflict marks: settle them with memory_edit.)" : "",
    found.notice ? `(${found.notice})` : "",
  ].filter((note) => note !== "");
  const shown = part.join("\n");
  const text = [shown, ...notes].join("\n");
  const source =
    found.trust === "public"
      ? sourceOfDocument(found.document, await context.memory.history(found.document))
      : undefined;
  // What was not shown is not kept with the conversation either.
  return { text, data: { ...found, text: shown }, trust: found.trust, source };
}

function partOf(lines: string[], from: number): string[] {
  const part: string[] = [];
  let characters = 0;
  for (const line of lines.slice(from, from + maxLines)) {
    const shown = shorten(line, maxLineCharacters);
    characters += shown.length + 1;
    if (part.length > 0 && characters > maxCharacters) break;
    part.push(shown);
  }
  return part;
}

/** A name is a text too: those that public text may have shaped are listed when asked for, and then mark the run. */
function list(
  all: MemoryEntry[],
  input: { folder?: string | undefined; publicText?: boolean | undefined },
): ToolResult {
  const folder = input.folder === undefined ? "" : `${input.folder.replace(/\/+$/, "")}/`;
  const within = all.filter(({ document }) => document.startsWith(folder));
  const documents = within.filter(({ trust }) => input.publicText || trust !== "public");
  const hidden = within.length - documents.length;
  const left =
    hidden === 0
      ? ""
      : `\n(${count(hidden)} with public text left out: \`publicText\` names ${hidden === 1 ? "it" : "them"})`;
  if (documents.length === 0) {
    return {
      text: `${emptyText(folder, hidden)}${left}`,
      data: { documents: [] },
    };
  }
  const lines = documents.length > maxListed ? folded(documents, folder) : documents.map(lineOf);
  const text = `${count(documents.length)}:\n${lines.slice(0, maxListed).join("\n")}`;
  const more = lines.length > maxListed ? `\n(${lines.length - maxListed} more: use folder, or memory_search)` : "";
  const trust = lowestTrustOf(documents);
  return {
    text: text + more + left,
    data: { documents: documents.slice(0, maxListed).map((one) => ({ ...one })) },
    ...(trust === "public" ? provenanceOfResult(documents) : {}),
  };
}

function emptyText(folder: string, hidden: number): string {
  if (hidden > 0) return "Nothing is listed.";
  return folder === "" ? "The memory is empty." : `There is nothing in ${folder}`;
}

function count(documents: number): string {
  return documents === 1 ? "1 document" : `${documents} documents`;
}

function lineOf({ document, bytes, at, trust, isConflicted }: MemoryEntry): string {
  const marks = [...(trust === "public" ? ["public text"] : []), ...(isConflicted ? ["conflict"] : [])];
  return `${document}  ${bytes} bytes  ${day(at)}${marks.length > 0 ? `  (${marks.join(", ")})` : ""}`;
}

/** The folder's own documents, and how many lie in each folder below. */
function folded(documents: MemoryEntry[], folder: string): string[] {
  const below = new Map<string, number>();
  const lines: string[] = [];
  for (const entry of documents) {
    const [head, ...rest] = entry.document.slice(folder.length).split("/");
    if (rest.length === 0) lines.push(lineOf(entry));
    else below.set(`${folder}${head}/`, (below.get(`${folder}${head}/`) ?? 0) + 1);
  }
  return [...[...below].map(([name, held]) => `${name}  ${count(held)}`), ...lines];
}

function day(at: number): string {
  return at === 0 ? "–" : new Date(at).toISOString().slice(0, 10);
}
