/** What somebody does who has just cloned the repository: the two commands of the README, with nothing installed. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { FleetStatus } from "../../tools/fleet/model.ts";
import { processesBelow } from "../support/fleet.ts";
import { git } from "../support/git.ts";
import { cloneFresh } from "../support/program.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { waitFor } from "../support/wait.ts";

/** The machine's own programs, without what this checkout brings. */
function systemPath(): string {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .filter((part) => !part.includes("node_modules"))
    .join(delimiter);
}

/** The registry's address and certificates are the machine's; nothing else of this process is handed on. */
function cleanEnvironment(home: string): NodeJS.ProcessEnv {
  const machine = Object.entries(process.env).filter(([name]) =>
    /^(npm_config_registry|NODE_EXTRA_CA_CERTS|SSL_CERT_|HTTPS?_PROXY|NO_PROXY)/i.test(name),
  );
  return { ...Object.fromEntries(machine), PATH: systemPath(), HOME: home };
}

/** `npm start`, on a port that is free. */
const startCommand = ["start", "--", "--port", "0"];

test("from a fresh clone with an empty home, `npm start` and plain words give a sibling", {
  timeout: 240_000,
}, async () => {
  const directory = temporaryDirectory();
  const home = join(directory, "home");
  mkdirSync(home);
  const clone = cloneFresh(directory);
  const environment = cleanEnvironment(home);
  const state = join(home, ".local", "state", "clawdinator");
  let started: ChildProcess | null = null;
  onTestFinished(async () => {
    await npm("run", "-s", "clawdinator", "--", "down");
    started?.kill("SIGTERM");
    await waitFor(() => processesBelow(state).length === 0, { timeoutMs: 30_000 });
  }, 60_000);

  const npm = (...parameters: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      execFile("npm", parameters, { cwd: clone, env: environment }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
    });

  let output = "";
  started = spawn("npm", startCommand, {
    cwd: clone,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.stdout?.on("data", (chunk) => {
    output += chunk;
  });
  started.stderr?.on("data", (chunk) => {
    output += chunk;
  });
  await waitFor(() => /CLAWDINATOR-1 is ready at http:\/\/127\.0\.0\.1:\d+/.test(output), {
    timeoutMs: 180_000,
    what: "npm start becoming ready",
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${output}`);
  });
  expect(output).toMatch(/#login=clawd_1_/);
  expect(output).toMatch(/install/i);

  const asked = await npm("run", "-s", "clawdinator", "--", "ask", "spawn a sibling", "--json");
  expect(asked).toMatchObject({ code: 0 });
  const lines = asked.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; approval?: string });
  const approval = lines.find((line) => line.type === "proposal")?.approval;
  const approved = await npm(
    "run",
    "-s",
    "clawdinator",
    "--",
    "approvals",
    "approve",
    String(approval),
    "--wait",
    "--json",
  );
  expect(approved).toMatchObject({ code: 0 });

  const status = await npm("run", "-s", "clawdinator", "--", "fleet", "status", "--json");
  const { instances } = JSON.parse(status.stdout) as FleetStatus;
  const revision = git(clone, "rev-parse", "HEAD");
  expect(instances.map(({ name, state: is, revision: runs, dirty }) => ({ name, is, runs, dirty }))).toEqual([
    { name: "CLAWDINATOR-1", is: "ready", runs: revision, dirty: false },
    { name: "CLAWDINATOR-2", is: "ready", runs: revision, dirty: false },
  ]);
  const answered = await npm("run", "-s", "clawdinator", "--", "ask", "--to", "CLAWDINATOR-2", "version");
  expect(answered.stdout).toContain("CLAWDINATOR-2");
});
