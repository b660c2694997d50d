/** A fleet's account in the emulator, and this machine's side of it, for tests of how images become AMIs. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Image as Ec2Image, Snapshot } from "@aws-sdk/client-ec2";
import { describe, onTestFinished } from "vitest";
import { type AwsClients, createAwsClients } from "../../tools/fleet/aws/clients.ts";
import { plannedImage } from "../../tools/fleet/aws/images/derivations.ts";
import { openImageRecords } from "../../tools/fleet/aws/images/image-records.ts";
import { type AwsImages, type AwsImagesOptions, openAwsImages } from "../../tools/fleet/aws/images/images.ts";
import { type AwsSettings, awsSettingsSchema } from "../../tools/fleet/aws/settings.ts";
import { ownedFilters } from "../../tools/fleet/aws/tags.ts";
import type { PlannedImage } from "../../tools/fleet/services.ts";
import { emulatorRegion, whyNotRepaired } from "./aws.ts";
import { onEachCall } from "./aws-call.ts";
import { temporaryDirectory } from "./temporary.ts";

export const blockBytes = 512 * 1024;

/** Tests of whole imports: the emulator from PyPI has neither EBS direct's block size nor VM Import, nor faults. */
export function onRepairedEmulator(what: string, define: () => void): void {
  const why = whyNotRepaired();
  describe.skipIf(why !== null)(why === null ? what : `${what}: ${why}`, define);
}

export interface ImageAccount {
  settings: AwsSettings;
  clients: AwsClients;
  stateDirectory: string;
  images: AwsImages;
  /** Ids that count as in use. */
  used: Set<string>;
  /** Another opener on the same account and state, with other options. */
  another(options?: Partial<AwsImagesOptions>): AwsImages;
  /** An image as a build on this machine leaves it, without nix. */
  built(options?: { revision?: string; closure?: string; content?: Buffer; name?: string }): Promise<PlannedImage>;
  /** What the account holds of this fleet. */
  amis(): Promise<Ec2Image[]>;
  snapshots(): Promise<Snapshot[]>;
  /** Keys in the bucket, and of uploads that are not finished. */
  objects(): Promise<{ keys: string[]; unfinished: string[] }>;
  /** Names of the commands sent to AWS from here on. */
  requests(): Promise<string[]>;
}

let accounts = 0;

export async function makeImageAccount(
  options: { settings?: Partial<AwsSettings>; images?: Partial<AwsImagesOptions> } = {},
): Promise<ImageAccount> {
  const directory = temporaryDirectory();
  const fleet = `images-${process.pid}-${++accounts}`;
  const settings = awsSettingsSchema.parse({
    region: emulatorRegion,
    fleet,
    bucket: `${fleet}-bucket`,
    visibilitySeconds: 2,
    ...options.settings,
  });
  const clients = createAwsClients({ region: emulatorRegion });
  onTestFinished(() => clients.close());
  const s3 = await import("@aws-sdk/client-s3");
  const ec2 = await import("@aws-sdk/client-ec2");
  await (await clients.s3()).send(
    new s3.CreateBucketCommand({
      Bucket: settings.bucket,
      CreateBucketConfiguration: { LocationConstraint: emulatorRegion },
    }),
  );
  const stateDirectory = join(directory, "state");
  const used = new Set<string>();
  const another = (more: Partial<AwsImagesOptions> = {}): AwsImages =>
    openAwsImages({
      settings,
      clients,
      program: { resolve: async (revision) => revision, flake: (commit) => `path:${directory}?rev=${commit}` },
      stateDirectory,
      // No nix: what needs one says so.
      environment: { PATH: directory, HOME: directory },
      now: () => Date.now(),
      inUse: async () => used,
      ...options.images,
      ...more,
    });

  return {
    settings,
    clients,
    stateDirectory,
    used,
    another,
    images: another(),
    async built({ revision = "a".repeat(40), closure, content = diskContent(), name = "image" } = {}) {
      const image = plannedImage(revision, `/nix/store/${randomBytes(16).toString("hex")}-${name}.drv`);
      const output = join(directory, image.id);
      mkdirSync(output);
      const path = join(output, "disk.raw");
      writeFileSync(path, content);
      await openImageRecords(join(stateDirectory, "images")).write({
        formatVersion: 1,
        ...image,
        derivation: String(image.derivation),
        recipe: settings.imageAttribute,
        storePaths: [output],
        path,
        bytes: content.length,
        closure: closure ?? `sha256-${image.digest.slice(0, 20)}`,
        builtAt: 1_700_000_000_000 + accounts,
        architecture: "x86_64",
        bootMode: "uefi",
      });
      return image;
    },
    async amis() {
      const answer = await (await clients.ec2()).send(
        new ec2.DescribeImagesCommand({ Owners: ["self"], Filters: ownedFilters(fleet) }),
      );
      return answer.Images ?? [];
    },
    async snapshots() {
      const answer = await (await clients.ec2()).send(
        new ec2.DescribeSnapshotsCommand({ OwnerIds: ["self"], Filters: ownedFilters(fleet) }),
      );
      return answer.Snapshots ?? [];
    },
    async objects() {
      const client = await clients.s3();
      const [listed, begun] = await Promise.all([
        client.send(new s3.ListObjectsV2Command({ Bucket: settings.bucket })),
        client.send(new s3.ListMultipartUploadsCommand({ Bucket: settings.bucket })),
      ]);
      return {
        keys: (listed.Contents ?? []).map(({ Key }) => String(Key)),
        unfinished: (begun.Uploads ?? []).map(({ Key }) => String(Key)),
      };
    },
    async requests() {
      const sent: string[] = [];
      await onEachCall(clients, async (operation, call) => {
        sent.push(operation);
        return call();
      });
      return sent;
    },
  };
}

/** 2 MiB and a bit: data, a hole, data, and an end that fills no block. */
export function diskContent(seed = 1): Buffer {
  const content = Buffer.alloc(4 * blockBytes + 4096);
  content.fill(seed, 0, 1000);
  content.fill(seed + 1, 2 * blockBytes, 2 * blockBytes + 5000);
  content.fill(seed + 2, content.length - 100);
  return content;
}

/** How a step of this test does its work; tokens are unlike those of every other test, as real ones are. */
export const step = (token: string, signal = new AbortController().signal) => ({
  token: `${token}-${process.pid}-${accounts}`,
  progress: () => {},
  signal,
});
