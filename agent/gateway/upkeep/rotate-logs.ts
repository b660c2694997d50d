/**
 * Log files are cut by size: `gateway.log` goes on, `gateway.log.1` is the part before it, and so on. Processes keep their
 * log open for as long as they live, so the file is copied and then emptied rather than renamed: they append.
 */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** Looked at once a minute, so that a file may be somewhat larger when it is cut. */
export const logBytes = 10 * 1024 * 1024;

/** Former parts of each log that stay. */
export const logParts = 5;

const chunkBytes = 1024 * 1024;

/** Cuts each `*.log` in the directory that has grown too large; returns their names. What cannot be cut is left as it is. */
export function rotateLogs(directory: string, limits: { bytes: number; parts: number }): string[] {
  return list(directory)
    .filter((name) => name.endsWith(".log"))
    .filter((name) => {
      try {
        return rotate(join(directory, name), limits);
      } catch {
        // A full disk, most often: the next look tries again.
        rmSync(partOf(join(directory, name), "new"), { force: true });
        return false;
      }
    });
}

function rotate(path: string, { bytes, parts }: { bytes: number; parts: number }): boolean {
  if (statSync(path).size <= bytes) return false;
  const staged = partOf(path, "new");
  rmSync(staged, { force: true });
  const [source, target] = [openSync(path, "r+"), openSync(staged, "wx", 0o600)];
  try {
    // In one go: nothing of this process writes in between, and what others add while it is copied is copied as well.
    let copied = 0;
    const chunk = Buffer.allocUnsafe(chunkBytes);
    const copyRest = (): void => {
      for (let read = 1; read > 0; copied += read) {
        read = readSync(source, chunk, 0, chunk.length, copied);
        writeSync(target, chunk, 0, read);
      }
    };
    copyRest();
    fsyncSync(target);
    for (let part = parts; part > 1; part--) move(partOf(path, part - 1), partOf(path, part));
    renameSync(staged, partOf(path, 1));
    while (fstatSync(source).size > copied) copyRest();
    ftruncateSync(source, 0);
  } finally {
    closeSync(source);
    closeSync(target);
  }
  return true;
}

function partOf(path: string, part: number | "new"): string {
  return `${path}.${part}`;
}

function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
