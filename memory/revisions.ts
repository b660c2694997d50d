/**
 * Immutable revision files: `.hive/<document>/<lamport>-<writer>-<hash>.md`, a small header and then the text.
 *
 * A `full` revision replaces everything among its ancestors; an `append` adds to the end; a `delete` is a full one
 * without text. The hash is over the whole file, so a file's name proves its content.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { MemoryError } from "./errors.ts";
import { isMissing, syncDirectory, temporaryPrefix, writeWhole } from "./files.ts";
import type { MemoryRevision, MemoryTrust } from "./types.ts";

export interface Revision extends MemoryRevision {
  text: string;
}

export type NewRevision = Omit<Revision, "revision" | "bytes"> & {
  /** Tells equal texts of one writer apart; empty where equal content must give the same revision everywhere. */
  nonce: string;
};

/** Digits of a lamport number in a file name, so that names sort; more revisions than this a document never has. */
const lamportDigits = 10;
/** Hex digits of the hash in a name: 96 bits, no collision in any fleet's life. */
const hashDigits = 24;
const namePattern = /^(\d{10})-([A-Za-z0-9._-]+)-([0-9a-f]{24})\.md$/;
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
] as const;

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function revisionDirectory(directory: string, document: string): string {
  return join(directory, ".hive", document);
}

/** Order of full texts: by (lamport, hash). */
export function compareFull(a: Revision, b: Revision): number {
  return a.lamport - b.lamport || compareText(hashOf(a.revision), hashOf(b.revision));
}

/** Order of appends: by (lamport, writer, hash). */
export function compareAppend(a: Revision, b: Revision): number {
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

/** Writes a revision; the same content again is the same file. */
export async function putRevision(directory: string, content: NewRevision): Promise<Revision> {
  const file = encodeRevision(content);
  const hash = sha256(file).slice(0, hashDigits);
  const revision = `${String(content.lamport).padStart(lamportDigits, "0")}-${content.writer}-${hash}`;
  const folder = revisionDirectory(directory, content.document);
  const created = await mkdir(folder, { recursive: true });
  await writeWhole(join(folder, `${revision}.md`), file);
  // Each new folder's own entry must be on disk too.
  if (created !== undefined) {
    for (let parent = join(folder, ".."); parent.length >= directory.length; parent = join(parent, "..")) {
      await syncDirectory(parent);
    }
  }
  const { nonce: _nonce, ...rest } = content;
  return { ...rest, revision, bytes: Buffer.byteLength(content.text) };
}

/** Reads the revisions of a document that `known` does not hold yet, into `known`. */
export async function loadRevisions(
  directory: string,
  document: string,
  known: Map<string, Revision>,
): Promise<Map<string, Revision>> {
  const folder = revisionDirectory(directory, document);
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return known;
    throw error;
  }
  for (const name of names.sort()) {
    if (name.startsWith(temporaryPrefix) || !namePattern.test(name)) continue;
    const revision = name.slice(0, -".md".length);
    if (known.has(revision)) continue;
    known.set(revision, decodeRevision(join(folder, name), revision, await readFile(join(folder, name), "utf8")));
  }
  return known;
}

function encodeRevision(content: NewRevision): string {
  const header = headerKeys.map((key) => `${key}: ${JSON.stringify(content[key])}`);
  return `---\nformat: 1\n${header.join("\n")}\n---\n${content.text}`;
}

function decodeRevision(path: string, revision: string, file: string): Revision {
  const broken = (why: string, hint: string) =>
    new MemoryError(`the revision ${path} ${why}`, { code: "revision_unreadable", hint });
  if (!file.startsWith("---\nformat: 1\n")) {
    throw broken(
      "has an unknown format",
      "a newer version of the program wrote it, or it is damaged: update, or restore the file",
    );
  }
  if (sha256(file).slice(0, hashDigits) !== hashOf(revision)) {
    throw broken(
      "is damaged: its content does not match its name",
      "restore it from a backup; revisions are never edited by hand",
    );
  }
  const end = file.indexOf("\n---\n");
  const header = new Map(
    file
      .slice("---\nformat: 1\n".length, end)
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf(": ")), JSON.parse(line.slice(line.indexOf(": ") + 2)) as unknown]),
  );
  const text = file.slice(end + "\n---\n".length);
  return {
    revision,
    document: header.get("document") as string,
    kind: header.get("kind") as Revision["kind"],
    parents: header.get("parents") as string[],
    lamport: header.get("lamport") as number,
    writer: header.get("writer") as string,
    author: header.get("author") as string,
    source: header.get("source") as string,
    trust: header.get("trust") as MemoryTrust,
    at: header.get("at") as number,
    bytes: Buffer.byteLength(text),
    text,
  };
}
