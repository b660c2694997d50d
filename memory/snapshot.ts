/**
 * The whole memory as one file, and back. A snapshot holds the revisions; loading one only adds those that are missing,
 * so nothing is ever lost by it.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { documentNameProblem } from "./documents.ts";
import { asMemoryError, MemoryError } from "./errors.ts";
import { isMissing, type MemoryFiles, realFiles, syncDirectory, writeWhole } from "./files.ts";
import { Folders } from "./folders.ts";
import { findDocuments } from "./list.ts";
import { mapBounded } from "./parallel.ts";
import { decodeRevision, isDamage, maxRevisionBytes, revisionFolder, revisionOfFile } from "./revisions.ts";

export interface SnapshotWritten {
  documents: number;
  revisions: number;
}

export interface SnapshotLoaded {
  /** Revisions that were missing and are there now. */
  added: number;
  /** Revisions that were there already. */
  present: number;
  /** Entries that were not taken: their names, and why. */
  refused: { entry: string; why: string }[];
}

/** More entries that are refused than this are only counted by their absence. */
const maxRefused = 1_000;

/**
 * Writes all revisions into one `.tar.gz`, which appears as a whole or not at all. Edits by hand that nobody has read
 * yet are not in it: list the memory first. Throws MemoryError.
 */
export async function writeSnapshot(directory: string, file: string): Promise<SnapshotWritten> {
  const files = realFiles();
  const target = resolve(file);
  const temporary = join(dirname(target), `.tmp-${process.pid}-${Date.now()}-snapshot`);
  try {
    const documents = await findDocuments(files, directory);
    const paths = (await mapBounded(documents, (document) => revisionPaths(files, directory, document))).flat();
    if (paths.length === 0) {
      throw new MemoryError(`cannot write the snapshot ${file}: the memory in ${directory} is empty`, {
        code: "memory_empty",
        hint: "write a document first, or name the right directory",
      });
    }
    const { create } = await import("tar");
    const options = { cwd: directory, gzip: true, portable: true, follow: false, strict: true };
    await pipeline(create(options, paths), createWriteStream(temporary, { flags: "wx" }));
    await flush(temporary);
    await rename(temporary, target);
    await syncDirectory(dirname(target));
    const named = new Set(paths.map((path) => dirname(path)));
    return { documents: named.size, revisions: paths.length };
  } catch (error) {
    throw asMemoryError(error, `cannot write the snapshot ${file}`);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function revisionPaths(files: MemoryFiles, directory: string, document: string): Promise<string[]> {
  try {
    const entries = await files.list(revisionFolder(directory, document));
    return entries
      .filter(({ name, kind }) => kind === "file" && revisionOfFile(name) !== null)
      .map(({ name }) => `.hive/${document}/${name}`);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/**
 * Puts the revisions of a snapshot that are missing into the memory. Each is checked by its name, no path of the archive
 * is followed, and what is there is never touched: safe to repeat, and beside writers. Throws MemoryError where the file
 * is no snapshot.
 */
export async function loadSnapshot(directory: string, file: string): Promise<SnapshotLoaded> {
  const files = realFiles();
  const folders = new Folders(files, directory);
  const loaded: SnapshotLoaded = { added: 0, present: 0, refused: [] };
  const { Parser } = await import("tar");
  const found: Found[] = [];
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      const place = placeOf(entry.path);
      const why = refusal(entry.type ?? "", entry.size, place);
      if (why !== null || place === null) {
        if (entry.type !== "Directory") refuse(loaded, entry.path, why ?? "");
        entry.resume();
        return;
      }
      const chunks: Buffer[] = [];
      entry.on("data", (chunk) => chunks.push(Buffer.from(chunk)));
      entry.on("end", () => found.push({ ...place, entry: entry.path, content: Buffer.concat(chunks) }));
    },
  });
  const ended = new Promise<void>((done, fail) => {
    parser.once("end", done);
    parser.once("error", fail);
  });
  ended.catch(() => undefined);
  try {
    for await (const chunk of createReadStream(file)) {
      parser.write(chunk as Buffer);
      // Part by part: the archive may be larger than the memory of the machine.
      for (const one of found.splice(0)) await take({ directory, files, folders, loaded }, one);
    }
    parser.end();
    await ended;
    for (const one of found.splice(0)) await take({ directory, files, folders, loaded }, one);
  } catch (error) {
    if (isFileError(error)) throw asMemoryError(error, `cannot load the snapshot ${file}`);
    throw new MemoryError(`cannot load ${file}: it is no snapshot of a memory, or it is damaged`, {
      code: "snapshot_unreadable",
      hint: `what stands before the damage was taken in (${loaded.added} revisions); use another snapshot for the rest`,
      cause: error,
    });
  }
  return loaded;
}

interface Found {
  document: string;
  revision: string;
  entry: string;
  content: Buffer;
}

function isFileError(error: unknown): boolean {
  return error instanceof MemoryError || /^E[A-Z]+$/.test((error as NodeJS.ErrnoException).code ?? "");
}

function refusal(type: string, bytes: number, place: unknown): string | null {
  if (type !== "File" && type !== "OldFile" && type !== "ContiguousFile") return `it is no file (${type})`;
  if (place === null) return "it is not named as a revision";
  return bytes > maxRevisionBytes ? "it is too large" : null;
}

function placeOf(path: string): { document: string; revision: string } | null {
  const match = /^(?:\.\/)?\.hive\/(.+)\/([^/]+)$/.exec(path);
  const document = match?.[1] ?? "";
  const revision = revisionOfFile(match?.[2] ?? "");
  return revision !== null && documentNameProblem(document) === null ? { document, revision } : null;
}

function refuse(loaded: SnapshotLoaded, entry: string, why: string): void {
  if (loaded.refused.length < maxRefused) loaded.refused.push({ entry: entry.slice(0, 300), why });
}

async function take(
  {
    directory,
    files,
    folders,
    loaded,
  }: { directory: string; files: MemoryFiles; folders: Folders; loaded: SnapshotLoaded },
  { document, revision, entry, content }: Found,
): Promise<void> {
  const decoded = decodeRevision(document, revision, content);
  // A format of a newer version is no damage: its name proves its content.
  if (isDamage(decoded) && decoded.problem.startsWith("is damaged")) return refuse(loaded, entry, decoded.problem);
  await folders.checkLinks(document);
  const folder = revisionFolder(directory, document);
  const path = join(folder, `${revision}.md`);
  const present = await files.read(path, maxRevisionBytes).catch(() => null);
  if (present?.equals(content)) {
    loaded.present++;
    return;
  }
  await folders.make(folder);
  await writeWhole(path, content.toString("utf8"), files);
  loaded.added++;
}
