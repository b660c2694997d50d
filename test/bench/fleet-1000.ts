/** How long a gateway that has read nothing yet takes to look at a fleet of 1,000 on AWS, and to plan its roll. */
import { createReadCache } from "../../agent/gateway/store/read-cache.ts";
import { openS3Store } from "../../agent/gateway/store/s3.ts";
import { type AwsClients, createAwsClients } from "../../tools/fleet/aws/clients.ts";
import { openAwsInstances } from "../../tools/fleet/aws/instances/instances.ts";
import { awsSettingsSchema } from "../../tools/fleet/aws/settings.ts";
import type { FleetServices, ProvidedInstance } from "../../tools/fleet/services.ts";
import { type EmulatorKind, emulatorRegion, startEmulator } from "../support/aws.ts";
import { fillStore, planRoll, servicesOf } from "../support/big-fleet.ts";
import { serveDescribedInstances } from "../support/described-instances.ts";
import { providedInstances } from "../support/idle-fleet.ts";

const count = 1000;
const bucket = "bench";
const settings = awsSettingsSchema.parse({ region: emulatorRegion, bucket });

export interface ThousandFigures {
  emulator: EmulatorKind;
  /** Of each look, from opening the store to the status; requests to S3 and EC2. */
  calls: number[];
  statusSeconds: number[];
  planSeconds: number[];
}

export async function measureThousand(options: { runs: number; note(text: string): void }): Promise<ThousandFigures> {
  const ends: (() => void | Promise<void>)[] = [];
  const emulator = await startEmulator({ atEnd: (work) => void ends.push(work) });
  const before = { ...process.env };
  Object.assign(process.env, emulator.environment);
  try {
    options.note(`fleet of ${count}: ${emulator.kind}`);
    const provided = providedInstances(count);
    process.env.AWS_ENDPOINT_URL_EC2 = await serveDescribedInstances(provided, {
      fleet: settings.fleet,
      atEnd: (work) => void ends.push(work),
    });
    await prepare(provided);
    const figures: ThousandFigures = { emulator: emulator.kind, calls: [], statusSeconds: [], planSeconds: [] };
    for (let run = 0; run < options.runs; run++) {
      options.note(`fleet of ${count}, run ${run + 1} of ${options.runs}`);
      await look(provided, figures);
    }
    return figures;
  } finally {
    process.env = before;
    for (const end of ends.reverse()) await end();
  }
}

/** What they all wrote in S3. */
async function prepare(provided: readonly ProvidedInstance[]): Promise<void> {
  const clients = createAwsClients({ region: emulatorRegion });
  const { CreateBucketCommand } = await import("@aws-sdk/client-s3");
  const location = { LocationConstraint: emulatorRegion } as const;
  await (await clients.s3()).send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: location }));
  const store = await openS3Store({ bucket, prefix: settings.storePrefix, clients });
  await fillStore(store, provided);
  await store.close();
  clients.close();
}

async function look(provided: readonly ProvidedInstance[], figures: ThousandFigures): Promise<void> {
  const clients = createAwsClients({ region: emulatorRegion });
  const counted = await countRequests(clients);
  const began = performance.now();
  const store = createReadCache(await openS3Store({ bucket, prefix: settings.storePrefix, clients }));
  const { list } = openAwsInstances({ settings, clients, store });
  const self = provided[Math.floor(count / 2)] as ProvidedInstance;
  const fleet: FleetServices = servicesOf({ store, self, list });
  const status = await fleet.status();
  figures.statusSeconds.push((performance.now() - began) / 1000);
  figures.calls.push(counted.requests);
  const ready = status.instances.filter(({ state }) => state === "ready").length;
  if (ready !== count) throw new Error(`${ready} of ${count} instances are ready`);
  const planBegan = performance.now();
  const { targets } = await planRoll(fleet);
  figures.planSeconds.push((performance.now() - planBegan) / 1000);
  if (targets !== count) throw new Error(`the roll replaces ${targets} of ${count}`);
  await store.close();
  clients.close();
}

/** Every attempt of every request that these clients send. */
async function countRequests(clients: AwsClients): Promise<{ requests: number }> {
  const counted = { requests: 0 };
  for (const client of [await clients.s3(), await clients.ec2()]) {
    const { middlewareStack } = client as unknown as {
      middlewareStack: {
        add(
          middleware: (next: (request: unknown) => unknown) => (request: unknown) => unknown,
          options: { step: "finalizeRequest"; priority: "low" },
        ): void;
      };
    };
    middlewareStack.add(
      (next) => (request) => {
        counted.requests++;
        return next(request);
      },
      { step: "finalizeRequest", priority: "low" },
    );
  }
  return counted;
}
