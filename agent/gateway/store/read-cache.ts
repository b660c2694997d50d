/**
 * A store that answers reads from memory while nobody else has changed anything, for stores that charge for each look.
 *
 * What was read holds until another process tells of a change, this process writes, somebody asks for a `refresh`, or
 * it is older than a bound (for writers that died before they could tell, and for quiet writes). After that a listing
 * confirms by their versions all values below its prefix that have not changed, so they need not be read again.
 *
 * Every write goes to the store itself, with its condition, so an old read can make a compare-and-swap fail and cannot
 * make it succeed. Decisions that end in no such write call `refresh` first.
 */
import type { Json } from "../../../tools/json.ts";
import type { Store, StoreEntry } from "../../../tools/store.ts";
import { compareBytewise } from "./s3-keys.ts";

/** Reading one key costs a twelfth of a listing, and so may be done more often. */
const valueBoundMs = 300_000;
const listBoundMs = 900_000;

/** Beyond this the longest untouched values are forgotten. */
const longest = 20_000;

interface CachedValue {
  /** JSON text, so that nobody changes what others read; null: the key is absent. */
  state: { text: string; version: string } | null;
  /** Monotonic time at which it surely held; -Infinity when it must be confirmed. */
  at: number;
}

interface CachedList {
  entries: Map<string, string>;
  at: number;
}

/** All of this process's writes go through the cache: it hears only of the others'. */
export function createReadCache(
  store: Store & { watchOthers(onChange: () => void): () => void },
  options: { monotonic?: () => number } = {},
): Store {
  const monotonic = options.monotonic ?? (() => performance.now());
  const values = new Map<string, CachedValue>();
  const lists = new Map<string, CachedList>();
  const writing = new Map<string, number>();
  const listeners = new Set<() => void>();
  /** Rises with all that may make an answer under way an old one. */
  let changes = 0;

  const forget = (prefix = ""): void => {
    changes++;
    for (const [key, value] of values) if (key.startsWith(prefix)) value.at = Number.NEGATIVE_INFINITY;
    for (const below of lists.keys()) {
      if (below.startsWith(prefix) || prefix.startsWith(below)) lists.delete(below);
    }
  };
  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  const stopWatching = store.watchOthers(() => {
    forget();
    tell();
  });

  const keep = (key: string, state: CachedValue["state"], at: number): void => {
    values.delete(key);
    values.set(key, { state, at });
    if (values.size > longest) values.delete(values.keys().next().value ?? key);
  };

  const entryOf = (key: string, state: CachedValue["state"]): StoreEntry | null =>
    state === null ? null : { key, value: JSON.parse(state.text) as Json, version: state.version };

  const stateOf = (entry: StoreEntry | null): CachedValue["state"] =>
    entry === null ? null : { text: JSON.stringify(entry.value), version: entry.version };

  const listedFrom = ({ entries }: CachedList): { key: string; version: string }[] =>
    [...entries].map(([key, version]) => ({ key, version }));

  /** The key is now in that state, in what was read of it and in each list that would hold it. */
  const take = (key: string, state: CachedValue["state"], at: number): void => {
    keep(key, state, at);
    for (const [prefix, list] of lists) {
      if (!key.startsWith(prefix)) continue;
      if (state === null) list.entries.delete(key);
      else if (list.entries.has(key)) list.entries.set(key, state.version);
      else list.entries = inserted(list.entries, key, state.version);
    }
  };

  /** Runs a write of `key`; `read` says which state it left, if any is known. An error leaves open what it did. */
  const write = async <T>(
    key: string,
    work: () => Promise<T>,
    read: (result: T) => { isDone: boolean; state?: CachedValue["state"] },
  ): Promise<T> => {
    changes++;
    writing.set(key, (writing.get(key) ?? 0) + 1);
    const at = monotonic();
    let outcome: { isDone: boolean; state?: CachedValue["state"] } = { isDone: true };
    try {
      const result = await work();
      outcome = read(result);
      return result;
    } finally {
      changes++;
      const others = (writing.get(key) ?? 1) - 1;
      if (others > 0) writing.set(key, others);
      else writing.delete(key);
      // Of two writes at once nobody knows here which came last.
      if (outcome.state !== undefined && others === 0) take(key, outcome.state, at);
      else forget(key);
      if (outcome.isDone) tell();
    }
  };

  return {
    ...(store.listing ? { listing: store.listing } : {}),
    ...(store.clockErrorMs ? { clockErrorMs: () => store.clockErrorMs?.() ?? 0 } : {}),

    async get(key) {
      const cached = values.get(key);
      const at = monotonic();
      if (cached && at - cached.at < valueBoundMs) return entryOf(key, cached.state);
      const seen = changes;
      const entry = await store.get(key);
      if (changes === seen) keep(key, stateOf(entry), at);
      return entry;
    },

    async list(prefix) {
      const cached = lists.get(prefix);
      const at = monotonic();
      if (cached && at - cached.at < listBoundMs) return listedFrom(cached);
      const seen = changes;
      const listed = await store.list(prefix);
      if (changes === seen) {
        lists.set(prefix, { entries: new Map(listed.map(({ key, version }) => [key, version])), at });
        for (const { key, version } of listed) {
          const value = values.get(key);
          if (value?.state?.version === version) value.at = at;
        }
      }
      return listed;
    },

    put: (key, value, condition, putOptions) => {
      const text = JSON.stringify(value);
      return write(
        key,
        () => store.put(key, value, condition, putOptions),
        (result) =>
          result.written
            ? { isDone: true, state: { text, version: result.version } }
            : { isDone: false, state: stateOf(result.current) },
      );
    },

    delete: (key, condition) =>
      write(
        key,
        () => store.delete(key, condition),
        // A delete that found another state says nothing about that state.
        (isDone) => (isDone ? { isDone, state: null } : { isDone }),
      ),

    now: () => store.now(),

    watch(onChange) {
      listeners.add(onChange);
      return () => void listeners.delete(onChange);
    },

    refresh(prefix) {
      forget(prefix);
      store.refresh?.(prefix);
    },

    async close() {
      listeners.clear();
      stopWatching();
      await store.close();
    },
  };
}

/** With one more key, in the contract's order. */
function inserted(entries: Map<string, string>, key: string, version: string): Map<string, string> {
  const next = new Map<string, string>();
  let isIn = false;
  for (const [other, otherVersion] of entries) {
    if (!isIn && compareBytewise(key, other) < 0) {
      next.set(key, version);
      isIn = true;
    }
    next.set(other, otherVersion);
  }
  return isIn ? next : next.set(key, version);
}
