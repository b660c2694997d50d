import { type ChildProcess, spawn } from "node:child_process";
import { onTestFinished } from "vitest";

export interface MindProcess {
  child: ChildProcess;
  log(): string;
  ended: Promise<number | string>;
}

const main = new URL("../../agent/mind/main.ts", import.meta.url).pathname;

/** The real mind process; it is killed when the test ends. */
export function startMind(options: {
  home: string;
  instance?: string;
  flags?: string[];
  environment?: NodeJS.ProcessEnv;
  /** Instead of the mind's own main module. */
  module?: string;
}): MindProcess {
  const flags = ["--home", options.home, "--instance", options.instance ?? "i-1", ...(options.flags ?? [])];
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", options.module ?? main, ...flags], {
    env: { ...process.env, ...options.environment },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const ended = new Promise<number | string>((resolve) => {
    child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return { child, log: () => log, ended };
}
