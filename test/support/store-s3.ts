/** Opens the store on an emulator's S3, in this process or in a child. */
import { openS3Store, type S3Store, type S3StoreOptions } from "../../agent/gateway/store/s3.ts";
import { type AwsClients, createAwsClients } from "../../tools/fleet/aws/clients.ts";
import { type Emulator, emulatorRegion } from "./aws.ts";
import type { StoreOpener } from "./store-process.ts";

/** Quicker than in earnest, so that tests need not wait. */
const pollMs = 200;

export interface S3Place {
  bucket: string;
  prefix: string;
}

export function s3Opener(emulator: Pick<Emulator, "environment">, place: S3Place): StoreOpener {
  return {
    module: import.meta.url,
    function: "openEmulatedStore",
    options: { ...place, environment: emulator.environment },
  };
}

/** The SDK looks for credentials and endpoint in the process' environment: that is set where a child has none. */
export async function openEmulatedStore(
  options: S3Place & { environment: Record<string, string> } & Partial<S3StoreOptions>,
): Promise<S3Store> {
  Object.assign(process.env, options.environment);
  return openS3Store({ region: emulatorRegion, pollMs, ...options });
}

function emulatedClients(emulator: Pick<Emulator, "environment">): AwsClients {
  Object.assign(process.env, emulator.environment);
  return createAwsClients({ region: emulatorRegion, environment: emulator.environment });
}

export async function makeBucket(emulator: Pick<Emulator, "environment">, bucket: string): Promise<void> {
  const clients = emulatedClients(emulator);
  const { CreateBucketCommand } = await import("@aws-sdk/client-s3");
  await (await clients.s3()).send(
    new CreateBucketCommand({
      Bucket: bucket,
      CreateBucketConfiguration: { LocationConstraint: emulatorRegion },
    }),
  );
  clients.close();
}
