/** What a fleet on AWS depends on, looked at with the credentials of whoever asks. Changes nothing. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ConfigError, describeError, ProviderError } from "../../tools/errors.ts";
import type { AwsClients } from "../../tools/fleet/aws/clients.ts";
import { checkFileSystem } from "../../tools/fleet/aws/efs.ts";
import { aws, awsErrorCode } from "../../tools/fleet/aws/errors.ts";
import { createAwsSecrets } from "../../tools/fleet/aws/secrets.ts";
import type { AwsSettings } from "../../tools/fleet/aws/settings.ts";
import type { Check } from "../../tools/fleet/model.ts";
import { knownSecrets } from "../../tools/secrets/secrets.ts";

const run = promisify(execFile);

/** AWS refuses requests that are 5 min off, and logs are hard to read long before. */
const toleratedSkewMs = 30_000;
/** No snapshot has it: whether EBS direct answers is all that is asked. */
const noSnapshot = "snap-00000000000000000";
/** Answers of a service that is there and knows who asks; the first is the expected one. */
const reachedEbs = new Set(["ResourceNotFoundException", "ValidationException", "RequestThrottledException"]);

/** Never throws: each failure is a check that says what to do. `name`: the instance whose secrets are looked for. */
export async function awsChecks(options: {
  clients: AwsClients;
  settings: AwsSettings;
  name: string;
}): Promise<Check[]> {
  const { clients, settings, name } = options;
  const identity = await check("AWS credentials", () => identify(clients));
  // Without them every other look fails for the same reason.
  if (!identity.ok) return [identity, await check("Nix", nixVersion)];
  const others = await Promise.all([
    check("AWS bucket", () => lookAtBucket(clients, settings)),
    check("clock", () => compareClocks(clients, settings)),
    check("launch template", () => lookAtLaunchTemplate(clients, settings)),
    check("file system", () => lookAtFileSystem(clients, settings)),
    check("secrets", () => lookAtSecrets(clients, settings, name)),
    check("EBS direct", () => reachEbs(clients)),
    check("Nix", nixVersion),
  ]);
  return [identity, { name: "AWS region", ok: true, detail: settings.region }, ...others];
}

async function identify(clients: AwsClients): Promise<string> {
  const { GetCallerIdentityCommand } = await import("@aws-sdk/client-sts");
  const client = await clients.sts();
  const { Arn, Account } = await aws("asking AWS who this is", () => client.send(new GetCallerIdentityCommand({})));
  return `${Arn} in account ${Account}`;
}

async function lookAtBucket(clients: AwsClients, { bucket }: AwsSettings): Promise<string> {
  const { GetBucketVersioningCommand, GetPublicAccessBlockCommand, GetBucketLocationCommand } = await import(
    "@aws-sdk/client-s3"
  );
  const client = await clients.s3();
  const what = `looking at the bucket ${bucket}`;
  const { LocationConstraint } = await aws(what, () => client.send(new GetBucketLocationCommand({ Bucket: bucket })));
  const [versioning, access] = await Promise.all([
    orUnknown(what, () => client.send(new GetBucketVersioningCommand({ Bucket: bucket }))),
    orUnknown(what, async () => {
      try {
        const answer = await client.send(new GetPublicAccessBlockCommand({ Bucket: bucket }));
        return { block: answer.PublicAccessBlockConfiguration };
      } catch (error) {
        if (awsErrorCode(error) !== "NoSuchPublicAccessBlockConfiguration") throw error;
        return { block: undefined };
      }
    }),
  ]);
  const block = access?.block;
  const isPrivate =
    block?.BlockPublicAcls && block.BlockPublicPolicy && block.IgnorePublicAcls && block.RestrictPublicBuckets;
  // Virginia's is written as nothing.
  const region = LocationConstraint || "us-east-1";
  const problems = [
    ...(!versioning || versioning.Status === "Enabled" ? [] : ["is not versioned"]),
    ...(!access || isPrivate ? [] : ["does not block public access"]),
    ...(region === clients.region ? [] : [`lies in ${region}, not in ${clients.region}`]),
  ];
  if (problems.length > 0) throw unfit(`${bucket} ${problems.join(", ")}`, "apply the stack in tofu/");
  const seen = versioning && access ? "versioned, private" : "its settings are not shown to this role";
  return `${bucket}: reachable, ${seen}`;
}

/** Null where the role may not look: an instance's own has no need to. */
async function orUnknown<T>(what: string, call: () => Promise<T>): Promise<T | null> {
  try {
    return await call();
  } catch (error) {
    if (/^AccessDenied/.test(awsErrorCode(error))) return null;
    return aws(what, () => Promise.reject(error));
  }
}

