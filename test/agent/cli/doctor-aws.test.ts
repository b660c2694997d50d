/** A fleet on AWS from a maintainer's machine: `doctor`, and secrets straight to where they are kept. */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { awsChecks } from "../../../agent/cli/doctor-aws.ts";
import { createAuditLog } from "../../../agent/gateway/audit.ts";
import { keepSecretFiles } from "../../../agent/gateway/secrets-start.ts";
import { openS3Store } from "../../../agent/gateway/store/s3.ts";
import { createAwsClients } from "../../../tools/fleet/aws/clients.ts";
import { createAwsSecrets } from "../../../tools/fleet/aws/secrets.ts";
import { type AwsSettings, awsSettingsSchema } from "../../../tools/fleet/aws/settings.ts";
import type { Check } from "../../../tools/fleet/model.ts";
import { emulatorRegion } from "../../support/aws.ts";
import { shareEmulator } from "../../support/aws-instances.ts";
import { makeStack, type Stack } from "../../support/stack.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { waitFor } from "../../support/wait.ts";
import { privateKey } from "../../tools/secrets/contract.ts";

const program = join(import.meta.dirname, "..", "..", "..", "agent", "main.ts");
const value = "sk-ant-0123456789-not-for-logs";
const emulator = shareEmulator();
let stack: Stack;
let settings: AwsSettings;

beforeEach(async () => {
  emulator().setFaults({});
  await emulator().reset();
  stack = await makeStack(emulator());
  settings = awsSettingsSchema.parse(stack.settings);
});

function openClients() {
  const clients = createAwsClients({ region: emulatorRegion });
  onTestFinished(() => clients.close());
  return clients;
}

async function look(changes: Partial<AwsSettings> = {}): Promise<Record<string, Check>> {
  const checks = await awsChecks({
    clients: openClients(),
    settings: { ...settings, ...changes },
    name: "CLAWDINATOR-1",
  });
  return Object.fromEntries(checks.map((check) => [check.name, check]));
}

async function putAll(): Promise<void> {
  const secrets = createAwsSecrets({ clients: openClients(), settings });
  await secrets.put({ name: "anthropic-api-key", instance: null }, value);
  await secrets.put({ name: "discord-token", instance: null }, value);
  await secrets.put({ name: "github-app-pem", instance: "CLAWDINATOR-1" }, privateKey());
}

test("finds nothing to say of a stack as it should be", async () => {
  await putAll();
  // As the service answers for a snapshot that is none; the emulator breaks off.
  emulator().setFaults({ "ebs:ListSnapshotBlocks": { code: "ResourceNotFoundException", status: 404 } });
  const { Nix: _nix, ...checks } = await look();
  expect(Object.values(checks).filter((check) => !check.ok)).toEqual([]);
  expect(Object.keys(checks)).toEqual([
    "AWS credentials",
    "AWS region",
    "AWS bucket",
    "clock",
    "launch template",
    "file system",
    "secrets",
    "EBS direct",
  ]);
  expect(checks["launch template"]?.detail).toContain("IMDSv2 required, hop limit 1");
  expect(checks["file system"]?.detail).toMatch(/available in eu-central-1a, eu-central-1b.* a month/);
  expect(JSON.stringify(checks)).not.toContain(value);
  expect(JSON.stringify(checks)).not.toContain(emulator().environment.AWS_SECRET_ACCESS_KEY);
});

test("says of each thing what is wrong and what to do", async () => {
  const [{ DeletePublicAccessBlockCommand, PutBucketVersioningCommand }, ec2, efs] = await Promise.all([
    import("@aws-sdk/client-s3"),
    import("@aws-sdk/client-ec2"),
    import("@aws-sdk/client-efs"),
  ]);
  const clients = openClients();
  const s3 = await clients.s3();
  await s3.send(new DeletePublicAccessBlockCommand({ Bucket: stack.bucket }));
  await s3.send(
    new PutBucketVersioningCommand({ Bucket: stack.bucket, VersioningConfiguration: { Status: "Suspended" } }),
  );
  const { LaunchTemplate } = await (await clients.ec2()).send(
    new ec2.CreateLaunchTemplateCommand({
      LaunchTemplateName: "open",
      LaunchTemplateData: { MetadataOptions: { HttpTokens: "optional", HttpPutResponseHopLimit: 2 } },
    }),
  );
  const targets = await (await clients.efs()).send(
    new efs.DescribeMountTargetsCommand({ FileSystemId: stack.fileSystem }),
  );
  for (const { MountTargetId } of targets.MountTargets ?? [])
    await (await clients.efs()).send(new efs.DeleteMountTargetCommand({ MountTargetId }));
  const checks = await look({ launchTemplate: LaunchTemplate?.LaunchTemplateId });
  for (const [name, detail] of [
    ["AWS bucket", "is not versioned, does not block public access; apply the stack"],
    ["launch template", "must require them with 1; apply the stack"],
    ["file system", "no mount target that works in eu-central-1a"],
    ["secrets", "`clawdinator secrets put discord-token`"],
  ] as const) {
    expect(checks[name]).toMatchObject({ ok: false, detail: expect.stringContaining(detail) });
  }
});

