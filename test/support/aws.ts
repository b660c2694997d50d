/**
 * An AWS emulator kept by others (moto) for a test: started once a file on a free port, forgotten between tests. A
 * repaired build with fault injection is used where it lies beside the project, else moto from PyPI is installed once.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { end, freePort } from "./server-process.ts";
import { temporaryDirectory } from "./temporary.ts";
import { waitFor } from "./wait.ts";

const repaired = join(import.meta.dirname, "..", "..", "..", "shared", "aws", "start.sh");
/** The version that the repairs are made for; the plain one from PyPI is the same. */
const motoVersion = "5.2.5";

export type EmulatorKind = "moto, repaired and with faults" | "moto from PyPI";

/** Which emulator tests run against; null where none can be had (no Python). */
export function emulatorKind(): EmulatorKind | null {
  if (existsSync(repaired)) return "moto, repaired and with faults";
  return existsSync(plainPython()) || setUpPlain() ? "moto from PyPI" : null;
}

function plainDirectory(): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return join(cache, `clawdinator-test-moto-${motoVersion}`);
}

/** The interpreter: unlike the scripts beside it, it may be moved. */
function plainPython(): string {
  return join(plainDirectory(), "bin", "python");
}

function setUpPlain(): boolean {
  const directory = plainDirectory();
  const staging = `${directory}.${process.pid}`;
  mkdirSync(join(directory, ".."), { recursive: true });
  const made = spawnSync("python3", ["-m", "venv", staging]).status === 0;
  const pip = join(staging, "bin", "python");
  if (!made || spawnSync(pip, ["-m", "pip", "install", "--quiet", `moto[server]==${motoVersion}`]).status !== 0)
    return false;
  if (!existsSync(directory)) renameSync(staging, directory);
  return true;
}

/**
 * Why tests of whole imports, launches and faults are left out; null when they run. The plain emulator has neither EBS
 * direct's block size nor VM Import, honours no client token, and injects no faults.
 */
export function whyNotRepaired(): string | null {
  const kind = emulatorKind();
  return kind === "moto, repaired and with faults" ? null : `${kind ?? "no emulator"} cannot do it`;
}

/** Gets the emulator ready, so that no test waits for an installation. */
export function setUpEmulator(): EmulatorKind | null {
  const kind = emulatorKind();
  if (kind === "moto, repaired and with faults") spawnSync(repaired, ["--setup"], { stdio: "ignore" });
  return kind;
}

export interface Emulator {
  url: string;
  kind: EmulatorKind;
  /** What a client or a process needs to find it; the credentials are as good as any. */
  environment: Record<string, string>;
  /** Faults by `service:Operation`, from the next call on; `{}` ends them. Only the repaired emulator has them. */
  setFaults(faults: Record<string, unknown>): void;
  reset(): Promise<void>;
  stop(): Promise<void>;
}

export const emulatorRegion = "eu-central-1";

/** Starts one; it ends with the test (or at what `atEnd` is given). */
export async function startEmulator(
  options: { atEnd?: (work: () => void | Promise<void>) => void } = {},
): Promise<Emulator> {
  const { atEnd = onTestFinished } = options;
  const kind = emulatorKind();
  if (kind === null)
    throw new Error("no AWS emulator: install python3 with venv (Debian: apt-get install python3-venv)");
  const directory = temporaryDirectory(atEnd);
  const faultsFile = join(directory, "faults.json");
  writeFileSync(faultsFile, "{}");
  const port = await freePort();
  const [program, parameters] =
    kind === "moto from PyPI"
      ? [plainPython(), ["-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", String(port)]]
      : [repaired, [String(port)]];
  const child = spawn(program, parameters, {
    stdio: ["ignore", "ignore", "pipe"],
    // The AMIs that Amazon publishes are of no use here, and make each look at images slow.
    env: { ...process.env, MOTO_FAULTS_FILE: faultsFile, MOTO_EC2_LOAD_DEFAULT_AMIS: "false" },
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said = (said + chunk).slice(-4000);
  });
  const url = `http://127.0.0.1:${port}`;
  atEnd(() => end(child));
  await waitFor(
    async () => {
      if (child.exitCode !== null) throw new Error(`the AWS emulator ended: ${said}`);
      return (await fetch(`${url}/moto-api/`).catch(() => null))?.ok === true;
    },
    { timeoutMs: 60_000, what: "the AWS emulator" },
  );
  return {
    url,
    kind,
    environment: {
      AWS_ENDPOINT_URL: url,
      AWS_REGION: emulatorRegion,
      AWS_ACCESS_KEY_ID: "AKIAEMULATOREMULATOR",
      AWS_SECRET_ACCESS_KEY: "emulator",
      AWS_EC2_METADATA_DISABLED: "true",
    },
    setFaults(faults) {
      const next = `${faultsFile}.next`;
      writeFileSync(next, JSON.stringify(faults));
      renameSync(next, faultsFile);
    },
    async reset() {
      await fetch(`${url}/moto-api/reset`, { method: "POST" });
    },
    stop: () => end(child),
  };
}
