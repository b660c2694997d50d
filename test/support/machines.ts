/**
 * The machine room: the emulator runs nothing, so this plays EC2's part at the far end. For each running machine of the
 * fleet it starts what the machine's AMI would start, the gateway of the program at the machine's revision, with a
 * state directory of its own for the machine's disk; `systemd` is played too (a gateway that dies is started again).
 *
 * - Who a machine is comes from its user data alone, as on a real one: `instance.json` is written from it.
 * - What an AMI holds is a work tree of `program` at the revision, with its packages linked.
 * - The machines share what EFS and the git host are elsewhere: a directory for memory and conversations, and a bare
 *   fleet repository. The coordination store is the bucket in the emulator.
 * - A machine that is stopped or ended loses its power: SIGKILL for everything that runs below its state directory.
 *   Stopped and started again, it finds its disk as it was; ended, the disk is gone.
 *
 * It looks by DescribeInstanceStatus, which the program itself never calls, so that faults which a test sets on the
 * program's calls by name are not used up here. Faults on `ec2:*` or `*` meet it too; it looks again.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { EC2Client } from "@aws-sdk/client-ec2";
import { onTestFinished } from "vitest";
import { parseUserData, type UserData } from "../../tools/fleet/aws/instances/user-data.ts";
import { isOwned } from "../../tools/fleet/aws/tags.ts";
import { createInstance } from "../../tools/fleet/local/instance-spec.ts";
import { instanceLayout, localLayout } from "../../tools/fleet/local/layout.ts";
import { processesWithArguments } from "../../tools/fleet/local/process.ts";
import { createFleetRepository } from "../../tools/fleet/repository.ts";
import type { Emulator } from "./aws.ts";
import { git } from "./git.ts";
import { compileCache } from "./program.ts";
import { emulatorClientOptions, type Stack } from "./stack.ts";
import { temporaryDirectory } from "./temporary.ts";
import { waitFor } from "./wait.ts";

/** A boot takes no longer than this to be noticed. */
const lookEveryMs = 300;
/** As `RestartSec` of the unit on NixOS, only quicker; doubled up to the longest after each death. */
const firstRestartMs = 200;
const longestRestartMs = 2_000;

export interface RoomMachine {
  /** The fleet's id of it. */
  instance: string;
  /** EC2 instance id. */
  machine: string;
  name: string;
  image: string;
  revision: string;
  /** `CLAWDINATOR_HOME` of its processes: the machine's disk. */
  home: string;
  state: "running" | "stopped" | "ended";
  /** Of the gateway that this room started; null while none runs. */
  pid: number | null;
  /** How often its gateway was started. */
  starts: number;
  /** What its processes wrote to standard output and error, over all starts. */
  output(): string;
}

export interface CommandOutcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface MachineRoom {
  /** Every machine it has ever started, in the order of their launches. */
  machines(): RoomMachine[];
  /** Throws when it has never seen the instance. */
  machine(instance: string): RoomMachine;
  home(instance: string): string;
  /** Shared by all machines, as EFS is: `memory/` and `conversations/`. */
  shared: string;
  /** The bare repository that stands for the remote. */
  fleetRepository: string;
  /** What the configuration of every machine says, also for a process that a test starts by itself. */
  config: Record<string, unknown>;
  /** Variables of every process: where the emulator is, and nothing of the person who runs the tests. */
  environment: Record<string, string>;
  /** Resolves when the instance's gateway has been started at least once. */
  booted(instance: string): Promise<RoomMachine>;
  /** The command line on that machine. */
  cli(instance: string, parameters: string[]): Promise<CommandOutcome>;
  /** SIGKILL to the machine's gateway only; it is started again as systemd does it. */
  killGateway(instance: string): Promise<void>;
  /** No machine boots from here on, until it is called with `false`: what the cloud says runs, and is silent. */
  hold(isHeld: boolean): void;
  /** Cuts the power of all machines. */
  stop(): Promise<void>;
}

export interface MachineRoomOptions {
  emulator: Emulator;
  stack: Stack;
  /** Git work tree with `node_modules`, as `cloneProgram` makes it; machines run its commits. */
  program: string;
  /** Merged over the machines' configuration, key by key within each section. */
  config?: Record<string, unknown>;
  /** An existing fleet repository; default a new one from the template. */
  fleetRepository?: string;
  /** Further variables of every process, such as CLAWDINATOR_FAILPOINTS. */
  environment?: Record<string, string>;
  /** Registers what is to be done when the room is needed no more; done in reverse order. */
  atEnd?: (work: () => void | Promise<void>, timeoutMs?: number) => void;
}

interface Machine {
  data: UserData;
  id: string;
  home: string;
  state: RoomMachine["state"];
  child: ChildProcess | null;
  starts: number;
  restartAt: number;
  restartMs: number;
  log: string;
}

