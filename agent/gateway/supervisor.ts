/** Keeps one mind running: starts it, finds one that outlived a former gateway, restarts it with backoff, ends it. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { isProcessLockHeld, readLockOwner } from "../../tools/process-lock.ts";

/** Nothing of the gateway's environment but this reaches the mind: model keys, and what a process needs to run. */
const inherited =
  /^(PATH|HOME|USER|LANG|LC_.*|TZ|TMPDIR|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|NODE_COMPILE_CACHE(_PORTABLE)?|OPENAI_.*|ANTHROPIC_.*|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy)$/;

const firstBackoffMs = 100;
const longestBackoffMs = 10_000;
/** A mind that lived this long was healthy; its next failure starts the backoff anew. */
const healthyMs = 30_000;
/** A mind that outlived its gateway reconnects at most 2 s apart; one that does not come by then is ended. */
const orphanGraceMs = 4_000;

/**
 * A small nursery: by default it grows to 32 MB and more while a mind is busy and stays that large. Measured over 1,000
 * turns it makes the process about 50 MB smaller and takes no more time.
 */
export const mindFlags = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=1"];

export interface Supervisor {
  start(): void;
  pid(): number | null;
  /** Ends the mind: it was told to drain before; what is left after the grace is killed. */
  stop(graceMs: number): Promise<void>;
}

export function createSupervisor(options: {
  home: string;
  instance: string;
  configPath: string | null;
  program: string;
  mindLock: string;
  log: string;
  environment: NodeJS.ProcessEnv;
  isConnected(): boolean;
  onEvent(level: "info" | "warn", message: string, fields: Record<string, string | number | null>): void;
}): Supervisor {
  let child: ChildProcess | null = null;
  let stopping = false;
  let backoffMs = firstBackoffMs;
  let timer: NodeJS.Timeout | null = null;

  const schedule = (delayMs: number, work: () => void): void => {
    if (stopping) return;
    timer = setTimeout(work, delayMs);
  };

  const begin = (): void => {
    if (stopping) return;
    if (isProcessLockHeld(options.mindLock)) adopt(performance.now() + orphanGraceMs);
    else launch();
  };

  /** A mind of the gateway before us comes by itself. While it lives, a second one could not take its lock anyway. */
  const adopt = (graceEnd: number): void => {
    if (stopping) return;
    if (!isProcessLockHeld(options.mindLock)) {
      launch();
      return;
    }
    if (!options.isConnected() && performance.now() > graceEnd) {
      const owner = readLockOwner(options.mindLock);
      options.onEvent("warn", "a mind from before does not connect and is ended", { pid: owner?.pid ?? null });
      if (owner) signal(owner.pid, "SIGKILL");
    }
    const nextGrace = options.isConnected() ? performance.now() + orphanGraceMs : graceEnd;
    schedule(250, () => adopt(nextGrace));
  };

  const launch = (): void => {
    mkdirSync(dirname(options.log), { recursive: true });
    const log = openSync(options.log, "a", 0o600);
    const startedAt = performance.now();
    const parameters = [
      ...mindFlags,
      join(options.program, "agent", "mind", "main.ts"),
      "--home",
      options.home,
      "--instance",
      options.instance,
    ];
    if (options.configPath) parameters.push("--config", options.configPath);
    child = spawn(process.execPath, parameters, {
      cwd: options.program,
      stdio: ["ignore", log, log],
      env: mindEnvironment(options.environment),
    });
    closeSync(log);
    options.onEvent("info", "mind started", { pid: child.pid ?? null });
    let ended = false;
    const onEnd = (why: string): void => {
      if (ended) return;
      ended = true;
      child = null;
      if (stopping) return;
      if (performance.now() - startedAt > healthyMs) backoffMs = firstBackoffMs;
      options.onEvent("warn", "mind ended and is started again", { why, backoffMs });
      schedule(backoffMs, begin);
      backoffMs = Math.min(backoffMs * 2, longestBackoffMs);
    };
    child.on("error", (error) => onEnd(error.message));
    child.on("exit", (code, signalName) => onEnd(signalName ?? `exit code ${code}`));
  };

  return {
    start: begin,
    pid: () =>
      child?.pid ?? (isProcessLockHeld(options.mindLock) ? (readLockOwner(options.mindLock)?.pid ?? null) : null),
    async stop(graceMs) {
      stopping = true;
      if (timer) clearTimeout(timer);
      const pid =
        child?.pid ?? (isProcessLockHeld(options.mindLock) ? readLockOwner(options.mindLock)?.pid : undefined);
      if (!pid) return;
      signal(pid, "SIGTERM");
      const alive = (): boolean =>
        child ? child.exitCode === null && child.signalCode === null : isProcessLockHeld(options.mindLock);
      const end = performance.now() + graceMs;
      while (alive() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
      if (alive()) signal(pid, "SIGKILL");
    },
  };
}

function mindEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => inherited.test(name)));
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already, which is what was wanted.
  }
}
