/** The memory over one directory: revisions as the truth, views for people, an index for search. */
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { checkMemory } from "./check.ts";
import { checkDocumentName } from "./documents.ts";
import { MemoryError } from "./errors.ts";
import { type MemoryFiles, realFiles } from "./files.ts";
import { Folders } from "./folders.ts";
import { describeDocument, openReading } from "./reading.ts";
import { openMemoryIndex } from "./search-index.ts";
import { Store } from "./store.ts";
import type { Memory, MemoryProblem, MemoryRevision } from "./types.ts";
import { Views } from "./views.ts";
import { openChangeFeed } from "./watch.ts";
import { openWriting } from "./writing.ts";

export interface MemoryOptions {
  /** The directory that the documents lie in; made when the first document is written. */
  directory: string;
  /** Who writes through this handle, such as the instance's id: letters, digits, `.`, `_` and `-`. */
  writer: string;
  /** Local directory for the search index; without it the index lives in memory. */
  index?: string;
  /** The file steps; default the real ones. */
  files?: MemoryFiles;
  /** How often watchers look for changes that the system did not tell of, in milliseconds. */
  watchSweepMs?: number;
  /** Told of each damaged revision and of each view that could not be renewed, for the log. Must not throw. */
  onProblem?: (problem: MemoryProblem) => void;
}

const defaultMatches = 10;

/** Opens the memory. Nothing is read or written before the first call. Every method throws MemoryError. */
export function openMemory(options: MemoryOptions): Memory {
  const { writer, files = realFiles(), onProblem = () => undefined } = options;
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(writer)) {
    throw new MemoryError(`${JSON.stringify(writer.slice(0, 200))} cannot be a writer's name`, {
      code: "writer_name",
      hint: "use letters, digits, `.`, `_` and `-`",
    });
  }
  const directory = realPathOf(options.directory);
  const folders = new Folders(files, directory);
  const store = new Store({ directory, files, folders, onProblem });
  const views = new Views({ directory, files, folders, store, onProblem });
  const reading = openReading({ directory, files, folders, store, views });
  const sweep = options.watchSweepMs === undefined ? {} : { sweepMs: options.watchSweepMs };
  // Neither touches anything before it is first used.
  const feed = openChangeFeed({ directory, source: reading, ...sweep });
  const index = openMemoryIndex({ directory: options.index ?? null, source: reading, feed });
  const writing = openWriting({ writer, folders, store, views, reading, onWritten: index.changed });

  return {
    directory,
    async read(document) {
      const current = await reading.current(document);
      const { damaged, set } = current.state;
      if (set.size === 0 && damaged.size > 0) {
        // Nothing to show is not the same as nothing there.
        throw new MemoryError(`cannot read ${document}: none of its ${damaged.size} revisions can be used`, {
          code: "revision_unreadable",
          hint: "`memory check` tells why; load a snapshot that holds them",
        });
      }
      writing.gave(document, current.folded);
      return describeDocument(document, current);
    },
    write: writing.write,
    append: writing.append,
    edit: writing.edit,
    remove: writing.remove,
    rename: writing.rename,
    restore: writing.restore,
    search: (query, { limit = defaultMatches } = {}) => index.search(query, limit),
    async history(document) {
      const { state } = await reading.current(document);
      const revisions = [...state.set.values()].map((revision): MemoryRevision => ({ ...revision }));
      return revisions.sort((a, b) => b.lamport - a.lamport || (a.revision < b.revision ? 1 : -1));
    },
    async textAt(document, revision) {
      checkDocumentName(document);
      await folders.checkLinks(document);
      const revisions = typeof revision === "string" ? [revision] : [...revision];
      const state = await store.load(document, revisions);
      const isKnown = revisions.every((one) => state.set.has(one));
      return isKnown ? (await state.folder.foldAt(revisions)).text : null;
    },
    list: (which) => index.list(which),
    watch: (onChange) => feed.subscribe(onChange),
    check: () => checkMemory({ directory, files, store, reading }),
    async close() {
      await writing.end();
      await index.close();
      await feed.close();
      await views.close();
    },
  };
}

/** The memory's own directory may be reached by a link; below it there are none. */
function realPathOf(directory: string): string {
  const path = resolve(directory);
  try {
    return realpathSync(path);
  } catch {
    return path === dirname(path) ? path : join(realPathOf(dirname(path)), basename(path));
  }
}
