import { afterAll, beforeAll, expect, test } from "vitest";
import { type Emulator, startEmulator } from "../support/aws.ts";
import { emulatorClientOptions, makeStack } from "../support/stack.ts";
import { blocksOf, readStack } from "../support/tofu.ts";

let emulator: Emulator;
const endings: (() => void | Promise<void>)[] = [];
afterAll(async () => {
  for (const work of endings.reverse()) await work();
});
beforeAll(async () => {
  emulator = await startEmulator({ atEnd: (work) => void endings.push(work) });
});

test("makes what the stack would have made, and an instance starts from its launch template", async () => {
  const stack = await makeStack(emulator);
  expect(stack.subnets.length).toBeGreaterThan(1);
  const ec2 = await import("@aws-sdk/client-ec2");
  const client = new ec2.EC2Client(emulatorClientOptions(emulator));
  const { ImageId } = await client.send(new ec2.RegisterImageCommand({ Name: "image" }));
  const { Instances = [] } = await client.send(
    new ec2.RunInstancesCommand({
      MinCount: 1,
      MaxCount: 1,
      ImageId,
      SubnetId: stack.subnets[0],
      LaunchTemplate: { LaunchTemplateId: stack.launchTemplate, Version: String(stack.launchTemplateVersion) },
    }),
  );
  const { LaunchTemplateVersions = [] } = await client.send(
    new ec2.DescribeLaunchTemplateVersionsCommand({
      LaunchTemplateId: stack.launchTemplate,
      Versions: [String(stack.launchTemplateVersion)],
    }),
  );
  client.destroy();
  expect(Instances[0]).toMatchObject({
    InstanceType: "t3.small",
    Tags: expect.arrayContaining([
      { Key: "clawdinator", Value: "true" },
      { Key: "clawdinator:fleet", Value: "clawdinator" },
    ]),
  });
  expect(LaunchTemplateVersions[0]?.LaunchTemplateData).toMatchObject({
    IamInstanceProfile: { Name: stack.instanceProfile },
    MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 1 },
    BlockDeviceMappings: [{ Ebs: { VolumeType: "gp3", VolumeSize: 40, Encrypted: true } }],
  });
});

test("the file system, its access point and the switch document are those of the HCL", async () => {
  const stack = await readStack();
  const [efs, ssm] = await Promise.all([import("@aws-sdk/client-efs"), import("@aws-sdk/client-ssm")]);
  const files = new efs.EFSClient(emulatorClientOptions(emulator));
  const { AccessPoints = [] } = await files.send(new efs.DescribeAccessPointsCommand({}));
  const { FileSystems = [] } = await files.send(new efs.DescribeFileSystemsCommand({}));
  files.destroy();
  const accessPoint = stack.resources.aws_efs_access_point?.memory?.[0];
  const [user] = blocksOf(accessPoint, "posix_user");
  expect(AccessPoints[0]).toMatchObject({
    PosixUser: { Uid: user?.uid, Gid: user?.gid },
    RootDirectory: { Path: blocksOf(accessPoint, "root_directory")[0]?.path },
  });
  expect(FileSystems[0]?.Encrypted).toBe(stack.resources.aws_efs_file_system?.memory?.[0]?.encrypted);
  const commands = new ssm.SSMClient(emulatorClientOptions(emulator));
  const { Content = "" } = await commands.send(new ssm.GetDocumentCommand({ Name: "clawdinator-switch" }));
  commands.destroy();
  const written = String(stack.resources.aws_ssm_document?.switch?.[0]?.content);
  const made = JSON.parse(Content) as {
    parameters: { revision: { allowedPattern: string } };
    mainSteps: [{ inputs: { runCommand: [string] } }];
  };
  expect(written).toContain(JSON.stringify(made.parameters.revision.allowedPattern));
  expect(written).toContain(JSON.stringify(made.mainSteps[0].inputs.runCommand[0]));
});

test("two fleets live beside each other in one account", async () => {
  const other = await makeStack(emulator, { fleet: "second" });
  expect(other.settings).toMatchObject({ fleet: "second", bucket: "second-images-eu1-test" });
});
