/** Code that was compiled once is kept for the next start; where nothing had to be compiled this costs nothing. */
import { flushCompileCache } from "node:module";

/** Whether this process had to turn TypeScript into what runs: its code was not in the cache yet. */
export function isCompilerLoaded(): boolean {
  const { moduleLoadList } = process as unknown as { moduleLoadList?: string[] };
  return moduleLoadList?.some((name) => name.includes("/amaro/")) ?? false;
}

/**
 * Writes the cache now, not only when the process ends: one that is killed ends without it, and each start after that
 * would compile everything again.
 */
export function keepCompiled(): void {
  if (isCompilerLoaded()) flushCompileCache();
}
