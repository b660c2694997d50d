/** Builds the disk image of a commit with nix, keeps it from being collected, and finds the raw file in the output. */
import { lstat, readdir, readlink, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { ProviderError, ToolError } from "../../../errors.ts";
import { readFileIfThere } from "../../local/files.ts";
import type { DerivationFacts } from "./derivations.ts";
import type { ImageTarget } from "./image-target.ts";
import { lockedFlake, type Nix } from "./nix.ts";

/** A log may print thousands of lines a second; people and the journal need a few. */
const progressEveryMs = 250;

const builtSchema = z.tuple([z.object({ drvPath: z.string(), outputs: z.record(z.string(), z.string()) })]);

/** Newer versions key by path, older ones (before 2.19) list. */
const pathInfoSchema = z.union([
  z.record(z.string(), z.object({ narHash: z.string() })).transform((paths) => Object.values(paths)),
  z.array(z.object({ narHash: z.string() })),
]);

/** What an image may say of itself in `image.json` beside the disk. */
const imageFactsSchema = z.object({ formatVersion: z.literal(1), closure: z.string().min(1).max(256) });
/** Links from the output to the file; more are a circle. */
const mostLinks = 8;

export interface BuiltDisk {
  /** Paths in the store that make it up: the output, and the one that the disk lies in where the output only links to it. */
  storePaths: [string, ...string[]];
  /** The raw disk image on this machine's disk. */
  path: string;
  bytes: number;
  /**
   * What the image holds: the system's path in the store where `image.json` names it (its hash is over all that went
   * into it), else nix's hash of the output.
   */
  closure: string;
}

/**
 * Builds, or finds built. `root` becomes a symbolic link to the output that nix counts as a root. A build that somebody
 * else runs is waited for; one that this process leaves when it is killed ends by itself and is found by the next call.
 * Throws ToolError where what comes out is not the planned derivation or no raw disk image.
 */
export async function buildDisk(options: {
  nix: Nix;
  target: ImageTarget;
  planned: DerivationFacts;
  root: string;
  progress(text: string): void;
  signal: AbortSignal;
}): Promise<BuiltDisk> {
  const { nix, signal, planned } = options;
  let toldAt = Number.NEGATIVE_INFINITY;
  const onLine = (line: string): void => {
    if (performance.now() - toldAt < progressEveryMs) return;
    toldAt = performance.now();
    options.progress(line);
  };
  const { installable } = options.target;
  const command = ["build", "--json", "--print-build-logs", "--out-link", options.root, ...installable, ...lockedFlake];
  const built = builtSchema.safeParse(parse(await nix.run(command, { signal, onLine })));
  if (!built.success) {
    throw new ProviderError("nix build gave an answer that is not understood", {
      code: "nix_failed",
      hint: "take a nix of version 2.18 or newer",
      cause: built.error,
    });
  }
  const [{ drvPath, outputs }] = built.data;
  if (drvPath !== planned.derivation) {
    throw new ToolError(`nix built ${drvPath}, planned was ${planned.derivation}`, {
      code: "image_differs",
      hint: "propose it again; if it differs again, the program repository was rewritten",
    });
  }
  const output = outputs.out ?? Object.values(outputs)[0] ?? planned.output;
  const disk = await followLinks(nix, await findDisk(nix, output));
  const path = nix.physical(disk);
  const { size } = await stat(path);
  if (size === 0) throw unusable(`${path} is empty`);
  const inside = join(nix.logicalStore, disk.slice(nix.logicalStore.length + 1).split("/")[0] ?? "");
  const storePaths: BuiltDisk["storePaths"] = inside === output ? [output] : [output, inside];
  const closure = (await namedClosure(nix, output)) ?? (await outputHash(nix, output, signal));
  return { storePaths, path, bytes: size, closure };
}

async function namedClosure(nix: Nix, output: string): Promise<string | null> {
  const directory = nix.physical(output);
  if (!(await stat(directory)).isDirectory()) return null;
  const text = await readFileIfThere(join(directory, "image.json"));
  const facts = imageFactsSchema.safeParse(parse(text ?? ""));
  return facts.success ? facts.data.closure : null;
}

async function outputHash(nix: Nix, output: string, signal: AbortSignal): Promise<string> {
  const info = pathInfoSchema.safeParse(parse(await nix.run(["path-info", "--json", output], { signal })));
  const hash = info.success ? info.data[0]?.narHash : undefined;
  if (hash) return hash;
  throw new ProviderError(`nix knows no hash of ${output}`, {
    code: "nix_failed",
    hint: "check the store: `nix store verify --all`",
  });
}

/** The one raw disk image in an output: the output itself, or `*.raw` or `*.img` in it. A path in the store. */
async function findDisk(nix: Nix, output: string): Promise<string> {
  const directory = nix.physical(output);
  if ((await stat(directory)).isFile()) return output;
  const names = await readdir(directory);
  const disks = names.filter((name) => /\.(raw|img)$/.test(name));
  const [only] = disks;
  if (only !== undefined && disks.length === 1) return join(output, only);
  throw unusable(
    disks.length > 1
      ? `${output} holds ${disks.length} disk images: ${disks.join(", ")}`
      : `${output} holds no raw disk image (*.raw or *.img), but ${names.slice(0, 8).join(", ") || "nothing"}`,
  );
}

/** Where the file itself lies in the store. Links in it are written for the store's own place, not for where it is mounted. */
async function followLinks(nix: Nix, path: string): Promise<string> {
  let current = path;
  for (let links = 0; links < mostLinks; links++) {
    if (!current.startsWith(`${nix.logicalStore}/`)) throw unusable(`${path} leads out of the store`);
    const found = await lstat(nix.physical(current)).catch(() => null);
    if (found?.isFile()) return current;
    if (!found?.isSymbolicLink()) break;
    current = resolve(dirname(current), await readlink(nix.physical(current)));
  }
  throw unusable(`${path} leads to no file`);
}

function unusable(problem: string): ToolError {
  return new ToolError(problem, {
    code: "image_unusable",
    hint: "`aws.imageAttribute` must name a derivation with one raw disk image, not compressed",
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
