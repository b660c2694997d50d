/** The fleet repository: made from the template and pushed, or found, checked and used. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { failpoint } from "../../agent/gateway/failpoint.ts";
import { ConfigError, ProviderError } from "../../tools/errors.ts";
import { createFleetRepository } from "../../tools/fleet/bare-repository.ts";
import { withoutCredentials } from "../../tools/fleet/git.ts";
import { desiredStateSchema } from "../../tools/fleet/model.ts";
import { parsePolicy } from "../../tools/policy.ts";
import { author } from "../author.ts";
import { openUserGit, remoteTip, type UserGit } from "../git.ts";
import { programAddress, remoteOf } from "../program.ts";
import type { BootstrapContext, BootstrapStep } from "../step.ts";

export const fleetRepository: BootstrapStep = {
  name: "fleet-repository",
  title: "fleet repository",
  describe: ({ options }) =>
    `make the fleet repository and push it to ${withoutCredentials(options.remote ?? "")}; working clone at ${options.directory}`,

  async isDone(context) {
    const { options } = context;
    if (!existsSync(join(options.directory, ".git"))) return false;
    const git = openGit(context);
    const tip = await remoteTip(git, remoteOf(context));
    if (tip === null) return false;
    await checkClone(context, git);
    return (await git.attempt(["cat-file", "-e", `${tip}^{commit}`])) !== null;
  },

  async run(context) {
    const { options, speaker } = context;
    const remote = remoteOf(context);
    const git = openGit(context, dirname(context.paths.home));
    let tip = await remoteTip(git, remote);
    const isNew = tip === null;
    if (isNew) {
      speaker.say("progress", "making it from the template");
      tip = await pushNew(context, git, remote);
      failpoint("fleet-repository.pushed");
    }
    await clone(context, git, remote);
    await checkFleet(context, openGit(context));
    speaker.say("progress", isNew ? `pushed to ${remote}` : `uses the fleet repository that is at ${remote}`);
    return { directory: options.directory, remote, commit: tip };
  },
};

function openGit(context: BootstrapContext, directory = context.options.directory): UserGit {
  const { environment, signal } = context;
  return openUserGit({ directory, environment, author: author(environment), signal });
}

/** The first commit is made once, whole or not at all, in the state directory; pushing it again is harmless. */
async function pushNew(context: BootstrapContext, git: UserGit, remote: string): Promise<string> {
  const directory = join(context.paths.home, "first-commit.git");
  await createFleetRepository({
    directory,
    template: join(context.program, "nix", "templates", "fleet"),
    replacements: { "github:openclaw/clawdinator": flakeAddress(await programAddress(context)) },
    author: author(context.environment),
    environment: context.environment,
  });
  failpoint("fleet-repository.made");
  const commit = await git.run(["rev-parse", "--verify", "refs/heads/main^{commit}"], { directory });
  try {
    await git.run(["push", "--quiet", remote, `${commit}:refs/heads/main`], { directory });
  } catch (cause) {
    // Somebody else may have been first, or the answer was lost: what is there decides.
    if ((await remoteTip(git, remote)) === commit) return commit;
    throw new ProviderError(`the push to ${withoutCredentials(remote)} was refused: ${(cause as Error).message}`, {
      code: "fleet_push_refused",
      hint: "check that you may write to it and that its branch main is not protected, or name another one with --remote",
      cause,
    });
  }
  return commit;
}

/** A working clone at the place that the user named, whole or not at all. */
async function clone(context: BootstrapContext, git: UserGit, remote: string): Promise<void> {
  const { directory } = context.options;
  const parent = dirname(directory);
  await mkdir(parent, { recursive: true });
  if (existsSync(join(directory, ".git"))) {
    await checkClone(context, openGit(context));
    await followRemote(context);
    return;
  }
  if (existsSync(directory) && (await readdir(directory)).length > 0) {
    throw new ConfigError(`${directory} is not empty and is no clone of the fleet repository`, {
      code: "directory_in_use",
      hint: "name another place with --fleet-repository DIR",
    });
  }
  const temporary = await mkdtemp(join(parent, ".clawdinator-clone-"));
  try {
    await git.run(["clone", "--quiet", "--branch", "main", "--", remote, join(temporary, "clone")], {
      directory: parent,
    });
    await rename(join(temporary, "clone"), directory);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function checkClone(context: BootstrapContext, git: UserGit): Promise<void> {
  const remote = remoteOf(context);
  const origin = await git.attempt(["config", "--get", "remote.origin.url"]);
  if (origin === remote) return;
  throw new ConfigError(
    `${context.options.directory} is a clone of ${withoutCredentials(origin ?? "nothing")}, not of ${withoutCredentials(remote)}`,
    {
      code: "directory_in_use",
      hint: "name another place with --fleet-repository DIR, or the right address with --remote",
    },
  );
}

/** Brings the working clone up to date where that loses nothing; what the user has begun there stays. */
export async function followRemote(context: BootstrapContext): Promise<void> {
  const git = openGit(context);
  await git.run(["fetch", "--quiet", "origin", "main"]);
  const isClean = (await git.attempt(["status", "--porcelain", "--untracked-files=no"])) === "";
  const moved = isClean && (await git.attempt(["merge", "--quiet", "--ff-only", "FETCH_HEAD"])) !== null;
  if (!moved) {
    context.speaker.say(
      "note",
      `${context.options.directory} has changes of your own and was left as it is: \`git pull --rebase\` there brings it up to date`,
    );
  }
}

/** Throws ConfigError where the repository holds no fleet, and says what is wrong with which file. */
async function checkFleet(context: BootstrapContext, git: UserGit): Promise<void> {
  const remote = withoutCredentials(remoteOf(context));
  await git.run(["fetch", "--quiet", "origin", "main"]);
  const read = async (path: string): Promise<string> => {
    const text = await git.attempt(["cat-file", "blob", `FETCH_HEAD:${path}`]);
    if (text !== null) return text;
    throw new ConfigError(`${remote} has no ${path}: it is no fleet repository`, {
      code: "remote_foreign",
      hint: "name an empty repository, which is then filled from the template",
    });
  };
  const instances = desiredStateSchema.safeParse(parseJson(await read("nix/instances.json")));
  if (!instances.success) {
    throw new ConfigError(`nix/instances.json of ${remote} is malformed`, {
      code: "fleet_file_invalid",
      hint: "mend it as the README of the fleet repository shows, commit and push it",
      cause: instances.error,
    });
  }
  parsePolicy(await read("policy.json"), `policy.json of ${remote}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The program's repository as a flake's input names it. */
export function flakeAddress(address: string): string {
  const github =
    /^(?:https:\/\/github\.com\/|git@github\.com:|ssh:\/\/git@github\.com\/)([^/]+)\/([^/]+?)(?:\.git)?\/?$/.exec(
      address,
    );
  if (github && address.startsWith("https:")) return `github:${github[1]}/${github[2]}`;
  if (github) return `git+ssh://git@github.com/${github[1]}/${github[2]}.git`;
  if (address.startsWith("/")) return `git+file://${address}`;
  const scp = /^([^/:]+@[^/:]+):(.+)$/.exec(address);
  if (scp) return `git+ssh://${scp[1]}/${scp[2]}`;
  return `git+${address}`;
}
