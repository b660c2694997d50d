/** A real fleet for a test: a clone of this program as a git repository, a state directory, and its processes. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { connect } from "../../agent/cli/client.ts";
import { openSqliteStore } from "../../agent/gateway/store/sqlite.ts";
import { instancePaths } from "../../agent/paths.ts";
import type { ApprovalView, OperationView } from "../../agent/protocol.ts";
import type { FleetStatus, InstanceStatus } from "../../tools/fleet/model.ts";
import { isProcessLockHeld, readLockOwner } from "../../tools/process-lock.ts";
import type { Store } from "../../tools/store.ts";
import { cloneProgram, compileCache } from "./program.ts";
import { temporaryDirectory } from "./temporary.ts";
import { waitFor } from "./wait.ts";

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
  /** Every line of stdout as JSON. */
  lines: Record<string, unknown>[];
}

export interface TestFleet {
  /** State directory. */
  home: string;
  /** The program's clone: commit here to make revisions. */
  program: string;
  url(): string;
  token(): string;
  /** Starts (again) and waits until it is ready. */
  start(options?: { environment?: Record<string, string> }): Promise<void>;
  /** The foreground gateway's; undefined when it never started. */
  pid(): number | undefined;
  /** SIGKILL to the first instance's gateway only; its mind lives on. */
  kill(): Promise<void>;
  /** Resolves when the foreground gateway has ended, by itself or by `kill`. */
  exited(): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Ends everything that runs below the state directory. */
  stop(): Promise<void>;
  cli(parameters: string[], options?: { input?: string; environment?: Record<string, string> }): Promise<CommandResult>;
  /** As `cli` with --json; throws when the command fails. */
  json<T>(...parameters: string[]): Promise<T>;
  fetch(
    path: string,
    options?: { method?: string; body?: unknown; token?: string | null; headers?: Record<string, string> },
  ): Promise<Response>;
  /** Proposes through chat and returns the approval. */
  propose(text: string): Promise<ApprovalView>;
  approve(id: string): Promise<void>;
  /** Waits for the operation of an approval to end, across restarts of the gateway. */
  ended(approval: string, options?: { timeoutMs?: number }): Promise<OperationView>;
  instance(name: string): Promise<InstanceStatus>;
  /** How often to look into the store for what is waited for. */
  lookEveryMs: number;
  /** The store, opened by the test itself. */
  store(): Promise<Store>;
  output(): string;
  /** As `npm start | head` does it: nobody reads what the gateway prints. */
  closeOutput(): void;
}

/** Registers what is to be done when the fleet is needed no more; done in reverse order. */
type AtEnd = (work: () => void | Promise<void>, timeoutMs?: number) => void;

export interface FleetOptions {
  config?: Record<string, unknown>;
  /** Where the state directory is made; default a temporary one. */
  directory?: string;
  /** A clone of the program that is there already; default a new one in that directory. */
  program?: string;
  /** Variables of every process of the fleet. */
  environment?: Record<string, string>;
  /** Opens the store that the configuration names; default the one on local disk. */
  openStore?: () => Promise<Store>;
  /** How often a test looks into that store; default 25 ms. */
  lookEveryMs?: number;
  atEnd?: AtEnd;
}

