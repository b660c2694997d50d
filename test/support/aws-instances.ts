/** A fleet's account in the emulator with an AMI to launch from, for tests of what happens to its instances. */
import type { Instance } from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { openSqliteStore } from "../../agent/gateway/store/sqlite.ts";
import { type AwsClients, createAwsClients } from "../../tools/fleet/aws/clients.ts";
import { type AwsInstances, openAwsInstances } from "../../tools/fleet/aws/instances/instances.ts";
import { type Placement, resolvePlacement } from "../../tools/fleet/aws/instances/placement.ts";
import { type AwsSettings, awsSettingsSchema } from "../../tools/fleet/aws/settings.ts";
import {
  fromEc2Tags,
  imageTag,
  instanceTag,
  isOwned,
  ownedBy,
  revisionTag,
  toEc2Tags,
} from "../../tools/fleet/aws/tags.ts";
import type { LaunchSpec } from "../../tools/fleet/services.ts";
import type { Json } from "../../tools/json.ts";
import type { Store } from "../../tools/store.ts";
import { type Emulator, emulatorRegion, startEmulator } from "./aws.ts";
import { makeStack, type Stack } from "./stack.ts";
import { temporaryDirectory } from "./temporary.ts";

export const testImage = "img-0123456789ab";
export const testRevision = "c".repeat(40);

/** One emulator for a test file, which calls this at its top; this process's AWS clients find it. */
export function shareEmulator(): () => Emulator {
  let emulator: Emulator | null = null;
  const endings: (() => void | Promise<void>)[] = [];
  beforeAll(async () => {
    emulator = await startEmulator({ atEnd: (work) => endings.push(work) });
    Object.assign(process.env, emulator.environment);
  });
  afterAll(async () => {
    for (const work of endings.reverse()) await work();
  });
  return () => {
    if (emulator === null) throw new Error("the emulator is not started");
    return emulator;
  };
}

export interface AwsAccount {
  emulator: Emulator;
  stack: Stack;
  settings: AwsSettings;
  clients: AwsClients;
  store: Store;
  storePath: string;
  instances: AwsInstances;
  ami: string;
  placement: Placement;
  /** A launch of the test's image. */
  spec(instance: string, change?: Partial<LaunchSpec>): LaunchSpec;
  /** A second opener on the same account and store, as another gateway has it. */
  another(): AwsInstances;
  /** Every machine in the account, whoever it belongs to. */
  everything(): Promise<Instance[]>;
  /** Of the instance and ours, neither terminated nor about to be. */
  liveMachines(instance: string): Promise<Instance[]>;
  /** EC2 operations sent from here on, one entry for each HTTP request. */
  requests(): Promise<string[]>;
}

let accounts = 0;

/** An account of its own in the emulator, told apart by its fleet's name. */
export async function makeAccount(
  emulator: Emulator,
  options: { settings?: Partial<AwsSettings>; launchDeadlineMs?: number } = {},
): Promise<AwsAccount> {
  const fleet = `fleet-${process.pid}-${++accounts}`;
  const stack = await makeStack(emulator, { fleet });
  const settings = awsSettingsSchema.parse({ ...stack.settings, visibilitySeconds: 2, ...options.settings });
  const clients = createAwsClients({ region: emulatorRegion });
  const storePath = `${temporaryDirectory()}/store.sqlite`;
  const store = await openSqliteStore({ path: storePath });
  onTestFinished(async () => {
    emulator.setFaults({});
    clients.close();
    await store.close();
  });
  const { launchDeadlineMs = 3_000 } = options;
  const another = (): AwsInstances => openAwsInstances({ settings, clients, store, launchDeadlineMs });
  const ami = await registerAmi(clients, { fleet, image: testImage, revision: testRevision });
  const { placement } = await resolvePlacement({ settings, clients });
  const everything = async (): Promise<Instance[]> => {
    const [{ paginateDescribeInstances }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
    const found: Instance[] = [];
    for await (const page of paginateDescribeInstances({ client }, {}))
      found.push(...(page.Reservations ?? []).flatMap(({ Instances = [] }) => Instances));
    return found;
  };
  return {
    emulator,
    stack,
    settings,
    clients,
    store,
    storePath,
    instances: another(),
    ami,
    placement,
    another,
    everything,
    spec: (instance, change = {}) => ({
      instance,
      name: "CLAWDINATOR-2",
      image: testImage,
      revision: testRevision,
      port: null,
      placement: placement as unknown as Json,
      ...change,
    }),
    async liveMachines(instance) {
      return (await everything()).filter(
        ({ Tags, State }) =>
          isOwned(fromEc2Tags(Tags), fleet) &&
          fromEc2Tags(Tags)[instanceTag] === instance &&
          !/shutting-down|terminated/.test(State?.Name ?? ""),
      );
    },
    async requests() {
      const sent: string[] = [];
      (await clients.ec2()).middlewareStack.add(
        (next, context) => (input) => {
          sent.push(String(context.commandName));
          return next(input);
        },
        { step: "finalizeRequest", priority: "low", name: `count-${Math.random()}` },
      );
      return sent;
    },
  };
}

/** An AMI of one empty snapshot, tagged as an import tags it. */
export async function registerAmi(
  clients: AwsClients,
  options: { fleet: string; image: string; revision: string },
): Promise<string> {
  const [ec2, ebs, ec2Client, ebsClient] = await Promise.all([
    import("@aws-sdk/client-ec2"),
    import("@aws-sdk/client-ebs"),
    clients.ec2(),
    clients.ebs(),
  ]);
  const tags = toEc2Tags({
    ...ownedBy(options.fleet),
    [imageTag]: options.image,
    [revisionTag]: options.revision,
  });
  const { SnapshotId } = await ebsClient.send(new ebs.StartSnapshotCommand({ VolumeSize: 8, Tags: tags }));
  await ebsClient.send(new ebs.CompleteSnapshotCommand({ SnapshotId, ChangedBlocksCount: 0 }));
  const { ImageId } = await ec2Client.send(
    new ec2.RegisterImageCommand({
      Name: `${options.fleet}-${options.image}-${SnapshotId}`,
      Architecture: "x86_64",
      BootMode: "uefi",
      EnaSupport: true,
      RootDeviceName: "/dev/xvda",
      BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: SnapshotId ? { SnapshotId } : {} }],
      TagSpecifications: [{ ResourceType: "image", Tags: tags }],
    }),
  );
  return String(ImageId);
}
