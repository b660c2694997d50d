import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "../../errors.ts";
import type { LaunchSpec } from "../services.ts";
import { isMissing, readFileIfThere, syncDirectory, writeFileDurably } from "./files.ts";
import type { InstanceLayout } from "./layout.ts";

/** `instance.json`: who an instance is, written before its first process starts. */
export interface InstanceSpec {
  formatVersion: 1;
  instance: string;
  name: string;
  image: string;
  revision: string;
  port: number | null;
  /** Boots without taking its name. */
  candidate: boolean;
}

/** Without a schema: whoever looks for a gateway reads this, and loading the library for schemas takes longer than asking. */
const isOfSpec: { [Key in keyof InstanceSpec]: (value: unknown) => boolean } = {
  formatVersion: (value) => value === 1,
  instance: (value) => typeof value === "string",
  name: (value) => typeof value === "string",
  image: (value) => typeof value === "string",
  revision: (value) => typeof value === "string",
  port: (value) => value === null || Number.isSafeInteger(value),
  candidate: (value) => typeof value === "boolean",
};

/** Null when there is no such instance; throws ConfigError when its file cannot be understood. */
export async function readSpec(path: string): Promise<InstanceSpec | null> {
  const text = await readFileIfThere(path);
  if (text === null) return null;
  try {
    return parseSpec(JSON.parse(text));
  } catch (cause) {
    throw new ConfigError(`${path} is not an instance's file of format version 1: ${(cause as Error).message}`, {
      code: "instance_file_invalid",
      hint: "if a newer version of the program wrote it, run that one; else stop the instance and remove its directory",
      cause,
    });
  }
}

/** What else the file holds is left out. */
function parseSpec(value: unknown): InstanceSpec {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("it holds no JSON object");
  const entries = Object.entries(isOfSpec).map(([key, isOf]) => {
    const found: unknown = (value as Record<string, unknown>)[key];
    if (!isOf(found)) throw new Error(found === undefined ? `${key} is missing` : `${key} is not what it may be`);
    return [key, found];
  });
  return Object.fromEntries(entries) as InstanceSpec;
}

/** Makes the instance's directory with its file in one rename; an instance that exists stays as it is. */
export async function createInstance(layout: InstanceLayout, spec: Omit<LaunchSpec, "placement">): Promise<void> {
  const { instance, name, image, revision, port } = spec;
  const content: InstanceSpec = { formatVersion: 1, instance, name, image, revision, port, candidate: true };
  const text = `${JSON.stringify(content, null, 2)}\n`;
  const parent = dirname(layout.directory);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  if (!existsSync(layout.directory)) {
    const staging = await mkdtemp(join(parent, stagingPrefix(instance)));
    try {
      await writeFileDurably(join(staging, "instance.json"), text);
      await rename(staging, layout.directory);
      await syncDirectory(parent);
    } catch (error) {
      await rm(staging, { recursive: true, force: true });
      if (!existsSync(layout.directory)) throw error;
    }
  }
  await removeStaging(parent, instance);
  if (!existsSync(layout.spec)) await writeFileDurably(layout.spec, text);
  await mkdir(layout.run, { recursive: true, mode: 0o700 });
  await mkdir(layout.logs, { recursive: true, mode: 0o700 });
}

/** Gone from sight in one rename, then deleted, with what a killed launch or removal of it left. Idempotent. */
export async function deleteInstance(layout: InstanceLayout): Promise<void> {
  const [parent, instance] = [dirname(layout.directory), basename(layout.directory)];
  const aside = join(parent, `.removed-${instance}`);
  await rm(aside, { recursive: true, force: true });
  await rename(layout.directory, aside).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
  await rm(aside, { recursive: true, force: true });
  await removeStaging(parent, instance);
}

function stagingPrefix(instance: string): string {
  return `.launching-${instance}-`;
}

/** What killed launches left. A rival's that is still at work is in vain: the instance's directory is decided. */
async function removeStaging(parent: string, instance: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  const left = names.filter((name) => name.startsWith(stagingPrefix(instance)));
  await Promise.all(left.map((name) => rm(join(parent, name), { recursive: true, force: true })));
}
