import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

interface LockFile {
  packages: { [path: string]: { dev?: boolean; devOptional?: boolean } };
}

export interface DependencySize {
  totalBytes: number;
  /** Largest first. */
  packages: { name: string; bytes: number }[];
}

/** The packages that carry Node itself, which a system would need anyway. */
const carriesNode = /^node_modules\/node-(linux|darwin|win)-/;

/**
 * Bytes of the installed production dependencies without Node: every package of the lock file that is not only for
 * development, as far as it is installed on this platform. A package nested in another counts once, by itself.
 */
export function measureDependencies(root: string): DependencySize {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as LockFile;
  const packages = Object.entries(lock.packages)
    .filter(
      ([path, entry]) =>
        path.startsWith("node_modules/") && !entry.dev && !entry.devOptional && !carriesNode.test(path),
    )
    .map(([path]) => ({ name: path.replace(/^.*node_modules\//, ""), bytes: directoryBytes(join(root, path)) }))
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes);
  return { totalBytes: packages.reduce((sum, { bytes }) => sum + bytes, 0), packages };
}

/** Sum of the sizes of the files below, nested `node_modules` aside; 0 when there is no such directory. */
function directoryBytes(directory: string): number {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return 0;
  let bytes = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && entry.name !== "node_modules") bytes += directoryBytes(path);
    else if (entry.isFile()) bytes += statSync(path).size;
  }
  return bytes;
}
