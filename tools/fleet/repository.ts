/** The fleet repository: desired state and policy as commits, made with git plumbing on bare repositories only. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { ConfigError, ProviderError } from "../errors.ts";
import { canonicalJson } from "../json.ts";
import { type CommitAuthor, commitEnvironment, createBareRepository } from "./bare-repository.ts";
import { configurationDigest } from "./configuration.ts";
import { type Git, openGit, withoutCredentials } from "./git.ts";
import { type DesiredState, desiredStateSchema } from "./model.ts";
import { compareNames } from "./name-order.ts";
import type { FleetRepository } from "./services.ts";

const instancesFile = "nix/instances.json";
const policyFile = "policy.json";
const mainBranch = "refs/heads/main";
/** Where the clone keeps what it fetched. */
const fetched = "refs/fleet/main";

/** Each failed attempt but the odd one means that someone else's commit landed, so this many is many writers. */
const pushAttempts = 20;
/** A push can fail for a moment while another one holds the branch; more often than this, it is refused for good. */
const refusalsBeforeGivingUp = 5;
/** A trailer names a digest and a step: no spaces, nothing that could end its line. */
const trailerPattern = /^[\x21-\x7e]{1,300}$/;
const commitPattern = /^[0-9a-f]{40}$/;

export { createFleetRepository } from "./bare-repository.ts";

type Change = Parameters<FleetRepository["commit"]>[0]["change"];

export interface FleetRepositoryOptions {
  /** The bare repository's path, or its address. */
  directory: string;
  /** This instance's own bare clone; made when it is missing, and can be deleted. */
  clone: string;
  author: CommitAuthor;
  environment?: NodeJS.ProcessEnv;
  now?: () => number;
}

