/** The index's tables: one SQLite file on local disk that can be thrown away at any time, or a database in memory. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { cutPassages } from "./search-passages.ts";
import type { LoadedDocument } from "./search-source.ts";
import type { MemoryEntry, MemoryTrust } from "./types.ts";

/** Raised when the tables or what stands in them changes; another number in a file means: build anew. */
const schemaVersion = 3;
const schema = `
  CREATE TABLE documents (id INTEGER PRIMARY KEY, document TEXT NOT NULL UNIQUE, signature TEXT NOT NULL,
    revision TEXT NOT NULL, author TEXT NOT NULL, source TEXT NOT NULL, trust TEXT NOT NULL, at INTEGER NOT NULL,
    bytes INTEGER NOT NULL, conflicted INTEGER NOT NULL, deleted INTEGER NOT NULL) STRICT;
  CREATE TABLE passages (id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL, line INTEGER NOT NULL,
    heading TEXT NOT NULL, text TEXT NOT NULL, parts TEXT NOT NULL) STRICT;
  CREATE INDEX passages_of_document ON passages (document);
  CREATE VIRTUAL TABLE words USING fts5 (name, heading, text, parts, content = '', contentless_delete = 1,
    tokenize = 'porter unicode61 remove_diacritics 2');
`;
/** More processes than this do not share a directory; one more has its index in memory. */
const mostSlots = 16;
/** SQLITE_BUSY: another process holds the file. */
const busy = 5;
/** Busy, locked, no memory, read-only, interrupted, input or output failed, full, cannot open. */
const machineCodes = new Set([busy, 6, 7, 8, 9, 10, 13, 14]);
/** Each transaction ends in a part of its own of the word index, which is joined with the others later. */
const mostUncommitted = 5_000;
/** Pages of 4 KiB that the log grows to before it is written back: a whole build shall not do that all the time. */
const logPages = 8_192;
const cacheKibibytes = 16 * 1024;
/** The search is as fast without it, but for a whole build it pays to join the parts that it was written in. */
const worthJoining = 5_000;

export interface IndexChange {
  document: string;
  signature: string;
  loaded: LoadedDocument | null;
}

export interface IndexStore {
  database: DatabaseSync;
  /** Null in memory. */
  path: string | null;
  /** What the index was last told of each document. */
  signatures(): Map<string, string>;
  /** `loaded` null removes the document. Kept after `commit`; many are committed in between. */
  put(changes: IndexChange[]): void;
  commit(): void;
  rollback(): void;
  list(options: { deleted?: boolean }): MemoryEntry[];
  /** Joins what many single writes left behind, where there was enough of it. */
  tidy(): void;
  close(): void;
}

/**
 * Opens the index in a directory, or in memory without one. Each process has a file of its own, the first that no other
 * one holds: what two processes know of a document at one moment differs, and each finds its own writes at once. A
 * damaged or foreign file is replaced by an empty index.
 */
export async function openIndexStore(directory: string | null): Promise<IndexStore> {
  // Loaded on first use: most processes never search.
  const { DatabaseSync: Database } = await import("node:sqlite");
  if (directory === null) return overDatabase(prepareTables(new Database(":memory:")), null);
  mkdirSync(directory, { recursive: true });
  for (let slot = 0; ; slot++) {
    const path = join(directory, slot === 0 ? "memory.sqlite" : `memory-${slot}.sqlite`);
    try {
      return overDatabase(openFile(path), path);
    } catch (error) {
      if (sqliteCode(error) === busy && slot < mostSlots) continue;
      if (!isDamaged(error)) throw error;
      removeIndex(path);
      return overDatabase(openFile(path), path);
    }
  }

  function openFile(path: string): DatabaseSync {
    const database = new Database(path, { timeout: 0 });
    try {
      database.exec("PRAGMA locking_mode = EXCLUSIVE");
      // With a write-ahead log, NORMAL survives a power cut and writes the disk seldom.
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN EXCLUSIVE; COMMIT");
      database.exec(`PRAGMA wal_autocheckpoint = ${logPages}`);
      return prepareTables(database);
    } catch (error) {
      database.close();
      throw error;
    }
  }
}

/** Removes an index's files; the next open builds it anew. */
export function removeIndex(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}

/** SQLite's primary result code; null for any other error. */
function sqliteCode(error: unknown): number | null {
  const code = (error as { errcode?: number }).errcode;
  return code === undefined ? null : code & 0xff;
}

