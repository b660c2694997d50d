/**
 * Immutable revision files: `.hive/<document>/<lamport>-<writer>-<hash>.md`, a small header and then the text.
 *
 * A `full` revision replaces everything among its ancestors; an `append` adds to the end; a `delete` is a full one
 * without text. The hash is over the whole file, so a file's name proves its content.
 */
import { hash } from "node:crypto";
import { join } from "node:path";
import { maxDocumentBytes } from "./documents.ts";
import { MemoryError } from "./errors.ts";
import type { MemoryRevision, MemoryTrust } from "./types.ts";

export interface Revision extends MemoryRevision {
  text: string;
}

export type NewRevision = Omit<Revision, "revision" | "bytes"> & {
  /** Tells equal texts of one writer apart; empty where equal content must give the same revision everywhere. */
  nonce: string;
};

/** Why a file is not taken for a revision. It is skipped and kept, and the rest of the document stays readable. */
export interface Damage {
  problem: string;
  hint: string;
}

/** Digits of a lamport number in a file name, so that names sort; more revisions than this a document never has. */
const lamportDigits = 10;
const highestLamport = 10 ** lamportDigits - 1;
/** Hex digits of the hash in a name: 96 bits, no collision in any fleet's life. */
const hashDigits = 24;
const idPattern = /^(\d{10})-([A-Za-z0-9._-]{1,100})-([0-9a-f]{24})$/;
const opening = "---\nformat: 1\n";
const closing = "\n---\n";
const headerKeys = [
  "document",
  "kind",
  "lamport",
  "writer",
  "parents",
  "author",
  "source",
  "trust",
  "at",
  "nonce",
  "movedTo",
  "movedFrom",
] as const;

/** Room for the header, whose longest part are the parents: one for each writer that wrote at the same time. */
export const maxRevisionBytes = 2 * maxDocumentBytes;

export function sha256(content: string | Buffer): string {
  return hash("sha256", content, "hex");
}

export function revisionFolder(directory: string, document: string): string {
  return join(directory, ".hive", document);
}

/** The revision that a file name stands for, or null when it stands for none. */
export function revisionOfFile(name: string): string | null {
  const revision = name.endsWith(".md") ? name.slice(0, -".md".length) : "";
  return isRevisionId(revision) ? revision : null;
}

export function isRevisionId(id: string): boolean {
  return idPattern.test(id);
}

export function lamportOf(revision: string): number {
  return Number(revision.slice(0, lamportDigits));
}

function writerOf(revision: string): string {
  return revision.slice(lamportDigits + 1, -hashDigits - 1);
}

/** Order of full texts: by (lamport, hash). */
export function compareFull(a: MemoryRevision, b: MemoryRevision): number {
  return a.lamport - b.lamport || compareText(hashOf(a.revision), hashOf(b.revision));
}

/** Order of appends: by (lamport, writer, hash). */
export function compareAppend(a: MemoryRevision, b: MemoryRevision): number {
  return (
    a.lamport - b.lamport || compareText(a.writer, b.writer) || compareText(hashOf(a.revision), hashOf(b.revision))
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function hashOf(revision: string): string {
  return revision.slice(-hashDigits);
}

/** The file of a revision and its id. The same content gives the same id everywhere. */
export function encodeRevision(content: NewRevision): { revision: string; file: string } {
  if (content.lamport > highestLamport) {
    throw new MemoryError(`${content.document} cannot take another revision: its numbers are used up`, {
      code: "document_full",
      hint: "rename it: the new name begins its own history",
    });
  }
  const header = headerKeys
    .filter((key) => content[key] !== undefined)
    .map((key) => `${key}: ${JSON.stringify(content[key])}`);
  const file = `${opening}${header.join("\n")}${closing}${content.text}`;
  const number = String(content.lamport).padStart(lamportDigits, "0");
  return { revision: `${number}-${content.writer}-${sha256(file).slice(0, hashDigits)}`, file };
}

/** Reads a revision's file, and says what is wrong with one that cannot be what its name says. */
export function decodeRevision(document: string, revision: string, file: Buffer): Revision | Damage {
  if (sha256(file).slice(0, hashDigits) !== hashOf(revision)) {
    return {
      problem: "is damaged: its content does not match its name",
      hint: "restore the file from a snapshot; revisions are never edited by hand",
    };
  }
  const content = file.toString("utf8");
  const end = content.indexOf(closing, opening.length - 1);
  const header = content.startsWith(opening) && end > 0 ? parseHeader(content.slice(opening.length, end)) : null;
  if (header === null || !isHeaderOf(document, revision, header)) {
    return {
      problem: "has a format that this program does not know",
      hint: "a newer version of the program wrote it: update this one",
    };
  }
  const text = content.slice(end + closing.length);
  const { nonce: _nonce, ...rest } = header;
  return { ...rest, revision, bytes: Buffer.byteLength(text), text };
}

export function isDamage(found: Revision | Damage): found is Damage {
  return "problem" in found;
}

type Header = Omit<NewRevision, "text">;

function parseHeader(lines: string): Record<string, unknown> | null {
  let json = "";
  for (const line of lines.split("\n")) {
    const at = line.indexOf(": ");
    json += `${json === "" ? "{" : ","}"${line.slice(0, at)}":${line.slice(at + 2)}`;
  }
  try {
    return JSON.parse(`${json}}`) as Record<string, unknown>;
  } catch {
    return null;
  }
}

const kinds: unknown[] = ["full", "append", "delete"] satisfies MemoryRevision["kind"][];
const trusts: unknown[] = ["public", "self", "maintainer"] satisfies MemoryTrust[];

function isHeaderOf(document: string, revision: string, header: object): header is Header {
  const { kind, lamport, writer, parents, author, source, trust, at, ...rest } = header as Partial<Header>;
  return (
    rest.document === document &&
    kinds.includes(kind) &&
    lamport === lamportOf(revision) &&
    writer === writerOf(revision) &&
    Array.isArray(parents) &&
    // Every parent has a lower number: what walks from newer to older can count on it.
    parents.every((parent) => typeof parent === "string" && isRevisionId(parent) && lamportOf(parent) < lamport) &&
    typeof author === "string" &&
    typeof source === "string" &&
    trusts.includes(trust) &&
    typeof at === "number" &&
    ["string", "undefined"].includes(typeof rest.movedTo) &&
    ["string", "undefined"].includes(typeof rest.movedFrom)
  );
}