/** Begins to look; machines that run already boot at once. */
export async function startMachineRoom(options: MachineRoomOptions): Promise<MachineRoom> {
  const { emulator, stack, program, atEnd = onTestFinished } = options;
  const directory = temporaryDirectory(atEnd);
  const shared = join(directory, "efs");
  for (const part of ["memory", "conversations"]) mkdirSync(join(shared, part), { recursive: true });
  mkdirSync(join(directory, "home"));
  const fleetRepository = options.fleetRepository ?? join(directory, "fleet.git");
  if (!options.fleetRepository) {
    await createFleetRepository({
      directory: fleetRepository,
      template: join(program, "nix", "templates", "fleet"),
      replacements: {},
      author: { name: "Somebody", email: "somebody@example.org" },
    });
  }
  const config = mergeConfig(
    {
      provider: "aws",
      aws: stack.settings,
      gateway: { port: 0 },
      memory: { directory: join(shared, "memory") },
      conversations: { directory: join(shared, "conversations") },
      fleet: { repository: fleetRepository, candidateSeconds: 60, leaseSeconds: 15 },
      program: { repository: program },
    },
    options.config ?? {},
  );
  const environment: Record<string, string> = {
    PATH: process.env.PATH ?? "",
    HOME: join(directory, "home"),
    GIT_CONFIG_NOSYSTEM: "1",
    ...emulator.environment,
    ...options.environment,
  };
  const { EC2Client } = await import("@aws-sdk/client-ec2");
  const client = new EC2Client({ ...emulatorClientOptions(emulator), maxAttempts: 1 });
  /** By EC2 id; null is a machine that is not the fleet's business. */
  const known = new Map<string, Machine | null>();
  const trees = new Map<string, string>();
  let isHeld = false;
  let isStopped = false;

  /** The program as the AMI of that revision holds it. */
  function treeOf(revision: string): string {
    const found = trees.get(revision);
    if (found) return found;
    const tree = join(directory, "programs", revision, "program");
    git(program, "worktree", "add", "--quiet", "--force", "--detach", tree, revision);
    if (!existsSync(join(tree, "node_modules"))) symlinkSync(join(program, "node_modules"), join(tree, "node_modules"));
    trees.set(revision, tree);
    return tree;
  }

  /** A machine as new: its user data read, its disk laid out. */
  async function unpack(id: string): Promise<Machine | null> {
    const data = await readOwnUserData(client, { id, fleet: stack.fleet });
    if (!data) return null;
    const home = join(directory, "machines", id);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    await createInstance(instanceLayout(localLayout(home), data.instance), data);
    const own = { secrets: { directory: join(home, "agenix") } };
    writeFileSync(join(home, "config.json"), JSON.stringify({ ...config, ...own }));
    const log = join(directory, `${id}.log`);
    writeFileSync(log, "");
    return { data, id, home, state: "stopped", child: null, starts: 0, restartAt: 0, restartMs: firstRestartMs, log };
  }

  function boot(machine: Machine): void {
    let tree: string;
    try {
      tree = treeOf(machine.data.revision);
    } catch (error) {
      // Such as an image whose revision the program's repository does not have: the machine runs and says nothing.
      appendFileSync(machine.log, `no boot: ${error instanceof Error ? error.message : String(error)}\n`);
      machine.restartAt = Number.POSITIVE_INFINITY;
      return;
    }
    const child = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        join(tree, "agent", "main.ts"),
        ...["up", "--home", machine.home, "--instance", machine.data.instance],
      ],
      {
        cwd: tree,
        env: { ...environment, ...compileCache(dirname(tree)), CLAWDINATOR_HOME: machine.home },
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    machine.child = child;
    machine.starts++;
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => appendFileSync(machine.log, text));
    child.once("exit", (code, signal) => {
      appendFileSync(machine.log, `the gateway ended: ${signal ?? code}\n`);
      if (machine.child === child) machine.child = null;
      // One that was told to stop stays down, as with `Restart=on-failure`.
      machine.restartAt = code === 0 ? Number.POSITIVE_INFINITY : performance.now() + machine.restartMs;
      machine.restartMs = Math.min(machine.restartMs * 2, longestRestartMs);
    });
  }

  /** Everything that has the machine's disk in its command line: the gateway, its mind, and what they started. */
  async function cutPower(machine: Machine): Promise<void> {
    await waitFor(
      async () => {
        const pids = new Set(await processesWithArguments(["--home", machine.home]));
        if (machine.child?.pid) pids.add(machine.child.pid);
        for (const pid of pids) kill(pid);
        return pids.size === 0;
      },
      { timeoutMs: 20_000, what: `${machine.data.instance} losing its power` },
    );
  }

  async function apply(id: string, state: string): Promise<void> {
    if (!known.has(id)) {
      if (state !== "running" || isHeld) return;
      known.set(id, await unpack(id));
    }
    const machine = known.get(id);
    if (!machine || machine.state === "ended") return;
    if (state === "running") {
      if (machine.state !== "running") {
        machine.state = "running";
        machine.restartAt = 0;
        machine.restartMs = firstRestartMs;
      }
      if (!machine.child && !isHeld && performance.now() >= machine.restartAt) boot(machine);
      return;
    }
    if (state === "pending") return;
    if (machine.state === "running") {
      await cutPower(machine);
      machine.state = "stopped";
    }
    if (state === "shutting-down" || state === "terminated" || state === "gone") {
      machine.state = "ended";
      rmSync(machine.home, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  async function look(): Promise<void> {
    const states = await readStates(client);
    if (isStopped) return;
    for (const id of known.keys()) if (!states.has(id)) states.set(id, "gone");
    await Promise.all([...states].map(([id, state]) => apply(id, state)));
  }

  const looking = (async () => {
    while (!isStopped) {
      // A fault that a test has set, or the emulator being reset: the next look tells.
      await look().catch(() => {});
      await sleep(lookEveryMs);
    }
  })();

  const all = (): Machine[] => [...known.values()].filter((machine) => machine !== null);
  const find = (instance: string): Machine => {
    const machine = all().findLast(({ data }) => data.instance === instance);
    if (!machine) throw new Error(`the machine room has not seen ${instance}`);
    return machine;
  };
  const room: MachineRoom = {
    shared,
    fleetRepository,
    config,
    environment,
    machines: () => all().map(describe),
    machine: (instance) => describe(find(instance)),
    home: (instance) => find(instance).home,
    async booted(instance) {
      return waitFor(
        () => all().some(({ data, starts }) => data.instance === instance && starts > 0) && room.machine(instance),
        { timeoutMs: 30_000, what: `${instance} booting` },
      );
    },
    cli(instance, parameters) {
      const machine = find(instance);
      const tree = treeOf(machine.data.revision);
      const command = ["--disable-warning=ExperimentalWarning", join(tree, "agent", "main.ts"), ...parameters];
      const env = { ...environment, ...compileCache(dirname(tree)), CLAWDINATOR_HOME: machine.home };
      return new Promise((resolve) => {
        const run = execFile(
          process.execPath,
          command,
          { cwd: tree, env, maxBuffer: 64 * 1024 * 1024 },
          (error, stdout, stderr) => {
            const code = error ? (typeof error.code === "number" ? error.code : 1) : 0;
            resolve({ code, stdout, stderr });
          },
        );
        run.stdin?.end("");
      });
    },
    async killGateway(instance) {
      const { child } = find(instance);
      if (!child) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    },
    hold(held) {
      isHeld = held;
    },
    async stop() {
      isStopped = true;
      await looking;
      await Promise.all(all().map(cutPower));
      client.destroy();
    },
  };
  atEnd(() => room.stop(), 60_000);
  return room;
}

function describe(machine: Machine): RoomMachine {
  const { data, id, home, state, child, starts, log } = machine;
  const { instance, name, image, revision } = data;
  const pid = child?.pid ?? null;
  const output = (): string => readFileSync(log, "utf8");
  return { instance, machine: id, name, image, revision, home, state, pid, starts, output };
}

/** The process and what it started; each is the leader of a group of its own. */
function kill(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, "SIGKILL");
    } catch {
      // It ended in between, or leads no group.
    }
  }
}

