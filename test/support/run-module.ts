import { type ChildProcess, spawn } from "node:child_process";
import { pathToFileURL } from "node:url";
import { onTestFinished } from "vitest";

export interface RunningModule {
  child: ChildProcess;
  /** What it has printed so far, by line. */
  lines: string[];
  /** Exit code or signal, after it ended. */
  ended: Promise<number | string>;
}

/**
 * Runs JavaScript as a process of its own; it is killed when the test ends. `project("tools/x.ts")` in the source is
 * the address of a file of this project.
 */
export function runModule(source: string, environment: NodeJS.ProcessEnv = process.env): RunningModule {
  const root = pathToFileURL(`${import.meta.dirname}/../../`).href;
  const prelude = `const project = (path) => new URL(path, ${JSON.stringify(root)}).href;\n`;
  const flags = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval"];
  const child = spawn(process.execPath, [...flags, prelude + source], {
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
  });
  const ended = new Promise<number | string>((resolve) => {
    child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return { child, lines, ended };
}
