/**
 * The coordination store's contract: small JSON values under string keys, each with a version that is never used twice.
 *
 * Everything that instances must agree on (names, leases, approvals, operations, the audit log) lives behind these five
 * calls, so that an embedded database and an object store with conditional writes are interchangeable. There is no
 * transaction over two keys; whoever needs one makes the second write safe to repeat.
 */
import type { Json } from "./json.ts";

/** An opaque token for one state of one key. Never repeats, not even after a delete and a new put. */
export type Version = string;

export interface StoreEntry {
  key: string;
  value: Json;
  version: Version;
}

/** `ifAbsent`: create only. `ifVersion`: replace exactly that state. Neither: last writer wins. */
export type PutCondition = { ifAbsent: true } | { ifVersion: Version };

export type PutResult =
  | { written: true; version: Version }
  /** Someone else got there first; `current` is what stands there now, or null when the key is gone. */
  | { written: false; current: StoreEntry | null };

export interface PutOptions {
  /** Nobody waits for it, as for a renewal: processes elsewhere need not be told, where telling costs something. */
  quiet?: true;
}

export interface Store {
  get(key: string): Promise<StoreEntry | null>;
  put(key: string, value: Json, condition?: PutCondition, options?: PutOptions): Promise<PutResult>;
  /** Entries whose key begins with `prefix`, in key order (bytewise). */
  list(prefix: string): Promise<{ key: string; version: Version }[]>;
  /** Returns whether it was deleted; with `ifVersion` only in exactly that state. */
  delete(key: string, condition?: { ifVersion: Version }): Promise<boolean>;
  /** The store's clock, milliseconds since 1970: the only clock that leases and expiries are judged by. */
  now(): Promise<number>;
  /** Calls back soon after anyone, in any process, changed something. May call without need; never with data. */
  watch(onChange: () => void): () => void;
  close(): Promise<void>;
  /** `costly`: listing and reading everything is slow and charged for, so what many look at is kept in one summary. */
  readonly listing?: "cheap" | "costly";
  /**
   * A store that remembers what it read forgets it, all of it or what lies below `prefix`: what is read from now on is
   * not older than this call. A write by version never needs it; a decision that no such write confirms does.
   */
  refresh?(prefix?: string): void;
  /** How far `now()` may be behind the store's true time, milliseconds; it is never ahead. Absent: not at all. */
  clockErrorMs?(): number;
}

/** Reads every value below `prefix`; keys that vanish in between are left out. */
export async function readAll(store: Store, prefix: string): Promise<StoreEntry[]> {
  const keys = await store.list(prefix);
  const entries = await Promise.all(keys.map(({ key }) => store.get(key)));
  return entries.filter((entry) => entry !== null);
}

/** Attempts before `update` gives up; each failed attempt means another writer succeeded, so this is generous. */
const updateAttempts = 50;

/**
 * Read, change, write if unchanged, again until it holds. `change` gets the current value (null when absent) and
 * returns the next one, or undefined to leave it; it may run several times, so it must be pure.
 */
export async function update<T extends Json>(
  store: Store,
  key: string,
  change: (current: T | null) => T | undefined,
  options?: PutOptions,
): Promise<{ changed: boolean; value: T | null; version: Version | null }> {
  let entry = await store.get(key);
  for (let attempt = 0; attempt < updateAttempts; attempt++) {
    const current = (entry?.value ?? null) as T | null;
    const next = change(current);
    if (next === undefined) return { changed: false, value: current, version: entry?.version ?? null };
    const result = await store.put(key, next, entry ? { ifVersion: entry.version } : { ifAbsent: true }, options);
    if (result.written) return { changed: true, value: next, version: result.version };
    entry = result.current;
  }
  throw new Error(`could not update ${key}: ${updateAttempts} other writers came first; try again`);
}
