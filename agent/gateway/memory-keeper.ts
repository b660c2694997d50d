/** The memory's upkeep, part of the fleet keeper's: links to daily notes, long documents, and a weekly snapshot. */
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Memory, MemoryEntry } from "../../memory/index.ts";
import type { LongFolder } from "../../memory/upkeep.ts";
import { describeError } from "../../tools/errors.ts";
import type { Log } from "../log.ts";

/** A start has better things to do. */
const firstLookMs = 30_000;
const lookEveryMs = 60_000;

const dayMs = 24 * 3600 * 1000;
const snapshotEveryMs = 7 * dayMs;
const keptSnapshots = 4;
const snapshotPattern = /^memory-(\d{4}-\d{2}-\d{2})\.tar\.gz$/;

export interface MemoryKeeper {
  /** Does what is due, one round at a time; resolves when this one has ended, and nobody needs to wait. Never throws. */
  look(): Promise<void>;
  /** Waits until nothing runs any more. */
  stop(): Promise<void>;
}

export function createMemoryKeeper(options: {
  open(): Promise<Memory>;
  directory: string;
  /** Where weekly snapshots are kept; null where something else makes copies. */
  backups: string | null;
  log: Log;
  now?: () => number;
  firstLookMs?: number;
}): MemoryKeeper {
  const { open, log, now = Date.now } = options;
  let nextLook = performance.now() + (options.firstLookMs ?? firstLookMs);
  let running: Promise<void> | null = null;
  let isStopped = false;
  let long: LongFolder | null = null;

  async function keep(): Promise<void> {
    const memory = await open();
    const { createLongFolder, linkDailyNotes } = await import("../../memory/upkeep.ts");
    const entries = await memory.list();
    if (entries.length === 0) return;
    long ??= createLongFolder(memory);
    const folder = long;
    await part("the links to daily notes", async () => {
      const written = await linkDailyNotes(memory, entries);
      if (written) log("info", "the memory's index links the daily notes", { revision: written.revision });
    });
    await part("the folding of long documents", async () => {
      const documents = await folder.fold(entries);
      if (documents.length > 0) log("info", "long documents of the memory were folded", { documents });
    });
    await part("the memory's snapshot", () => snapshot(entries));
  }

  async function snapshot(entries: MemoryEntry[]): Promise<void> {
    const { backups, directory } = options;
    if (backups === null) return;
    await mkdir(backups, { recursive: true, mode: 0o700 });
    const kept = (await readdir(backups)).filter((name) => snapshotPattern.test(name)).sort();
    const last = snapshotPattern.exec(kept.at(-1) ?? "")?.[1];
    if (last !== undefined && now() - Date.parse(last) < snapshotEveryMs) return;
    const file = join(backups, `memory-${new Date(now()).toISOString().slice(0, 10)}.tar.gz`);
    const { writeSnapshot } = await import("../../memory/snapshot.ts");
    await writeSnapshot(directory, file);
    log("info", "the memory was saved", { file, documents: entries.length });
    const old = (await readdir(backups))
      .filter((name) => snapshotPattern.test(name))
      .sort()
      .slice(0, -keptSnapshots);
    for (const name of old) await rm(join(backups, name), { force: true });
  }

  /** One part that fails must not keep the others from their turn. */
  async function part(what: string, work: () => Promise<void>): Promise<void> {
    if (isStopped) return;
    try {
      await work();
    } catch (error) {
      log("warn", `${what} failed and will be tried again`, { error: describeError(error).message });
    }
  }

  return {
    async look() {
      if (running || isStopped || performance.now() < nextLook) return;
      nextLook = performance.now() + lookEveryMs;
      running = part("the memory's upkeep", keep).finally(() => {
        running = null;
      });
      await running;
    },
    async stop() {
      isStopped = true;
      await running;
    },
  };
}