test("what is not configured, or not there, is said as such", async () => {
  const checks = await look({
    launchTemplate: undefined,
    fileSystem: "fs-00000000000000000",
    bucket: "no-such-bucket",
  });
  expect(checks["launch template"]).toMatchObject({ ok: false, detail: expect.stringContaining("aws.launchTemplate") });
  expect(checks["file system"]).toMatchObject({
    ok: false,
    detail: expect.stringContaining("there is no file system"),
  });
  expect(checks["AWS bucket"]).toMatchObject({ ok: false, detail: expect.stringContaining("NoSuchBucket") });
});

test("credentials that have expired are one finding, not eight", async () => {
  emulator().setFaults({ "*": { code: "ExpiredToken", status: 403 } });
  const checks = await look();
  expect(Object.keys(checks)).toEqual(["AWS credentials", "Nix"]);
  expect(checks["AWS credentials"]).toMatchObject({ ok: false, detail: expect.stringContaining("aws sso login") });
});

test("a service that refuses does not keep the others from being looked at", async () => {
  emulator().setFaults({
    "efs:*": { code: "AccessDeniedException", status: 403 },
    "ebs:*": { code: "AccessDeniedException", status: 403 },
  });
  const checks = await look();
  expect(checks["file system"]).toMatchObject({ ok: false, detail: expect.stringContaining("permission") });
  expect(checks["EBS direct"]).toMatchObject({ ok: true, detail: expect.stringContaining("tagged snapshots") });
  expect(checks["AWS bucket"]?.ok).toBe(true);
});

/** The command line of a maintainer's machine that has no gateway, with the fleet's configuration. */
function cli(parameters: string[], input = ""): Promise<{ code: number; stdout: string; stderr: string }> {
  const home = join(temporaryDirectory(), "state");
  mkdirSync(home);
  const config = join(home, "aws.json");
  const repository = "https://example.org/fleet.git";
  writeFileSync(
    config,
    JSON.stringify({ provider: "aws", aws: stack.settings, fleet: { repository }, program: { repository } }),
  );
  return new Promise((resolve) => {
    const run = execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", program, ...parameters.map((one) => one.replace("AWS_JSON", config))],
      { env: { PATH: process.env.PATH, HOME: home, CLAWDINATOR_HOME: home, ...emulator().environment } },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
    run.stdin?.end(input);
  });
}

test("a secret that is put from a maintainer's machine reaches the files of a running instance", async () => {
  const clients = openClients();
  const store = await openS3Store({ clients, bucket: stack.bucket, prefix: settings.storePrefix, pollMs: 50 });
  const path = join(temporaryDirectory(), "run");
  const checks = new Map<string, Check>();
  const sync = await keepSecretFiles({
    config: { provider: "aws", aws: settings, secrets: { directory: path } },
    home: temporaryDirectory(),
    environment: process.env,
    clients,
    store,
    name: "CLAWDINATOR-1",
    onCheck: (check) => checks.set(check.name, check),
    log: () => {},
    intervalMs: 3_600_000,
    signalIntervalMs: 50,
  });
  onTestFinished(async () => {
    await sync?.stop();
    await store.close();
  });
  await sync?.look();
  const put = await cli(["secrets", "put", "anthropic-api-key", "--config", "AWS_JSON", "--json"], `${value}\n`);
  expect(put).toMatchObject({ code: 0, stderr: "" });
  const { version } = JSON.parse(put.stdout).secret;
  await waitFor(() => checks.get("secret anthropic-api-key")?.detail === `anthropic-api-key version ${version}`);
  expect(readFileSync(join(path, "clawdinator-anthropic-api-key"), "utf8")).toBe(value);
  expect(await createAuditLog(store).list({ limit: 5 })).toMatchObject([
    { action: "secret.put", subject: "secret/anthropic-api-key", surface: "cli" },
  ]);
  const listed = await cli(["secrets", "list", "--config", "AWS_JSON"]);
  expect(listed.stdout).toContain("Secrets Manager in eu-central-1 (clawdinator/…); $0.4 a month");
  expect(put.stdout + listed.stdout + listed.stderr).not.toContain(value);
});
