/** The provider for AWS: images are AMIs, instances are EC2 machines, found by the fleet's tags and nothing else. */

import { join } from "node:path";
import type { Store } from "../../store.ts";
import { openProgram } from "../program.ts";
import type { FleetConfiguration, FleetProvider } from "../services.ts";
import type { AwsClients } from "./clients.ts";
import { blockBytes, gibibyte } from "./ebs/blocks.ts";
import { openAwsImages } from "./images/images.ts";
import { gitFlake } from "./images/nix.ts";
import { openAwsInstances } from "./instances/instances.ts";
import { planAwsLaunch } from "./instances/launch-plan.ts";
import { pricesDate, pricesOf, roundCents, usdPerBlock } from "./prices.ts";
import type { AwsSettings } from "./settings.ts";
import { switchInstance } from "./ssm.ts";

export interface AwsProviderOptions {
  settings: AwsSettings;
  clients: AwsClients;
  /** Where machines are recorded before they are launched. */
  store: Store;
  /** On local disk: the program's mirror, builds, journals of uploads. Can be rebuilt. */
  stateDirectory: string;
  /** Path or address of the repository that images are built from. */
  programRepository: string;
  /** The fleet's own settings, which its machines carry. */
  configuration: () => Promise<FleetConfiguration>;
  /** Where the few variables that children may have are taken from. */
  environment: NodeJS.ProcessEnv;
  now?: () => number;
}

/** Makes nothing, and asks AWS nothing, until it is used. */
export function createAwsProvider(options: AwsProviderOptions): FleetProvider {
  const { settings, clients, stateDirectory, environment, programRepository, now = Date.now } = options;
  const directory = join(stateDirectory, "program.git");
  const program = openProgram({ directory, source: programRepository, environment });
  const instances = openAwsInstances(options);
  const images = openAwsImages({
    settings,
    clients,
    program: { resolve: program.resolve, flake: (commit) => gitFlake(directory, commit) },
    stateDirectory,
    environment,
    now,
    nixOptions: settings.nixOptions,
    configuration: options.configuration,
    inUse: async () => (await instances.list()).map(({ image }) => image),
  });

  return {
    kind: "aws",
    instanceType: settings.instanceType,
    instanceId: (token) => `clawd-${token.slice(0, 12)}`,
    resolveRevision: (revision) => program.resolve(revision),
    deriveImage: images.deriveImage,
    checkBuild: images.checkBuild,
    buildImage: images.buildImage,
    importImage: images.importImage,
    abandonImport: images.abandonImport,
    listImages: images.listImages,
    removeImage: images.removeImage,
    imageCost: (bytes) => imageCost(settings.region, bytes),
    planLaunch: () => planAwsLaunch({ settings, clients, machines: instances.machines }),
    launch: instances.launch,
    liveness: instances.liveness,
    stop: instances.stop,
    remove: instances.remove,
    list: instances.list,
    readLog: instances.readLog,
    async switchRevision(instance, switchOptions) {
      const machine = await instances.runningMachine(instance);
      return switchInstance({ ...switchOptions, clients, machine });
    },
  };
}

/** Of a snapshot that holds so many bytes, all of them written: zeros and blocks of a parent cost nothing. */
function imageCost(region: string, bytes: number | null): { onceUsd: number; monthlyUsd: number; note: string } {
  if (bytes === null) {
    return {
      onceUsd: 0,
      monthlyUsd: 0,
      note: "an image's snapshot costs some cents a month; its size is not known yet",
    };
  }
  return {
    onceUsd: roundCents(Math.ceil(bytes / blockBytes) * usdPerBlock),
    monthlyUsd: roundCents((bytes / gibibyte) * pricesOf(region).snapshotGiBMonth),
    note: `list prices on ${pricesDate}: a snapshot of at most ${(bytes / gibibyte).toFixed(1)} GiB and its upload`,
  };
}
