/**
 * Programs that the bootstrap runs: without a shell, with exactly the environment that is given. One that changes the
 * world writes to a file, not to a pipe, so that it ends well even when this process is killed.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError, ProviderError } from "../tools/errors.ts";

export interface ChildRequest {
  command: string;
  parameters: string[];
  directory: string;
  environment: Record<string, string>;
  input?: string;
  signal: AbortSignal;
  /** What to do when the program is not installed. */
  install: string;
}

export interface ChildResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** A program that was asked to end has this long to leave everything in order, such as the state of the stack. */
const graceMs = 60_000;
const pollMs = 100;
const longestOutput = 32 * 1024 * 1024;

/** Runs it to its end, whatever its exit code. Throws ConfigError when it is not installed. */
export async function runChild(request: ChildRequest): Promise<ChildResult> {
  request.signal.throwIfAborted();
  const child = spawn(request.command, request.parameters, {
    cwd: request.directory,
    env: request.environment,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      if (texts[name].length < longestOutput) texts[name] += text;
    });
  }
  // A program that does not read its input is not a failure.
  child.stdin.on("error", () => {});
  child.stdin.end(request.input ?? "");
  const end = (): void => void child.kill("SIGTERM");
  request.signal.addEventListener("abort", end);
  try {
    const code = await exitOf(child, request);
    request.signal.throwIfAborted();
    return { code, ...texts };
  } finally {
    request.signal.removeEventListener("abort", end);
  }
}

/** As `runChild`, for what must not be cut short: its output goes to `log` and is told line by line. */
export async function runToFile(
  request: ChildRequest,
  options: { log: string; onLine(line: string): void },
): Promise<{ code: number; lines: string[] }> {
  request.signal.throwIfAborted();
  mkdirSync(dirname(options.log), { recursive: true, mode: 0o700 });
  const descriptor = openSync(options.log, "a", 0o600);
  const from = statSync(options.log).size;
  const child = spawn(request.command, request.parameters, {
    cwd: request.directory,
    env: request.environment,
    stdio: ["ignore", descriptor, descriptor],
    // Of its own group: Ctrl-C reaches it once, through us, and a closed terminal not at all.
    detached: true,
  });
  closeSync(descriptor);
  const lines: string[] = [];
  const reader = createTail(options.log, from, (line) => {
    lines.push(line);
    options.onLine(line);
  });
  let killer: NodeJS.Timeout | undefined;
  const end = (): void => {
    child.kill("SIGINT");
    killer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  };
  request.signal.addEventListener("abort", end);
  let ended = false;
  const exit = exitOf(child, request).finally(() => {
    ended = true;
  });
  exit.catch(() => {});
  try {
    while (!ended) {
      reader.read();
      await Promise.race([sleep(pollMs), exit.catch(() => {})]);
    }
    const code = await exit;
    reader.read();
    request.signal.throwIfAborted();
    return { code, lines };
  } finally {
    clearTimeout(killer);
    reader.close();
    request.signal.removeEventListener("abort", end);
  }
}

function exitOf(child: ReturnType<typeof spawn>, request: ChildRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code !== "ENOENT") return reject(cause);
      reject(
        new ConfigError(`${request.command} is not installed, or not in PATH`, {
          code: `${request.command}_missing`,
          hint: request.install,
          cause,
        }),
      );
    });
    child.once("close", (code, signal) => resolve(code ?? (signal ? 128 : 1)));
  });
}

function createTail(path: string, from: number, onLine: (line: string) => void): { read(): void; close(): void } {
  const descriptor = openSync(path, "r");
  const buffer = Buffer.alloc(64 * 1024);
  let position = from;
  let rest = "";
  return {
    read() {
      for (;;) {
        const bytes = readSync(descriptor, buffer, 0, buffer.length, position);
        if (bytes === 0) return;
        position += bytes;
        const parts = (rest + buffer.toString("utf8", 0, bytes)).split("\n");
        rest = parts.pop() ?? "";
        for (const line of parts) onLine(line);
      }
    },
    close() {
      closeSync(descriptor);
    },
  };
}

/** The failure of a program that said no, with its last words. */
export function childError(request: ChildRequest, said: string, hint: string): ProviderError {
  const words = said.trim().split("\n").slice(-12).join("\n") || "it gave no reason";
  return new ProviderError(`${request.command} ${request.parameters[0]} failed: ${words}`, {
    code: `${request.command}_failed`,
    hint,
  });
}

const common = [
  "PATH",
  "HOME",
  "USER",
  "TMPDIR",
  "LANG",
  "LC_ALL",
  "XDG_CONFIG_HOME",
  "XDG_CACHE_HOME",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];

/** What each program needs of the environment, and nothing else; the model's and chat's keys reach none of them. */
const allowed = {
  tofu: { names: ["TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"], patterns: [/^AWS_/] },
  gh: { names: ["GH_TOKEN", "GITHUB_TOKEN", "GH_HOST", "GH_CONFIG_DIR"], patterns: [] },
  // The token is for `gh auth git-credential`, which git asks for a password.
  git: {
    names: [
      "SSH_AUTH_SOCK",
      "SSH_ASKPASS",
      "GIT_ASKPASS",
      "GIT_SSH_COMMAND",
      "GIT_CONFIG_GLOBAL",
      "GIT_CONFIG_NOSYSTEM",
      "GIT_SSL_CAINFO",
      "GH_TOKEN",
      "GITHUB_TOKEN",
      "GH_HOST",
      "GH_CONFIG_DIR",
    ],
    patterns: [],
  },
  nix: { names: ["NIX_CONFIG", "NIX_PATH", "NIX_SSL_CERT_FILE", "NIX_REMOTE"], patterns: [] },
} satisfies Record<string, { names: string[]; patterns: RegExp[] }>;

export function environmentFor(program: keyof typeof allowed, environment: NodeJS.ProcessEnv): Record<string, string> {
  const { names, patterns }: { names: string[]; patterns: RegExp[] } = allowed[program];
  const isAllowed = (name: string): boolean =>
    common.includes(name) || names.includes(name) || patterns.some((pattern) => pattern.test(name));
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value !== undefined && isAllowed(name) ? [[name, value] as const] : [],
    ),
  );
}
