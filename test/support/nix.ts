/**
 * Evaluates the project's Nix expressions without nixpkgs, where an evaluator lies beside the project: the real library
 * of nixpkgs, stand-ins for the rest. Nothing is built.
 */
import { execFile, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const evaluator = join(import.meta.dirname, "..", "..", "..", "shared", "nix", "eval.sh");
const getNix = join(dirname(evaluator), "get-nix.sh");

export const projectRoot = join(import.meta.dirname, "..", "..");

/** The whole of an evaluated configuration is some 200 kB of JSON. */
const maxBuffer = 64 * 1024 * 1024;

/** Why nothing can be evaluated here; null when it can. Gets nix first, where that is possible. */
export function whyNoNix(): string | null {
  if (!existsSync(evaluator)) return "no evaluator for Nix lies beside the project";
  if (spawnSync(getNix, { stdio: "ignore" }).status === 0) return null;
  return spawnSync(evaluator, ["parse", join(projectRoot, "flake.nix")]).status === 3
    ? "there is no nix here, and none could be had"
    : null;
}

export interface Service {
  after: string[];
  before: string[];
  requires: string[];
  wants: string[];
  wantedBy: string[];
  environment: Record<string, unknown>;
  serviceConfig: Record<string, unknown>;
  unitConfig: Record<string, unknown>;
}

interface Evaluated {
  failedAssertions: string[];
  config: {
    systemd: {
      services: Record<string, Service>;
      mounts: { what: string; where: string; type: string; options: string; requires: string[] }[];
      repart: { partitions: Record<string, Record<string, unknown>> };
    };
    environment: { etc: Record<string, { source: { text: string } | null }> };
    users: { users: Record<string, Record<string, unknown>>; groups: Record<string, { gid: number | null }> };
    services: Record<string, Record<string, unknown>>;
    networking: { firewall: { enable: boolean; allowedTCPPorts: number[] } };
    fileSystems: Record<string, { device: string; autoResize: boolean }>;
    boot: {
      kernelParams: string[];
      initrd: { availableKernelModules: string[] };
      loader: { grub: { enable: boolean }; "systemd-boot": { enable: boolean } };
    };
    image: { repart: { partitions: Record<string, { repartConfig: Record<string, unknown> }> } };
    nix: { settings: Record<string, unknown> };
  };
}

/** The configuration that modules of the project give together with `settings`. Throws what nix says. */
export async function evaluateModules(modules: string[], settings: unknown): Promise<Evaluated> {
  const files = modules.map((path) => join(projectRoot, path));
  const { stdout } = await run(evaluator, ["module", "-c", JSON.stringify(settings), ...files], { maxBuffer });
  return JSON.parse(stdout) as Evaluated;
}

/** Every shell script that the configuration reaches, as files in `directory`; returns their paths. */
export async function collectScripts(directory: string, modules: string[], settings: unknown): Promise<string[]> {
  const files = modules.map((path) => join(projectRoot, path));
  const { stdout } = await run(evaluator, ["scripts", directory, "-c", JSON.stringify(settings), ...files]);
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((name) => join(directory, name));
}

/** Evaluates every output of a flake, for every system. */
export async function checkFlake(directory: string): Promise<void> {
  await run(evaluator, ["flake-check", directory], { maxBuffer });
}

/** One attribute of a flake. `nixpkgs`: where in the flake's inputs nixpkgs is. */
export async function evaluateFlake(directory: string, attribute: string, nixpkgs = "nixpkgs"): Promise<unknown> {
  const env = { ...process.env, NIX_INPUT: nixpkgs };
  const { stdout } = await run(evaluator, ["flake-eval", directory, attribute], { maxBuffer, env });
  return JSON.parse(stdout);
}

/** What of the project its flake reads, without the dependencies. */
export function copyFlake(to: string): void {
  mkdirSync(to, { recursive: true });
  const read = ["flake.nix", "flake.lock", "package.json", "package-lock.json", "nix", "agent", "memory", "tools"];
  for (const name of [...read, "workspace"]) cpSync(join(projectRoot, name), join(to, name), { recursive: true });
}

export function readProjectFile(path: string): string {
  return readFileSync(join(projectRoot, path), "utf8");
}
