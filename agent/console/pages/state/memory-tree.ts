/** Documents as folders, and those that a filter leaves. */
import type { MemoryListed } from "../../../memory-api.ts";

export interface Folder {
  /** The whole path, such as `github/openclaw`; empty: the top. */
  path: string;
  name: string;
  folders: Folder[];
  documents: MemoryListed[];
}

export function treeOf(documents: MemoryListed[]): Folder {
  const top: Folder = { path: "", name: "", folders: [], documents: [] };
  const known = new Map<string, Folder>([["", top]]);
  const folderAt = (path: string): Folder => {
    const found = known.get(path);
    if (found) return found;
    const cut = path.lastIndexOf("/");
    const folder: Folder = { path, name: path.slice(cut + 1), folders: [], documents: [] };
    folderAt(path.slice(0, Math.max(0, cut))).folders.push(folder);
    known.set(path, folder);
    return folder;
  };
  for (const listed of [...documents].sort(byName)) folderAt(folderOf(listed.document)).documents.push(listed);
  for (const folder of known.values()) folder.folders.sort((a, b) => a.name.localeCompare(b.name));
  return top;
}

/** Every word of the filter occurs in the name. */
export function matching(documents: MemoryListed[], filter: string): MemoryListed[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ document }: MemoryListed): boolean => words.every((word) => document.toLowerCase().includes(word));
  return documents.filter(fits).sort(byName);
}

export function amountIn({ folders, documents }: Folder): number {
  return folders.reduce((sum, folder) => sum + amountIn(folder), documents.length);
}

export function folderOf(document: string): string {
  return document.slice(0, Math.max(0, document.lastIndexOf("/")));
}

export function nameOf(document: string): string {
  return document.slice(document.lastIndexOf("/") + 1);
}

const day = /^\d{4}-\d{2}-\d{2}/;

/** By name; notes of days begin with the newest. */
function byName(a: MemoryListed, b: MemoryListed): number {
  const [left, right] = [nameOf(a.document), nameOf(b.document)];
  if (day.test(left) && day.test(right)) return right.localeCompare(left);
  return left.localeCompare(right);
}
