/** Real repositories for tests, cut off from the configuration of whoever runs them. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"];

/** Runs git in `directory`; standard output without the last line break. */
export function git(directory: string, ...command: string[]): string {
  const env = { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", HOME: directory };
  return execFileSync("git", [...identity, ...command], {
    cwd: directory,
    encoding: "utf8",
    env,
    stdio: ["ignore", "pipe", "pipe"],
  }).trimEnd();
}

/** A new repository with a work tree and a branch `main`; returns its first commit. */
export function makeRepository(directory: string, files: Record<string, string>): string {
  mkdirSync(directory, { recursive: true });
  git(directory, "init", "--quiet", "--initial-branch=main");
  return commitFiles(directory, files, "First");
}

/** Writes the files (those that begin with `#!` executable) and commits all there is; returns the commit. */
export function commitFiles(directory: string, files: Record<string, string>, message = "Change"): string {
  for (const [path, text] of Object.entries(files)) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    // A clone's files may be links to another clone's.
    rmSync(file, { force: true });
    writeFileSync(file, text);
    if (text.startsWith("#!")) chmodSync(file, 0o755);
  }
  git(directory, "add", "--all");
  git(directory, "commit", "--quiet", "--allow-empty", `--message=${message}`);
  return git(directory, "rev-parse", "HEAD");
}
