/**
 * The hive mind over HTTP, as the gateway answers and the console asks. Every route needs a maintainer's token or session.
 *
 * | Method | Path | Body or query | Answer |
 * | --- | --- | --- | --- |
 * | GET | `/api/memory` | `?deleted=true`: the deleted ones in their place | `MemoryListing` |
 * | GET | `/api/memory/DOCUMENT` | | `MemoryDocumentView`; 404 `unknown_document`; 410 `document_deleted`, or `document_renamed`, whose message names the new one |
 * | GET | `/api/memory-search` | `?q=`, `?limit=` (1 to 50, default 10) | `MemoryMatches` |
 * | GET | `/api/memory-history/DOCUMENT` | `?limit=` (1 to 500, default 100) | `MemoryHistory`, newest first; of deleted documents too |
 * | GET | `/api/memory-revision/DOCUMENT` | `?revision=` | `MemoryRevisionText` |
 * | GET | `/api/memory-difference/DOCUMENT` | `?to=`, `?from=` (default: what `to` was derived from) | `MemoryDifference` |
 * | PUT | `/api/memory/DOCUMENT` | `writeSchema` | `MemoryChange`; 409 `document_exists` for `base: []` where there is one |
 * | POST | `/api/memory-append/DOCUMENT` | `appendSchema` | `MemoryChange` |
 * | POST | `/api/memory-restore/DOCUMENT` | `restoreSchema` | `MemoryChange` |
 * | POST | `/api/memory-rename/DOCUMENT` | `renameSchema` | `MemoryChange` of the new name |
 * | DELETE | `/api/memory/DOCUMENT` | | `MemoryChange` with `document: null` |
 *
 * A refusal is `{ error: { code, message, hint } }` as everywhere; a text with a secret is 422 `secret_refused` and names
 * line and kind, in its message and as fields of the error. A DOCUMENT's slashes stay slashes:
 * `/api/memory/daily/2026-01-31.md`.
 */
import { z } from "zod";
import type { MemoryTrust } from "../memory/index.ts";

/** Above a document's limit, so that the memory itself refuses what is too large and says so in its own words. */
const maxTextCharacters = 2 * 1024 * 1024;
export const revisionSchema = z.string().min(1).max(300);

/**
 * `base`: `shown` of the document that the author had before them; what others wrote meanwhile is merged with it, and
 * both sides of a contradiction are kept and marked. `[]`: a new document. Without it, what is there now is replaced.
 *
 * `vouch`: the maintainer says that the whole text is theirs or was checked by them. Without it, a document that holds
 * text of lower trust keeps that trust.
 */
export const writeSchema = z.strictObject({
  text: z.string().max(maxTextCharacters),
  base: z.array(revisionSchema).max(10_000).optional(),
  vouch: z.boolean().default(false),
});
export const appendSchema = z.strictObject({ text: z.string().min(1).max(maxTextCharacters) });
export const restoreSchema = z.strictObject({ revision: revisionSchema });
export const renameSchema = z.strictObject({ to: z.string().min(1).max(300) });

export interface MemoryListing {
  documents: MemoryListed[];
}

export interface MemoryListed {
  document: string;
  bytes: number;
  /** Milliseconds since 1970 of its last change; 0 where a person put it there and nothing tells when. */
  at: number;
  trust: MemoryTrust;
  isConflicted: boolean;
}

export interface MemoryDocumentView {
  document: string;
  text: string;
  /** The newest revision that the text shows. */
  revision: string;
  author: string;
  trust: MemoryTrust;
  /** Every revision that the text shows and that no other one covers: the `base` of a write. */
  shown: string[];
  /** The text holds contradicting passages between `<!-- conflict: … -->` and `<!-- end of conflict -->`. */
  isConflicted: boolean;
  /** Something a person should know, such as a change by hand that was not taken in because it holds a secret. */
  notice?: string;
}

export interface MemoryMatches {
  matches: MemoryMatchView[];
}

export interface MemoryMatchView {
  document: string;
  snippet: string;
  line: number;
  score: number;
  trust: MemoryTrust;
  author: string;
  source: string;
  revision: string;
}

export interface MemoryHistory {
  document: string;
  /** The document exists now. */
  exists: boolean;
  /** Newest first. */
  revisions: MemoryRevisionView[];
  /** How many there are in all. */
  total: number;
}

export interface MemoryRevisionView {
  revision: string;
  document: string;
  kind: "full" | "append" | "delete";
  parents: string[];
  author: string;
  source: string;
  trust: MemoryTrust;
  /** Milliseconds since 1970 by the writer's clock; 0 for a change by hand. */
  at: number;
  bytes: number;
  /** The name that the document got or had. */
  movedTo?: string;
  movedFrom?: string;
}

export interface MemoryRevisionText {
  document: string;
  revision: string;
  /** Empty for a deletion. */
  text: string;
}

export interface MemoryDifference {
  document: string;
  /** Empty: from nothing. */
  from: string[];
  to: string;
  added: number;
  removed: number;
  /** The texts are too long to be compared line by line: all of the one is removed, all of the other added. */
  isWhole: boolean;
  hunks: MemoryDifferenceHunk[];
}

/** Changed lines with up to three unchanged ones around them. */
export interface MemoryDifferenceHunk {
  /** First line of the hunk in either text, from 1. */
  fromLine: number;
  toLine: number;
  lines: { kind: "same" | "added" | "removed"; text: string }[];
}

export interface MemoryChange {
  written: { document: string; revision: string; author: string; trust: MemoryTrust; source: string };
  /** As it is now: merged with what others wrote meanwhile. Null after a deletion. */
  document: MemoryDocumentView | null;
}
