/** Runs git on bare repositories of our own, cut off from the user's and the system's configuration and from hooks. */
import { fileURLToPath } from "node:url";
import { ConfigError, ProviderError } from "../errors.ts";

const configFile = fileURLToPath(new URL("./git.config", import.meta.url));

/** What git and ssh need to reach a repository; nothing else of the environment is handed on. */
const inherited = [
  "PATH",
  "HOME",
  "TMPDIR",
  "SSH_AUTH_SOCK",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "GIT_SSL_CAINFO",
];

/** A git that prints nothing for this long hangs; a fetch prints its progress. */
const silenceLimitMs = 300_000;

export interface GitRunOptions {
  environment?: Record<string, string>;
  input?: string;
  signal?: AbortSignal;
}

export interface Git {
  /** The bare repository. */
  directory: string;
  /**
   * Standard output as it is. A command that prints nothing at all takes 50 ms longer (simple-git waits for output),
   * so prefer ones that do print where it matters. Throws ProviderError with git's own words; ConfigError when git is missing.
   */
  run(command: string[], options?: GitRunOptions): Promise<string>;
  /** As `run`, but null where git says no. */
  attempt(command: string[], options?: GitRunOptions): Promise<string | null>;
}

/** Git on the bare repository `directory`, which must exist as a directory when a command runs. */
export function openGit(options: { directory: string; environment: NodeJS.ProcessEnv }): Git {
  const base: Record<string, string> = {
    GIT_DIR: options.directory,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: configFile,
    GIT_TERMINAL_PROMPT: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    LC_ALL: "C",
  };
  for (const name of inherited) {
    const value = options.environment[name];
    if (value !== undefined) base[name] = value;
  }

  async function run(command: string[], runOptions: GitRunOptions = {}): Promise<string> {
    runOptions.signal?.throwIfAborted();
    const { simpleGit } = await import("simple-git");
    const { input, signal } = runOptions;
    const environment = { ...base, ...runOptions.environment };
    try {
      return await simpleGit({
        baseDir: options.directory,
        // All of it is ours: the variables and the path to the configuration take power away.
        allowEnvironment: Object.keys(environment),
        unsafe: { allowUnsafeConfigPaths: true },
        timeout: { block: silenceLimitMs },
        // By default it stops listening 50 ms after the exit, whether or not all output has arrived.
        completion: { onClose: true, onExit: false },
        // Without this a failure that says nothing would count as success.
        errors: (error, result) =>
          result.exitCode === 0 ? undefined : (error ?? Buffer.concat([...result.stdErr, ...result.stdOut])),
        ...(signal ? { abort: signal } : {}),
        ...(input === undefined ? {} : { input: () => input }),
      })
        .env(environment)
        .raw(command);
    } catch (cause) {
      signal?.throwIfAborted();
      throw gitError(command, cause);
    }
  }

  return {
    directory: options.directory,
    run,
    async attempt(command, runOptions) {
      try {
        return await run(command, runOptions);
      } catch (error) {
        if (error instanceof ProviderError) return null;
        throw error;
      }
    },
  };
}

function gitError(command: string[], cause: unknown): Error {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/spawn git ENOENT|ENOENT.*spawn git/.test(text) || (cause as NodeJS.ErrnoException).code === "ENOENT") {
    return new ConfigError("git is not installed, or not in PATH", {
      code: "git_missing",
      hint: "install it: `apt install git`, `dnf install git`, `nix profile install nixpkgs#git` or `brew install git`",
      cause,
    });
  }
  const said = withoutCredentials(text.trim()) || "git gave no reason";
  return new ProviderError(`git ${command[0]} failed: ${said}`, {
    code: "git_failed",
    hint: "check that the repository is there, readable and reachable",
    // The cause would carry the text with credentials still in it.
  });
}

/** Addresses may carry a password: it must not reach logs. */
export function withoutCredentials(text: string): string {
  return text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, "$1***@");
}
