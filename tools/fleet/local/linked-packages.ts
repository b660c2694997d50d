/** Takes production packages out of an installed `node_modules` by hard links: well under a second, and no space. */
import { existsSync } from "node:fs";
import { constants, copyFile, link, mkdir, readdir, readFile, readlink, symlink } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { z } from "zod";
import { ToolError } from "../../errors.ts";
import { isMissing, readFileIfThere } from "./files.ts";

const oneOrMore = z.union([z.string().transform((text) => [text]), z.array(z.string())]).optional();
const packageSchema = z.object({
  version: z.string().optional(),
  dev: z.boolean().optional(),
  devOptional: z.boolean().optional(),
  optional: z.boolean().optional(),
  link: z.boolean().optional(),
  os: oneOrMore,
  cpu: oneOrMore,
  bin: z.record(z.string(), z.string()).optional(),
});
type LockedPackage = z.output<typeof packageSchema>;

const lockFileSchema = z.object({
  lockfileVersion: z.union([z.literal(2), z.literal(3)]),
  packages: z.record(z.string(), packageSchema),
});
export type LockFile = z.output<typeof lockFileSchema>;

/** Throws ToolError when the file is not a lock file that we understand. */
export async function readLockFile(path: string): Promise<LockFile> {
  try {
    return lockFileSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw new ToolError("package-lock.json of this commit is not a lock file of version 2 or 3", {
      code: "lock_file_invalid",
      hint: "write it again with npm 7 or newer, and commit it",
      cause,
    });
  }
}

/** What a production installation on this platform consists of: place below the root, and its entry. */
function productionPackages(lock: LockFile): [string, LockedPackage][] {
  return Object.entries(lock.packages).filter(
    ([place, entry]) =>
      place !== "" && !entry.dev && allows(entry.os, process.platform) && allows(entry.cpu, process.arch),
  );
}

function allows(list: string[] | undefined, value: string): boolean {
  if (!list || list.length === 0) return true;
  if (list.includes(`!${value}`)) return false;
  const positive = list.filter((item) => !item.startsWith("!"));
  return positive.length === 0 || positive.includes(value);
}

/** The first package that is not installed as the lock file says, in words; null when all are. */
export async function missingPackage(modules: string, lock: LockFile): Promise<string | null> {
  for (const [place, entry] of productionPackages(lock)) {
    if (entry.link) continue;
    const installed = await versionAt(join(dirname(modules), place));
    if (installed === null && (entry.optional || entry.devOptional) && !entry.bin?.node) continue;
    if (installed !== entry.version) return `${place} is ${installed ?? "missing"}, not ${entry.version}`;
    if (entry.bin?.node && !existsSync(join(modules, ".bin", "node"))) return `${place} did not become the Node to run`;
  }
  return null;
}

async function versionAt(directory: string): Promise<string | null> {
  const text = await readFileIfThere(join(directory, "package.json"));
  if (text === null) return null;
  try {
    return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
  } catch {
    return null;
  }
}

/** Fills `to` from `from`; false when `from` does not hold exactly what the lock file says. */
export async function linkPackages(options: { from: string; to: string; lock: LockFile }): Promise<boolean> {
  const { from, to, lock } = options;
  const packages = productionPackages(lock);
  if (packages.some(([place, entry]) => entry.link || !isPackagePlace(place))) return false;
  if (await missingPackage(from, lock)) return false;
  const places = new Set<string>();
  try {
    await mkdir(to, { recursive: true });
    for (const [place] of packages) {
      const source = join(dirname(from), place);
      if (!existsSync(source)) continue;
      places.add(place);
      await linkDirectory(source, join(dirname(to), place), true);
    }
    const parents = new Set([
      "node_modules",
      ...[...places].map((place) => place.slice(0, place.lastIndexOf("node_modules") + 12)),
    ]);
    for (const parent of parents)
      await linkPrograms(join(dirname(from), parent), join(dirname(to), parent), parent, places);
  } catch (error) {
    // A full disk would stop npm too, with a better message; a file that vanished or may not be read is npm's to mend.
    if (typeof (error as NodeJS.ErrnoException).code === "string") return false;
    throw error;
  }
  return (await missingPackage(to, lock)) === null;
}

/** A lock file is part of a commit, so its places must not lead elsewhere. */
function isPackagePlace(place: string): boolean {
  return normalize(place) === place && /^node_modules\/(?!\.)/.test(place) && !place.split("/").includes("..");
}

async function linkDirectory(from: string, to: string, isPackage: boolean): Promise<void> {
  await mkdir(to, { recursive: true });
  const children = await readdir(from, { withFileTypes: true });
  await Promise.all(
    children.map(async (child) => {
      // Packages inside a package have their own entries in the lock file.
      if (isPackage && child.name === "node_modules") return;
      const source = join(from, child.name);
      const target = join(to, child.name);
      if (child.isDirectory()) await linkDirectory(source, target, false);
      else if (child.isSymbolicLink()) await symlink(await readlink(source), target);
      else if (child.isFile()) await linkFile(source, target);
    }),
  );
}

async function linkFile(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Another file system, or one that has no more or no hard links: copy, sharing blocks where that is possible.
    if (code !== "EXDEV" && code !== "EMLINK" && code !== "EPERM" && code !== "ENOTSUP") throw error;
    await copyFile(source, target, constants.COPYFILE_FICLONE);
  }
}

/** Repeats the links of one `.bin` that point into packages that came along. */
async function linkPrograms(from: string, to: string, parent: string, places: Set<string>): Promise<void> {
  let names: string[];
  try {
    names = await readdir(join(from, ".bin"));
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  for (const name of names) {
    const target = await readlink(join(from, ".bin", name)).catch(() => null);
    if (target === null) continue;
    const reached = normalize(join(parent, ".bin", target));
    if (![...places].some((place) => reached.startsWith(`${place}/`))) continue;
    await mkdir(join(to, ".bin"), { recursive: true });
    await symlink(target, join(to, ".bin", name));
  }
}
