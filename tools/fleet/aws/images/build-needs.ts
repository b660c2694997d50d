/** What building a disk image needs, compared with what this machine has, before anybody approves the build. */

import { readFile, stat, statfs } from "node:fs/promises";
import { freemem, tmpdir } from "node:os";
import { dirname } from "node:path";
import { notOnThisMachine, ToolError } from "../../../errors.ts";
import { gibibyte } from "../ebs/blocks.ts";

/**
 * Evaluating a NixOS configuration keeps all of its options and packages in memory: 0.6 to 1 GiB for a headless system;
 * a quarter more, because nixpkgs grows.
 */
const evaluationMemoryBytes = 1.25 * gibibyte;
/** Evaluation, and beside it the image builder: file system tools, compression, and pages that are not written yet. */
const buildMemoryBytes = 2.5 * gibibyte;
/** The closure as it is fetched (about 3 GiB), the image made from it (as much again), and compilers for what is ours. */
const storeBytes = 10 * gibibyte;
/** systemd-repart fills the image in the build directory before it becomes an output. */
const buildDirectoryBytes = 5 * gibibyte;

export interface BuildNeeds {
  evaluationMemoryBytes: number;
  buildMemoryBytes: number;
  storeBytes: number;
  buildDirectoryBytes: number;
}

export const imageBuildNeeds: BuildNeeds = {
  evaluationMemoryBytes,
  buildMemoryBytes,
  storeBytes,
  buildDirectoryBytes,
};

export interface Machine {
  /** Free memory and swap together. */
  memoryBytes: number;
  store: { path: string; freeBytes: number; device: number };
  buildDirectory: { path: string; freeBytes: number; device: number };
  hasKvm: boolean;
}

/** `storeDirectory` and the directory for builds need not exist yet: the nearest one above is looked at. */
export async function readMachine(options: {
  storeDirectory: string;
  environment: NodeJS.ProcessEnv;
}): Promise<Machine> {
  const [memoryBytes, store, buildDirectory, hasKvm] = await Promise.all([
    freeMemory(),
    freeSpace(options.storeDirectory),
    freeSpace(options.environment.TMPDIR || tmpdir()),
    stat("/dev/kvm").then(
      () => true,
      () => false,
    ),
  ]);
  return { memoryBytes, store, buildDirectory, hasKvm };
}

/** `MemAvailable` and `SwapFree` of /proc/meminfo, in bytes; null where the text has neither. */
export function memoryOf(meminfo: string): number | null {
  const kilobytes = (name: string): number | null => {
    const match = new RegExp(`^${name}:\\s+([0-9]+) kB$`, "m").exec(meminfo);
    return match ? Number(match[1]) : null;
  };
  const available = kilobytes("MemAvailable");
  return available === null ? null : (available + (kilobytes("SwapFree") ?? 0)) * 1024;
}

/** What this machine lacks, in words; empty when it can build. */
export function missingForBuild(machine: Machine, needs: BuildNeeds, features: string[]): string[] {
  const missing: string[] = [];
  if (machine.memoryBytes < needs.buildMemoryBytes) {
    missing.push(`${gib(needs.buildMemoryBytes)} of memory (${gib(machine.memoryBytes)} free, swap included)`);
  }
  const { store, buildDirectory } = machine;
  const isOneDisk = store.device === buildDirectory.device;
  const places = isOneDisk
    ? [{ ...store, bytes: needs.storeBytes + needs.buildDirectoryBytes }]
    : [
        { ...store, bytes: needs.storeBytes },
        { ...buildDirectory, bytes: needs.buildDirectoryBytes },
      ];
  for (const { path, freeBytes, bytes } of places) {
    if (freeBytes < bytes) missing.push(`${gib(bytes)} of disk at ${path} (${gib(freeBytes)} free)`);
  }
  if (features.includes("kvm") && !machine.hasKvm) {
    missing.push("/dev/kvm (this image is built inside a virtual machine, which ordinary EC2 instances cannot run)");
  }
  return missing;
}

/** The same on every machine, so that it can stand in a plan. */
export function describeNeeds(needs: BuildNeeds, features: string[]): string {
  const kvm = features.includes("kvm") ? ", /dev/kvm" : "; no virtual machine";
  return `a build needs nix, ${gib(needs.buildMemoryBytes)} of free memory, ${gib(needs.storeBytes)} of disk for the store and ${gib(needs.buildDirectoryBytes)} for the build${kvm}`;
}

export function cannotBuildHere(what: string, missing: string[], cause?: unknown): ToolError {
  return new ToolError(`${what} here: missing ${missing.join("; ")}`, {
    code: notOnThisMachine,
    hint: "take a bigger instance type or disk, let CI build and import it (the fleet repository's image workflow), or name an AMI that exists with `--ami`",
    cause,
  });
}

export function gib(bytes: number): string {
  return `${Math.round((bytes / gibibyte) * 10) / 10} GiB`;
}

async function freeMemory(): Promise<number> {
  const text = await readFile("/proc/meminfo", "utf8").catch(() => "");
  return memoryOf(text) ?? freemem();
}

async function freeSpace(path: string): Promise<{ path: string; freeBytes: number; device: number }> {
  let existing = path;
  for (;;) {
    try {
      const [space, { dev }] = await Promise.all([statfs(existing), stat(existing)]);
      return { path, freeBytes: space.bavail * space.bsize, device: dev };
    } catch (error) {
      if (dirname(existing) === existing) throw error;
      existing = dirname(existing);
    }
  }
}