/** Of every machine in the account, by EC2 id. */
async function readStates(client: EC2Client): Promise<Map<string, string>> {
  const { paginateDescribeInstanceStatus } = await import("@aws-sdk/client-ec2");
  const states = new Map<string, string>();
  for await (const page of paginateDescribeInstanceStatus({ client }, { IncludeAllInstances: true })) {
    for (const { InstanceId = "", InstanceState } of page.InstanceStatuses ?? [])
      states.set(InstanceId, InstanceState?.Name ?? "pending");
  }
  return states;
}

/** Null when the machine is not this fleet's, or carries no user data of ours. */
async function readOwnUserData(
  client: EC2Client,
  { id, fleet }: { id: string; fleet: string },
): Promise<UserData | null> {
  const { DescribeInstanceAttributeCommand, DescribeTagsCommand } = await import("@aws-sdk/client-ec2");
  const { Tags = [] } = await client.send(
    new DescribeTagsCommand({ Filters: [{ Name: "resource-id", Values: [id] }] }),
  );
  const tags = Object.fromEntries(Tags.map(({ Key = "", Value = "" }) => [Key, Value]));
  if (!isOwned(tags, fleet)) return null;
  const { UserData } = await client.send(
    new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute: "userData" }),
  );
  return parseUserData(Buffer.from(UserData?.Value ?? "", "base64").toString("utf8"));
}

function mergeConfig(base: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const isSection = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isSection(before) && isSection(value) ? mergeConfig(before, value) : value;
  }
  return merged;
}
