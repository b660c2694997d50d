/** This program as a git repository of its own, for tests and measurements. */
import { appendFileSync, copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { git } from "./git.ts";

const checkout = join(import.meta.dirname, "..", "..");

/** A clone of the working tree, uncommitted changes included, as one new commit; with this checkout's packages. */
export function cloneProgram(directory: string): string {
  const program = cloneFresh(directory);
  symlinkSync(join(checkout, "node_modules"), join(program, "node_modules"));
  // The program ignores a directory of that name, not a link.
  appendFileSync(join(program, ".git", "info", "exclude"), "node_modules\n");
  return program;
}

/** The same as somebody has it who just cloned it: nothing installed. */
export function cloneFresh(directory: string): string {
  const program = join(directory, "program");
  mkdirSync(program, { recursive: true });
  const files = git(checkout, "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    .split("\0")
    .filter(Boolean);
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
  git(program, "init", "--quiet", "--initial-branch=main");
  git(program, "add", "--all");
  git(program, "commit", "--quiet", "--message=Program");
  return program;
}
