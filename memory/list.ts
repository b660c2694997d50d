/** Which documents exist: those with revisions, and files that a person put there. */
import { join } from "node:path";
import { documentNameProblem } from "./documents.ts";
import { type EntryKind, isMissing, type MemoryFiles, steady } from "./files.ts";

/** Names of all documents, sorted; deleted ones are among them. */
export async function findDocuments(files: MemoryFiles, directory: string): Promise<string[]> {
  const found = new Set<string>();
  const add = (name: string): void => {
    if (documentNameProblem(name) === null) found.add(name);
  };
  await walk(files, directory, "", (name, kind) => {
    if (kind === "file") add(name);
    return kind === "directory";
  });
  await walk(files, join(directory, ".hive"), "", (name, kind) => {
    if (kind !== "directory") return false;
    if (!name.endsWith(".md")) return true;
    add(name);
    return false;
  });
  return [...found].sort();
}

/** Calls `visit` for each entry; it says whether to go into a directory. Hidden entries and links are left out. */
async function walk(
  files: MemoryFiles,
  root: string,
  prefix: string,
  visit: (name: string, kind: EntryKind) => boolean,
): Promise<void> {
  const entries = await steady(() => files.list(join(root, prefix))).catch((error) => {
    if (isMissing(error)) return [];
    throw error;
  });
  for (const entry of entries) {
    if (entry.name.startsWith(".") || entry.kind === "link") continue;
    const name = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
    if (visit(name, entry.kind) && entry.kind === "directory") await walk(files, root, name, visit);
  }
}
