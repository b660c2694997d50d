/** What is done for the memory again and again, by one host at a time; doing it on several at once does no harm. */
import { withDailyNotes } from "./daily-notes.ts";
import type { Memory, MemoryEntry, MemoryWritten } from "./types.ts";

const indexDocument = "index.md";
const author = "upkeep";
const linkSource = "links to daily notes";

/** A document whose text is put together from more revisions is read in one step again after they are one. */
const mostShown = 64;

/** Documents that one call of `foldLong` looks at; the next call goes on with the others. */
const mostLookedAt = 500;

/**
 * Links the newest daily notes from `index.md`, which keeps its trust: nothing but dates is added. Returns what was
 * written, or null where nothing was to do.
 */
export async function linkDailyNotes(memory: Memory, entries: readonly MemoryEntry[]): Promise<MemoryWritten | null> {
  const found = await memory.read(indexDocument);
  // What two people contradict each other about is theirs to settle first.
  if (found === null || found.isConflicted) return null;
  const documents = entries.filter(({ isDeleted }) => !isDeleted).map(({ document }) => document);
  const change = { documents, isRefused: false };
  if (withDailyNotes(found.text, change) === null) return null;
  const history = await memory.history(indexDocument);
  const isRefused = history.some((revision) => revision.author === author && revision.source === linkSource);
  const text = withDailyNotes(found.text, { documents, isRefused });
  if (text === null) return null;
  const provenance = { author, source: linkSource, trust: found.trust };
  return memory.write(indexDocument, text, provenance, { base: found.shown });
}

export interface LongFolder {
  /** Returns the documents that were folded. Those that did not change since they were looked at are not read again. */
  fold(entries: readonly MemoryEntry[]): Promise<string[]>;
}

/** Makes one full revision of documents that are put together from many, with the trust they have. */
export function createLongFolder(memory: Memory): LongFolder {
  const seen = new Map<string, string>();
  return {
    async fold(entries) {
      const folded: string[] = [];
      let looked = 0;
      for (const { document, at, bytes, isDeleted } of entries) {
        const state = `${at}/${bytes}`;
        if (isDeleted || seen.get(document) === state) continue;
        if (looked++ >= mostLookedAt) break;
        const found = await memory.read(document);
        if (found !== null && found.shown.length > mostShown) {
          const provenance = { author, source: `${found.shown.length} revisions folded`, trust: found.trust };
          await memory.write(document, found.text, provenance, { base: found.shown });
          folded.push(document);
        } else seen.set(document, state);
      }
      return folded;
    },
  };
}
