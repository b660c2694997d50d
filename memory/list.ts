/** Which documents exist: those with revisions, and files that a person put there. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { documentNameProblem } from "./documents.ts";
import { isMissing } from "./files.ts";

/** Names of all documents, sorted; a deleted one is among them. */
export async function findDocuments(directory: string): Promise<string[]> {
  const found = new Set<string>();
  await walk(directory, "", async (name, entry) => {
    if (entry === "file" && documentNameProblem(name) === null) found.add(name);
    return entry === "directory";
  });
  await walk(join(directory, ".hive"), "", async (name, entry) => {
    if (entry !== "directory") return false;
    if (!name.endsWith(".md")) return true;
    if (documentNameProblem(name) === null) found.add(name);
    return false;
  });
  return [...found].sort();
}

/** Calls `visit` for each entry; it says whether to go into a directory. Hidden entries are left out. */
async function walk(
  root: string,
  prefix: string,
  visit: (name: string, entry: "file" | "directory") => Promise<boolean>,
): Promise<void> {
  const entries = await readdir(join(root, prefix), { withFileTypes: true }).catch((error) => {
    if (isMissing(error)) return [];
    throw error;
  });
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const name = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
    const kind = entry.isDirectory() ? "directory" : entry.isFile() ? "file" : null;
    if (kind !== null && (await visit(name, kind)) && kind === "directory") await walk(root, name, visit);
  }
}
