/**
 * Tells which documents may have changed: at once what happens on this host (inotify), and by looking at everything
 * from time to time what other hosts did over NFS, of which no event comes.
 */
import { dirname, join } from "node:path";
import { documentNameProblem } from "./documents.ts";
import { mapBounded } from "./parallel.ts";
import type { DocumentSource } from "./search-source.ts";
import { type FolderWatch, watchFolders } from "./watch-folders.ts";

export interface ChangeFeed {
  /** Calls with each document that may have changed, each once for many changes at a time; ends by what it returns. */
  subscribe(onChange: (document: string) => void): () => void;
  /** Looks at everything, beginning after this call: each document's signature. */
  sweep(): Promise<Map<string, string>>;
  /** Ends all watching, and waits for a look that is under way. */
  close(): Promise<void>;
}

export interface ChangeFeedOptions {
  directory: string;
  source: Pick<DocumentSource, "documents" | "signature">;
  /** How often everything is looked at; default 60,000. */
  sweepMs?: number;
  /** How folders of this host are watched; default by inotify. */
  openFolders?: () => FolderWatch;
}

const defaultSweepMs = 60_000;
/** Where this host gives no events, other processes are met by looking sooner. */
const unwatchedSweepMs = 2_000;
/** Looking takes at most this share of the time, however large the memory is. */
const restPerSweep = 20;
/** Many changes at once are told once. */
const quietMs = 50;
/** Documents whose revisions are watched too, those that changed last; of the others the readable file tells. */
const mostWatchedDocuments = 256;
/** New folders that appear while the watches are armed; more rounds mean a storm, and the next look comes anyway. */
const mostRounds = 5;

/** The readable files, and the revisions. */
const sides = ["", ".hive"] as const;
type Side = (typeof sides)[number];

