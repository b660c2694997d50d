/** A commit's files: their listing, what it hashes to, and whether a directory holds exactly them. */
import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join, posix } from "node:path";
import { ToolError } from "../../errors.ts";
import { sha256 } from "../../json.ts";
import { isMissing } from "./files.ts";

export interface TreeEntry {
  mode: "100644" | "100755" | "120000";
  /** Git's id of the content. */
  blob: string;
  path: string;
}

/** Files read at the same time: enough to keep a disk busy, few enough to keep memory small. */
const readsAtOnce = 32;

/** Reads `git ls-tree -r -z`. Throws ToolError where a commit holds what an image cannot. */
export function parseListing(text: string, commit: string): TreeEntry[] {
  return text
    .split("\0")
    .filter((line) => line !== "")
    .map((line) => {
      const match = /^([0-9]{6}) [a-z]+ ([0-9a-f]{40})\t([\s\S]+)$/.exec(line);
      const [, mode, blob, path] = match ?? [];
      if (!mode || !blob || !path) throw unusable(commit, line, "git lists it in an unknown way");
      if (mode !== "100644" && mode !== "100755" && mode !== "120000") {
        throw unusable(commit, path, "it is a submodule, which an image cannot hold");
      }
      const problem = pathProblem(path);
      if (problem) throw unusable(commit, path, problem);
      return { mode, blob, path };
    });
}

function pathProblem(path: string): string | null {
  if (path.includes("\uFFFD")) return "its name is not UTF-8";
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.toLowerCase() === ".git")) {
    return "its path leads elsewhere";
  }
  return parts[0] === "node_modules" ? "dependencies are installed, not committed" : null;
}

function unusable(commit: string, path: string, why: string): ToolError {
  return new ToolError(`commit ${commit.slice(0, 12)} cannot become an image: ${JSON.stringify(path)}: ${why}`, {
    code: "commit_unusable",
    hint: "change that in the program's repository and commit it",
  });
}

/** What the digest is taken over: the files and the platform. The lock file is one of the files. */
export function canonicalListing(entries: TreeEntry[], platform = `${process.platform}-${process.arch}`): string {
  const lines = entries.map((entry) => `${entry.mode} blob ${entry.blob}\t${entry.path}\0`);
  return `clawdinator image 1\n${platform}\n${lines.join("")}`;
}

export function imageIdentity(listing: string): { id: string; digest: string } {
  const digest = sha256(listing);
  return { id: `local-${digest.slice(0, 16)}`, digest };
}

/** The entries of a text that `canonicalListing` made. */
export function entriesOfListing(listing: string): TreeEntry[] {
  return parseListing(listing.slice(listing.indexOf("\n", listing.indexOf("\n") + 1) + 1), "of the image");
}

export type Verification = { ok: true; bytes: number } | { ok: false; problem: string };

/**
 * Compares every file below `directory` with the entries, by content. `node_modules` at the top is not looked at.
 * A symbolic link that leads out of the tree is a problem even when the commit has it.
 */
export async function verifyTree(directory: string, entries: TreeEntry[]): Promise<Verification> {
  const expected = new Set(entries.map((entry) => entry.path));
  const extra = (await filesBelow(directory, "")).find((path) => !expected.has(path));
  if (extra !== undefined) return { ok: false, problem: `${extra} does not belong to it` };
  let bytes = 0;
  for (let start = 0; start < entries.length; start += readsAtOnce) {
    const results = await Promise.all(
      entries.slice(start, start + readsAtOnce).map((entry) => verifyEntry(directory, entry)),
    );
    for (const result of results) {
      if (!result.ok) return result;
      bytes += result.bytes;
    }
  }
  return { ok: true, bytes };
}

async function verifyEntry(directory: string, entry: TreeEntry): Promise<Verification> {
  const path = join(directory, entry.path);
  const problem = (text: string): Verification => ({ ok: false, problem: `${entry.path} ${text}` });
  try {
    const stat = await lstat(path);
    if (modeOf(stat) !== entry.mode) return problem("has another type or mode");
    const content = entry.mode === "120000" ? await readlink(path, { encoding: "buffer" }) : await readFile(path);
    const hash = createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
    if (hash !== entry.blob) return problem("has other content");
    if (entry.mode === "120000" && leadsOutside(entry.path, content.toString("utf8"))) {
      return problem("is a link that leads out of the tree");
    }
    return { ok: true, bytes: content.length };
  } catch (error) {
    if (isMissing(error)) return problem("is missing");
    throw error;
  }
}

function modeOf(stat: Stats): string {
  if (stat.isSymbolicLink()) return "120000";
  if (!stat.isFile()) return "other";
  return (stat.mode & 0o100) === 0 ? "100644" : "100755";
}

function leadsOutside(path: string, target: string): boolean {
  if (target === "" || posix.isAbsolute(target)) return true;
  // `..` after a name could step out of a directory that is itself a link, so it is only accepted at the front.
  const downwards = target.replace(/^(\.\.?\/)*/, "").split("/");
  if (downwards.length > 1 && downwards.includes("..")) return true;
  const reached = posix.normalize(posix.join(posix.dirname(path), target));
  return reached === ".." || reached.startsWith("../");
}

async function filesBelow(directory: string, prefix: string): Promise<string[]> {
  const children = await readdir(join(directory, prefix), { withFileTypes: true });
  const nested = await Promise.all(
    children
      .filter((child) => prefix !== "" || child.name !== "node_modules")
      .map((child) => {
        const path = prefix === "" ? child.name : `${prefix}/${child.name}`;
        return child.isDirectory() ? filesBelow(directory, path) : [path];
      }),
  );
  return nested.flat();
}
