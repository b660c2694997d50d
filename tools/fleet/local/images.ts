/** Images of the local provider: content-addressed trees of a commit, built once, verified before each use. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import { ToolError } from "../../errors.ts";
import { readImageRecord } from "../image-record.ts";
import type { Program } from "../program.ts";
import type { Image, ImageDerivation } from "../services.ts";
import {
  type DependencySource,
  dependencyKey,
  ensureDependencies,
  installedDependencies,
  removeUnfinished,
} from "./dependencies.ts";
import { readFileIfThere, syncDirectory, writeFileDurably } from "./files.ts";
import { imageDirectory, type LocalLayout } from "./layout.ts";
import { withProcessLock } from "./process.ts";
import { canonicalListing, entriesOfListing, imageIdentity, verifyTree } from "./tree.ts";

const recordSchema = z.object({
  formatVersion: z.literal(1),
  id: z.string(),
  revision: z.string(),
  digest: z.string(),
  /** Of the tree; dependencies are shared and not counted. */
  bytes: z.number(),
  builtAt: z.number(),
  /** Key of the installed dependencies; null where the tree has no lock file. */
  dependencies: z.string().nullable(),
});
type ImageRecord = z.output<typeof recordSchema>;

export interface Images {
  derive(revision: string): Promise<ImageDerivation>;
  build(
    revision: string,
    options: { progress(text: string): void; signal: AbortSignal },
  ): Promise<{ image: Image; reused: boolean }>;
  /** The image, verified; throws ToolError when it is missing or was changed. */
  usable(id: string): Promise<Image>;
  list(): Promise<Image[]>;
  remove(id: string): Promise<void>;
}

export function openImages(options: {
  layout: LocalLayout;
  program: Program;
  dependencies: Omit<DependencySource, "directory">;
  now(): number;
}): Images {
  const { layout, program } = options;
  const dependencySource: DependencySource = { ...options.dependencies, directory: layout.dependencies };
  const lockPath = join(layout.images, "build.lock");

  async function identify(revision: string) {
    const commit = await program.resolve(revision);
    const listing = canonicalListing(await program.entries(commit));
    return { commit, listing, ...imageIdentity(listing) };
  }

  /** Null when it is not built, or not as its id says. */
  async function verified(id: string): Promise<Image | null> {
    const record = await readRecord(layout, id);
    return record && (await findDamage(layout, record)) === null ? toImage(layout, record) : null;
  }

  async function build(revision: string, { progress, signal }: Parameters<Images["build"]>[1]) {
    const { commit, listing, id, digest } = await identify(revision);
    const present = await verified(id);
    if (present) return { image: { ...present, revision: commit }, reused: true };
    await mkdir(layout.images, { recursive: true });
    const onWait = () => progress("waiting for another build to end");
    return withProcessLock(lockPath, { signal, onWait }, async () => {
      const built = await verified(id);
      if (built) return { image: { ...built, revision: commit }, reused: true };
      await removeUnfinished(layout.images);
      await removeUnfinished(layout.dependencies);
      const building = await mkdtemp(join(layout.images, `.building-${id}-`));
      try {
        progress(`reading commit ${commit.slice(0, 12)}`);
        const tree = join(building, "tree");
        await mkdir(tree);
        await program.extract(commit, tree, signal);
        const verification = await verifyTree(tree, entriesOfListing(listing));
        if (!verification.ok) throw notAsCommitted(commit, verification.problem);
        progress("preparing dependencies");
        const dependencies = await ensureDependencies(tree, dependencySource, { progress, signal });
        if (dependencies) await symlink(dependencyLink(layout, id, dependencies), join(tree, "node_modules"));
        await writeFileDurably(join(building, "listing"), listing);
        const bytes = verification.bytes;
        const builtAt = options.now();
        const record: ImageRecord = { formatVersion: 1, id, revision: commit, digest, bytes, builtAt, dependencies };
        await writeFileDurably(join(building, "image.json"), `${JSON.stringify(record, null, 2)}\n`);
        signal.throwIfAborted();
        await replaceDirectory(building, imageDirectory(layout, id));
        return { image: toImage(layout, record), reused: false };
      } finally {
        await rm(building, { recursive: true, force: true });
      }
    });
  }

  return {
    build,
    async derive(revision) {
      const { commit, id, digest } = await identify(revision);
      const built = await verified(id);
      return { revision: commit, id, digest, derivation: null, built: built && { ...built, revision: commit } };
    },
    async usable(id) {
      const record = await readRecord(layout, id);
      const damage = record ? await findDamage(layout, record) : "it is not built";
      if (record && damage === null) return toImage(layout, record);
      throw new ToolError(`image ${id} cannot be used: ${damage}`, {
        code: record ? "image_damaged" : "image_missing",
        hint: record ? `build it again: image build ${record.revision}` : "build it: image build REVISION",
      });
    },
    async list() {
      const records = await readRecords(layout);
      return records.sort((a, b) => a.builtAt - b.builtAt).map((record) => toImage(layout, record));
    },
    async remove(id) {
      const directory = imageDirectory(layout, id);
      if (!existsSync(directory)) return;
      await withProcessLock(lockPath, {}, async () => {
        await moveAway(directory);
        const needed = new Set((await readRecords(layout)).map((record) => record.dependencies));
        for (const key of await readdir(layout.dependencies).catch(() => [])) {
          if (/^[0-9a-f]{64}$/.test(key) && !needed.has(key)) await moveAway(join(layout.dependencies, key));
        }
        await removeUnfinished(layout.images);
        await removeUnfinished(layout.dependencies);
      });
    },
  };
}

