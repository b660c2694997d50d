/** The hive mind, as its users see it. */

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
  author: string;
  trust: MemoryTrust;
}

export interface MemoryRevision extends Provenance {
  revision: string;
  document: string;
  kind: "full" | "append" | "delete";
  parents: string[];
  lamport: number;
  writer: string;
  /** Milliseconds since 1970, by the writer's clock. For display only. */
  at: number;
  bytes: number;
}

export interface MemoryMatch {
  document: string;
  /** Text around the match. */
  snippet: string;
  line: number;
  score: number;
  trust: MemoryTrust;
}

export interface Memory {
  /** Null when there is no such document. Reading never creates one. */
  read(document: string): Promise<MemoryDocument | null>;
  /** Replaces the whole text. */
  write(document: string, text: string, provenance: Provenance): Promise<MemoryDocument>;
  /** Adds to the end; never conflicts with another writer's append. */
  append(document: string, text: string, provenance: Provenance): Promise<MemoryDocument>;
  /** Replaces the one occurrence of `before` by `after`; refuses when it occurs never or more than once. */
  edit(document: string, change: { before: string; after: string }, provenance: Provenance): Promise<MemoryDocument>;
  search(query: string, options?: { limit?: number }): Promise<MemoryMatch[]>;
  /** Newest first. */
  history(document: string): Promise<MemoryRevision[]>;
  /** Writes a new revision with the text that the document had at `revision`. */
  restore(document: string, revision: string, provenance: Provenance): Promise<MemoryDocument>;
  list(): Promise<{ document: string; bytes: number; at: number }[]>;
  watch(onChange: (document: string) => void): () => void;
  close(): Promise<void>;
}
