/**
 * Repository seeds: the program's and the fleet's history as git bundles in the bucket, `seeds/NAME.bundle`, so that an
 * instance boots with its repositories also while their hosts cannot be reached. Refreshed now and then; a seed that
 * says what its source says is left as it is.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "../../json.ts";
import { createBareRepository } from "../bare-repository.ts";
import { openGit } from "../git.ts";
import { withProcessLock } from "../local/process.ts";
import type { AwsClients } from "./clients.ts";
import { aws, isNotFound } from "./errors.ts";

export interface Seed {
  /** `program`, `fleet`: the bundle's name. */
  name: string;
  /** Path or address of the repository. */
  repository: string;
}

export interface PublishedSeed {
  name: string;
  key: string;
  /** Of the bundle; also in the object's metadata, for whoever fetches it to check. */
  sha256: string;
  /** Commit of `main` (or of the source's HEAD). */
  revision: string;
  bytes: number;
  reused: boolean;
}

const mirroredReferences = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

export function seedKey(name: string): string {
  return `seeds/${name}.bundle`;
}

/**
 * Publishes each seed whose source has moved since. `directory` is on local disk and keeps mirrors between calls.
 * `prepare` may give a new mirror what it needs to read a private source. Idempotent; throws ProviderError where a source
 * cannot be read or the bucket not be written.
 */
export async function publishSeeds(options: {
  clients: Pick<AwsClients, "s3">;
  bucket: string;
  seeds: readonly Seed[];
  directory: string;
  environment: NodeJS.ProcessEnv;
  prepare?(mirror: string): Promise<void>;
  signal: AbortSignal;
  progress?(text: string): void;
}): Promise<PublishedSeed[]> {
  await mkdir(options.directory, { recursive: true });
  return withProcessLock(join(options.directory, "seeds.lock"), { signal: options.signal }, async () => {
    const published: PublishedSeed[] = [];
    for (const seed of options.seeds) published.push(await publishSeed(seed, options));
    return published;
  });
}

async function publishSeed(
  { name, repository }: Seed,
  options: Parameters<typeof publishSeeds>[0],
): Promise<PublishedSeed> {
  const { clients, bucket, environment, signal } = options;
  const mirror = join(options.directory, `${name}.git`);
  await createBareRepository(mirror, environment);
  const git = openGit({ directory: mirror, environment });
  await options.prepare?.(mirror);
  await git.run(["fetch", "--verbose", "--progress", "--no-tags", "--prune", "--", repository, ...mirroredReferences], {
    signal,
  });
  const references = (await git.run(["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"]))
    .split("\n")
    .filter(Boolean)
    .sort();
  const main = references.find((line) => line.endsWith(" refs/heads/main")) ?? references[0] ?? "";
  const revision = main.slice(0, 40);
  // Packing the same history twice gives different bytes, so the references decide whether it is the same.
  const state = sha256(references.join("\n"));
  const key = seedKey(name);
  const [sdk, client] = await Promise.all([import("@aws-sdk/client-s3"), clients.s3()]);
  const existing = await client
    .send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }))
    .catch((error: unknown) => {
      if (isNotFound(error)) return null;
      return aws(`looking at ${key}`, () => Promise.reject(error));
    });
  if (existing?.Metadata?.references === state && existing.Metadata.sha256) {
    return { name, key, sha256: existing.Metadata.sha256, revision, bytes: existing.ContentLength ?? 0, reused: true };
  }
  const temporary = await mkdtemp(join(options.directory, "bundle-"));
  try {
    const file = join(temporary, `${name}.bundle`);
    await git.run(["symbolic-ref", "HEAD", main.slice(41) || "refs/heads/main"]);
    await git.run(["bundle", "create", "--progress", file, "HEAD", "--branches", "--tags"], { signal });
    const [hash, { size }] = await Promise.all([hashFile(file), stat(file)]);
    options.progress?.(`sending ${key} (${(size / 1e6).toFixed(1)} MB)`);
    const { Upload } = await import("@aws-sdk/lib-storage");
    const upload = new Upload({
      client,
      params: {
        Bucket: bucket,
        Key: key,
        Body: createReadStream(file),
        ContentType: "application/x-git-bundle",
        Metadata: { sha256: hash, revision, references: state },
      },
    });
    const onAbort = (): void => void upload.abort();
    signal.addEventListener("abort", onAbort);
    try {
      await aws(`sending ${key}`, () => upload.done());
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
    return { name, key, sha256: hash, revision, bytes: size, reused: false };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