function toImage(layout: LocalLayout, record: ImageRecord): Image {
  const { id, revision, digest, bytes, builtAt } = record;
  return {
    id,
    revision,
    digest,
    derivation: null,
    path: join(imageDirectory(layout, id), "tree"),
    bytes,
    builtAt,
    closure: null,
    ami: null,
    snapshot: null,
  };
}

function readRecord(layout: LocalLayout, id: string): Promise<ImageRecord | null> {
  return readImageRecord(join(imageDirectory(layout, id), "image.json"), { id, schema: recordSchema, holds: "image" });
}

async function readRecords(layout: LocalLayout): Promise<ImageRecord[]> {
  const names = await readdir(layout.images).catch(() => []);
  const records = await Promise.all(
    names.filter((name) => /^local-[0-9a-f]{16}$/.test(name)).map((name) => readRecord(layout, name)),
  );
  return records.filter((record) => record !== null);
}

/** What is not as the id says, in words: the listing must hash to the id, and the files to the listing. */
async function findDamage(layout: LocalLayout, record: ImageRecord): Promise<string | null> {
  const directory = imageDirectory(layout, record.id);
  const tree = join(directory, "tree");
  const listing = await readFileIfThere(join(directory, "listing"));
  if (listing === null) return "its listing is missing";
  const identity = imageIdentity(listing);
  if (identity.id !== record.id || identity.digest !== record.digest) return "its listing was changed";
  if (!existsSync(tree)) return "its tree is missing";
  const verification = await verifyTree(tree, entriesOfListing(listing));
  if (!verification.ok) return verification.problem;
  const key = await dependencyKey(tree);
  if (key !== record.dependencies) return "it was built with other dependencies";
  const link = await readlink(join(tree, "node_modules")).catch(() => null);
  if (key === null) return existsSync(join(tree, "node_modules")) ? "node_modules does not belong to it" : null;
  if (link !== dependencyLink(layout, record.id, key)) return "node_modules leads elsewhere";
  return (await installedDependencies(layout.dependencies, key)) ? null : "its dependencies are missing";
}

function dependencyLink(layout: LocalLayout, id: string, key: string): string {
  return relative(join(imageDirectory(layout, id), "tree"), join(layout.dependencies, key, "node_modules"));
}

/** Two renames, so a kill in between leaves no image: it is built again. */
async function replaceDirectory(from: string, to: string): Promise<void> {
  if (existsSync(to)) await moveAway(to);
  await rename(from, to);
  await syncDirectory(dirname(to));
}

async function moveAway(directory: string): Promise<void> {
  const aside = await mkdtemp(join(dirname(directory), ".removed-"));
  await rename(directory, join(aside, "content"));
  await rm(aside, { recursive: true, force: true });
}

function notAsCommitted(commit: string, problem: string): ToolError {
  return new ToolError(`commit ${commit.slice(0, 12)} did not come out of git as it was committed: ${problem}`, {
    code: "commit_unusable",
    hint: "look for a .gitattributes that changes files, or for a link that leads out of the repository",
  });
}