/** Makes it, without starting it. Everything is stopped and removed when the test ends. */
export function makeFleet(options: FleetOptions = {}): TestFleet {
  const { atEnd = onTestFinished } = options;
  const directory = options.directory ?? temporaryDirectory(atEnd);
  const home = join(directory, "state");
  mkdirSync(home, { mode: 0o700 });
  const program = options.program ?? cloneProgram(directory);
  const config = join(home, "config.json");
  writeFileSync(config, JSON.stringify({ gateway: { port: 0 }, ...options.config }));
  let child: ChildProcess | null = null;
  let exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }> = Promise.resolve({
    code: 0,
    signal: null,
  });
  let ready: { url: string; login: string } | null = null;
  let output = "";
  const stores: Store[] = [];

  const baseEnvironment = (): Record<string, string> => ({
    PATH: process.env.PATH ?? "",
    HOME: directory,
    CLAWDINATOR_HOME: home,
    ...compileCache(dirname(program)),
    ...options.environment,
  });
  const command = ["--disable-warning=ExperimentalWarning", join(program, "agent", "main.ts")];

  /** As the command line asks, without a process of its own for each question. */
  const gateway = () => connect({ home, as: null });

  const fleet: TestFleet = {
    home,
    program,
    lookEveryMs: options.lookEveryMs ?? 25,
    url: () => need(ready).url,
    token: () => need(ready).login.split("#login=")[1] ?? "",

    async start(startOptions = {}) {
      ready = null;
      const started = spawn(process.execPath, [...command, "up", "--json"], {
        cwd: program,
        env: { ...baseEnvironment(), ...startOptions.environment },
        stdio: ["ignore", "pipe", "pipe"],
      });
      child = started;
      let stdout = "";
      started.stdout.on("data", (chunk) => {
        stdout += chunk;
        output += chunk;
      });
      started.stderr.on("data", (chunk) => {
        output += chunk;
      });
      let hasExited = false;
      exit = new Promise((resolve) =>
        started.on("exit", (code, signal) => {
          hasExited = true;
          resolve({ code, signal });
        }),
      );
      await waitFor(
        () => {
          if (stdout.includes("\n")) return true;
          if (hasExited) throw new Error(`the gateway ended before it was ready:\n${output}`);
          return false;
        },
        { timeoutMs: 30_000, what: `the gateway becoming ready (${output})` },
      );
      const said = JSON.parse(stdout.slice(0, stdout.indexOf("\n")));
      if ("error" in said) throw new Error(`the gateway did not start:\n${output}`);
      ready = said;
    },

    pid: () => child?.pid,

    async kill() {
      child?.kill("SIGKILL");
      await exit;
    },

    exited: () => exit,

    async stop() {
      for (const store of stores.splice(0)) await store.close();
      child?.kill("SIGTERM");
      await killBelow(home);
      await exit;
    },

    cli: (parameters, cliOptions = {}) =>
      new Promise((resolve) => {
        const run = execFile(
          process.execPath,
          [...command, ...parameters],
          { cwd: program, env: { ...baseEnvironment(), ...cliOptions.environment }, maxBuffer: 64 * 1024 * 1024 },
          (error, stdout, stderr) => {
            const code = error ? (typeof error.code === "number" ? error.code : 1) : 0;
            resolve({
              code,
              stdout,
              stderr,
              get lines() {
                return stdout
                  .split("\n")
                  .filter(Boolean)
                  .map((line) => JSON.parse(line) as Record<string, unknown>);
              },
            });
          },
        );
        run.stdin?.end(cliOptions.input ?? "");
      }),

    async json<T>(...parameters: string[]) {
      const { code, stdout, stderr } = await fleet.cli([...parameters, "--json"]);
      if (code !== 0)
        throw new Error(`clawdinator ${parameters.join(" ")} failed (${code}): ${stdout}${stderr}\n${output}`);
      return JSON.parse(stdout) as T;
    },

    fetch(path, { method = "GET", body, token = fleet.token(), headers = {} } = {}) {
      return fetch(`${fleet.url()}${path}`, {
        method,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    },

    async propose(text) {
      const { lines, stdout, stderr } = await fleet.cli(["ask", text, "--json"]);
      const proposal = lines.find((line) => line.type === "proposal");
      if (!proposal) throw new Error(`"${text}" proposed nothing: ${stdout}${stderr}`);
      return (await gateway()).get<ApprovalView>(`/api/approvals/${proposal.approval}`);
    },

    async approve(id) {
      const client = await gateway();
      const { digest } = await client.get<ApprovalView>(`/api/approvals/${id}`);
      await client.post(`/api/approvals/${id}`, { decision: "approve", digest });
    },

    async ended(approval, { timeoutMs = 45_000 } = {}) {
      const store = await fleet.store();
      return waitFor(
        async () => {
          const record = (await store.get(`approvals/${approval}`))?.value as
            | { operationId: string | null }
            | undefined;
          if (!record?.operationId) return null;
          const operation = (await store.get(`operations/${record.operationId}`))?.value as unknown as
            | OperationView
            | undefined;
          return operation?.endedAt ? operation : null;
        },
        { timeoutMs, everyMs: fleet.lookEveryMs, what: `the operation of ${approval} ending\n${output}` },
      );
    },

    async instance(name) {
      const { instances } = await (await gateway()).get<FleetStatus>("/api/fleet");
      const found = instances.find((one) => one.name === name && one.epoch !== null);
      if (!found) throw new Error(`there is no ${name}: ${JSON.stringify(instances)}`);
      return found;
    },

    async store() {
      const [known] = stores;
      if (known) return known;
      const open = options.openStore ?? (() => openSqliteStore({ path: join(home, "fleet", "store.sqlite") }));
      const store = await open();
      stores.push(store);
      return store;
    },

    output: () => output,

    closeOutput() {
      child?.stdout?.destroy();
      child?.stderr?.destroy();
    },
  };
  atEnd(() => fleet.stop(), 60_000);
  return fleet;
}

/** One started fleet for every test of a file, which calls this at its top. */
export function shareFleet(options: { config?: Record<string, unknown> } = {}): () => TestFleet {
  let fleet: TestFleet | null = null;
  const endings: (() => void | Promise<void>)[] = [];
  beforeAll(async () => {
    fleet = await startFleet({ ...options, atEnd: (work) => endings.push(work) });
  });
  afterAll(async () => {
    for (const work of endings.reverse()) await work();
  });
  return () => need(fleet);
}

/** Makes a fleet and starts its first instance. */
export async function startFleet(options: FleetOptions = {}): Promise<TestFleet> {
  const fleet = makeFleet(options);
  await fleet.start();
  return fleet;
}

/** Pids of every gateway and mind whose lock below the state directory is held. */
export function processesBelow(home: string): { instance: string; role: "gateway" | "mind"; pid: number }[] {
  let instances: string[];
  try {
    instances = readdirSync(join(home, "instances")).filter((one) => !one.startsWith("."));
  } catch {
    return [];
  }
  return instances.flatMap((instance) => {
    const { gatewayLock, mindLock } = instancePaths(home, instance);
    return (
      [
        ["gateway", gatewayLock],
        ["mind", mindLock],
      ] as const
    ).flatMap(([role, lock]) => {
      const pid = isProcessLockHeld(lock) ? readLockOwner(lock)?.pid : undefined;
      return pid === undefined ? [] : [{ instance, role, pid }];
    });
  });
}

/** Gateways first, so that none starts a mind or a sibling again; asks nicely, then insists. */
async function killBelow(home: string): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    for (const { pid } of processesBelow(home).filter(({ role }) => role === "gateway" || signal === "SIGKILL")) {
      try {
        process.kill(pid, signal);
      } catch {
        // It ended in between.
      }
    }
    const gone = await waitFor(() => processesBelow(home).length === 0, {
      timeoutMs: signal === "SIGTERM" ? 8_000 : 10_000,
    }).catch(() => false);
    if (gone) return;
  }
}

function need<T>(value: T | null): T {
  if (value === null) throw new Error("the fleet is not started");
  return value;
}