/** Makes nothing until it is used. */
export function openFleetRepository(options: FleetRepositoryOptions): FleetRepository {
  const environment = options.environment ?? process.env;
  const now = options.now ?? Date.now;
  const git = openGit({ directory: options.clone, environment });
  const inTurn = createQueue();

  async function fetchTip(): Promise<string> {
    if (!existsSync(join(options.clone, "HEAD"))) await createBareRepository(options.clone, environment);
    try {
      await git.run(["fetch", "--verbose", "--progress", "--no-tags", options.directory, `+${mainBranch}:${fetched}`]);
    } catch (cause) {
      if (!(cause instanceof ProviderError)) throw cause;
      throw new ProviderError(
        `cannot read the fleet repository ${withoutCredentials(options.directory)}: ${cause.message}`,
        {
          code: "fleet_repository_unreachable",
          hint: "check that it is there, that you may read it, and that it has a branch `main`",
          cause,
        },
      );
    }
    return (await git.run(["rev-parse", "--verify", `${fetched}^{commit}`])).trim();
  }

  /** Fetches when the commit is not here yet; throws ConfigError when there is no such commit at all. */
  async function ensureCommit(commit: string): Promise<void> {
    const isKnown = async () =>
      commitPattern.test(commit) &&
      existsSync(options.clone) &&
      (await git.attempt(["cat-file", "-t", `${commit}^{commit}`])) !== null;
    if (await isKnown()) return;
    await inTurn(fetchTip);
    if (await isKnown()) return;
    throw new ConfigError(`the fleet repository has no commit ${commit}`, {
      code: "fleet_commit_unknown",
      hint: "its history was rewritten, or it is another repository; restore the old history and push it",
    });
  }

  async function fileAt(commit: string, path: string): Promise<string> {
    const text = await git.attempt(["cat-file", "blob", `${commit}:${path}`]);
    if (text !== null) return text;
    throw new ConfigError(`the fleet repository has no file ${path} at commit ${commit.slice(0, 12)}`, {
      code: "fleet_file_missing",
      hint: `add ${path} again (see the template) and push it`,
    });
  }

  async function filesAt(commit: string) {
    const instancesText = await fileAt(commit, instancesFile);
    const policyText = await fileAt(commit, policyFile);
    return { instancesText, policyText, instances: parseDesired(instancesText, commit) };
  }

  /** The tree that `change` makes of a commit's tree. */
  async function changedTree(commit: string, change: Change): Promise<string> {
    const before = await filesAt(commit);
    const after = change({ instances: structuredClone(before.instances), policyText: before.policyText });
    const texts = new Map<string, string>();
    if (after.instances && canonicalJson(after.instances) !== canonicalJson(before.instances)) {
      texts.set(instancesFile, formatDesired(after.instances));
    }
    if (after.policyText !== undefined && after.policyText !== before.policyText)
      texts.set(policyFile, after.policyText);
    return writeTree(git, commit, texts);
  }

  /**
   * The commit that an earlier attempt made. Anybody can write a trailer, so the content decides: it must be exactly
   * what the change makes of its parent, and nothing besides.
   */
  async function findEarlier(tip: string, trailer: string, change: Change): Promise<string | null> {
    const search = ["--fixed-strings", `--grep=Operation: ${trailer}`];
    // Counted first: git says something even when there is none, which simple-git does not wait longer for.
    if ((await git.run(["rev-list", "--count", ...search, tip])).trim() === "0") return null;
    const text = await git.run([
      "log",
      "--format=%H %T %P%x00%(trailers:key=Operation,valueonly)%x00",
      "-z",
      ...search,
      tip,
    ]);
    const fields = text.split("\0");
    for (let index = 0; index + 1 < fields.length; index += 3) {
      const [commit, tree, parent, ...furtherParents] = (fields[index] ?? "").trim().split(" ");
      if (!commit || !tree || !parent || furtherParents.length > 0) continue;
      if ((fields[index + 1] ?? "").trim() !== trailer) continue;
      const expected = await changedTree(parent, change).catch((error: unknown) => {
        // A change that refuses that parent did not make this commit.
        if (error instanceof ProviderError && error.code === "git_failed") throw error;
        return null;
      });
      if (expected === tree) return commit;
    }
    return null;
  }

  async function commitOnce(
    tip: string,
    message: string,
    change: Change,
  ): Promise<{ commit: string; pushed: boolean }> {
    const tree = await changedTree(tip, change);
    const commit = await git.run(["commit-tree", tree, "-p", tip, "-F", "-"], {
      environment: commitEnvironment(options.author, now()),
      input: message,
    });
    const id = commit.trim();
    const pushed = await git.attempt(["push", options.directory, `${id}:${mainBranch}`]);
    return { commit: id, pushed: pushed !== null };
  }

  async function commit({ trailer, message, change }: Parameters<FleetRepository["commit"]>[0]) {
    if (!trailerPattern.test(trailer)) throw new TypeError(`not a trailer: ${JSON.stringify(trailer)}`);
    const fullMessage = `${message.replaceAll("\0", "").trim()}\n\nOperation: ${trailer}\n`;
    let refusals = 0;
    let tip = await fetchTip();
    for (let attempt = 0; attempt < pushAttempts; attempt++) {
      const earlier = await findEarlier(tip, trailer, change);
      if (earlier) return { commit: earlier };
      const made = await commitOnce(tip, fullMessage, change);
      if (made.pushed) return { commit: made.commit };
      // Apart by chance, so that writers who met once do not meet again and again.
      await sleep(5 + Math.random() * 20 * (attempt + 1));
      const next = await fetchTip();
      if (next === tip && ++refusals >= refusalsBeforeGivingUp) break;
      tip = next;
    }
    throw new ProviderError(`could not push to the fleet repository ${withoutCredentials(options.directory)}`, {
      code: "fleet_push_failed",
      hint: "check that you may write to its branch `main`, and its free disk space; then resume the operation",
    });
  }

  return {
    tip: () => inTurn(fetchTip),
    async desiredAt(at) {
      await ensureCommit(at);
      return parseDesired(await fileAt(at, instancesFile), at);
    },
    async policyTextAt(at) {
      await ensureCommit(at);
      return fileAt(at, policyFile);
    },
    async configuration() {
      const tip = await inTurn(fetchTip);
      return { clone: options.clone, commit: tip, digest: await configurationDigest(git, tip) };
    },
    commit: (request) => inTurn(() => commit(request)),
    async commitsSince(since) {
      const tip = await inTurn(fetchTip);
      await ensureCommit(since);
      const fields = "%H%x00%s%x00%an <%ae>%x00%(trailers:key=Operation,valueonly)";
      const text = await git.run(["log", "-z", `--format=${fields}%x00`, `${since}..${tip}`]);
      const values = text.split("\0");
      const found = [];
      for (let index = 0; index + 4 < values.length; index += 5) {
        const [id = "", subject = "", author = "", trailer = ""] = values.slice(index, index + 4);
        found.push({
          commit: id,
          subject,
          author,
          trailer: trailer.trim() || null,
          files: await touchedFiles(git, id),
        });
      }
      return found;
    },
  };
}

