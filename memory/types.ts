/** The hive mind, as its users see it. What each word means stands in docs/memory-format.md. */

/** Where a text came from, lowest first. */
export type MemoryTrust = "public" | "self" | "maintainer";

/** Who wrote, from what, and how far it can be trusted. */
export interface Provenance {
  author: string;
  /** The channel message, address or file it came from. */
  source: string;
  trust: MemoryTrust;
}

export interface MemoryDocument {
  document: string;
  text: string;
  /** Id of the newest revision in the text. */
  revision: string;
  /** Who wrote that one. */
  author: string;
  /** The lowest of all that is shown. */
  trust: MemoryTrust;
  /** The revisions that the text stands for: give them to `write` as its base. */
  shown: string[];
  /** The text holds the marks of a conflict. */
  isConflicted: boolean;
  /** What a person should know: such as an edit by hand that cannot be taken in, and why. */
  notice?: string;
}

/** What was written: it is on disk when this is returned, whatever happens next. */
export interface MemoryWritten extends Provenance {
  document: string;
  revision: string;
}

export interface MemoryRevision extends Provenance {
  revision: string;
  document: string;
  kind: "full" | "append" | "delete";
  parents: string[];
  lamport: number;
  writer: string;
  /** Milliseconds since 1970, by the writer's clock; 0 for an edit by hand. For display only. */
  at: number;
  bytes: number;
  /** The document that this one was renamed to; on the `delete` that ends it. */
  movedTo?: string;
  /** The document that this one was renamed from; on the `full` that begins it. */
  movedFrom?: string;
}

/** A passage that a search found, with the provenance of the newest revision of its document. */
export interface MemoryMatch {
  document: string;
  /** Text around the match. */
  snippet: string;
  line: number;
  score: number;
  trust: MemoryTrust;
  author: string;
  source: string;
  revision: string;
}

export interface MemoryEntry {
  document: string;
  bytes: number;
  /** When its newest revision was written, by that writer's clock, in milliseconds since 1970. For display only. */
  at: number;
  trust: MemoryTrust;
  isConflicted?: boolean;
  /** Only in `list({ deleted: true })`. */
  isDeleted?: boolean;
}

/** Something in the memory's directory that needs a person. Nothing is lost by it, and nothing else stops. */
export interface MemoryProblem {
  document: string;
  revision?: string;
  problem: string;
  hint: string;
}

export interface Memory {
  /** Where the documents lie. */
  readonly directory: string;
  /** Null when there is no such document. Reading never creates one. */
  read(document: string): Promise<MemoryDocument | null>;
  /**
   * Replaces the whole text. `base` are the revisions that the author had seen (`shown` of a read): only those are
   * replaced, and what others wrote meanwhile is merged. Default: what this handle last gave of the document, else
   * what is there now.
   */
  write(document: string, text: string, provenance: Provenance, options?: { base?: string[] }): Promise<MemoryWritten>;
  /** Adds to the end; never conflicts with another writer's append. */
  append(document: string, text: string, provenance: Provenance): Promise<MemoryWritten>;
  /** Replaces the one occurrence of `before` by `after`; refuses when it occurs never or more than once. */
  edit(document: string, change: { before: string; after: string }, provenance: Provenance): Promise<MemoryWritten>;
  /** Ends the document; its history stays, and `restore` brings any of its texts back. */
  remove(document: string, provenance: Provenance): Promise<MemoryWritten>;
  /** Safe to repeat after a crash. Refuses when the target exists. Returns the first revision of the new name. */
  rename(from: string, to: string, provenance: Provenance): Promise<MemoryWritten>;
  search(query: string, options?: { limit?: number }): Promise<MemoryMatch[]>;
  /** Newest first; also of a deleted document. */
  history(document: string): Promise<MemoryRevision[]>;
  /** Writes a new revision with the text that the document had at `revision`. */
  restore(document: string, revision: string, provenance: Provenance): Promise<MemoryWritten>;
  /**
   * The text that the document had at a revision, or at several together (the parents of one); null when there was none,
   * or when one is unknown.
   */
  textAt(document: string, revision: string | readonly string[]): Promise<string | null>;
  /** Sorted by name. With `deleted`, those that were deleted too. */
  list(options?: { deleted?: boolean }): Promise<MemoryEntry[]>;
  watch(onChange: (document: string) => void): () => void;
  /** All that is damaged, lost, or cannot be taken in. Empty when all is well. */
  check(): Promise<MemoryProblem[]>;
  /** Brings all views up to date and lets go of everything. */
  close(): Promise<void>;
}
