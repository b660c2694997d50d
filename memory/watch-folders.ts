/**
 * Watches folders of this host by inotify, one watch each. Not the whole tree: a recursive watch takes one for every
 * file, seconds to arm, and all that the system grants to this user's programs.
 */
import { type BigIntStats, type FSWatcher, lstatSync, watch } from "node:fs";
import { lstat } from "node:fs/promises";
import { isMissing } from "./files.ts";

/** `refused`: the system grants no more watches. */
export type FolderWatchResult = "added" | "was watched" | "absent" | "refused";
type OnEntry = (name: string | null) => void;

export interface FolderWatch {
  add(path: string, onEntry: OnEntry): Promise<FolderWatchResult>;
  /** The same before it returns, for the few folders that nothing may be missed in from the first moment. */
  addNow(path: string, onEntry: OnEntry): FolderWatchResult;
  has(path: string): boolean;
  /** Folders that were replaced or went are no longer watched. */
  prune(): Promise<void>;
  remove(path: string): void;
  close(): void;
}

export function watchFolders(): FolderWatch {
  const watched = new Map<string, { watcher: FSWatcher; identity: string }>();
  let isClosed = false;

  function arm(path: string, identity: string | null, onEntry: OnEntry): FolderWatchResult {
    if (watched.has(path)) return "was watched";
    if (identity === null || isClosed) return "absent";
    try {
      const watcher = watch(path, { persistent: false }, (_event, name) => onEntry(name));
      watcher.on("error", () => remove(path));
      watched.set(path, { watcher, identity });
      return "added";
    } catch (error) {
      // ENOSPC and EMFILE: no watch is left. Whoever asked looks for itself instead.
      return isMissing(error) ? "absent" : "refused";
    }
  }

  function remove(path: string): void {
    watched.get(path)?.watcher.close();
    watched.delete(path);
  }

  return {
    async add(path, onEntry) {
      return watched.has(path) ? "was watched" : arm(path, await identityOf(path), onEntry);
    },
    addNow(path, onEntry) {
      const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      return arm(path, found ? identityOfFolder(found) : null, onEntry);
    },
    has: (path) => watched.has(path),
    async prune() {
      for (const [path, { identity }] of watched) if ((await identityOf(path)) !== identity) remove(path);
    },
    remove,
    close() {
      isClosed = true;
      for (const path of [...watched.keys()]) remove(path);
    },
  };
}

/** Null when it is no folder. */
function identityOf(path: string): Promise<string | null> {
  return lstat(path, { bigint: true }).then(identityOfFolder, () => null);
}

/** A new folder may be given the number of one that went, but not its time of birth. */
function identityOfFolder(found: BigIntStats): string | null {
  return found.isDirectory() ? `${found.ino}-${found.birthtimeNs}` : null;
}
