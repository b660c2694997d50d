/**
 * The few file steps that the memory is made of. Everything the memory does to its directory goes through one
 * `MemoryFiles`, so that a test can put faults in between.
 */
import { randomBytes } from "node:crypto";
import type { BigIntStats, Dirent } from "node:fs";
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  lstatSync,
  open as openFile,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  writeFile,
  writeFileSync,
} from "node:fs";
import { link, lstat, mkdir, open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

export type EntryKind = "file" | "directory" | "link" | "other";

export interface FileStatus {
  kind: EntryKind;
  bytes: number;
  /** Milliseconds since 1970, by the file server's clock: only for display. */
  changedAt: number;
  /** The same for any change of content, names or rights; comparable with that of another file of the same server. */
  touchedAt: number;
  /** Differs after the file or directory changed; two changes within one tick of the server's clock may share one. */
  signature: string;
}

/** Each step throws what the system says (`ENOENT`, `ESTALE`, `ENOSPC`, …); none follows a link at the end of its path. */
export interface MemoryFiles {
  list(path: string): Promise<{ name: string; kind: EntryKind }[]>;
  /** The whole file. Throws `EFBIG` beyond `maxBytes`, `ELOOP` for a link, and `EISDIR` for anything else but a file. */
  read(path: string, maxBytes: number): Promise<Buffer>;
  status(path: string): Promise<FileStatus>;
  /** Makes a file that was not there (else `EEXIST`), writes it and flushes it to the disk. */
  create(path: string, content: string | Buffer): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for a file. */
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** One folder, whose parent is there. Throws `EEXIST`. */
  makeDirectory(path: string): Promise<void>;
  /** Flushes the directory's entries to the disk. */
  syncDirectory(path: string): Promise<void>;
}

/** Prefix of files that a crash may leave behind; readers never look at them. */
const temporaryPrefix = ".tmp-";

const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** A step that takes longer waits for a network, and then many at once are better than one after the other. */
const quickStepMs = 0.4;
/** So many slow ones in a row are no accident of a busy machine. */
const slowInARow = 8;
/** While the directory is slow, one step in so many finds out whether it still is. */
const probeEvery = 32;

/**
 * The real file steps. Reading a small file of a local disk takes less time than asking another thread to do it, so it
 * is done at once; where it turns out to take long (NFS), it is left to the thread pool.
 */
export function realFiles(): MemoryFiles {
  let slow = 0;
  let steps = 0;
  async function step<T>(now: () => T, later: () => Promise<T>): Promise<T> {
    if (slow >= slowInARow && ++steps % probeEvery !== 0) return later();
    const started = performance.now();
    try {
      return now();
    } finally {
      slow = performance.now() - started > quickStepMs ? slow + 1 : 0;
    }
  }
  return {
    list: (path) =>
      step(
        () => readdirSync(path, { withFileTypes: true }).map(entryOf),
        async () => (await readdir(path, { withFileTypes: true })).map(entryOf),
      ),
    read: (path, maxBytes) =>
      step(
        () => readNow(path, maxBytes),
        () => readLater(path, maxBytes),
      ),
    status: (path) =>
      step(
        () => statusOf(lstatSync(path, { bigint: true })),
        async () => statusOf(await lstat(path, { bigint: true })),
      ),
    async create(path, content) {
      // Only the flushing waits for the disk itself, so only that is worth another thread.
      const file = await step(
        () => createNow(path, content),
        () => createLater(path, content),
      );
      await flushAndClose(file);
    },
    rename: (from, to) =>
      step(
        () => renameSync(from, to),
        () => rename(from, to),
      ),
    link,
    unlink,
    async makeDirectory(path) {
      await mkdir(path);
    },
    async syncDirectory(path) {
      const directory = await step(
        () => openSync(path, "r"),
        async () => await opened(path, "r"),
      );
      await flushAndClose(directory);
    },
  };
}

const flush = promisify(fsync);
const opened = promisify(openFile);
const written = promisify(writeFile);

async function flushAndClose(file: number): Promise<void> {
  try {
    await flush(file);
  } finally {
    closeSync(file);
  }
}

function createNow(path: string, content: string | Buffer): number {
  const file = openSync(path, "wx", 0o644);
  try {
    writeFileSync(file, content);
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

async function createLater(path: string, content: string | Buffer): Promise<number> {
  const file = await opened(path, "wx", 0o644);
  try {
    await written(file, content);
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** Most files are revisions of a few lines, and are read in one go. */
const scratch = Buffer.allocUnsafeSlow(16 * 1024);

function readNow(path: string, maxBytes: number): Buffer {
  const file = openSync(path, readFlags);
  try {
    const length = readSync(file, scratch, 0, scratch.length, 0);
    // Only a file gives bytes here: a folder is refused by the system, and all else has none at hand.
    if (length > 0 && length < scratch.length && length <= maxBytes) return Buffer.from(scratch.subarray(0, length));
    checkReadable(path, fstatSync(file), maxBytes);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

async function readLater(path: string, maxBytes: number): Promise<Buffer> {
  const file = await open(path, readFlags);
  try {
    checkReadable(path, await file.stat(), maxBytes);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function checkReadable(path: string, stat: { isFile(): boolean; size: number }, maxBytes: number): void {
  const code = !stat.isFile() ? "EISDIR" : stat.size > maxBytes ? "EFBIG" : null;
  if (code !== null) throw Object.assign(new Error(`${code}: cannot read ${path} as a document`), { code });
}

function entryOf(entry: Dirent): { name: string; kind: EntryKind } {
  return { name: entry.name, kind: kindOf(entry) };
}

function kindOf(entry: Pick<Dirent, "isFile" | "isDirectory" | "isSymbolicLink">): EntryKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "link" : "other";
}

function statusOf(stat: BigIntStats): FileStatus {
  return {
    kind: kindOf(stat),
    bytes: Number(stat.size),
    changedAt: Number(stat.mtimeMs),
    touchedAt: Number(stat.ctimeMs),
    signature: `${stat.ino}-${stat.mtimeNs}-${stat.ctimeNs}-${stat.size}`,
  };
}

/** Puts a file in place as a whole: temporary file, fsync, rename, fsync of the directory. */
export async function writeWhole(path: string, text: string, files: MemoryFiles = realFiles()): Promise<void> {
  const directory = dirname(path);
  const temporary = await createTemporary(files, directory, text);
  try {
    await steady(() => files.rename(temporary, path));
  } catch (cause) {
    // Over NFS a repeated rename may report failure after it succeeded, so the content decides.
    if (!(await holds(files, path, text))) {
      await files.unlink(temporary).catch(() => undefined);
      const { code, message } = cause as NodeJS.ErrnoException;
      throw Object.assign(new Error(`cannot put ${basename(path)} in place: ${message}`, { cause }), { code });
    }
  }
  await steady(() => files.syncDirectory(directory));
}

/** Names that are tried: over NFS an exclusive create may report that the file is there after making it. */
const temporaryTries = 3;

async function createTemporary(files: MemoryFiles, directory: string, text: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const path = join(directory, `${temporaryPrefix}${process.pid}-${randomBytes(6).toString("hex")}`);
    try {
      await steady(() => files.create(path, text));
      return path;
    } catch (error) {
      await files.unlink(path).catch(() => undefined);
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt >= temporaryTries) throw error;
    }
  }
}

async function holds(files: MemoryFiles, path: string, text: string): Promise<boolean> {
  const wanted = Buffer.from(text);
  return await steady(() => files.read(path, wanted.length)).then(
    (found) => found.equals(wanted),
    () => false,
  );
}

/** Times that a stale handle is asked for again; NFS gives a fresh one at the first or second. */
const staleTries = 5;

/** Repeats a step that met a stale handle: over NFS another host replaced the file between its name and its content. */
export async function steady<T>(step: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESTALE" || attempt >= staleTries) throw error;
    }
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Null when there is no such file. */
export async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ENOTDIR";
}