/** Whether the file itself is to blame: SQLite complains of it, and neither of another process nor of the machine. */
export function isDamaged(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== null && !machineCodes.has(code);
}

function prepareTables(database: DatabaseSync): DatabaseSync {
  database.exec(`PRAGMA cache_size = -${cacheKibibytes}`);
  if (database.prepare("PRAGMA user_version").get()?.user_version === schemaVersion) return database;
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('documents', 'passages', 'words')")
    .all();
  for (const { name } of tables) database.exec(`DROP TABLE ${String(name)}`);
  database.exec(`BEGIN; ${schema} PRAGMA user_version = ${schemaVersion}; COMMIT`);
  return database;
}

function overDatabase(database: DatabaseSync, path: string | null): IndexStore {
  const findDocument = database.prepare("SELECT id FROM documents WHERE document = ?");
  const findPassages = database.prepare("SELECT id FROM passages WHERE document = ?");
  const forgetWords = database.prepare("DELETE FROM words WHERE rowid = ?");
  const forgetPassages = database.prepare("DELETE FROM passages WHERE document = ?");
  const forgetDocument = database.prepare("DELETE FROM documents WHERE id = ?");
  const addDocument = database.prepare(
    `INSERT INTO documents (document, signature, revision, author, source, trust, at, bytes, conflicted, deleted)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const addPassage = database.prepare(
    "INSERT INTO passages (document, line, heading, text, parts) VALUES (?, ?, ?, ?, ?)",
  );
  const addWords = database.prepare("INSERT INTO words (rowid, name, heading, text, parts) VALUES (?, ?, ?, ?, ?)");
  let putSinceTidy = 0;
  let uncommitted = 0;

  function commit(): void {
    uncommitted = 0;
    if (database.isTransaction) database.exec("COMMIT");
  }

  function forget(document: string): void {
    const row = findDocument.get(document);
    if (!row) return;
    const id = Number(row.id);
    for (const passage of findPassages.all(id)) forgetWords.run(Number(passage.id));
    forgetPassages.run(id);
    forgetDocument.run(id);
  }

  function add(signature: string, loaded: LoadedDocument): void {
    const { document, text, revision, author, source, trust, at } = loaded;
    const bytes = Buffer.byteLength(text ?? "");
    const flags = [Number(loaded.isConflicted), Number(text === null)];
    const id = addDocument.run(document, signature, revision, author, source, trust, at, bytes, ...flags);
    for (const passage of cutPassages(text ?? "")) {
      const { heading, line } = passage;
      const parts = wordParts(passage.text);
      const added = addPassage.run(id.lastInsertRowid, line, heading, passage.text, parts);
      addWords.run(added.lastInsertRowid, document, heading, passage.text, parts);
    }
  }

  return {
    database,
    path,
    signatures() {
      const rows = database.prepare("SELECT document, signature FROM documents").all();
      return new Map(rows.map((row) => [String(row.document), String(row.signature)]));
    },
    put(changes) {
      if (!database.isTransaction) database.exec("BEGIN");
      for (const { document, signature, loaded } of changes) {
        forget(document);
        if (loaded !== null) add(signature, loaded);
      }
      uncommitted += changes.length;
      putSinceTidy += changes.length;
      if (uncommitted >= mostUncommitted) commit();
    },
    commit,
    rollback() {
      uncommitted = 0;
      if (database.isTransaction) database.exec("ROLLBACK");
    },
    list({ deleted = false }) {
      const rows = database
        .prepare("SELECT * FROM documents WHERE deleted = 0 OR ? ORDER BY document")
        .all(Number(deleted));
      return rows.map((row) => ({
        document: String(row.document),
        bytes: Number(row.bytes),
        at: Number(row.at),
        trust: String(row.trust) as MemoryTrust,
        ...(row.conflicted ? { isConflicted: true } : {}),
        ...(row.deleted ? { isDeleted: true } : {}),
      }));
    },
    tidy() {
      if (putSinceTidy < worthJoining) return;
      putSinceTidy = 0;
      database.exec("INSERT INTO words (words) VALUES ('optimize')");
    },
    close: () => database.close(),
  };
}

/** The words in names such as `instanceLaunch` and `HTTPServer`, which the tokenizer takes as one. */
function wordParts(text: string): string {
  const names = text.match(/(?<![A-Za-z])[A-Za-z]*(?:[a-z][A-Z]|[A-Z]{2}[a-z])[A-Za-z]*/g);
  if (names === null) return "";
  return names.map((name) => name.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, " ")).join(" ");
}
