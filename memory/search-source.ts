/** What the search index and the watch need of the memory: how the two sides meet. */
import type { MemoryTrust } from "./types.ts";

/** A document as all its revisions have it. */
export interface LoadedDocument {
  document: string;
  /** Null when it was deleted. */
  text: string | null;
  /** Id, author and source of its newest revision. */
  revision: string;
  author: string;
  source: string;
  /** Milliseconds since 1970, by the writer's clock; 0 when nobody knows. */
  at: number;
  /** The lowest of all that is shown. */
  trust: MemoryTrust;
  isConflicted: boolean;
}

export interface DocumentSource {
  /** Every document with revisions or with a file that a person put there; deleted ones are among them. */
  documents(): Promise<string[]>;
  /** Differs after its revisions or its readable file changed. Null when there is neither. One or two quick looks. */
  signature(document: string): Promise<string | null>;
  /** Null when there is neither revision nor file. Makes no view, so that reading everything writes nothing. */
  load(document: string): Promise<LoadedDocument | null>;
}
