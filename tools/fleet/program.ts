/** The program's git history: a bare mirror that is fetched when a commit is not known yet. */
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ProviderError, ToolError } from "../errors.ts";
import { createBareRepository } from "./bare-repository.ts";
import { type Git, openGit, withoutCredentials } from "./git.ts";
import { readFileIfThere, writeFileDurably } from "./local/files.ts";
import { withProcessLock } from "./local/process.ts";
import { parseListing, type TreeEntry } from "./local/tree.ts";

const fullId = /^[0-9a-f]{40}$/;
const shortId = /^[0-9a-f]{4,39}$/;
/** What a person may write: a name, and steps back from it such as `~2` or `^`. */
const revisionText = /^([A-Za-z0-9_@][A-Za-z0-9._/@+-]*)([~^][0-9~^]*)?$/;

/** Files must come out exactly as they are in the commit, whatever its .gitattributes say. */
const plainAttributes = "* -text !eol !crlf -ident !filter !working-tree-encoding\n";

export interface Program {
  /** Full commit id, fetched if need be. Names mean what they mean in the source at this moment. */
  resolve(revision: string): Promise<string>;
  /** Every file of the commit. */
  entries(commit: string): Promise<TreeEntry[]>;
  /** Writes the commit's files into `directory`, which must exist and be empty. */
  extract(commit: string, directory: string, signal: AbortSignal): Promise<void>;
}

/**
 * Opens the mirror at `directory`. `source` is a path or an address; null takes the one that was used last, so that
 * an instance that was built from an image finds where it came from.
 */
export function openProgram(options: {
  directory: string;
  source: string | null;
  environment: NodeJS.ProcessEnv;
}): Program {
  const { directory } = options;
  const git = openGit(options);
  const noted = join(directory, "clawdinator-source");

  async function source(): Promise<string> {
    const found = options.source ?? (await readFileIfThere(noted))?.trim();
    if (!found || found.startsWith("-")) {
      throw new ToolError("it is not known where the program's git repository is", {
        code: "program_repository_unknown",
        hint: "set `program.repository` in the configuration to its path or address",
      });
    }
    return found;
  }

  async function knows(commit: string): Promise<boolean> {
    return (
      existsSync(join(directory, "HEAD")) && (await git.attempt(["cat-file", "-t", `${commit}^{commit}`])) !== null
    );
  }

  /** One fetch at a time, over all processes: two of them would trip over each other's locks on references. */
  async function fetchWith(work: (git: Git, from: string) => Promise<void>): Promise<void> {
    const from = await source();
    await withProcessLock(`${directory}.lock`, {}, async () => {
      await createBareRepository(directory, options.environment);
      if ((await readFileIfThere(noted))?.trim() !== from) await writeFileDurably(noted, `${from}\n`);
      await work(git, from);
    });
  }

  /** Whether the commit is in the mirror afterwards. A reference of its own keeps it there for good. */
  async function ensureCommit(commit: string): Promise<boolean> {
    if (await knows(commit)) return true;
    await fetchWith(async (mirror, from) => {
      if (await knows(commit)) return;
      const single = [
        "fetch",
        "--verbose",
        "--no-tags",
        "--update-shallow",
        from,
        `+${commit}:refs/revisions/${commit}`,
      ];
      // Some servers give out only what a branch or tag points at.
      if ((await mirror.attempt(single)) === null) await fetchAll(mirror, from);
    });
    return knows(commit);
  }

  async function tipOf(name: string): Promise<string | null> {
    const from = await source();
    await createBareRepository(directory, options.environment);
    const wanted = [name, `refs/heads/${name}`, `refs/tags/${name}^{}`, `refs/tags/${name}`];
    let text: string;
    try {
      text = await git.run(["ls-remote", "--", from, ...(name === "HEAD" ? ["HEAD"] : wanted)]);
    } catch (cause) {
      if (!(cause instanceof ProviderError)) throw cause;
      throw new ProviderError(`cannot read the program's repository ${withoutCredentials(from)}`, {
        code: "program_repository_unreachable",
        hint: "check that it is there and that you may read it, or set `program.repository` in the configuration",
        cause,
      });
    }
    const found = new Map(text.split("\n").map((line) => [line.slice(41), line.slice(0, 40)]));
    for (const reference of wanted) {
      const commit = found.get(reference);
      if (commit && fullId.test(commit)) return commit;
    }
    return null;
  }

  async function resolve(revision: string): Promise<string> {
    if (fullId.test(revision)) {
      if (await ensureCommit(revision)) return revision;
      throw unknownRevision(revision, await source());
    }
    const match = revisionText.exec(revision);
    if (!match?.[1] || revision.includes("..")) throw notARevision(revision);
    const [, name, steps = ""] = match;
    const tip = fullId.test(name) ? name : ((await tipOf(name === "@" ? "HEAD" : name)) ?? (await fromShortId(name)));
    if (!tip || !(await ensureCommit(tip))) throw unknownRevision(revision, await source());
    if (!steps) return tip;
    const commit = await git.attempt(["rev-parse", "--verify", "--quiet", `${tip}${steps}^{commit}`]);
    if (commit === null) throw unknownRevision(revision, await source());
    return commit.trim();
  }

  async function fromShortId(text: string): Promise<string | null> {
    if (!shortId.test(text)) return null;
    const lookUp = async () =>
      (await git.attempt(["rev-parse", "--verify", "--quiet", `${text}^{commit}`]))?.trim() ?? null;
    const known = await lookUp();
    if (known) return known;
    await fetchWith(fetchAll);
    return lookUp();
  }

  return {
    resolve,
    async entries(commit) {
      return parseListing(await git.run(["ls-tree", "-r", "-z", "--full-tree", commit]), commit);
    },
    async extract(commit, target, signal) {
      await mkdir(join(directory, "info"), { recursive: true });
      await writeFileDurably(join(directory, "info", "attributes"), plainAttributes);
      const index = `${target}.index`;
      const environment = { GIT_INDEX_FILE: index, GIT_WORK_TREE: target };
      try {
        await git.run(["read-tree", commit], { environment, signal });
        await git.run(["checkout-index", "--all", "--quiet"], { environment, signal });
      } finally {
        await rm(index, { force: true });
      }
    },
  };
}

async function fetchAll(git: Git, from: string): Promise<void> {
  const references = ["+refs/heads/*:refs/source/heads/*", "+refs/tags/*:refs/source/tags/*", "+HEAD:refs/source/HEAD"];
  await git.run(["fetch", "--verbose", "--progress", "--no-tags", "--prune", "--update-shallow", from, ...references]);
}

function notARevision(revision: string): ToolError {
  return new ToolError(`"${revision}" is not a revision`, {
    code: "revision_invalid",
    hint: "name a commit id, a branch, a tag or HEAD",
  });
}

function unknownRevision(revision: string, from: string): ToolError {
  return new ToolError(`there is no commit "${revision}" in ${withoutCredentials(from)}`, {
    code: "revision_unknown",
    hint: "commit it there (or push it), or name another commit, branch or tag",
  });
}
