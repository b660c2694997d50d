/** `nix/settings.json` of the fleet repository: the configuration that every instance of this fleet works by. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig, parseConfig } from "../agent/config.ts";
import { failpoint } from "../agent/gateway/failpoint.ts";
import { ConfigError, ProviderError } from "../tools/errors.ts";
import type { AwsSettings } from "../tools/fleet/aws/settings.ts";
import { writeFileDurably } from "../tools/fleet/local/files.ts";
import type { Json } from "../tools/json.ts";
import { author } from "./author.ts";
import { openUserGit, remoteTip, type UserGit } from "./git.ts";
import { programAddress, remoteOf } from "./program.ts";
import type { BootstrapContext } from "./step.ts";

const settingsFile = "nix/settings.json";
const lockFile = "tofu/.terraform.lock.hcl";
const pushAttempts = 5;

export interface FleetSettings {
  provider: "aws";
  /** What the stack's outputs say; everything else of `aws` is the owner's to set, or the default. */
  aws: { [key: string]: Json };
  fleet: { repository: string };
  program: { repository: string };
}

export async function settingsOf(context: BootstrapContext, aws: { [key: string]: Json }): Promise<FleetSettings> {
  return {
    provider: "aws",
    aws,
    fleet: { repository: remoteOf(context) },
    program: { repository: await programAddress(context) },
  };
}

/** Keys that the owner of the fleet added by hand are kept; ours are set. Throws ConfigError where the whole is wrong. */
function merged(before: string | null, settings: FleetSettings): string {
  const kept = asObject(before === null ? null : parseJson(before));
  const part = (key: "aws" | "fleet" | "program") => ({ ...asObject(kept[key]), ...settings[key] });
  const next = {
    ...kept,
    provider: settings.provider,
    aws: part("aws"),
    fleet: part("fleet"),
    program: part("program"),
  };
  parseConfig(next, `${settingsFile} of the fleet repository`);
  return `${JSON.stringify(next, null, 2)}\n`;
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ConfigError(`${settingsFile} of the fleet repository is not JSON`, {
      code: "fleet_file_invalid",
      hint: "mend it, commit and push it; or delete it, and it is written anew",
    });
  }
}

/**
 * Commits the settings, and the stack's provider lock, to the fleet repository and pushes without force. Where it says
 * so already nothing is committed, so a repetition makes no second commit. The configuration of this user's command
 * line is written, too.
 */
export async function publishSettings(context: BootstrapContext, settings: FleetSettings): Promise<{ commit: string }> {
  const { environment, paths, signal } = context;
  await mkdir(paths.home, { recursive: true, mode: 0o700 });
  const directory = join(paths.home, "settings.git");
  const git = openUserGit({ directory, environment, author: author(environment), signal });
  if (!existsSync(join(directory, "HEAD")))
    await git.run(["init", "--quiet", "--bare", "--initial-branch=main", directory], { directory: paths.home });
  const remote = remoteOf(context);
  for (let attempt = 1; ; attempt++) {
    const tip = await fetchTip(git, remote);
    const { tree, changed, text } = await treeWith(context, git, { tip, settings });
    await writeFileDurably(paths.config, text);
    if (!changed) return { commit: tip };
    const commit = await git.run(["commit-tree", tree, "-p", tip, "-F", "-"], {
      input: "Write the AWS settings of the fleet\n\nMade by the bootstrap from the outputs of the stack.\n",
    });
    failpoint("infrastructure.settings");
    try {
      await git.run(["push", "--quiet", remote, `${commit}:refs/heads/main`]);
      return { commit };
    } catch (cause) {
      const now = await remoteTip(git, remote);
      if (now === commit) return { commit };
      // Somebody pushed meanwhile: once more on top of theirs.
      if (now !== tip && attempt < pushAttempts) continue;
      throw new ProviderError(`the settings could not be pushed to the fleet repository: ${(cause as Error).message}`, {
        code: "fleet_push_refused",
        hint: "check that you may write to its branch main, then run the same command again",
        cause,
      });
    }
  }
}

async function fetchTip(git: UserGit, remote: string): Promise<string> {
  await git.run(["fetch", "--quiet", "--no-tags", "--", remote, "+refs/heads/main:refs/fleet/main"]);
  return git.run(["rev-parse", "--verify", "refs/fleet/main^{commit}"]);
}

async function treeWith(
  context: BootstrapContext,
  git: UserGit,
  options: { tip: string; settings: FleetSettings },
): Promise<{ tree: string; changed: boolean; text: string }> {
  const { tip } = options;
  const index = join(context.paths.home, "settings.index");
  await rm(index, { force: true });
  await git.run(["read-tree", tip], { index });
  const before = await git.attempt(["cat-file", "blob", `${tip}:${settingsFile}`]);
  const text = merged(before, options.settings);
  const add = async (path: string, content: string): Promise<void> => {
    const blob = await git.run(["hash-object", "-w", "--no-filters", "--stdin"], { input: content });
    await git.run(["update-index", "--add", "--cacheinfo", `100644,${blob},${path}`], { index });
  };
  await add(settingsFile, text);
  const lock = join(context.paths.home, "tofu", "stack", ".terraform.lock.hcl");
  if (existsSync(lock)) await add(lockFile, await readFile(lock, "utf8"));
  const tree = await git.run(["write-tree"], { index });
  await rm(index, { force: true });
  return { tree, changed: tree !== (await git.run(["rev-parse", `${tip}^{tree}`])), text };
}

/** The settings as this machine last wrote them; null before the infrastructure exists. */
export async function readSettings(context: BootstrapContext): Promise<AwsSettings | null> {
  if (!existsSync(context.paths.config)) return null;
  return loadConfig({ path: context.paths.config, required: true }).aws ?? null;
}
