/**
 * SDK clients, each loaded and made when it is first used. Credentials, endpoint and profile come from where AWS' own
 * tools look (`AWS_*` variables, `~/.aws`, the instance's role).
 */
import type { EBSClient } from "@aws-sdk/client-ebs";
import type { EC2Client } from "@aws-sdk/client-ec2";
import type { EFSClient } from "@aws-sdk/client-efs";
import type { S3Client } from "@aws-sdk/client-s3";
import type { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { SSMClient } from "@aws-sdk/client-ssm";
import type { STSClient } from "@aws-sdk/client-sts";

/** Of one request; a request that hangs is given up and tried again. */
const requestTimeoutMs = 20_000;
/** Of one request to S3: a part of a disk image on a slow line. */
const objectTimeoutMs = 120_000;
const connectionTimeoutMs = 5_000;
/** The SDK's own retries, with jitter; the only retry layer around single calls. */
const attempts = 6;

export interface AwsClients {
  region: string;
  ec2(): Promise<EC2Client>;
  /** Without retries: the uploader has one rate controller and one retry layer of its own. */
  ebs(): Promise<EBSClient>;
  s3(): Promise<S3Client>;
  secretsManager(): Promise<SecretsManagerClient>;
  efs(): Promise<EFSClient>;
  ssm(): Promise<SSMClient>;
  sts(): Promise<STSClient>;
  close(): void;
}

export function createAwsClients(options: { region: string; environment?: NodeJS.ProcessEnv }): AwsClients {
  const { region } = options;
  const open: { destroy(): void }[] = [];

  const once = <Client extends { destroy(): void }>(make: () => Promise<Client>): (() => Promise<Client>) => {
    let client: Promise<Client> | null = null;
    return () => {
      client ??= make().then((made) => {
        open.push(made);
        return made;
      });
      return client;
    };
  };
  const common = async (requestTimeout = requestTimeoutMs) => {
    const { NodeHttpHandler } = await import("@smithy/node-http-handler");
    return {
      region,
      maxAttempts: attempts,
      retryMode: "standard",
      // Without the last one the handler only warns of a request that hangs.
      requestHandler: new NodeHttpHandler({
        requestTimeout,
        connectionTimeout: connectionTimeoutMs,
        throwOnRequestTimeout: true,
      }),
    };
  };

  return {
    region,
    ec2: once(async () => new (await import("@aws-sdk/client-ec2")).EC2Client(await common())),
    ebs: once(async () => {
      const { createEbsClient } = await import("./ebs/client.ts");
      return createEbsClient({
        region,
        requestTimeout: requestTimeoutMs,
        connectionTimeout: connectionTimeoutMs,
      });
    }),
    s3: once(async () => {
      const { S3Client } = await import("@aws-sdk/client-s3");
      // An endpoint of one's own (an emulator, a private one) rarely has a name for each bucket.
      const environment = options.environment ?? process.env;
      const forcePathStyle = Boolean(environment.AWS_ENDPOINT_URL || environment.AWS_ENDPOINT_URL_S3);
      return new S3Client({ ...(await common(objectTimeoutMs)), forcePathStyle });
    }),
    secretsManager: once(
      async () => new (await import("@aws-sdk/client-secrets-manager")).SecretsManagerClient(await common()),
    ),
    efs: once(async () => new (await import("@aws-sdk/client-efs")).EFSClient(await common())),
    ssm: once(async () => new (await import("@aws-sdk/client-ssm")).SSMClient(await common())),
    sts: once(async () => new (await import("@aws-sdk/client-sts")).STSClient(await common())),
    close() {
      for (const client of open.splice(0)) client.destroy();
    },
  };
}
