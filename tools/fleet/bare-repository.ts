/** Making bare repositories: whole or not at all. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isOwnerAlive } from "../process-lock.ts";
import { type Git, openGit } from "./git.ts";

export interface CommitAuthor {
  name: string;
  email: string;
}

/** How an instance of that name signs its commits. */
export function commitAuthor(name: string): CommitAuthor {
  return { name, email: `${name.toLowerCase()}@localhost` };
}

/** `at`: milliseconds since 1970. */
export function commitEnvironment(author: CommitAuthor, at: number): Record<string, string> {
  const date = `${Math.floor(at / 1000)} +0000`;
  return {
    GIT_AUTHOR_NAME: author.name,
    GIT_AUTHOR_EMAIL: author.email,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: author.name,
    GIT_COMMITTER_EMAIL: author.email,
    GIT_COMMITTER_DATE: date,
  };
}

/** An empty bare repository; with `fill`, one that has what `fill` put into it. Nothing when it exists. */
export async function createBareRepository(
  directory: string,
  environment: NodeJS.ProcessEnv,
  fill?: (git: Git) => Promise<void>,
): Promise<{ created: boolean }> {
  const exists = () => existsSync(join(directory, "HEAD"));
  if (exists()) return { created: false };
  const parent = dirname(directory);
  await mkdir(parent, { recursive: true });
  const prefix = `.creating-${basename(directory)}-`;
  const temporary = join(parent, `${prefix}${process.pid}-${randomBytes(6).toString("hex")}`);
  await mkdir(temporary);
  try {
    const git = openGit({ directory: temporary, environment });
    await git.run(["init", "--quiet", "--bare", "--initial-branch=main"]);
    await fill?.(git);
    await rename(temporary, directory);
    await removeAbandoned(parent, prefix);
    return { created: true };
  } catch (error) {
    // Someone else was faster: a directory that is not empty cannot be renamed onto.
    if (exists()) return { created: false };
    throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

export interface FleetRepositoryTemplate {
  /** Where the bare repository will be. */
  directory: string;
  /** Directory whose files become the first commit. */
  template: string;
  /** Texts in the template's files, and what to put there instead. */
  replacements: Record<string, string>;
  author: CommitAuthor;
  environment?: NodeJS.ProcessEnv;
  now?: () => number;
}

/**
 * Makes the fleet repository from the template, whole or not at all; leaves one that exists as it is. A new one's first
 * commit and files are returned, so that its maker need not read them again.
 */
export async function createFleetRepository(
  options: FleetRepositoryTemplate,
): Promise<{ created: false } | { created: true; commit: string; files: Record<string, string> }> {
  const at = (options.now ?? Date.now)();
  const files: Record<string, string> = {};
  for (const path of await filesBelow(options.template, "")) {
    const text = await readFile(join(options.template, path), "utf8");
    files[path] = Object.entries(options.replacements).reduce(
      (result, [from, to]) => result.replaceAll(from, () => to),
      text,
    );
  }
  let commit = "";
  const { created } = await createBareRepository(options.directory, options.environment ?? process.env, async (git) => {
    // Its history is the history of intent: nothing is rewritten or dropped by a push.
    await appendFile(join(git.directory, "config"), "[receive]\n\tdenyNonFastForwards = true\n\tdenyDeletes = true\n");
    // One process for the whole commit: this is part of the very first start.
    await git.run(["fast-import", "--date-format=raw", "--quiet"], {
      input: firstCommit({ files, author: options.author, at }),
    });
    commit = (await readFile(join(git.directory, "refs", "heads", "main"), "utf8")).trim();
  });
  return created ? { created, commit, files } : { created };
}

/** The stream of git-fast-import(1) for one commit that holds exactly these files. */
function firstCommit(options: { files: Record<string, string>; author: CommitAuthor; at: number }): string {
  const { author } = options;
  const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const who = `${author.name} <${author.email}> ${Math.floor(options.at / 1000)} +0000`;
  const contents = Object.entries(options.files).map(([path, text]) => `M 100644 inline ${path}\n${data(text)}`);
  const head = ["commit refs/heads/main", `author ${who}`, `committer ${who}`].join("\n");
  return `${head}\n${data("Start the fleet from the template\n")}${contents.join("")}done\n`;
}

/** What killed processes left; a living one's is its own. */
async function removeAbandoned(parent: string, prefix: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number(name.slice(prefix.length).split("-")[0]);
    if (!isOwnerAlive({ pid, startedAt: 0, processStart: null }))
      await rm(join(parent, name), { recursive: true, force: true });
  }
}

async function filesBelow(directory: string, prefix: string): Promise<string[]> {
  const children = await readdir(join(directory, prefix), { withFileTypes: true });
  const nested = children.map((child) => {
    const path = prefix === "" ? child.name : `${prefix}/${child.name}`;
    return child.isDirectory() ? filesBelow(directory, path) : [path];
  });
  return (await Promise.all(nested)).flat().sort();
}
