/** For commands that must run in little memory. */
import { realpathSync } from "node:fs";
import { flushCompileCache, getCompileCacheDir } from "node:module";
import { dirname, join } from "node:path";
import { isCompilerLoaded } from "../compile-cache.ts";

const marker = "CLAWDINATOR_COMPILED";

/**
 * What compiles TypeScript stays in memory: 40 MB and more. Where it had to be loaded, as on the first start after an
 * installation or a change, this starts the same command anew in this process's place, once, with the code that is
 * compiled by then. `compile` loads the rest of what the command needs. Returns where nothing was compiled, or where it
 * cannot be kept.
 */
export async function restartCompiled(compile: () => Promise<unknown>): Promise<void> {
  const isSecond = process.env[marker] !== undefined;
  delete process.env[marker];
  const directory = getCompileCacheDir();
  if (isSecond || !isCompilerLoaded() || !isProgram() || directory === undefined || !process.execve) return;
  await compile();
  flushCompileCache();
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...process.env,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE || dirname(directory),
    [marker]: "1",
  });
}

/** Whether this process is the command line, and not something that uses a part of it. */
function isProgram(): boolean {
  try {
    return realpathSync(process.argv[1] ?? "") === realpathSync(join(import.meta.dirname, "..", "main.ts"));
  } catch {
    return false;
  }
}
