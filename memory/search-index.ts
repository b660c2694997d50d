/**
 * Search and list over an index that is brought up to date before each answer: at first by each document's signature,
 * so that nothing is read that has not changed, and then by what the watch and this process's own writes name.
 */
import { setTimeout as delay } from "node:timers/promises";
import { mapBounded } from "./parallel.ts";
import { type CandidateFinder, createCandidateFinder } from "./search-candidates.ts";
import { findMatches } from "./search-matches.ts";
import { parseQuery } from "./search-query.ts";
import type { DocumentSource } from "./search-source.ts";
import { type IndexChange, type IndexStore, isDamaged, openIndexStore, removeIndex } from "./search-store.ts";
import type { MemoryEntry, MemoryMatch } from "./types.ts";
import type { ChangeFeed } from "./watch.ts";

export interface MemoryIndex {
  /** Best first. Never throws for what is in the query. */
  search(query: string, limit: number): Promise<MemoryMatch[]>;
  list(options?: { deleted?: boolean }): Promise<MemoryEntry[]>;
  /** The document was written by this process: the next search reads it again. */
  changed(document: string): void;
  close(): Promise<void>;
}

export interface MemoryIndexOptions {
  /** Local directory of the index, for one or several processes; null keeps it in this process's memory. */
  directory: string | null;
  source: DocumentSource;
  feed: ChangeFeed;
}

/** Documents that are put in at a time: others of this process wait so long and no longer. */
const batchSize = 50;
/** Longer than a tick of a file server's clock: what changes after it has another signature than what was seen. */
const settleMs = 20;
/** A document that was read too soon after its change to trust its signature; it is read once more at the next open. */
const unsettled = "";
const mostMatches = 1_000;
/** What could not be read is tried again at most this often: over NFS it may have been a moment's trouble. */
const retryMs = 1_000;

const mostRepairs = 2;

interface Opened {
  store: IndexStore;
  finder: CandidateFinder;
}

/** Opens nothing before the first search or list. */
export function openMemoryIndex({ directory, source, feed }: MemoryIndexOptions): MemoryIndex {
  let opened: Opened | null = null;
  let where = directory;
  let isCaughtUp = false;
  let unsubscribe: (() => void) | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  let dirty = new Set<string>();
  const unreadable = new Set<string>();
  let triedAt = 0;

  async function open(at: string | null): Promise<Opened> {
    const store = await openIndexStore(at);
    return { store, finder: createCandidateFinder(store.database) };
  }

  async function ensureOpen(): Promise<Opened> {
    // A cache that cannot be written (a full or read-only disk) shall not keep anyone from searching.
    opened ??= await open(where).catch(() => open(null));
    return opened;
  }

  function letGo(): void {
    try {
      opened?.store.close();
    } catch {
      // A damaged database may not even close.
    }
    opened = null;
    isCaughtUp = false;
  }

  /** Reads documents and puts them into the index as they come. */
  async function refresh(documents: string[], signatureOf: (document: string) => string): Promise<void> {
    const { store, finder } = await ensureOpen();
    let waiting: IndexChange[] = [];
    let failure: unknown = null;
    const put = () => {
      const batch = waiting;
      waiting = [];
      store.put(batch);
      finder.changed(batch.length);
    };
    await mapBounded(documents, async (document) => {
      if (failure !== null) return;
      try {
        const loaded = await source.load(document);
        waiting.push({ document, signature: signatureOf(document), loaded });
      } catch {
        // It cannot be read now (`check` says why); what the index has of it stays.
        unreadable.add(document);
      }
      try {
        if (waiting.length >= batchSize) put();
      } catch (error) {
        failure = error;
      }
    });
    try {
      if (failure !== null) throw failure;
      put();
      store.commit();
    } catch (error) {
      store.rollback();
      throw error;
    }
  }

  async function catchUp(): Promise<void> {
    unsubscribe ??= feed.subscribe((document) => dirty.add(document));
    const { store } = await ensureOpen();
    const found = await feed.sweep();
    const stored = store.signatures();
    const different = [...found].filter(([document, signature]) => stored.get(document) !== signature);
    const gone = [...stored.keys()].filter((document) => !found.has(document));
    if (different.length > 0) await delay(settleMs);
    // What a listing does not show is looked for by name before it is forgotten.
    const documents = [...different.map(([document]) => document), ...gone];
    await refresh(documents, (document) => found.get(document) ?? unsettled);
    store.tidy();
    isCaughtUp = true;
  }

  async function bringUpToDate(): Promise<void> {
    if (!isCaughtUp) await catchUp();
    if (unreadable.size > 0 && performance.now() - triedAt > retryMs) {
      for (const document of unreadable) dirty.add(document);
      unreadable.clear();
      triedAt = performance.now();
    }
    if (dirty.size === 0) return;
    const documents = dirty;
    dirty = new Set();
    try {
      await refresh([...documents], () => unsettled);
    } catch (error) {
      for (const document of documents) dirty.add(document);
      throw error;
    }
  }

  /**
   * One at a time: a second search waits for what the first one brings in. A damaged index is built anew, and one that
   * the disk has no room for goes on in memory.
   */
  function answer<T>(work: (index: Opened) => T): Promise<T> {
    const result = turn.then(async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          await bringUpToDate();
          return work(await ensureOpen());
        } catch (error) {
          const path = opened?.store.path ?? null;
          if (attempt > mostRepairs || path === null) throw error;
          letGo();
          if (isDamaged(error)) removeIndex(path);
          else where = null;
        }
      }
    });
    turn = result.catch(() => undefined);
    return result;
  }

  return {
    search(query, limit) {
      const words = parseQuery(query);
      if (words.length === 0) return Promise.resolve([]);
      const wanted = Math.max(1, Math.min(mostMatches, Math.floor(limit)));
      return answer(({ store, finder }) => findMatches(store.database, finder, { query, words, limit: wanted }));
    },
    list: (options = {}) => answer(({ store }) => store.list(options)),
    changed(document) {
      dirty.add(document);
    },
    async close() {
      unsubscribe?.();
      unsubscribe = null;
      await turn;
      letGo();
    },
  };
}
