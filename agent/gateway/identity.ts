/** Who this process is: an instance launched from an image, or the one that runs from a checkout. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ConfigError } from "../../tools/errors.ts";
import { createInstance, readSpec } from "../../tools/fleet/local/instance-spec.ts";
import { instanceLayout, localLayout } from "../../tools/fleet/local/layout.ts";
import { fleetPaths, type InstancePaths, instancePaths } from "../paths.ts";

const run = promisify(execFile);

/** The folder that holds agent/, tools/ and memory/. */
export const programRoot = join(import.meta.dirname, "..", "..");

export interface Identity {
  instance: string;
  name: string;
  /** Image id, or `checkout`. */
  image: string;
  /** Set for an image; a checkout's is read from git while the rest starts. */
  revision: string | null;
  /** The port that follows the name; null: from the configuration. */
  port: number | null;
  paths: InstancePaths;
}

/** The instance named by `--instance`; without it, this checkout's instance of that name, made when there is none. */
export async function findIdentity(options: {
  home: string;
  name: string;
  instance: string | null;
}): Promise<Identity> {
  const { home } = options;
  const instance =
    options.instance ?? (await findCheckoutInstance(home, options.name)) ?? `i-${randomBytes(6).toString("hex")}`;
  const paths = instancePaths(home, instance);
  const spec = await readSpec(paths.spec);
  if (spec) {
    const { name, image, port } = spec;
    return { instance, name, image, revision: image === "checkout" ? null : spec.revision, port, paths };
  }
  if (options.instance) {
    throw new ConfigError(`there is no instance ${instance} below ${fleetPaths(home).instances}`, {
      code: "unknown_instance",
      hint: "leave out --instance to run this checkout",
    });
  }
  const fresh = { instance, name: options.name, image: "checkout", revision: "checkout", port: null };
  await createInstance(instanceLayout(localLayout(home), instance), fresh);
  return { instance, name: options.name, image: "checkout", revision: null, port: null, paths };
}

async function findCheckoutInstance(home: string, name: string): Promise<string | null> {
  let names: string[];
  try {
    names = readdirSync(fleetPaths(home).instances).filter((one) => !one.startsWith("."));
  } catch {
    return null;
  }
  for (const instance of names.sort()) {
    const spec = await readSpec(instancePaths(home, instance).spec);
    if (spec?.image === "checkout" && spec.name === name) return instance;
  }
  return null;
}

/** The checkout's commit and whether it has uncommitted changes. Throws ConfigError when git is missing. */
export async function readCheckout(directory: string): Promise<{ revision: string; dirty: boolean }> {
  const git = (parameters: string[]): Promise<{ stdout: string }> =>
    run("git", ["-c", `safe.directory=${directory}`, "-C", directory, ...parameters], { maxBuffer: 16 * 1024 * 1024 });
  try {
    const [head, status] = await Promise.all([
      git(["rev-parse", "HEAD"]),
      git(["status", "--porcelain", "--untracked-files=no"]),
    ]);
    return { revision: head.stdout.trim(), dirty: status.stdout.trim() !== "" };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
      throw new ConfigError("git is not installed, and the fleet's desired state is a git repository", {
        code: "git_missing",
        hint: "install git (Debian: `apt-get install git`) and start again",
        cause,
      });
    }
    // A copy without history runs, but nothing can be built from it.
    return { revision: "unknown", dirty: true };
  }
}

export function readVersion(): string {
  const text = readFileSync(join(programRoot, "package.json"), "utf8");
  return String((JSON.parse(text) as { version: unknown }).version);
}
