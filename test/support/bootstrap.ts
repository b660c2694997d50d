/** A bootstrap as a person runs it: a clone of the program, an empty remote, stand-ins for `tofu` and `gh`, an account. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { type Emulator, emulatorRegion } from "./aws.ts";
import { commitFiles, git } from "./git.ts";
import { type Failpoints, makeFailpoints } from "./kills.ts";
import { type MachineRoom, startMachineRoom } from "./machines.ts";
import { cloneProgram, compileCache } from "./program.ts";
import { emulatorClientOptions, type Stack } from "./stack.ts";
import { temporaryDirectory } from "./temporary.ts";

const support = import.meta.dirname;

/** AWS is slow on purpose and the emulator is not; the rest of the template stays. */
const quickSettings = {
  provider: "local",
  aws: { visibilitySeconds: 1, pollSeconds: 0.5 },
  fleet: { candidateSeconds: 60, leaseSeconds: 15 },
};

/** Keeps `variable set` in a file and answers `variable list`; notes each call. */
const fakeGh = `#!/bin/sh
case "$*" in *--body*) printf '%s=%s\\n' "$3" "$7" >>"$HOME/gh-variables" ;; esac
printf '%s\\n' "gh $*" >>"$HOME/gh-calls"
case "$1 $2" in
  "variable list")
    printf '['
    [ ! -e "$HOME/gh-variables" ] || awk -F= '{ printf "%s{\\"name\\":\\"%s\\",\\"value\\":\\"%s\\"}", (NR > 1 ? "," : ""), $1, substr($0, length($1) + 2) }' "$HOME/gh-variables"
    printf ']\\n' ;;
  "run list") cat "$HOME/gh-runs" 2>/dev/null || echo '[]' ;;
esac
`;

export interface Run {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Every line of stdout as JSON. */
  lines: Record<string, unknown>[];
}

export interface BootstrapSite {
  /** Of the person: HOME. */
  directory: string;
  home: string;
  /** State directory of the fleet on this machine. */
  fleetHome: string;
  journal: string;
  program: string;
  /** The program's commit. */
  revision: string;
  /** Bare and empty. */
  remote: string;
  clone: string;
  bin: string;
  environment: Record<string, string>;
  failpoints: Failpoints;
  /** With --json, --yes, the remote and the program's repository, unless the parameters say otherwise. */
  run(parameters?: string[], environment?: Record<string, string>): Promise<Run>;
  start(parameters?: string[], environment?: Record<string, string>): { child: ChildProcess; ended: Promise<Run> };
  /** Commits of the remote's main, oldest first, by subject. */
  subjects(): string[];
}

/** A directory for PATH with `tofu` and `gh`; returns it. */
export function makeStandIns(bin: string): string {
  mkdirSync(bin, { recursive: true });
  const script = (name: string, text: string): void => {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  };
  const node = `exec '${process.execPath}' --disable-warning=ExperimentalWarning`;
  // The version is asked for at every start, and a shell answers at once.
  const version = `if [ "$1" = version ]; then echo '{"terraform_version":"1.12.6"}'; exit 0; fi`;
  script("tofu", `#!/bin/sh\n${version}\n${node} '${join(support, "fake-tofu.ts")}' "$@"\n`);
  script("gh", fakeGh);
  return bin;
}

