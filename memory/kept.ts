/**
 * Files that a new view took the place of. An editor that had the old one open may still save into it, so it is kept
 * under a second name, looked at again a little later, and only then let go.
 *
 * The names lie in `.hive/.kept/` and say which document it was and what it held, so that after a crash the next one to
 * open the memory finds and judges them.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { documentNameProblem } from "./documents.ts";
import { isMissing, type MemoryFiles, steady } from "./files.ts";
import type { Folders } from "./folders.ts";
import { maxRevisionBytes, sha256 } from "./revisions.ts";
import { readView, type View } from "./view.ts";

/** An editor that opened a view saves within this, or opens it anew. */
export const keptMs = 2_000;
const keptPattern = /^(.+)~([0-9a-f]{16}|none)~[0-9a-f]{12}$/;
const digits = 16;

export function keptFolder(directory: string): string {
  return join(directory, ".hive", ".kept");
}

function keptName(document: string, expected: Buffer | null): string {
  const hash = expected === null ? "none" : sha256(expected).slice(0, digits);
  return `${document.replaceAll("/", "~")}~${hash}~${randomBytes(6).toString("hex")}`;
}

export function documentOfKept(name: string): string | null {
  const document = keptPattern.exec(name)?.[1]?.replaceAll("~", "/") ?? "";
  return documentNameProblem(document) === null ? document : null;
}

/** Gives a view a second name. Null when there is no view. */
export async function keep(
  files: MemoryFiles,
  folders: Folders,
  place: { directory: string; document: string; expected: Buffer | null; isMoved: boolean },
): Promise<string | null> {
  const { directory, document, expected, isMoved } = place;
  const name = keptName(document, expected);
  const from = join(directory, document);
  const to = join(keptFolder(directory), name);
  const step = isMoved ? files.rename : files.link;
  const attempt = async (): Promise<string | null> => {
    try {
      await steady(() => step(from, to));
      return name;
    } catch (error) {
      // A repeated step may report failure after it succeeded.
      if (await isThere(files, to)) return name;
      if (isMissing(error) && (await isThere(files, keptFolder(directory)))) return null;
      throw error;
    }
  };
  try {
    return await attempt();
  } catch (error) {
    if (!isMissing(error)) throw error;
    await folders.make(keptFolder(directory));
    return attempt();
  }
}

async function isThere(files: MemoryFiles, path: string): Promise<boolean> {
  return files.status(path).then(
    () => true,
    () => false,
  );
}

/** What a kept file holds now, when that is not what it held when it was replaced; null otherwise. */
export async function lookAtKept(files: MemoryFiles, directory: string, name: string): Promise<View | null> {
  const path = join(keptFolder(directory), name);
  const file = await files.read(path, maxRevisionBytes).catch(() => null);
  if (file !== null && sha256(file).slice(0, digits) === keptPattern.exec(name)?.[2]) return null;
  const view = await readView(files, path);
  return view.state === "absent" || view.state === "rendered" ? null : view;
}

/** Names of all that is kept. */
export async function listKept(files: MemoryFiles, directory: string): Promise<string[]> {
  try {
    const entries = await steady(() => files.list(keptFolder(directory)));
    return entries.map(({ name }) => name).filter((name) => documentOfKept(name) !== null);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
