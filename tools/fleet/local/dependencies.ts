/** Production dependencies of an image, shared by every image whose lock file is the same. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { delimiter, join, sep } from "node:path";
import { z } from "zod";
import { ConfigError, ProviderError } from "../../errors.ts";
import { sha256 } from "../../json.ts";
import { readFileIfThere, syncDirectory, writeFileDurably } from "./files.ts";
import { type LockFile, linkPackages, missingPackage, readLockFile } from "./linked-packages.ts";

export interface DependencySource {
  /** `images/dependencies`. */
  directory: string;
  /** A checkout whose installed packages may serve, or null. */
  checkout: string | null;
  environment: NodeJS.ProcessEnv;
}

const markerSchema = z.object({ formatVersion: z.literal(1), key: z.string() });

/** Settings of npm that say how to reach a registry; the rest (prefix, omit, workspace, …) would change what we do. */
const npmSettings =
  /^npm_config_(registry|cache|cafile|ca|proxy|https_proxy|noproxy|userconfig|strict_ssl|offline|maxsockets|fetch_.*|@.*|\/\/.*)$/i;
const npmVariables =
  /^(PATH|HOME|TMPDIR|LANG|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR)$/;

/** Lines of npm's own words that an error carries. */
const npmLinesKept = 12;

/** Names what a lock file's installation is kept under; null where the tree has none and so needs no dependencies. */
export async function dependencyKey(tree: string): Promise<string | null> {
  const lock = await readFileIfThere(join(tree, "package-lock.json"));
  return lock === null ? null : sha256(`${process.platform}-${process.arch}\n${lock}`);
}

/** `node_modules` of a key, when it is installed whole. */
export async function installedDependencies(directory: string, key: string): Promise<string | null> {
  const text = await readFileIfThere(join(directory, key, "dependencies.json"));
  if (text === null) return null;
  const modules = join(directory, key, "node_modules");
  return markerSchema.safeParse(parseJson(text)).success && existsSync(modules) ? modules : null;
}

/**
 * Installs what the tree's lock file names, unless it is there; returns the key. The caller holds the build lock.
 * Throws ProviderError with npm's words.
 */
export async function ensureDependencies(
  tree: string,
  source: DependencySource,
  options: { progress(text: string): void; signal: AbortSignal },
): Promise<string | null> {
  const key = await dependencyKey(tree);
  if (key === null || (await installedDependencies(source.directory, key))) return key;
  await mkdir(source.directory, { recursive: true });
  const building = await mkdtemp(join(source.directory, `.building-${key.slice(0, 16)}-`));
  try {
    const lock = await readLockFile(join(tree, "package-lock.json"));
    if (!(await linkFromCheckout(tree, lock, building, source.checkout))) {
      options.progress("installing dependencies with npm");
      await installWithNpm(tree, building, source.environment, options.signal);
      const missing = await missingPackage(join(building, "node_modules"), lock);
      if (missing) throw installFailed(`npm ended well, but ${missing}`);
    }
    await writeFileDurably(join(building, "dependencies.json"), `${JSON.stringify({ formatVersion: 1, key })}\n`);
    const target = join(source.directory, key);
    await rm(target, { recursive: true, force: true });
    await rename(building, target);
    await syncDirectory(source.directory);
    return key;
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

/** Deletes what killed builds left. The caller holds the build lock. */
export async function removeUnfinished(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const unfinished = names.filter((name) => name.startsWith(".building-") || name.startsWith(".removed-"));
  await Promise.all(unfinished.map((name) => rm(join(directory, name), { recursive: true, force: true })));
}

/** The quick way: the checkout has just these packages installed, so link them. False when anything does not fit. */
async function linkFromCheckout(
  tree: string,
  lock: LockFile,
  building: string,
  checkout: string | null,
): Promise<boolean> {
  if (!checkout) return false;
  const wanted = await readFileIfThere(join(tree, "package-lock.json"));
  const installed = await readFileIfThere(join(checkout, "node_modules", ".installed-lock"));
  const present = await readFileIfThere(join(checkout, "package-lock.json"));
  if (wanted === null || installed !== wanted || present !== wanted) return false;
  const modules = join(building, "node_modules");
  if (await linkPackages({ from: join(checkout, "node_modules"), to: modules, lock })) return true;
  await rm(modules, { recursive: true, force: true });
  return false;
}

async function installWithNpm(
  tree: string,
  building: string,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<void> {
  for (const name of ["package.json", "package-lock.json"]) await copyFile(join(tree, name), join(building, name));
  const flags = ["--no-save", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  const path = pathWithoutPackages(environment.PATH ?? "");
  const allowed = Object.entries(environment).filter(([name]) => npmVariables.test(name) || npmSettings.test(name));
  const { code, lines } = await runToEnd("npm", ["install", ...flags, "--loglevel=error", "--prefix", building], {
    cwd: building,
    env: { ...Object.fromEntries(allowed), PATH: path },
    signal,
  });
  signal.throwIfAborted();
  if (code !== 0) throw installFailed(`npm ended with ${code}: ${lines.slice(-npmLinesKept).join("\n")}`);
  // A lock file without packages installs nothing, not even the directory.
  await mkdir(join(building, "node_modules"), { recursive: true });
}

/** `npm run` puts the project's own programs first, among them a Node that npm must not be run by. */
export function pathWithoutPackages(path: string): string {
  const own = `node_modules${sep}.bin`;
  return path
    .split(delimiter)
    .filter((entry) => !entry.replace(/[/\\]+$/, "").endsWith(own))
    .join(delimiter);
}

function runToEnd(
  command: string,
  parameters: string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<{ code: number | string; lines: string[] }> {
  return new Promise((resolve, reject) => {
    // Ends npm when the job is cancelled; npm passes SIGTERM on to what it started.
    const child = spawn(command, parameters, { ...options, stdio: ["ignore", "pipe", "pipe"], killSignal: "SIGTERM" });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code !== "ENOENT") reject(cause);
      else reject(npmMissing(cause));
    });
    child.on("close", (code, signal) => {
      const lines = Buffer.concat(chunks).toString("utf8").split("\n");
      resolve({ code: code ?? signal ?? "an unknown state", lines: lines.filter((line) => line.trim() !== "") });
    });
  });
}

function installFailed(why: string): ProviderError {
  return new ProviderError(`the image's dependencies could not be installed: ${why}`, {
    code: "dependencies_failed",
    hint: "check the connection to the package registry and the free disk space, then build again",
  });
}

function npmMissing(cause: unknown): ConfigError {
  return new ConfigError("npm is not installed, or not in PATH", {
    code: "npm_missing",
    hint: "install Node.js with npm, which brings it: `apt install npm`, or see nodejs.org",
    cause,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