/** Files that differ from the first parent: for a merge, what it brought in. */
async function touchedFiles(git: Git, commit: string): Promise<string[]> {
  const parents = (await git.run(["rev-list", "--parents", "-n", "1", commit])).trim().split(" ");
  const options = ["-r", "-z", "--name-only", "--no-renames", "--no-commit-id"];
  const between = parents[1] ? [parents[1], commit] : ["--root", commit];
  return (await git.run(["diff-tree", ...options, ...between])).split("\0").filter((path) => path !== "");
}

/** The commit's tree with these files replaced. */
async function writeTree(git: Git, commit: string, texts: Map<string, string>): Promise<string> {
  let tree = (await git.run(["rev-parse", "--verify", `${commit}^{tree}`])).trim();
  for (const [path, text] of texts) {
    const blob = (await git.run(["hash-object", "-w", "--no-filters", "--stdin"], { input: text })).trim();
    tree = await replaceFile(git, tree, path.split("/"), blob);
  }
  return tree;
}

async function replaceFile(git: Git, tree: string, [name = "", ...below]: string[], blob: string): Promise<string> {
  // Without -z git quotes unusual names of other files, and mktree reads them back as they were.
  const lines = (await git.run(["ls-tree", tree])).split("\n").filter((line) => line !== "");
  const isOurs = (line: string) => line.slice(line.indexOf("\t") + 1) === name;
  // The file was read from this very commit, so every part of its path is there.
  const [, , id = ""] = lines.find(isOurs)?.split(/[ \t]/) ?? [];
  const entry =
    below.length === 0
      ? `100644 blob ${blob}\t${name}`
      : `040000 tree ${await replaceFile(git, id, below, blob)}\t${name}`;
  const input = `${[...lines.filter((line) => !isOurs(line)), entry].join("\n")}\n`;
  return (await git.run(["mktree"], { input })).trim();
}

function parseDesired(text: string, commit: string): DesiredState {
  const place = `${instancesFile} of the fleet repository (commit ${commit.slice(0, 12)})`;
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`${place} is not JSON: ${(cause as Error).message}`, {
      code: "fleet_file_invalid",
      hint: "mend the file at that place, commit and push it",
      cause,
    });
  }
  return checkDesired(raw, place);
}

function checkDesired(raw: unknown, place: string): DesiredState {
  const result = desiredStateSchema.safeParse(raw);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `  ${issue.path.join(".") || "(the whole file)"}: ${describeIssue(issue)}`,
  );
  throw new ConfigError(`${place} is malformed:\n${problems.join("\n")}`, {
    code: "fleet_file_invalid",
    hint: "mend these keys, commit and push; the README of the fleet repository shows an entry",
  });
}

function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_key") return issue.issues.map((inner) => inner.message).join("; ");
  if (issue.code === "unrecognized_keys") return `there is no such key: ${issue.keys.join(", ")}`;
  if (issue.code === "invalid_union") return "must be a full commit id of 40 hex digits, or `checkout`";
  return issue.message;
}

/** One text for one state, so that a diff shows nothing but what changed. */
function formatDesired(state: DesiredState): string {
  const { instances } = checkDesired(state, `the new ${instancesFile}`);
  const entries = Object.entries(instances).sort(([a], [b]) => compareNames(a, b));
  const ordered = entries.map(([name, { host, type, revision, tokenSecret }]) => [
    name,
    { host, type, revision, tokenSecret },
  ]);
  return `${JSON.stringify({ formatVersion: 1, instances: Object.fromEntries(ordered) }, null, 2)}\n`;
}

/** One after the other within this process: two fetches into one clone trip over each other's locks. */
function createQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work, work);
    last = result.catch(() => undefined);
    return result;
  };
}
