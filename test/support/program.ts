/** This program as a git repository of its own, for tests and measurements. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { git } from "./git.ts";

const checkout = join(import.meta.dirname, "..", "..");
const caches = join(checkout, "node_modules", ".cache");

/** No process of a fleet reads these, and each copy of a program that a test makes would be half as large again. */
const notRun = /^(test|docs)\//;

/**
 * A clone of the working tree, uncommitted changes included, as one new commit; with this checkout's packages. Its files
 * are links to those of other tests: whoever changes one removes it first, as git and `commitFiles` do.
 */
export function cloneProgram(directory: string): string {
  const program = join(directory, "program");
  mkdirSync(program, { recursive: true });
  const from = template();
  execFileSync("cp", ["-a", join(from, ".git"), program]);
  const files = readdirSync(from).filter((name) => name !== ".git");
  execFileSync("cp", ["-al", ...files.map((name) => join(from, name)), program]);
  symlinkSync(join(checkout, "node_modules"), join(program, "node_modules"));
  mkdirSync(join(program, ".git", "info"), { recursive: true });
  // The program ignores a directory of that name, not a link.
  appendFileSync(join(program, ".git", "info", "exclude"), "node_modules\n");
  return program;
}

/**
 * Where what was compiled is kept, for a program in `directory`/program. All tests share it, whatever their directories
 * are called, because its entries are found by the way from `directory` to the file.
 */
export function compileCache(directory: string): { NODE_COMPILE_CACHE: string; NODE_COMPILE_CACHE_PORTABLE: "1" } {
  const shared = join(caches, "test-compile-shared");
  const link = join(directory, "compile");
  mkdirSync(shared, { recursive: true });
  if (!existsSync(link)) symlinkSync(shared, link);
  return { NODE_COMPILE_CACHE: link, NODE_COMPILE_CACHE_PORTABLE: "1" };
}

/** The same as somebody has it who just cloned it: nothing installed. */
export function cloneFresh(directory: string, leftOut?: RegExp): string {
  const program = join(directory, "program");
  mkdirSync(program, { recursive: true });
  const files = git(checkout, "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    .split("\0")
    .filter((file) => file !== "" && !leftOut?.test(file));
  for (const file of files) {
    const target = join(program, file);
    mkdirSync(dirname(target), { recursive: true });
    try {
      copyFileSync(join(checkout, file), target);
    } catch (error) {
      // A file that is deleted in the working tree is still listed.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  git(program, "init", "--quiet", "--initial-branch=main", "--template=");
  git(program, "add", "--all");
  git(program, "commit", "--quiet", "--message=Program");
  return program;
}

/** Removes what this run of the tests made, and what runs that were killed left. */
export function removeTemplates(): void {
  for (const name of existsSync(caches) ? readdirSync(caches) : []) {
    const [, run] = /^test-program-(\d+)/.exec(name) ?? [];
    if (run === undefined || (Number(run) !== process.pid && isRunning(Number(run)))) continue;
    rmSync(join(caches, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** One clone for the whole run of the tests, which the others are copied from; made by whoever needs it first. */
function template(): string {
  // A run has one process that starts the others; outside of one, such as in a measurement, nothing is shared.
  const run = process.env.VITEST === undefined ? process.pid : process.ppid;
  const made = join(caches, `test-program-${run}`);
  if (existsSync(made)) return made;
  mkdirSync(caches, { recursive: true });
  const staging = mkdtempSync(`${made}-`);
  const program = cloneFresh(staging, notRun);
  git(program, "repack", "-a", "-d", "--quiet");
  // A copy has other inodes; by time and size alone git knows that nothing changed.
  git(program, "config", "core.checkStat", "minimal");
  git(program, "config", "core.trustctime", "false");
  try {
    renameSync(program, made);
  } catch (error) {
    if (!existsSync(made)) throw error;
  }
  rmSync(staging, { recursive: true, force: true });
  return made;
}
