/** The store on one machine: one SQLite file, shared by every local sibling's process. */
import { type FSWatcher, mkdirSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { ConfigError, ProviderError } from "../../../tools/errors.ts";
import type { Json } from "../../../tools/json.ts";
import type { PutCondition, PutResult, Store, StoreEntry } from "../../../tools/store.ts";

const formatVersion = 1;

/** Another process holds the write lock for microseconds; a wait this long means that it hangs on its disk. */
const busyTimeoutMs = 10_000;

/** File system events tell of other processes' writes; this catches what they miss. */
const fallbackPollMs = 500;

/** When a commit can be seen after its first write was noticed: mostly at once, on a slow disk somewhat later. */
const laterLooksMs = [2, 10, 40, 120];

/** Result codes of https://www.sqlite.org/rescode.html that a person can do something about. */
const resultCodes: Record<number, { code: string; why: string; hint: string }> = {
  5: {
    code: "store_busy",
    why: "another process holds its lock",
    hint: "see which process hangs: its disk may be slow or full",
  },
  8: { code: "store_readonly", why: "it is read-only", hint: "give this user the right to write it" },
  10: {
    code: "store_io",
    why: "the disk reports an error",
    hint: "check the disk and its free space, then start again",
  },
  11: {
    code: "store_corrupt",
    why: "its content is damaged",
    hint: "stop the fleet, keep the file, and restore it from a backup",
  },
  13: {
    code: "disk_full",
    why: "the disk is full",
    hint: "free some space and try again; nothing that was confirmed is lost",
  },
  14: { code: "store_unreadable", why: "it cannot be opened", hint: "check that the directory exists and is writable" },
  26: {
    code: "store_corrupt",
    why: "it is not a SQLite file",
    hint: "move it away, or point CLAWDINATOR_HOME at another directory",
  },
};

interface Row {
  key: string;
  value: string;
  version: number;
}

/**
 * Opens the file, creating it when absent. Throws ConfigError for a file of a newer format, a damaged one, or one that
 * cannot be written.
 */
export async function openSqliteStore(options: { path: string }): Promise<Store> {
  const { path } = options;
  return guard(path, () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    try {
      prepareSchema(database, path);
      return createStore(database, path);
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

function prepareSchema(database: DatabaseSync, path: string): void {
  // The first look changes nothing: even the journal mode is written into the file.
  const found = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  if (found > formatVersion) {
    throw new ConfigError(
      `${path} has format ${found}, and this version of clawdinator knows formats up to ${formatVersion}`,
      {
        code: "newer_format",
        hint: "a newer version wrote this state directory: start that version, or set CLAWDINATOR_HOME to another directory",
      },
    );
  }
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304;");
  if (found === formatVersion) return;
  database.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS counter (only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL);
    INSERT OR IGNORE INTO counter VALUES (1, 0);
    PRAGMA user_version = ${formatVersion};
    COMMIT;`);
}

function createStore(database: DatabaseSync, path: string): Store {
  const statements = prepareStatements(database);
  const listeners = new Set<() => void>();
  let stopWatching: (() => void) | null = null;
  let lastNow = 0;

  const read = (key: string): StoreEntry | null => {
    const row = statements.get.get(key) as Row | undefined;
    return row ? { key, value: parseValue(row, path), version: String(row.version) } : null;
  };

  /** Runs `work` in one immediate transaction: readers go on, other writers wait, and a throw leaves nothing behind. */
  const transaction = <T>(work: () => T): T => {
    database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      database.exec("COMMIT");
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  };

  const notify = (): void => {
    for (const listener of listeners) listener();
  };

  return {
    async get(key) {
      return guard(path, () => read(key));
    },

    async put(key, value, condition) {
      const text = JSON.stringify(value);
      const result = guard(path, () =>
        transaction((): PutResult => {
          const current = read(key);
          if (!conditionHolds(condition, current)) return { written: false, current };
          const version = Number(statements.nextVersion.get()?.version);
          statements.put.run(key, text, version);
          return { written: true, version: String(version) };
        }),
      );
      if (result.written) notify();
      return result;
    },

    async list(prefix) {
      return guard(path, () => {
        const rows = statements.list.all(prefix, prefix) as unknown as { key: string; version: number }[];
        return rows.map((row) => ({ key: row.key, version: String(row.version) }));
      });
    },

    async delete(key, condition) {
      const deleted = guard(path, () =>
        transaction(() => {
          const current = read(key);
          if (!current || (condition && current.version !== condition.ifVersion)) return false;
          statements.delete.run(key);
          return true;
        }),
      );
      if (deleted) notify();
      return deleted;
    },

    async now() {
      lastNow = Math.max(lastNow, Date.now());
      return lastNow;
    },

    watch(onChange) {
      listeners.add(onChange);
      stopWatching ??= watchFile(database, path, notify);
      return () => {
        listeners.delete(onChange);
        if (listeners.size > 0) return;
        stopWatching?.();
        stopWatching = null;
      };
    },

    async close() {
      listeners.clear();
      stopWatching?.();
      stopWatching = null;
      if (database.isOpen) database.close();
    },
  };
}

function prepareStatements(
  database: DatabaseSync,
): Record<"get" | "put" | "list" | "delete" | "nextVersion", StatementSync> {
  return {
    get: database.prepare("SELECT key, value, version FROM entries WHERE key = ?"),
    put: database.prepare("INSERT OR REPLACE INTO entries (key, value, version) VALUES (?, ?, ?)"),
    // The last code point ends every key that begins with the prefix; LIKE would give meaning to % and _.
    list: database.prepare("SELECT key, version FROM entries WHERE key >= ? AND key < ? || char(1114111) ORDER BY key"),
    delete: database.prepare("DELETE FROM entries WHERE key = ?"),
    nextVersion: database.prepare("UPDATE counter SET version = version + 1 RETURNING version"),
  };
}

function conditionHolds(condition: PutCondition | undefined, current: StoreEntry | null): boolean {
  if (!condition) return true;
  if ("ifAbsent" in condition) return current === null;
  return current?.version === condition.ifVersion;
}

function parseValue(row: Row, path: string): Json {
  try {
    return JSON.parse(row.value) as Json;
  } catch (cause) {
    throw new ConfigError(`the record ${row.key} in ${path} is not JSON`, {
      code: "store_corrupt",
      hint: "keep a copy of the file; the other records can still be read",
      cause,
    });
  }
}

/** Tells of other processes' commits: `data_version` changes with each of them, and only with theirs. */
function watchFile(database: DatabaseSync, path: string, onChange: () => void): () => void {
  const statement = database.prepare("PRAGMA data_version");
  const readVersion = (): number => Number(statement.get()?.data_version);
  let seen = readVersion();
  const look = (): void => {
    if (!database.isOpen) return;
    const version = readVersion();
    if (version === seen) return;
    seen = version;
    onChange();
  };
  const prefix = basename(path);
  // The event comes with the write, before the commit that waits for the disk: look until that can be seen.
  let looks: NodeJS.Timeout[] = [];
  const lookSoon = (): void => {
    for (const pending of looks) clearTimeout(pending);
    look();
    looks = laterLooksMs.map((delayMs) => setTimeout(look, delayMs).unref());
  };
  let watcher: FSWatcher | null = null;
  try {
    watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (!name || name.startsWith(prefix)) lookSoon();
    });
    watcher.on("error", () => watcher?.close());
  } catch {
    // Without file system events (a container's limit, an odd file system) the timer alone serves.
  }
  const timer = setInterval(look, fallbackPollMs);
  timer.unref();
  return () => {
    watcher?.close();
    clearInterval(timer);
    for (const pending of looks) clearTimeout(pending);
  };
}

/** Turns SQLite's result codes into errors that say what to do. */
function guard<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const extended = (cause as { errcode?: number }).errcode;
    if (extended === undefined) throw cause;
    const known = resultCodes[extended & 0xff];
    const why = known?.why ?? (cause as Error).message;
    const options = { code: known?.code ?? "store_failed", hint: known?.hint ?? "see the message; try again", cause };
    const Kind = known?.code === "store_busy" ? ProviderError : ConfigError;
    throw new Kind(`cannot use the store ${path}: ${why}`, options);
  }
}
