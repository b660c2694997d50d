/** Instances of the local provider: detached process pairs, each with its own state directory. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, ProviderError, ToolError } from "../../errors.ts";
import {
  isOwnerAlive,
  isProcessLockHeld,
  type LockOwner,
  processStartOf,
  readLockOwner,
  readOwnerFile,
} from "../../process-lock.ts";
import type { InstanceLiveness, LaunchSpec } from "../services.ts";
import { writeFileDurably } from "./files.ts";
import { createInstance, deleteInstance, type InstanceSpec, readSpec } from "./instance-spec.ts";
import { type InstanceLayout, instanceLayout, type LocalLayout } from "./layout.ts";
import { readLastLines } from "./log-tail.ts";
import { processesWithArguments, signalProcess, waitUntil, withProcessLock } from "./process.ts";

/** All that an instance inherits. Keys of models are its mind's to use; nothing else that is secret goes along. */
const inherited =
  /^(PATH|HOME|USER|LANG|LC_.*|TZ|TMPDIR|XDG_.*|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|NODE_COMPILE_CACHE(_PORTABLE)?|OPENAI_BASE_URL|OPENAI_API_KEY|OPENAI_MODEL|ANTHROPIC_API_KEY|CLAWDINATOR_CONFIG)$/;

/** A gateway takes its lock within some 200 ms; after this long the candidate's own deadline judges it. */
const lockDeadlineMs = 10_000;

/** The kernel ends a killed process at once unless it hangs in the disk. */
const killDeadlineMs = 10_000;

export interface InstalledProgram {
  node: string;
  tree: string;
}

export interface LocalInstances {
  /** `program` is asked only when nothing runs yet. */
  launch(spec: LaunchSpec, program: () => Promise<InstalledProgram>): Promise<{ started: boolean }>;
  liveness(instance: string): Promise<InstanceLiveness>;
  stop(instance: string, options: { graceMs: number; signal: AbortSignal }): Promise<void>;
  remove(instance: string): Promise<void>;
  list(): Promise<(InstanceSpec & { liveness: InstanceLiveness })[]>;
  readLog(instance: string, lines: number): Promise<string[]>;
}

export function openInstances(options: {
  home: string;
  layout: LocalLayout;
  environment: NodeJS.ProcessEnv;
}): LocalInstances {
  const layoutOf = (instance: string) => instanceLayout(options.layout, instance);

  async function launch(spec: LaunchSpec, program: () => Promise<InstalledProgram>): Promise<{ started: boolean }> {
    const layout = layoutOf(spec.instance);
    if (isProcessLockHeld(layout.gatewayLock)) return { started: false };
    const installed = await program();
    await createInstance(layout, spec);
    return withProcessLock(layout.launchLock, {}, async () => {
      if (isProcessLockHeld(layout.gatewayLock)) return { started: false };
      const running = await startedGateway(layout, options.home, spec.instance);
      const owner = running ?? (await start(layout, spec.instance, installed));
      const settled = () => isProcessLockHeld(layout.gatewayLock) || !isOwnerAlive(owner);
      await waitUntil(settled, { timeoutMs: lockDeadlineMs });
      if (isProcessLockHeld(layout.gatewayLock) || isOwnerAlive(owner)) return { started: running === null };
      const lines = await readLastLines(layout.gatewayLog, 10);
      throw new ProviderError(
        `instance ${spec.instance} ended while it started${lines.map((line) => `\n  ${line}`).join("")}`,
        {
          code: "instance_start_failed",
          hint: `read ${layout.gatewayLog}`,
        },
      );
    });
  }

  async function start(layout: InstanceLayout, instance: string, program: InstalledProgram): Promise<LockOwner> {
    await mkdir(layout.logs, { recursive: true, mode: 0o700 });
    const log = await open(layout.gatewayLog, "a", 0o600);
    try {
      const entry = join(program.tree, "agent", "main.ts");
      const flags = ["--disable-warning=ExperimentalWarning"];
      const child = spawn(program.node, [...flags, entry, "up", ...instanceArguments(options.home, instance)], {
        cwd: program.tree,
        env: instanceEnvironment(options),
        detached: true,
        stdio: ["ignore", log.fd, log.fd],
      });
      await new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", (cause) => reject(cannotStart(program.node, cause)));
      });
      child.unref();
      const pid = child.pid;
      if (pid === undefined) throw cannotStart(program.node, new Error("it has no process id"));
      const owner: LockOwner = { pid, startedAt: Date.now(), processStart: processStartOf(pid) };
      await writeFileDurably(layout.spawned, `${JSON.stringify(owner)}\n`);
      return owner;
    } finally {
      await log.close();
    }
  }

  async function livenessAt(layout: InstanceLayout): Promise<InstanceLiveness> {
    if (!existsSync(layout.directory)) return "absent";
    if (isProcessLockHeld(layout.gatewayLock) || isProcessLockHeld(layout.mindLock)) return "running";
    return spawnedProcess(layout) ? "running" : "stopped";
  }

  async function stop(instance: string, { graceMs, signal }: { graceMs: number; signal: AbortSignal }): Promise<void> {
    const layout = layoutOf(instance);
    const remaining = () => remainingProcesses(layout, options.home, instance);
    const asked = new Set<number>();
    const ended = await waitUntil(
      async () => {
        const left = await remaining();
        if (left === null) return true;
        // The gateway ends its mind itself; a mind that lost its gateway is asked directly.
        for (const owner of left.gateways.length > 0 ? left.gateways : left.minds) {
          if (!asked.has(owner.pid)) signalProcess(owner, "SIGTERM");
          asked.add(owner.pid);
        }
        return false;
      },
      { timeoutMs: graceMs, signal },
    );
    if (ended) return;
    const killed = await waitUntil(
      async () => {
        const left = await remaining();
        if (left === null) return true;
        // Looked up anew each time: a gateway may have restarted its mind just before it died.
        for (const owner of [...left.gateways, ...left.minds]) signalProcess(owner, "SIGKILL", { group: true });
        return false;
      },
      { timeoutMs: killDeadlineMs, signal },
    );
    if (killed) return;
    throw new ProviderError(`instance ${instance} could not be stopped: its processes did not end when killed`, {
      code: "instance_stop_failed",
      hint: `look at the owners named in ${layout.run}/*.lock.json, then try again`,
    });
  }

  return {
    launch,
    stop,
    liveness: (instance) => livenessAt(layoutOf(instance)),
    async remove(instance) {
      const layout = layoutOf(instance);
      if ((await livenessAt(layout)) === "running") {
        throw new ToolError(`instance ${instance} runs, so its directory stays`, {
          code: "instance_running",
          hint: "stop it first",
        });
      }
      await deleteInstance(layout);
    },
    async list() {
      const names = await readdir(options.layout.instances).catch(() => []);
      const found = await Promise.all(
        names
          .filter((name) => /^[A-Za-z0-9]/.test(name))
          .sort()
          .map(async (name) => {
            const layout = layoutOf(name);
            const spec = await readSpec(layout.spec);
            return spec ? [{ ...spec, instance: name, liveness: await livenessAt(layout) }] : [];
          }),
      );
      return found.flat();
    },
    async readLog(instance, lines) {
      const layout = layoutOf(instance);
      const gateway = await readLastLines(layout.gatewayLog, lines);
      const mind = await readLastLines(layout.mindLog, lines);
      return [...gateway.map((line) => `gateway: ${line}`), ...mind.map((line) => `mind: ${line}`)];
    },
  };
}

