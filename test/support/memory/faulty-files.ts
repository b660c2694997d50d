/** The memory's file steps with faults in between: what NFS, a full disk, a kill and a pause do to them. */
import { readdir, stat, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { type EntryKind, type MemoryFiles, realFiles } from "../../../memory/files.ts";

export interface FileStep {
  /** Counted from 0. */
  number: number;
  name: keyof MemoryFiles;
  path: string;
  /** Of a rename or link. */
  to?: string;
}

export type Fault =
  /** Nothing is done. */
  | { kind: "refused"; code: string }
  /** It is done, and the answer was lost: the repeated request reports this. */
  | { kind: "done but reported"; code: string }
  /** Only of `create`: the file is there without its content, as when the answer to an exclusive create was lost. */
  | { kind: "created empty"; code: string }
  /** Only of `create`: half of the content is there. */
  | { kind: "half written"; code: string }
  /** Never comes back, as for a process that was killed there. */
  | { kind: "killed before" }
  | { kind: "killed after" }
  /** Goes on when this is settled, as a paused process. */
  | { kind: "paused before"; until: Promise<unknown> };

/** Steps that change the directory. */
export const changingSteps: ReadonlySet<keyof MemoryFiles> = new Set([
  "create",
  "rename",
  "link",
  "unlink",
  "makeDirectory",
]);

/** What a server reports for a request that it gets a second time. */
const repeatedCode: Partial<Record<keyof MemoryFiles, string>> = {
  rename: "ENOENT",
  unlink: "ENOENT",
  link: "EEXIST",
  makeDirectory: "EEXIST",
};

/** All single faults that one step may meet over NFS and on a full disk. */
export function faultsOf({ name }: FileStep): Fault[] {
  // A kill between two changes leaves what a kill after the first of them leaves.
  const faults: Fault[] = changingSteps.has(name) ? [{ kind: "killed before" }, { kind: "killed after" }] : [];
  if (["read", "list", "status", "create", "syncDirectory"].includes(name))
    faults.push({ kind: "refused", code: "ESTALE" });
  const repeated = repeatedCode[name];
  if (repeated !== undefined) faults.push({ kind: "done but reported", code: repeated });
  if (name === "create") {
    faults.push({ kind: "created empty", code: "EEXIST" }, { kind: "half written", code: "ENOSPC" });
  }
  if (["create", "link", "makeDirectory", "rename"].includes(name)) faults.push({ kind: "refused", code: "ENOSPC" });
  if (name === "syncDirectory") faults.push({ kind: "refused", code: "EIO" });
  return faults;
}

/** Asks before each step what goes wrong with it. `underWay` holds the steps that the system has not answered yet. */
export function faultyFiles(
  files: MemoryFiles,
  faultAt: (step: FileStep) => Fault | null,
  underWay: Set<Promise<unknown>> = new Set(),
): MemoryFiles {
  let count = 0;
  let isDead = false;
  async function step<T>(at: Omit<FileStep, "number">, real: () => Promise<T>, content?: string | Buffer): Promise<T> {
    const fault = faultAt({ ...at, number: count++ });
    const work = (): Promise<T> => {
      const working = real();
      const settled = working.then(
        () => void underWay.delete(settled),
        () => void underWay.delete(settled),
      );
      underWay.add(settled);
      return working;
    };
    if (isDead) return new Promise(() => undefined);
    if (fault === null) return work();
    if (fault.kind.startsWith("killed")) isDead = true;
    switch (fault.kind) {
      case "refused":
        throw failure(fault.code, at);
      case "done but reported":
        await work();
        throw failure(fault.code, at);
      case "created empty":
        await writeFile(at.path, "", { flag: "wx" });
        throw failure(fault.code, at);
      case "half written": {
        const bytes = Buffer.from(content ?? "");
        await writeFile(at.path, bytes.subarray(0, bytes.length / 2), { flag: "wx" });
        throw failure(fault.code, at);
      }
      case "killed before":
        return new Promise(() => undefined);
      case "killed after":
        await work();
        return new Promise(() => undefined);
      case "paused before":
        await fault.until;
        return work();
    }
  }
  return {
    list: (path) => step({ name: "list", path }, () => files.list(path)),
    read: (path, maxBytes) => step({ name: "read", path }, () => files.read(path, maxBytes)),
    status: (path) => step({ name: "status", path }, () => files.status(path)),
    create: (path, content) => step({ name: "create", path }, () => files.create(path, content), content),
    rename: (path, to) => step({ name: "rename", path, to }, () => files.rename(path, to)),
    link: (path, to) => step({ name: "link", path, to }, () => files.link(path, to)),
    unlink: (path) => step({ name: "unlink", path }, () => files.unlink(path)),
    makeDirectory: (path) => step({ name: "makeDirectory", path }, () => files.makeDirectory(path)),
    syncDirectory: (path) => step({ name: "syncDirectory", path }, () => files.syncDirectory(path)),
  };
}

function failure(code: string, { name, path, to }: Omit<FileStep, "number">): Error {
  const where = to === undefined ? path : `${path} -> ${to}`;
  return Object.assign(new Error(`${code}: injected, ${name} ${where}`), { code, syscall: name, path });
}

/** Everything but the flushing, which takes most of a test's time; for tests that end no machine. */
export function unflushedFiles(): MemoryFiles {
  return {
    ...realFiles(),
    create: (path, content) => writeFile(path, content, { flag: "wx" }),
    async syncDirectory(path) {
      if (!(await stat(path)).isDirectory()) throw failure("ENOTDIR", { name: "syncDirectory", path });
    },
  };
}

/** Faults at random, at rates far beyond any real file server's. */
export function randomFaults(random: () => number): (step: FileStep) => Fault | null {
  const everyStep = 0.03;
  return (step) => {
    if (random() >= everyStep) return null;
    const faults = faultsOf(step).filter(({ kind }) => !kind.startsWith("killed"));
    return faults[Math.floor(random() * faults.length)] ?? null;
  };
}

export interface StaleOptions {
  /** How old the next listing that is fetched may be at most before it is fetched anew, in milliseconds. */
  ageMs(): number;
  /** The clock that ages listings, in milliseconds. */
  nowMs(): number;
  /** For the first look at a folder: which of its entries the server's cache lacks yet. */
  isHidden?(entry: { name: string; changedAtMs: number }, ageMs: number): boolean;
}

interface Cached {
  entries: { name: string; kind: EntryKind }[];
  signature: string;
  until: number;
}

/**
 * Listings, and the state of folders, as a client's cache has them: what others did shows when they are fetched anew,
 * what this one did shows at once. Opening a file by its name always asks the server.
 */
export function staleListings(files: MemoryFiles, options: StaleOptions): MemoryFiles {
  const cache = new Map<string, Cached>();
  let ownChanges = 0;

  async function fetched(path: string): Promise<Cached> {
    const before = cache.get(path);
    if (before !== undefined && options.nowMs() < before.until) return before;
    const age = options.ageMs();
    // The state first: a change between the two makes the next look see another state.
    const { signature } = await files.status(path);
    const all = await files.list(path);
    const hidden = before === undefined && options.isHidden ? await hiddenOf(path, age) : new Set<string>();
    const entries = all.filter(({ name }) => !hidden.has(name));
    const aged = hidden.size > 0 ? `${signature}-aged-${age}` : signature;
    const cached = { entries, signature: aged, until: options.nowMs() + age };
    cache.set(path, cached);
    return cached;
  }

  async function hiddenOf(path: string, age: number): Promise<Set<string>> {
    const hidden = new Set<string>();
    for (const name of await readdir(path)) {
      const status = await files.status(`${path}/${name}`).catch(() => null);
      if (status && options.isHidden?.({ name, changedAtMs: status.changedAt }, age)) hidden.add(name);
    }
    return hidden;
  }

  function show(path: string, kind: EntryKind): void {
    change(path, (entries, name) => [...entries.filter((entry) => entry.name !== name), { name, kind }]);
  }

  function change(path: string, to: (entries: Cached["entries"], name: string) => Cached["entries"]): void {
    const cached = cache.get(dirname(path));
    if (cached === undefined) return;
    cached.entries = to(cached.entries, basename(path));
    cached.signature += `-own-${ownChanges++}`;
  }
  const hide = (path: string): void => change(path, (entries, name) => entries.filter((entry) => entry.name !== name));

  return {
    ...files,
    list: async (path) => [...(await fetched(path)).entries],
    async status(path) {
      const status = await files.status(path);
      return status.kind === "directory" ? { ...status, signature: (await fetched(path)).signature } : status;
    },
    async create(path, content) {
      await files.create(path, content);
      show(path, "file");
    },
    async rename(from, to) {
      await files.rename(from, to);
      hide(from);
      show(to, "file");
    },
    async link(from, to) {
      await files.link(from, to);
      show(to, "file");
    },
    async unlink(path) {
      await files.unlink(path);
      hide(path);
    },
    async makeDirectory(path) {
      await files.makeDirectory(path);
      show(path, "directory");
    },
  };
}