/** Nothing is watched or read before the first subscription or sweep; the directory need not be there yet. */
export function openChangeFeed(options: ChangeFeedOptions): ChangeFeed {
  const { directory, source, sweepMs = defaultSweepMs, openFolders = watchFolders } = options;
  const subscribers = new Set<(document: string) => void>();
  const changed = new Set<string>();
  const hot = new Set<string>();
  let folders: FolderWatch | null = null;
  let signatures: Map<string, string> | null = null;
  /** What had changed at the last look: a second change within one tick of the server's clock has the same signature. */
  let lastChanged = new Set<string>();
  let running: Promise<Map<string, string>> | null = null;
  let following: Promise<Map<string, string>> | null = null;
  let nextSweep: { timer: NodeJS.Timeout; at: number } | null = null;
  let quiet: NodeJS.Timeout | null = null;
  let isWatched = false;
  let isClosed = false;

  function tell(document: string): void {
    if (subscribers.size === 0) return;
    changed.add(document);
    quiet ??= setTimeout(flush, quietMs).unref();
  }

  function flush(): void {
    quiet = null;
    const documents = [...changed];
    changed.clear();
    for (const document of documents) for (const onChange of [...subscribers]) onChange(document);
  }

  function onEntry(folder: string, side: Side, name: string | null): void {
    if (isClosed) return;
    const path = name === null ? null : join(folder, name);
    if (path !== null && documentNameProblem(path) === null) {
      tell(path);
      if (side === ".hive") void watchDocument(path);
      return;
    }
    // A folder came or went, or nobody knows what: it is found by looking. Other hidden names are no documents.
    const isFolder = name === null || !name.includes(".") || (name === ".hive" && folder === "" && side === "");
    if (isFolder) schedule(quietMs);
  }

  /** Watches the revisions of a document that has just changed; the one that rested longest gives its watch up. */
  async function watchDocument(document: string): Promise<void> {
    const pathOf = (one: string): string => join(directory, ".hive", one);
    hot.delete(document);
    hot.add(document);
    for (const oldest of hot) {
      if (hot.size <= mostWatchedDocuments) break;
      hot.delete(oldest);
      folders?.remove(pathOf(oldest));
    }
    const result = await folders?.add(pathOf(document), (name) => {
      if (name === null || !name.startsWith(".")) tell(document);
    });
    // What came before the watch was there.
    if (result === "added") tell(document);
    if (!hot.has(document)) folders?.remove(pathOf(document));
  }

  /** All documents, with every folder that they lie in watched before they were listed. */
  async function listWatched(): Promise<string[]> {
    await folders?.prune();
    for (let round = 1; ; round++) {
      const documents = await source.documents();
      if (!folders || isClosed) return documents;
      let added = 0;
      isWatched = true;
      for (const folder of foldersOf(documents)) {
        for (const side of sides) {
          const path = join(directory, side, folder);
          const result = await folders.add(path, (name) => onEntry(folder, side, name));
          added += Number(result === "added");
          // A memory that is not there yet may be made anywhere.
          isWatched &&= result !== "refused" && !(result === "absent" && folder === "" && side === "");
        }
      }
      if (added === 0 || round >= mostRounds) return documents;
    }
  }

  async function look(): Promise<Map<string, string>> {
    const documents = await listWatched();
    const found = new Map<string, string>();
    const failed = new Set<string>();
    await mapBounded(documents, async (document) => {
      if (isClosed) return;
      try {
        const signature = await source.signature(document);
        if (signature !== null) found.set(document, signature);
      } catch {
        // Not known is not gone: it counts as unchanged until it can be seen again.
        failed.add(document);
      }
    });
    for (const document of failed) {
      const before = signatures?.get(document);
      if (before !== undefined) found.set(document, before);
    }
    const before = signatures;
    signatures = found;
    if (before === null || isClosed) return found;
    const different = new Set<string>();
    for (const [document, signature] of found) if (before.get(document) !== signature) different.add(document);
    for (const document of before.keys()) if (!found.has(document)) different.add(document);
    for (const document of new Set([...different, ...lastChanged])) tell(document);
    lastChanged = different;
    return found;
  }

  function start(): Promise<Map<string, string>> {
    if (nextSweep) clearTimeout(nextSweep.timer);
    nextSweep = null;
    running = (async () => {
      const started = performance.now();
      try {
        return await look();
      } finally {
        running = null;
        const tookMs = performance.now() - started;
        schedule(Math.max(isWatched ? sweepMs : Math.min(sweepMs, unwatchedSweepMs), tookMs * restPerSweep));
      }
    })();
    return running;
  }

  /** A look under way may have passed what has just changed, so another one follows it. */
  function sweep(): Promise<Map<string, string>> {
    if (running === null) return start();
    following ??= running
      .catch(() => undefined)
      .then(() => {
        following = null;
        return running ?? start();
      });
    return following;
  }

  /** The next look, at the latest in so many milliseconds; none while nobody listens. */
  function schedule(inMs: number): void {
    if (isClosed || subscribers.size === 0) return;
    const at = performance.now() + inMs;
    if (nextSweep && nextSweep.at <= at) return;
    if (nextSweep) clearTimeout(nextSweep.timer);
    const timer = setTimeout(() => {
      nextSweep = null;
      sweep().catch(() => undefined);
    }, inMs).unref();
    nextSweep = { timer, at };
  }

  function stop(): void {
    folders?.close();
    folders = null;
    signatures = null;
    hot.clear();
    changed.clear();
    if (nextSweep) clearTimeout(nextSweep.timer);
    if (quiet) clearTimeout(quiet);
    nextSweep = null;
    quiet = null;
  }

  return {
    subscribe(onChange) {
      // One entry for each subscription, though the function be the same.
      const subscriber = (document: string) => onChange(document);
      subscribers.add(subscriber);
      if (folders === null) {
        folders = openFolders();
        for (const side of sides) folders.addNow(join(directory, side), (name) => onEntry("", side, name));
        schedule(0);
      }
      return () => {
        subscribers.delete(subscriber);
        if (subscribers.size === 0) stop();
      };
    },
    sweep,
    async close() {
      isClosed = true;
      subscribers.clear();
      stop();
      await running?.catch(() => undefined);
    },
  };
}

/** The folders that documents lie in, the outermost (`""`) among them. */
function foldersOf(documents: string[]): Set<string> {
  const folders = new Set<string>([""]);
  for (const document of documents) {
    for (let folder = dirname(document); folder !== "."; folder = dirname(folder)) {
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  }
  return folders;
}