function instanceArguments(home: string, instance: string): string[] {
  return ["--home", home, "--instance", instance];
}

function instanceEnvironment(options: { home: string; layout: LocalLayout; environment: NodeJS.ProcessEnv }) {
  const allowed = Object.entries(options.environment).filter(([name]) => inherited.test(name));
  return {
    NODE_COMPILE_CACHE: options.layout.compileCache,
    ...Object.fromEntries(allowed),
    CLAWDINATOR_HOME: options.home,
  };
}

/** What of the instance still runs; null when nothing does, which the locks decide and not the notes beside them. */
async function remainingProcesses(layout: InstanceLayout, home: string, instance: string) {
  const gateway = isProcessLockHeld(layout.gatewayLock) ? { owner: readLockOwner(layout.gatewayLock) } : null;
  const mind = isProcessLockHeld(layout.mindLock) ? { owner: readLockOwner(layout.mindLock) } : null;
  const spawned = spawnedProcess(layout);
  if (gateway || mind || spawned) {
    const gateways = [gateway?.owner, spawned?.pid === gateway?.owner?.pid ? null : spawned];
    return { gateways: gateways.filter((owner) => owner != null), minds: mind?.owner ? [mind.owner] : [] };
  }
  // Last, the slow way: a gateway whose launcher was killed before it could note it, or a mind whose gateway was, may
  // be about to take its lock. Both have the instance in their command line.
  const started = await processesOf(instanceArguments(home, instance));
  return started.length > 0 ? { gateways: started, minds: [] } : null;
}

/** A gateway that was started and may not hold its lock yet. */
async function startedGateway(layout: InstanceLayout, home: string, instance: string): Promise<LockOwner | null> {
  return spawnedProcess(layout) ?? (await processesOf(["up", ...instanceArguments(home, instance)]))[0] ?? null;
}

async function processesOf(parameters: string[]): Promise<LockOwner[]> {
  const pids = await processesWithArguments(parameters);
  return pids
    .filter((pid) => pid !== process.pid)
    .map((pid) => ({ pid, startedAt: Date.now(), processStart: processStartOf(pid) }))
    .filter(({ processStart }) => processStart !== null);
}

function spawnedProcess(layout: InstanceLayout): LockOwner | null {
  const owner = readOwnerFile(layout.spawned);
  if (!owner || !isOwnerAlive(owner)) return null;
  // Where start times are not known, an old note may name a stranger; by then the lock tells.
  return owner.processStart === null && Date.now() - owner.startedAt > lockDeadlineMs ? null : owner;
}

function cannotStart(node: string, cause: Error): ConfigError {
  return new ConfigError(`cannot start ${node}: ${cause.message}`, {
    code: "instance_start_failed",
    hint: "check that it exists and may be executed; building the image again restores it",
    cause,
  });
}
