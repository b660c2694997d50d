/** Repository seeds in the bucket: what an instance can clone from, sent only when it has changed. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { createSeedKeeper } from "../../agent/gateway/seed-keeper.ts";
import { openSqliteStore } from "../../agent/gateway/store/sqlite.ts";
import { createAwsClients } from "../../tools/fleet/aws/clients.ts";
import { publishSeeds, seedKey } from "../../tools/fleet/aws/seeds.ts";
import type { Store } from "../../tools/store.ts";
import { emulatorRegion } from "../support/aws.ts";
import { shareEmulator } from "../support/aws-instances.ts";
import { commitFiles, git, makeRepository } from "../support/git.ts";
import { makeStack } from "../support/stack.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { waitFor } from "../support/wait.ts";

const emulator = shareEmulator();
let directory: string;
let source: string;
let bucket: string;

beforeEach(async () => {
  await emulator().reset();
  directory = temporaryDirectory();
  source = join(directory, "program");
  makeRepository(source, { "README.md": "one\n" });
  bucket = (await makeStack(emulator())).bucket;
});

function openClients() {
  const clients = createAwsClients({ region: emulatorRegion });
  onTestFinished(() => clients.close());
  return clients;
}

async function fetchSeed(name: string): Promise<{ bytes: Buffer; metadata: Record<string, string> }> {
  const clients = openClients();
  const [{ GetObjectCommand }, client] = await Promise.all([import("@aws-sdk/client-s3"), clients.s3()]);
  const { Body, Metadata = {} } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: seedKey(name) }));
  return { bytes: Buffer.from((await Body?.transformToByteArray()) ?? []), metadata: Metadata };
}

test("a seed is a bundle with its hash beside it, and is sent again only when its source has moved", async () => {
  const clients = openClients();
  const publish = () =>
    publishSeeds({
      ...{ clients, bucket, directory: join(directory, "seeds"), environment: process.env },
      seeds: [{ name: "program", repository: source }],
      signal: new AbortController().signal,
    });
  const [first] = await publish();
  const { bytes, metadata } = await fetchSeed("program");
  const hash = createHash("sha256").update(bytes).digest("hex");
  expect(first).toMatchObject({ key: "seeds/program.bundle", sha256: hash, reused: false, bytes: bytes.length });
  expect(metadata).toMatchObject({ sha256: hash, revision: git(source, "rev-parse", "HEAD") });
  writeFileSync(join(directory, "program.bundle"), bytes);
  git(directory, "clone", "--quiet", join(directory, "program.bundle"), join(directory, "clone"));
  expect(git(join(directory, "clone"), "rev-parse", "HEAD")).toBe(git(source, "rev-parse", "HEAD"));

  expect(await publish()).toEqual([{ ...first, reused: true }]);
  const next = commitFiles(source, { "README.md": "two\n" });
  expect(await publish()).toMatchObject([{ revision: next, reused: false }]);
});

test("a source that cannot be read leaves the seed that is there", async () => {
  const clients = openClients();
  const publish = (repository: string) =>
    publishSeeds({
      ...{ clients, bucket, directory: join(directory, "seeds"), environment: process.env },
      seeds: [{ name: "program", repository }],
      signal: new AbortController().signal,
    });
  const [first] = await publish(source);
  await expect(publish(join(directory, "nowhere"))).rejects.toMatchObject({ code: "git_failed" });
  expect((await fetchSeed("program")).metadata.sha256).toBe(first?.sha256);
});

test("the fleet refreshes them once a week, and not before", async () => {
  const real = await openSqliteStore({ path: join(directory, "store.sqlite") });
  onTestFinished(() => real.close());
  let later = 0;
  const store: Store = { ...real, now: async () => (await real.now()) + later };
  const clients = openClients();
  const open = () =>
    createSeedKeeper({
      ...{ store, clients, bucket, programRepository: source, fleetRepository: source },
      ...{ directory: join(directory, "instance"), environment: process.env, log: () => {} },
    });
  const published = async () => (await real.get("seeds/published"))?.value as { at: number } | undefined;
  const keeper = open();
  keeper.look();
  const first = await waitFor(published);
  await keeper.stop();

  later = 6 * 24 * 3600 * 1000;
  const early = open();
  early.look();
  await early.stop();
  expect(await published()).toEqual(first);

  later = 8 * 24 * 3600 * 1000;
  const due = open();
  due.look();
  await waitFor(async () => ((await published())?.at ?? 0) > first.at);
  await due.stop();
});
