/** The bucket of the stack's state, which must exist before the stack; and emptying buckets that keep old versions. */
import type { BucketLocationConstraint, S3Client } from "@aws-sdk/client-s3";
import { ConfigError } from "../tools/errors.ts";
import type { AwsClients } from "../tools/fleet/aws/clients.ts";
import { aws, awsErrorCode } from "../tools/fleet/aws/errors.ts";
import { fromEc2Tags, isOwned, ownedBy, toEc2Tags } from "../tools/fleet/aws/tags.ts";

/** What one DeleteObjects call takes at most. */
const deleteBatch = 1000;

const load = async (clients: AwsClients) => ({ sdk: await import("@aws-sdk/client-s3"), client: await clients.s3() });

export function stateBucketName(options: { fleet: string; account: string; region: string }): string {
  return `${options.fleet}-state-${options.account}-${options.region}`;
}

/** `absent`: the name is free, or we may not look; `foreign`: somebody else's, or without our tags. */
export async function bucketState(
  clients: AwsClients,
  options: { bucket: string; fleet: string; account: string },
): Promise<"ours" | "absent" | "foreign"> {
  const { sdk, client } = await load(clients);
  try {
    const owner = { Bucket: options.bucket, ExpectedBucketOwner: options.account };
    await client.send(new sdk.HeadBucketCommand(owner));
    const { TagSet } = await client.send(new sdk.GetBucketTaggingCommand(owner));
    return isOwned(fromEc2Tags(TagSet), options.fleet) ? "ours" : "foreign";
  } catch (error) {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (awsErrorCode(error) === "NoSuchTagSet" || status === 403) return "foreign";
    if (status === 404) return "absent";
    return aws(`looking at the bucket ${options.bucket}`, () => Promise.reject(error));
  }
}

/** Private, versioned, encrypted, tagged as ours. Each call may be repeated, so a half-made bucket is completed. */
export async function ensureStateBucket(
  clients: AwsClients,
  options: { bucket: string; fleet: string; account: string; region: string },
): Promise<{ created: boolean }> {
  const { bucket, fleet, account, region } = options;
  const { sdk, client } = await load(clients);
  const created = await createBucket(client, sdk, { bucket, region });
  const owner = { Bucket: bucket, ExpectedBucketOwner: account };
  await aws(`making the bucket ${bucket} private and versioned`, async () => {
    await client.send(
      new sdk.PutPublicAccessBlockCommand({
        ...owner,
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      }),
    );
    await client.send(new sdk.PutBucketVersioningCommand({ ...owner, VersioningConfiguration: { Status: "Enabled" } }));
    await client.send(
      new sdk.PutBucketEncryptionCommand({
        ...owner,
        ServerSideEncryptionConfiguration: {
          Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } }],
        },
      }),
    );
    await client.send(new sdk.PutBucketTaggingCommand({ ...owner, Tagging: { TagSet: toEc2Tags(ownedBy(fleet)) } }));
  });
  return { created };
}

async function createBucket(
  client: S3Client,
  sdk: typeof import("@aws-sdk/client-s3"),
  options: { bucket: string; region: string },
): Promise<boolean> {
  const { bucket, region } = options;
  try {
    await client.send(
      new sdk.CreateBucketCommand({
        Bucket: bucket,
        // us-east-1 is the only region that must not be named.
        ...(region === "us-east-1"
          ? {}
          : { CreateBucketConfiguration: { LocationConstraint: region as BucketLocationConstraint } }),
      }),
    );
    return true;
  } catch (error) {
    const code = awsErrorCode(error);
    if (code === "BucketAlreadyOwnedByYou") return false;
    if (code !== "BucketAlreadyExists") return aws(`making the bucket ${bucket}`, () => Promise.reject(error));
    throw new ConfigError(`the bucket name ${bucket} is taken by another account`, {
      code: "bucket_taken",
      hint: "take another --fleet name",
      cause: error,
    });
  }
}

/** How many objects and old versions there are; the first 1,000 are counted. */
export async function countVersions(clients: AwsClients, bucket: string): Promise<{ count: number; more: boolean }> {
  const { sdk, client } = await load(clients);
  const page = await aws(`listing ${bucket}`, () => client.send(new sdk.ListObjectVersionsCommand({ Bucket: bucket })));
  return {
    count: (page.Versions?.length ?? 0) + (page.DeleteMarkers?.length ?? 0),
    more: page.IsTruncated === true,
  };
}

/** Deletes every version of every object. Nothing of it can be brought back. */
export async function emptyBucket(
  clients: AwsClients,
  options: { bucket: string; progress(text: string): void; signal: AbortSignal },
): Promise<void> {
  const { bucket, signal } = options;
  const { sdk, client } = await load(clients);
  let deleted = 0;
  for (;;) {
    signal.throwIfAborted();
    // From the start each time: what was listed is gone by then.
    const page = await aws(`listing ${bucket}`, () =>
      client.send(new sdk.ListObjectVersionsCommand({ Bucket: bucket, MaxKeys: deleteBatch })),
    );
    const found = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
    const Objects = found.flatMap(({ Key, VersionId }) => (Key ? [{ Key, ...(VersionId ? { VersionId } : {}) }] : []));
    if (Objects.length === 0) return;
    const { Errors = [] } = await aws(`emptying ${bucket}`, () =>
      client.send(new sdk.DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } })),
    );
    const [first] = Errors;
    if (first) {
      throw new ConfigError(`${first.Key} in ${bucket} cannot be deleted: ${first.Message}`, {
        code: "bucket_not_emptied",
        hint: "look for a retention or a legal hold on that object, then run the teardown again",
      });
    }
    deleted += Objects.length;
    options.progress(`${deleted} objects and versions deleted from ${bucket}`);
  }
}

export async function deleteBucket(clients: AwsClients, bucket: string): Promise<void> {
  const { sdk, client } = await load(clients);
  try {
    await client.send(new sdk.DeleteBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (awsErrorCode(error) === "NoSuchBucket") return;
    await aws(`deleting the bucket ${bucket}`, () => Promise.reject(error));
  }
}
