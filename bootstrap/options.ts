/** The bootstrap's options: given on the command line, remembered from the run before, or the default. */
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { UsageError } from "../agent/cli/output.ts";
import { ConfigError } from "../tools/errors.ts";
import { awsSettingsSchema } from "../tools/fleet/aws/settings.ts";
import { instanceNameSchema } from "../tools/fleet/model.ts";
import { type ImportWay, importWays } from "../tools/fleet/services.ts";
import { secretNameSchema } from "../tools/secrets/secrets.ts";

export const buildPlaces = ["here", "ci"] as const;
export type BuildPlace = (typeof buildPlaces)[number];

export interface BootstrapOptions {
  name: string;
  region: string;
  fleet: string;
  /** Working clone of the fleet repository. */
  directory: string;
  /** Address that the fleet repository is pushed to; null only for a teardown. */
  remote: string | null;
  /** Address of the program's repository; null: the checkout's own remote. */
  programRepository: string | null;
  /** As it was given; null: the checkout's commit. */
  revision: string | null;
  build: BuildPlace;
  ami: string | null;
  via: ImportWay;
  /** Secret's name to the file that holds it. */
  secrets: Map<string, string>;
  dryRun: boolean;
  yes: boolean;
  teardown: boolean;
  only: string | null;
}

type Given = Record<string, unknown>;

/** What a later run must say again in the same words, or leave out. */
const fixed = ["name", "region", "remote", "programRepository"] as const;

/** The fleet's name alone: it says where the journal lies. */
export function fleetOf(given: Given): string {
  const fleet = text(given, "fleet") ?? "clawdinator";
  return accept(awsSettingsSchema.shape.fleet.safeParse(fleet), "--fleet", fleet);
}

/**
 * Throws UsageError for what cannot be right, and ConfigError where it contradicts what an earlier run began.
 * `remembered`: what the journal says.
 */
export function readOptions(options: {
  given: Given;
  remembered: Record<string, string>;
  environment: NodeJS.ProcessEnv;
  steps: readonly string[];
}): BootstrapOptions {
  const { given, remembered, environment } = options;
  const value = (key: string): string | null => text(given, key) ?? remembered[key] ?? null;
  for (const key of fixed) {
    const [now, before] = [text(given, key), remembered[key]];
    if (now !== null && before !== undefined && now !== before) {
      throw new ConfigError(`--${kebab(key)} is ${now}, but this bootstrap began with ${before}`, {
        code: "bootstrap_differs",
        hint: `leave the option out to go on, take another --fleet for a second one, or undo the first with --teardown`,
      });
    }
  }
  const teardown = given.teardown === true;
  const dryRun = given.dryRun === true;
  const region = value("region") ?? environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? "eu-central-1";
  const name = value("name") ?? "CLAWDINATOR-1";
  const remote = value("remote");
  const ami = value("ami");
  const only = text(given, "only");
  const directory = value("directory") ?? join(environment.HOME || homedir(), `${fleetOf(given)}-fleet`);
  if (remote === null && !teardown) {
    throw new UsageError(
      "--remote is missing: the address that the new fleet repository is pushed to",
      "make an empty private repository and name it, such as --remote git@github.com:YOU/fleet.git",
    );
  }
  if (ami !== null && !/^ami-[0-9a-f]{8,17}$/.test(ami))
    throw new UsageError(`--ami ${ami} is not the id of an AMI`, "it looks like ami-0123456789abcdef0");
  if (ami !== null && given.build !== undefined)
    throw new UsageError("--ami and --build exclude each other", "with --ami nothing is built");
  if (only !== null && !options.steps.includes(only))
    throw new UsageError(`there is no step ${only}`, `steps: ${options.steps.join(", ")}`);
  const revision = value("revision");
  if (revision !== null && !/^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/.test(revision))
    throw new UsageError(`"${revision}" is not a revision`, "name a commit, branch or tag of the program");
  return {
    name: accept(instanceNameSchema.safeParse(name), "--name", name),
    region: accept(awsSettingsSchema.shape.region.safeParse(region), "--region", region),
    fleet: fleetOf(given),
    directory: resolve(directory),
    remote: remote === null ? null : asAddress(remote),
    programRepository: absolute(value("programRepository")),
    revision,
    build: oneOf(value("build") ?? "here", buildPlaces, "--build"),
    ami,
    via: oneOf(value("via") ?? "ebs-direct", importWays, "--via"),
    secrets: readSecretFiles(given.secret),
    dryRun,
    yes: given.yes === true,
    teardown,
    only,
  };
}

/** What the journal keeps of the options, for the next run. */
export function rememberedOptions(options: BootstrapOptions): Record<string, string> {
  const { name, region, directory, remote, programRepository, revision, build, ami, via } = options;
  const all = { name, region, directory, remote, programRepository, revision, build: ami ? null : build, ami, via };
  return Object.fromEntries(Object.entries(all).flatMap(([key, one]) => (one === null ? [] : [[key, one]])));
}

function text(given: Given, key: string): string | null {
  const found = given[key === "directory" ? "fleetRepository" : key];
  if (typeof found !== "string") return null;
  if (found.trim() === "") throw new UsageError(`--${kebab(key)} is empty`, "leave it out for the default");
  // Remembered as an absolute address, so that a run from another directory means the same.
  if (key !== "remote" && key !== "programRepository") return found;
  checkAddress(`--${kebab(key)}`, found);
  return asAddress(found);
}

function absolute(address: string | null): string | null {
  return address === null ? null : asAddress(address);
}

/** A path becomes absolute; an address stays. */
function asAddress(address: string): string {
  if (isAbsolute(address) || /^[a-z][a-z0-9+.-]*:\/\//i.test(address) || /^[^/\s]+:/.test(address)) return address;
  return resolve(address);
}

function checkAddress(option: string, address: string): void {
  if (address.startsWith("-") || /[\s\p{Cc}]/u.test(address))
    throw new UsageError(`${option} is not an address`, "such as git@github.com:YOU/fleet.git");
  // It would end up in configuration files, commits and images.
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/@]*:[^/@]*@/i.test(address) || /^https?:\/\/[^/@]+@/i.test(address)) {
    throw new UsageError(
      `${option} carries a password or token`,
      "leave it out of the address: use SSH, or log in with `gh auth login` and `gh auth setup-git`",
    );
  }
}

function readSecretFiles(given: unknown): Map<string, string> {
  const found = new Map<string, string>();
  for (const one of Array.isArray(given) ? given.map(String) : []) {
    const [, name, file] = /^([^=]+)=(.+)$/s.exec(one) ?? [];
    if (!name || !file || !secretNameSchema.safeParse(name).success) {
      throw new UsageError(
        "--secret is written NAME=FILE",
        "such as --secret discord-token=./discord-token.txt; the value itself never stands on the command line",
      );
    }
    found.set(name, resolve(file));
  }
  return found;
}

function oneOf<T extends string>(value: string, allowed: readonly T[], option: string): T {
  const found = allowed.find((one) => one === value);
  if (!found) throw new UsageError(`${option} ${value} is not known`, `take one of: ${allowed.join(", ")}`);
  return found;
}

function accept<T>(
  result: { success: true; data: T } | { success: false; error: { issues: { message: string }[] } },
  option: string,
  value: string,
): T {
  if (result.success) return result.data;
  throw new UsageError(`${option} ${value}: ${result.error.issues[0]?.message ?? "not allowed"}`, "see --help");
}

function kebab(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
