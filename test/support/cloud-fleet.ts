/**
 * A fleet on AWS for a test: the emulator at the network's far end, what the stack leaves in it, the machine room that
 * runs what its instances would run, and CLAWDINATOR-1 on this machine, from its checkout. Images are built by a real
 * nix, of a flake without inputs whose disk is small.
 */
import { join } from "node:path";
import type { Image, Instance, Snapshot } from "@aws-sdk/client-ec2";
import { expect, onTestFinished } from "vitest";
import { openS3Store } from "../../agent/gateway/store/s3.ts";
import { fromEc2Tags, instanceTag, ownedFilters } from "../../tools/fleet/aws/tags.ts";
import { type Emulator, startEmulator } from "./aws.ts";
import { type FleetOptions, makeFleet, type TestFleet } from "./fleet.ts";
import { commitFiles } from "./git.ts";
import { expectProcesses, expectRecordsConsistent } from "./kills.ts";
import { type MachineRoom, startMachineRoom } from "./machines.ts";
import { imageFlake, nixEnvironment } from "./nix-build.ts";
import { cloneProgram } from "./program.ts";
import { emulatorClientOptions, makeStack, type Stack } from "./stack.ts";
import { temporaryDirectory } from "./temporary.ts";
import { waitFor } from "./wait.ts";

export interface CloudFleet {
  fleet: TestFleet;
  emulator: Emulator;
  stack: Stack;
  room: MachineRoom;
  /** A new commit of the program, which makes a disk image of its own. */
  newRevision(text: string): string;
  /** What the account holds of the fleet now. */
  account(): Promise<CloudAccount>;
}

export interface CloudAccount {
  /** Neither ended nor ending. */
  instances: Instance[];
  amis: Image[];
  snapshots: Snapshot[];
  /** Keys in the bucket but the store and the repository seeds. */
  objects: string[];
}

/** Makes it, without starting CLAWDINATOR-1. Everything ends with the test. */
export async function makeCloudFleet(
  options: { config?: Record<string, Record<string, unknown>>; environment?: Record<string, string> } = {},
): Promise<CloudFleet> {
  const atEnd: NonNullable<FleetOptions["atEnd"]> = (work, timeoutMs) => onTestFinished(work, timeoutMs);
  const emulator = await startEmulator({ atEnd });
  const stack = await makeStack(emulator);
  const directory = temporaryDirectory(atEnd);
  const program = cloneProgram(directory);
  const newRevision = (text: string): string =>
    commitFiles(program, { "flake.nix": imageFlake(), "content.txt": `${text}\n` }, text);
  newRevision("First");
  const nix = nixEnvironment(join(directory, "nix")) as Record<string, string>;
  const room = await startMachineRoom({
    emulator,
    stack,
    program,
    atEnd,
    fleetRepository: join(directory, "fleet.git"),
    config: { ...options.config, aws: { pollSeconds: 0.4, ...options.config?.aws } },
    environment: { NIX_CONF_DIR: String(nix.NIX_CONF_DIR) },
  });
  // The environment's credentials are for the processes; the test's own store needs them too.
  Object.assign(process.env, emulator.environment);
  const fleet = makeFleet({
    directory,
    program,
    config: { ...room.config, secrets: { directory: join(directory, "agenix") } },
    environment: { ...emulator.environment, ...nix, ...options.environment },
    openStore: () => openS3Store({ bucket: stack.bucket, prefix: "store/", region: stack.region, pollMs: 200 }),
    // Each look is a request, and the emulator answers one at a time: more of them keep the fleet waiting.
    lookEveryMs: 200,
    atEnd,
  });
  return { fleet, emulator, stack, room, newRevision, account: () => readAccount(emulator, stack) };
}

async function readAccount(emulator: Emulator, stack: Stack): Promise<CloudAccount> {
  const ec2 = await import("@aws-sdk/client-ec2");
  const s3 = await import("@aws-sdk/client-s3");
  const client = new ec2.EC2Client(emulatorClientOptions(emulator));
  const objects = new s3.S3Client({ ...emulatorClientOptions(emulator), forcePathStyle: true });
  const Filters = ownedFilters(stack.fleet);
  try {
    const [found, amis, snapshots, listed] = await Promise.all([
      client.send(new ec2.DescribeInstancesCommand({ Filters })),
      client.send(new ec2.DescribeImagesCommand({ Owners: ["self"], Filters })),
      client.send(new ec2.DescribeSnapshotsCommand({ OwnerIds: ["self"], Filters })),
      objects.send(new s3.ListObjectsV2Command({ Bucket: stack.bucket })),
    ]);
    const instances = (found.Reservations ?? []).flatMap((reservation) => reservation.Instances ?? []);
    return {
      instances: instances.filter(({ State }) => !/terminated|shutting-down/.test(State?.Name ?? "")),
      amis: amis.Images ?? [],
      snapshots: snapshots.Snapshots ?? [],
      objects: (listed.Contents ?? []).map(({ Key = "" }) => Key).filter((key) => !/^(store|seeds)\//.test(key)),
    };
  } finally {
    client.destroy();
    objects.destroy();
  }
}

/**
 * Nothing is orphaned and nothing is there twice, in the store, the fleet repository, the account and on the machines.
 * `epochs`: who holds a name now, and in which epoch; `images`: how many are to be there.
 */
export async function expectCloudConsistent(
  cloud: CloudFleet,
  expected: { epochs: Record<string, number>; images: number },
): Promise<void> {
  const { fleet, room } = cloud;
  const repository = room.fleetRepository;
  const holders = await expectRecordsConsistent(fleet, { epochs: expected.epochs, repository });
  const { instances, amis, snapshots, objects } = await cloud.account();
  const local = holders.filter((holder) => !holder.startsWith("clawd-"));
  const machines = holders.filter((holder) => holder.startsWith("clawd-"));
  expect(instances.map(({ Tags }) => fromEc2Tags(Tags)[instanceTag]).sort()).toEqual(machines);
  expect(amis).toHaveLength(expected.images);
  expect(snapshots.map(({ State }) => State)).toEqual(amis.map(() => "completed"));
  expect(snapshots.map(({ SnapshotId }) => SnapshotId).sort()).toEqual(
    amis.map((ami) => ami.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId).sort(),
  );
  expect(objects).toEqual([]);
  await expectProcesses(fleet.home, local);
  for (const instance of machines) await expectProcesses(room.home(instance), [instance]);
  await waitFor(
    () =>
      room
        .machines()
        .filter(({ state }) => state === "running")
        .map(({ instance }) => instance)
        .sort()
        .join() === machines.join(),
    { timeoutMs: 20_000, what: "the machine room noticing which machines are left" },
  );
}
