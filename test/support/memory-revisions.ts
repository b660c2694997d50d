/** Revision files made by hand, for tests of what follows from them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type MemoryOptions, openMemory, type Provenance } from "../../memory/index.ts";
import { encodeRevision, type NewRevision } from "../../memory/revisions.ts";
import type { Memory } from "../../memory/types.ts";
import { temporaryDirectory } from "./temporary.ts";

export const ada: Provenance = { author: "Ada", source: "test", trust: "maintainer" };

/** A memory of its own, or another handle on one. */
export function openTestMemory(options: Partial<MemoryOptions> = {}): { directory: string; memory: Memory } {
  const directory = options.directory ?? join(temporaryDirectory(), "memory");
  return { directory, memory: openMemory({ writer: "one", ...options, directory }) };
}

/** A revision of x.md, all of whose parts have a default; its number is above those of its parents. */
export function newRevision(part: Partial<NewRevision>): NewRevision {
  const lamport = 1 + Math.max(0, ...(part.parents ?? []).map((parent) => Number(parent.slice(0, 10))));
  const rest = { author: "Ada", source: "test", trust: "maintainer", at: 1_769_817_600_000, nonce: "" } as const;
  return { document: "x.md", kind: "full", text: "", parents: [], lamport, writer: "one", ...rest, ...part };
}

/** Puts a revision's file where a host would have put it. Returns its id. */
export function place(directory: string, part: Partial<NewRevision>): string {
  const content = newRevision(part);
  const { revision, file } = encodeRevision(content);
  const folder = join(directory, ".hive", content.document);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${revision}.md`), file);
  return revision;
}