async function compareClocks(clients: AwsClients, { bucket }: AwsSettings): Promise<string> {
  const { GetBucketLocationCommand } = await import("@aws-sdk/client-s3");
  const client = await clients.s3();
  const command = new GetBucketLocationCommand({ Bucket: bucket });
  let date: string | undefined;
  command.middlewareStack.add(
    (next) => async (input) => {
      const answer = await next(input);
      date = (answer.response as { headers?: Record<string, string> }).headers?.date;
      return answer;
    },
    { step: "deserialize", name: "readDate" },
  );
  const asked = Date.now();
  await aws(`asking ${bucket} for the time`, () => client.send(command));
  const here = (asked + Date.now()) / 2;
  if (!date || Number.isNaN(Date.parse(date))) throw unfit("S3 gave no time", "try again");
  // `Date` has whole seconds: half of one is the best guess.
  const skewMs = here - (Date.parse(date) + 500);
  const text = `${(Math.abs(skewMs) / 1000).toFixed(1)} s ${skewMs < 0 ? "behind" : "ahead of"} S3`;
  if (Math.abs(skewMs) > toleratedSkewMs) throw unfit(`this machine's clock is ${text}`, "`timedatectl set-ntp true`");
  return text;
}

async function lookAtLaunchTemplate(clients: AwsClients, settings: AwsSettings): Promise<string> {
  const { launchTemplate } = settings;
  if (!launchTemplate) {
    throw unfit("none is configured", "set `aws.launchTemplate` to the stack's output, or nothing can be launched");
  }
  const { DescribeLaunchTemplateVersionsCommand } = await import("@aws-sdk/client-ec2");
  const client = await clients.ec2();
  const { LaunchTemplateVersions } = await aws(`looking at the launch template ${launchTemplate}`, () =>
    client.send(
      new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateId: launchTemplate, Versions: ["$Default"] }),
    ),
  );
  const version = LaunchTemplateVersions?.[0];
  const { HttpTokens, HttpPutResponseHopLimit } = version?.LaunchTemplateData?.MetadataOptions ?? {};
  if (HttpTokens !== "required" || HttpPutResponseHopLimit !== 1) {
    throw unfit(
      `${launchTemplate} version ${version?.VersionNumber} takes metadata tokens as ${HttpTokens ?? "optional"} with hop limit ${HttpPutResponseHopLimit ?? "unset"}, and must require them with 1`,
      "apply the stack in tofu/, so that what runs on an instance cannot get at its role",
    );
  }
  return `${launchTemplate} version ${version?.VersionNumber}: IMDSv2 required, hop limit 1`;
}

async function lookAtFileSystem(clients: AwsClients, settings: AwsSettings): Promise<string> {
  const { fileSystem, subnets } = settings;
  if (!fileSystem) throw unfit("none is configured", "set `aws.fileSystem` to the stack's output: memory lies on it");
  const { problems, warnings, zones, bytes, monthlyUsd } = await checkFileSystem({ clients, fileSystem, subnets });
  if (problems.length > 0) throw unfit(problems.join("; "), "");
  const where = zones.length > 0 ? ` in ${zones.map((one) => one.zone).join(", ")}` : "";
  const size = `${(bytes / 1e6).toFixed(1)} MB, about $${monthlyUsd.toFixed(2)} a month`;
  return [`${fileSystem}: available${where}, ${size}`, ...warnings].join("; ");
}

async function lookAtSecrets(clients: AwsClients, settings: AwsSettings, instance: string): Promise<string> {
  const secrets = createAwsSecrets({ clients, settings });
  const names = knownSecrets.map((known) => known.name);
  const there = [...(await secrets.look({ instance, names })).keys()];
  const missing = knownSecrets.filter(({ name, isOptional }) => !isOptional && !there.includes(name));
  if (missing.length === 0) return `${there.join(", ")} in ${secrets.place}`;
  throw unfit(
    `missing: ${missing.map(({ name, meaning }) => `${name} (${meaning})`).join(", ")}`,
    missing.map(({ name }) => `\`clawdinator secrets put ${name}\``).join(", "),
  );
}

async function reachEbs(clients: AwsClients): Promise<string> {
  const { ListSnapshotBlocksCommand } = await import("@aws-sdk/client-ebs");
  const client = await clients.ebs();
  try {
    await client.send(new ListSnapshotBlocksCommand({ SnapshotId: noSnapshot }));
  } catch (error) {
    const code = awsErrorCode(error);
    // A role that is held to the fleet's own snapshots is refused one without their tags.
    if (code === "AccessDeniedException") return "reachable; this role may read tagged snapshots at most";
    if (!reachedEbs.has(code)) return aws("reaching EBS direct", () => Promise.reject(error));
  }
  return "reachable";
}

async function nixVersion(): Promise<string> {
  try {
    return (await run("nix", ["--version"], { timeout: 10_000 })).stdout.trim();
  } catch (cause) {
    throw new ConfigError("`nix` does not run here", {
      code: "no_nix",
      hint: "install it (https://nixos.org/download), or have images built by CI and name them with --ami",
      cause,
    });
  }
}

function unfit(message: string, hint: string): ProviderError {
  return new ProviderError(message, { code: "unfit", hint });
}

async function check(name: string, look: () => Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, detail: await look() };
  } catch (error) {
    const { message, hint } = describeError(error);
    return { name, ok: false, detail: [message, hint].filter(Boolean).join("; ") };
  }
}
