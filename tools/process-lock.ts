/**
 * A lock that dies with its process, however it ends. Node has no flock, but SQLite takes the same kind of kernel
 * lock on a database file, so an open exclusive transaction on a tiny database is the lock.
 *
 * Never open the lock file with `node:fs`: closing any descriptor of it drops the kernel's lock.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

export interface LockOwner {
  pid: number;
  /** Milliseconds since 1970. */
  startedAt: number;
  /** Start time of the process in the kernel's ticks; null where the system does not tell. Guards against pid reuse. */
  processStart: string | null;
}

export interface ProcessLock {
  /** Idempotent. */
  release(): void;
}

/** A probe or a rival that gives up holds the file for microseconds; this outlasts many of them. */
const defaultWaitMs = 200;

/** Keeps the open databases from being collected, which would free their locks. */
const held = new Set<DatabaseSync>();

/**
 * Takes the lock at `path`, or returns null when another process (or this one) holds it. Blocks for at most `waitMs`
 * (default 200), because someone who only looks may be in the way for a moment.
 */
export function acquireProcessLock(path: string, options: { pid?: number; waitMs?: number } = {}): ProcessLock | null {
  mkdirSync(dirname(path), { recursive: true });
  const database = new DatabaseSync(path);
  const deadline = performance.now() + (options.waitMs ?? defaultWaitMs);
  try {
    while (!tryStatement(database, "BEGIN EXCLUSIVE")) {
      if (performance.now() >= deadline) {
        database.close();
        return null;
      }
      pauseMs(2 + Math.random() * 8);
    }
    writeOwner(path, options.pid ?? process.pid);
  } catch (error) {
    database.close();
    throw error;
  }
  held.add(database);
  return {
    release() {
      if (!held.delete(database)) return;
      rmSync(ownerPath(path), { force: true });
      database.close();
    },
  };
}

/** Whether a living process holds the lock. Looking takes no lock that another look would mistake for an owner. */
export function isProcessLockHeld(path: string): boolean {
  if (!existsSync(path)) return false;
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path, { readOnly: true });
  } catch (error) {
    if (!existsSync(path)) return false;
    throw error;
  }
  try {
    return !tryStatement(database, "SELECT count(*) FROM sqlite_schema");
  } finally {
    database.close();
  }
}

/** Who last took the lock; means something only while it is held. Null when nobody did, or the note is unreadable. */
export function readLockOwner(path: string): LockOwner | null {
  return readOwnerFile(ownerPath(path));
}

/** As `readLockOwner`, from a file of the same form elsewhere. */
export function readOwnerFile(path: string): LockOwner | null {
  try {
    const owner = JSON.parse(readFileSync(path, "utf8")) as Partial<LockOwner> | null;
    return isOwner(owner) ? owner : null;
  } catch {
    return null;
  }
}

function isOwner(value: Partial<LockOwner> | null): value is LockOwner {
  const { pid, startedAt, processStart } = value ?? {};
  const isPid = typeof pid === "number" && Number.isInteger(pid) && pid > 0;
  return isPid && typeof startedAt === "number" && (processStart === null || typeof processStart === "string");
}

/** Whether the process that the note names is still that very process, and runs. */
export function isOwnerAlive(owner: LockOwner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return owner.processStart === null || processStartOf(owner.pid) === owner.processStart;
}

/**
 * When a process started, in the kernel's ticks since boot; null where there is no /proc, no such process, or nothing
 * left of it but an exit status that its parent has not fetched.
 */
export function processStartOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in parentheses and may hold anything; field 3 is the state, 22 the start time.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function writeOwner(path: string, pid: number): void {
  const owner: LockOwner = { pid, startedAt: Date.now(), processStart: processStartOf(pid) };
  const temporary = `${ownerPath(path)}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(owner)}\n`);
  renameSync(temporary, ownerPath(path));
}

function ownerPath(path: string): string {
  return `${path}.json`;
}

/** False when someone else's lock is in the way. */
function tryStatement(database: DatabaseSync, sql: string): boolean {
  try {
    database.exec(sql);
    return true;
  } catch (error) {
    // 5 is SQLITE_BUSY; its extended codes share the low byte.
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === 5) return false;
    throw error;
  }
}

function pauseMs(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
