/** File steps that survive a crash at any point. */
import { randomBytes } from "node:crypto";
import { open, readFile, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Prefix of files that a crash may leave behind; readers never look at them. */
export const temporaryPrefix = ".tmp-";

/** Puts a file in place as a whole: temporary file, fsync, rename, fsync of the directory. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `${temporaryPrefix}${process.pid}-${randomBytes(6).toString("hex")}`);
  const file = await open(temporary, "wx", 0o644);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await rename(temporary, path);
  } catch (cause) {
    // Over NFS a repeated rename may report failure after it succeeded, so the content decides.
    if ((await readFile(path, "utf8").catch(() => null)) !== text) {
      await unlink(temporary).catch(() => undefined);
      throw new Error(`cannot put ${basename(path)} in place: ${(cause as Error).message}`, { cause });
    }
  }
  await syncDirectory(directory);
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Null when there is no such file. */
export async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ENOTDIR";
}
