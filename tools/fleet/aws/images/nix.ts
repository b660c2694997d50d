/** Runs nix: with its features named, without registries and personal settings, and with a short list of variables. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ProviderError, ToolError } from "../../../errors.ts";
import { withoutCredentials } from "../../git.ts";

const gitConfiguration = fileURLToPath(new URL("../../git.config", import.meta.url));

/** What nix and the git it calls need: where the store is, how to reach caches. Nothing else is handed on. */
const inherited = [
  "PATH",
  "HOME",
  "TMPDIR",
  "XDG_CACHE_HOME",
  "NIX_REMOTE",
  "NIX_STORE_DIR",
  "NIX_STATE_DIR",
  "NIX_LOG_DIR",
  "NIX_CONF_DIR",
  "NIX_SSL_CERT_FILE",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "SSH_AUTH_SOCK",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
];

/** Names mean what the lock file says and nothing else; a flake cannot change settings. */
const fixedOptions = [
  ["--extra-experimental-features", "nix-command flakes"],
  ["--option", "flake-registry", ""],
  ["--option", "use-registries", "false"],
  ["--option", "accept-flake-config", "false"],
].flat();

/** For everything that evaluates a flake: a commit is built as it is, or not at all. */
export const lockedFlake = ["--no-update-lock-file", "--no-write-lock-file"];

/** From the polite signal to the one that cannot be refused; nix uses it to remove half-made outputs. */
const killGraceMs = 5_000;
/** Lines of nix's own words in an error: enough for the reason of a failed build. */
const errorLines = 12;
const longestLine = 300;
/** Bounds what is kept of a program that prints without end; derivations and paths are short. */
const longestOutput = 4_000_000;

export interface Nix {
  /** Standard output. Throws ToolError `nix_missing`, ProviderError `nix_failed` with nix's last words. */
  run(command: string[], options?: { signal?: AbortSignal; onLine?(line: string): void }): Promise<string>;
  /** Where a path of the store lies on this machine's disk. */
  physical(storePath: string): string;
  /** As paths in the store begin. */
  logicalStore: string;
  /** The same on this machine's disk. */
  storeDirectory: string;
}

/** `options` are handed to every command, such as `["--store", "/mnt"]`. */
export function openNix(settings: {
  environment: NodeJS.ProcessEnv;
  /** Where nix keeps its caches when the environment names no home. */
  home: string;
  options?: string[];
  program?: string;
}): Nix {
  const { environment, options = [], program = "nix" } = settings;
  const child: Record<string, string> = {
    HOME: settings.home,
    LC_ALL: "C",
    NIX_USER_CONF_FILES: "",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: gitConfiguration,
    GIT_TERMINAL_PROMPT: "0",
  };
  for (const name of inherited) {
    const value = environment[name];
    if (value !== undefined && value !== "") child[name] = value;
  }
  const chosen = options[options.indexOf("--store") + 1];
  const root = options.includes("--store") && chosen && isAbsolute(chosen) ? chosen : null;
  const physical = (path: string): string => (root === null ? path : join(root, path));

  const logicalStore = environment.NIX_STORE_DIR || "/nix/store";

  return {
    physical,
    logicalStore,
    storeDirectory: physical(logicalStore),
    run: (command, runOptions = {}) =>
      runNix({ ...runOptions, program, command: [...command, ...fixedOptions, ...options], environment: child }),
  };
}

/**
 * The address of one commit in a bare repository, for nix. The mirror of the program has a reference for most commits
 * (older versions of nix insist on one); else any may hold it. A repository without its whole history is told to be so,
 * because nix refuses it otherwise.
 */
export function gitFlake(repository: string, commit: string): string {
  const reference = `refs/revisions/${commit}`;
  const where = existsSync(join(repository, reference)) ? `ref=${reference}` : "allRefs=1";
  const shallow = existsSync(join(repository, "shallow")) ? "&shallow=1" : "";
  return `git+${pathToFileURL(repository).href}?${where}&rev=${commit}${shallow}`;
}

/** One line of a log as it may be shown: no colours or control characters, no passwords in addresses, not too long. */
export function scrubLine(line: string): string {
  const plain = line
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
    .replaceAll(/\u001B(\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001B]*(\u0007|\u001B\\)?|[@-_])/g, "")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
    .replaceAll(/[\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]+/g, " ")
    .trim();
  const safe = withoutCredentials(plain);
  return safe.length > longestLine ? `${safe.slice(0, longestLine)}…` : safe;
}

async function runNix(options: {
  program: string;
  command: string[];
  environment: Record<string, string>;
  signal?: AbortSignal;
  onLine?(line: string): void;
}): Promise<string> {
  const { signal, command } = options;
  signal?.throwIfAborted();
  // A group of its own: builders are its children, and end with it.
  const child = spawn(options.program, command, {
    env: options.environment,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const last: string[] = [];
  const lines = createInterface({ input: child.stderr });
  lines.on("line", (raw) => {
    const line = scrubLine(raw);
    if (line === "") return;
    last.push(line);
    if (last.length > errorLines) last.shift();
    options.onLine?.(line);
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (output.length < longestOutput) output += text;
  });

  let killer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    signalGroup(child.pid, "SIGTERM");
    killer = setTimeout(() => signalGroup(child.pid, "SIGKILL"), killGraceMs);
  };
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const ended = await new Promise<number | NodeJS.Signals | Error>((resolve) => {
      child.once("error", resolve);
      child.once("close", (code, killedBy) => resolve(code ?? killedBy ?? "SIGKILL"));
    });
    signal?.throwIfAborted();
    if (ended === 0) return output;
    if (ended instanceof Error) throw notStarted(options.program, ended);
    throw new ProviderError(
      `nix ${command[0]} failed (${ended}): ${last.join("\n").replace(/^error:\s*/, "") || "it gave no reason"}`,
      {
        code: "nix_failed",
        hint: "the last lines of nix are in the message; `nix log` has the whole log of a failed build",
      },
    );
  } finally {
    signal?.removeEventListener("abort", stop);
    if (killer) {
      clearTimeout(killer);
      // What outlived its leader.
      signalGroup(child.pid, "SIGKILL");
    }
  }
}

function notStarted(program: string, cause: Error): Error {
  if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
    return new ToolError(`${program} could not be started: ${cause.message}`, {
      code: "nix_unusable",
      hint: "check that it may be executed and is made for this machine",
      cause,
    });
  }
  return new ToolError("nix is not installed, or not in PATH", {
    code: "nix_missing",
    hint: "install it (https://nixos.org/download), build in CI, or name an AMI that exists with `--ami`",
    cause,
  });
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