export function makeSite(emulator: Emulator, atEnd: (work: () => void) => void = onTestFinished): BootstrapSite {
  const directory = temporaryDirectory(atEnd);
  const program = cloneProgram(directory);
  commitFiles(program, { "nix/templates/fleet/nix/settings.json": `${JSON.stringify(quickSettings, null, 2)}\n` });
  const revision = git(program, "rev-parse", "HEAD");
  const remote = join(directory, "remote.git");
  git(directory, "init", "--quiet", "--bare", "--initial-branch=main", remote);
  const bin = makeStandIns(join(directory, "bin"));
  const home = join(directory, "state");
  const clone = join(directory, "fleet");
  const failpoints = makeFailpoints(directory);
  const environment: Record<string, string> = {
    PATH: `${bin}:${process.env.PATH ?? ""}`,
    HOME: directory,
    CLAWDINATOR_HOME: home,
    ...compileCache(directory),
    GIT_CONFIG_NOSYSTEM: "1",
    ...emulator.environment,
  };

  const start = (parameters: string[] = [], extra: Record<string, string> = {}) => {
    const has = (option: string): boolean => parameters.includes(option);
    const all = [
      ...(has("--text") ? [] : ["--json"]),
      ...(has("--ask") || has("--dry-run") ? [] : ["--yes"]),
      ...(has("--remote") || has("--no-remote") ? [] : ["--remote", remote]),
      ...(has("--program-repository") ? [] : ["--program-repository", program]),
      ...["--fleet-repository", clone],
      ...parameters.filter((one) => !["--text", "--ask", "--no-remote"].includes(one)),
    ];
    const main = join(program, "agent", "main.ts");
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, "bootstrap", ...all], {
      cwd: program,
      env: { ...environment, ...extra },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (text) => {
      stdout += text;
    });
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    const ended = new Promise<Run>((resolve) => {
      child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr, lines: jsonLines(stdout) }));
    });
    atEnd(() => void child.kill("SIGKILL"));
    return { child, ended };
  };

  return {
    directory,
    home,
    fleetHome: join(home, "bootstrap", "clawdinator"),
    journal: join(home, "bootstrap", "clawdinator.json"),
    program,
    revision,
    remote,
    clone,
    bin,
    environment,
    failpoints,
    start,
    run: (parameters, extra) => start(parameters, extra).ended,
    subjects() {
      const tips = git(remote, "for-each-ref", "refs/heads/main");
      return tips === "" ? [] : git(remote, "log", "--reverse", "--format=%s", "main").split("\n");
    },
  };
}

function jsonLines(text: string): Record<string, unknown>[] {
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as Record<string, unknown>];
    } catch {
      return [];
    }
  });
}

/** An AMI of this account that says nothing of any fleet. */
export async function registerPlainAmi(emulator: Emulator): Promise<string> {
  const [ec2, ebs] = await Promise.all([import("@aws-sdk/client-ec2"), import("@aws-sdk/client-ebs")]);
  const blocks = new ebs.EBSClient(emulatorClientOptions(emulator));
  const { SnapshotId } = await blocks.send(new ebs.StartSnapshotCommand({ VolumeSize: 8 }));
  await blocks.send(new ebs.CompleteSnapshotCommand({ SnapshotId, ChangedBlocksCount: 0 }));
  blocks.destroy();
  const client = new ec2.EC2Client(emulatorClientOptions(emulator));
  const { ImageId } = await client.send(
    new ec2.RegisterImageCommand({
      Name: `prepared-${SnapshotId}`,
      Architecture: "x86_64",
      BootMode: "uefi",
      RootDeviceName: "/dev/xvda",
      BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: SnapshotId ? { SnapshotId } : {} }],
    }),
  );
  client.destroy();
  return String(ImageId);
}

/** The machines of a fleet whose stack is made only while the bootstrap runs. */
export async function startRoomFor(
  emulator: Emulator,
  site: BootstrapSite,
  atEnd: (work: () => void | Promise<void>, timeoutMs?: number) => void,
): Promise<MachineRoom> {
  const room = await startMachineRoom({
    emulator,
    stack: {
      fleet: "clawdinator",
      settings: { region: emulatorRegion, fleet: "clawdinator", bucket: "not-yet" },
    } as Stack,
    program: site.program,
    fleetRepository: site.remote,
    atEnd,
  });
  room.hold(true);
  let isOver = false;
  atEnd(() => {
    isOver = true;
  });
  // What an instance's image carries: the settings as the bootstrap has committed them.
  void (async () => {
    while (!isOver) {
      const tip = site.subjects().length;
      const settings = tip > 1 ? JSON.parse(git(site.remote, "show", "main:nix/settings.json")) : {};
      if (settings.provider === "aws") {
        Object.assign(room.config, { aws: settings.aws });
        room.hold(false);
        return;
      }
      await sleep(50);
    }
  })();
  return room;
}
