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

/** Makes the fleet repository from the template, whole or not at all; leaves one that exists as it is. */
export async function createFleetRepository(options: FleetRepositoryTemplate): Promise<{ created: boolean }> {
  const at = (options.now ?? Date.now)();
  return createBareRepository(options.directory, options.environment ?? process.env, async (git) => {
    // Its history is the history of intent: nothing is rewritten or dropped by a push.
    await appendFile(join(git.directory, "config"), "[receive]\n\tdenyNonFastForwards = true\n\tdenyDeletes = true\n");
    const environment = { GIT_INDEX_FILE: join(git.directory, "template.index") };
    const entries = (await filesBelow(options.template, "")).map(async (path) => {
      const text = await readFile(join(options.template, path), "utf8");
      const replacements = Object.entries(options.replacements);
      const input = replacements.reduce((result, [from, to]) => result.replaceAll(from, () => to), text);
      const blob = (await git.run(["hash-object", "-w", "--no-filters", "--stdin"], { input })).trim();
      return ["--cacheinfo", `100644,${blob},${path}`];
    });
    await git.run(["update-index", "--add", ...(await Promise.all(entries)).flat()], { environment });
    const tree = (await git.run(["write-tree"], { environment })).trim();
    await rm(environment.GIT_INDEX_FILE);
    const identity = commitEnvironment(options.author, at);
    const input = "Start the fleet from the template\n";
    const commit = (await git.run(["commit-tree", tree, "-F", "-"], { environment: identity, input })).trim();
    await git.run(["update-ref", "refs/heads/main", commit]);
  });
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
