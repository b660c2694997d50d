/** The memory's file system, as it is looked at before an instance is launched. */
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { createAwsClients } from "../../../../tools/fleet/aws/clients.ts";
import { checkFileSystem } from "../../../../tools/fleet/aws/efs.ts";
import { emulatorRegion, whyNotRepaired } from "../../../support/aws.ts";
import { shareEmulator } from "../../../support/aws-instances.ts";
import { makeStack, type Stack } from "../../../support/stack.ts";

const emulator = shareEmulator();
let stack: Stack;

beforeEach(async () => {
  emulator().setFaults({});
  await emulator().reset();
  stack = await makeStack(emulator());
});

function openClients() {
  const clients = createAwsClients({ region: emulatorRegion });
  onTestFinished(() => clients.close());
  return clients;
}

const check = (rest: { fileSystem?: string; subnets?: string[] } = {}) =>
  checkFileSystem({ clients: openClients(), fileSystem: stack.fileSystem, subnets: stack.subnets, ...rest });

test("a file system with a mount target in each zone is good, and has a size and a price", async () => {
  const found = await check();
  expect(found).toMatchObject({ state: "available", isEncrypted: true, problems: [], warnings: [] });
  expect(found.zones).toEqual(["a", "b", "c"].map((letter) => ({ zone: `eu-central-1${letter}`, isReachable: true })));
  expect(found.bytes).toBeGreaterThanOrEqual(0);
  expect(found.monthlyUsd).toBeCloseTo((found.bytes / 1024 ** 3) * 0.36, 1);
  expect(found.note).toContain("2026");
});

test("names the zones where instances would find no mount target", async () => {
  const sdk = await import("@aws-sdk/client-efs");
  const client = await openClients().efs();
  const { MountTargets = [] } = await client.send(
    new sdk.DescribeMountTargetsCommand({ FileSystemId: stack.fileSystem }),
  );
  const inB = MountTargets.find((target) => target.AvailabilityZoneName === "eu-central-1b");
  await client.send(new sdk.DeleteMountTargetCommand({ MountTargetId: inB?.MountTargetId }));
  const found = await check();
  expect(found.problems).toEqual([
    expect.stringMatching(/no mount target that works in eu-central-1b: apply the stack/),
  ]);
  const elsewhere = stack.subnets.filter((subnet) => subnet !== inB?.SubnetId);
  expect((await check({ subnets: elsewhere })).problems).toEqual([]);
  // Without subnets the launch template decides where, and one target is enough.
  expect((await check({ subnets: [] })).problems).toEqual([]);
});

test("says when there is none, when it cannot be mounted anywhere, and when it is not encrypted", async () => {
  const sdk = await import("@aws-sdk/client-efs");
  const client = await openClients().efs();
  const { FileSystemId = "" } = await client.send(new sdk.CreateFileSystemCommand({ CreationToken: "plain" }));
  const plain = await check({ fileSystem: FileSystemId, subnets: [] });
  expect(plain.problems).toEqual([expect.stringContaining("has no mount target that works")]);
  expect(plain.warnings).toEqual([expect.stringContaining("not encrypted")]);
  const none = await check({ fileSystem: "fs-00000000000000000" });
  expect(none).toMatchObject({ state: "missing", problems: [expect.stringContaining("there is no file system")] });
});

test.skipIf(whyNotRepaired())(
  "throttles are waited out; credentials that have expired are said with the next step",
  async () => {
    emulator().setFaults({ "efs:*": { p: 0.3, code: "ThrottlingException", status: 429 } });
    expect((await check()).problems).toEqual([]);
    emulator().setFaults({ "efs:*": { code: "ExpiredTokenException", status: 403 } });
    await expect(check()).rejects.toMatchObject({ hint: expect.stringContaining("aws sso login") });
  },
);
