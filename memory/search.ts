/** Full-text search over the documents, in a SQLite index on local disk that can be thrown away at any time. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { MemoryMatch, MemoryTrust } from "./types.ts";

export interface IndexedDocument {
  document: string;
  text: string;
  trust: MemoryTrust;
  /** Changes whenever the text does. */
  state: string;
}

export interface SearchIndex {
  /** Makes the index show exactly these documents. */
  refresh(documents: IndexedDocument[]): void;
  search(query: string, limit: number): MemoryMatch[];
  close(): void;
}

const schema = `
  CREATE TABLE IF NOT EXISTS documents (document TEXT PRIMARY KEY, state TEXT NOT NULL, trust TEXT NOT NULL) STRICT;
  CREATE VIRTUAL TABLE IF NOT EXISTS passages USING fts5 (text, document UNINDEXED, line UNINDEXED,
    tokenize = 'unicode61 remove_diacritics 2');
`;
/** Raised when the tables change; another number means: build anew. */
const schemaVersion = 1;
const snippetTokens = 24;

/** Opens the index in a directory, or in memory without one. A damaged index is built anew. */
export async function openSearchIndex(directory: string | null): Promise<SearchIndex> {
  // Loaded on first use: most processes never search.
  const { DatabaseSync: Database } = await import("node:sqlite");
  const path = directory === null ? ":memory:" : join(directory, "memory.sqlite");
  if (directory !== null) mkdirSync(directory, { recursive: true });
  try {
    return overDatabase(open(new Database(path, { timeout: 5_000 })));
  } catch (error) {
    if (directory === null) throw error;
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
    return overDatabase(open(new Database(path, { timeout: 5_000 })));
  }
}

function open(database: DatabaseSync): DatabaseSync {
  database.exec("PRAGMA synchronous = OFF");
  const version = database.prepare("PRAGMA user_version").get()?.user_version;
  if (version !== schemaVersion) {
    database.exec("DROP TABLE IF EXISTS documents; DROP TABLE IF EXISTS passages;");
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
  }
  database.exec(schema);
  return database;
}

function overDatabase(database: DatabaseSync): SearchIndex {
  return {
    refresh(documents) {
      database.exec("BEGIN IMMEDIATE");
      try {
        refresh(database, documents);
        database.exec("COMMIT");
      } catch (error) {
        database.exec("ROLLBACK");
        throw error;
      }
    },
    search(query, limit) {
      const words = query.match(/[\p{L}\p{N}_]+/gu) ?? [];
      if (words.length === 0) return [];
      const terms = words.map((word) => `"${word}"*`);
      const exact = find(database, terms.join(" AND "), limit);
      return exact.length > 0 || terms.length === 1 ? exact : find(database, terms.join(" OR "), limit);
    },
    close: () => database.close(),
  };
}

function refresh(database: DatabaseSync, documents: IndexedDocument[]): void {
  const rows = database.prepare("SELECT document, state FROM documents").all();
  const known = new Map(rows.map((row) => [String(row.document), String(row.state)]));
  const forget = (document: string) => {
    database.prepare("DELETE FROM documents WHERE document = ?").run(document);
    database.prepare("DELETE FROM passages WHERE document = ?").run(document);
  };
  const wanted = new Set(documents.map(({ document }) => document));
  for (const document of known.keys()) if (!wanted.has(document)) forget(document);
  const addPassage = database.prepare("INSERT INTO passages (text, document, line) VALUES (?, ?, ?)");
  for (const { document, text, trust, state } of documents) {
    if (known.get(document) === state) continue;
    forget(document);
    database.prepare("INSERT INTO documents (document, state, trust) VALUES (?, ?, ?)").run(document, state, trust);
    for (const passage of passages(text)) addPassage.run(passage.text, document, passage.line);
  }
}

/** Paragraphs, each with the line it begins at. */
function passages(text: string): { text: string; line: number }[] {
  const result: { text: string; line: number }[] = [];
  let current: { text: string; line: number } | null = null;
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") current = null;
    else if (current) current.text += `\n${line}`;
    else {
      current = { text: line, line: index + 1 };
      result.push(current);
    }
  }
  return result;
}

function find(database: DatabaseSync, expression: string, limit: number): MemoryMatch[] {
  const rows = database
    .prepare(
      `SELECT passages.document AS document, line, trust, bm25(passages) AS rank,
         snippet(passages, 0, '', '', '…', ${snippetTokens}) AS snippet
       FROM passages JOIN documents ON documents.document = passages.document
       WHERE passages MATCH ? ORDER BY rank, passages.document, line LIMIT ?`,
    )
    .all(expression, limit);
  return rows.map((row) => ({
    document: String(row.document),
    snippet: String(row.snippet),
    line: Number(row.line),
    // BM25 in SQLite is smaller for better matches; a score is larger.
    score: -Number(row.rank),
    trust: String(row.trust) as MemoryTrust,
  }));
}
