/** Git as the person who runs the bootstrap uses it: with their way to log in, without hooks, and never AWS' keys. */
import { join } from "node:path";
import { ConfigError, ProviderError } from "../tools/errors.ts";
import { withoutCredentials } from "../tools/fleet/git.ts";
import { environmentFor, runChild } from "./child.ts";

export interface UserGit {
  /** Standard output without its last line end. Throws ProviderError with git's own words. */
  run(parameters: string[], options?: { directory?: string; input?: string; index?: string }): Promise<string>;
  /** As `run`, null where git says no. */
  attempt(
    parameters: string[],
    options?: { directory?: string; input?: string; index?: string },
  ): Promise<string | null>;
}

export interface CommitAuthor {
  name: string;
  email: string;
}

const install =
  "install it: `apt install git`, `dnf install git`, `nix profile install nixpkgs#git` or `brew install git`";

export function openUserGit(options: {
  directory: string;
  environment: NodeJS.ProcessEnv;
  author: CommitAuthor;
  signal: AbortSignal;
}): UserGit {
  const { author } = options;
  const base = {
    ...environmentFor("git", options.environment),
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: author.name,
    GIT_AUTHOR_EMAIL: author.email,
    GIT_COMMITTER_NAME: author.name,
    GIT_COMMITTER_EMAIL: author.email,
    LC_ALL: "C",
  };

  async function execute(
    parameters: string[],
    { directory = options.directory, input, index }: { directory?: string; input?: string; index?: string } = {},
  ) {
    return runChild({
      command: "git",
      // A hook is somebody else's program, and this is no moment for it.
      parameters: ["-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false", ...parameters],
      directory,
      environment: index ? { ...base, GIT_INDEX_FILE: index } : base,
      signal: options.signal,
      install,
      ...(input === undefined ? {} : { input }),
    });
  }

  return {
    async run(parameters, runOptions) {
      const { code, stdout, stderr } = await execute(parameters, runOptions);
      if (code === 0) return stdout.replace(/\n$/, "");
      throw new ProviderError(
        `git ${parameters[0]} failed: ${withoutCredentials((stderr || stdout).trim()) || "it gave no reason"}`,
        { code: "git_failed", hint: "check that the repository is there and that you may read and write it" },
      );
    },
    async attempt(parameters, runOptions) {
      const { code, stdout } = await execute(parameters, runOptions);
      return code === 0 ? stdout.replace(/\n$/, "") : null;
    },
  };
}

/** The commit of the remote's `main`; null for an empty repository. Throws ConfigError when it cannot be read. */
export async function remoteTip(git: UserGit, remote: string): Promise<string | null> {
  let text: string;
  try {
    text = await git.run(["ls-remote", "--", remote]);
  } catch (cause) {
    throw new ConfigError(`cannot read ${withoutCredentials(remote)}: ${(cause as Error).message}`, {
      code: "remote_unreachable",
      hint: "make the repository (empty), and check that `git ls-remote` reaches it from here: SSH key, or `gh auth setup-git`",
      cause,
    });
  }
  const lines = text.split("\n").filter(Boolean);
  const main = lines.find((line) => line.endsWith("\trefs/heads/main"))?.slice(0, 40) ?? null;
  if (main === null && lines.some((line) => line.includes("\trefs/heads/"))) {
    throw new ConfigError(`${withoutCredentials(remote)} has branches, but none called main`, {
      code: "remote_foreign",
      hint: "name an empty repository, or one that holds a fleet",
    });
  }
  return main;
}

const loginKeys =
  "^(credential\\..*helper|credential\\.helper|url\\..*\\.insteadof|url\\..*\\.pushinsteadof|core\\.sshcommand)$";

/**
 * Gives a bare clone, which is cut off from the user's configuration, their way to log in: helpers and rewritten
 * addresses, no values that could be secret. Safe to repeat.
 */
export async function shareLogin(git: UserGit, clone: string): Promise<void> {
  const text = await git.attempt(["config", "--get-regexp", "-z", loginKeys]);
  for (const entry of (text ?? "").split("\0").filter(Boolean)) {
    const end = entry.indexOf("\n");
    const [key, value] = end < 0 ? [entry, ""] : [entry.slice(0, end), entry.slice(end + 1)];
    await git.run(["config", "--file", join(clone, "config"), "--replace-all", key, value]);
  }
}
