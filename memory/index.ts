/**
 * The hive mind's library entry. Documents are Markdown files named by a relative path such as `ops.md` or
 * `daily/2026-01-31.md`.
 */

export { MemoryError } from "./errors.ts";
export { type MemoryOptions, openMemory } from "./hive.ts";
export { seedMemory } from "./seed.ts";
export type {
  Memory,
  MemoryDocument,
  MemoryEntry,
  MemoryMatch,
  MemoryProblem,
  MemoryRevision,
  MemoryTrust,
  MemoryWritten,
  Provenance,
} from "./types.ts";
