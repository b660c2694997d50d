/**
 * What the stack in tofu/ leaves behind in an account, made in the emulator by SDK calls: the outputs that the fleet
 * program is configured with, and the resources behind them. Names and properties are those of the HCL; a test of the
 * stack compares the two.
 */
import type { AwsSettings } from "../../tools/fleet/aws/settings.ts";
import { ownedBy, toEc2Tags } from "../../tools/fleet/aws/tags.ts";
import { type Emulator, emulatorRegion } from "./aws.ts";

const instanceRole = "clawdinator-instance";
const importRole = "vmimport";
const switchDocument = "clawdinator-switch";

/** Outputs of the stack, under the names that the program's settings and the tests use. */
export interface Stack {
  region: string;
  fleet: string;
  bucket: string;
  /** `lt-…`; version 1 is the default version. */
  launchTemplate: string;
  launchTemplateName: string;
  launchTemplateVersion: number;
  fileSystem: string;
  accessPoint: string;
  /** The default VPC's, one a zone, sorted. */
  subnets: string[];
  instanceRole: string;
  instanceProfile: string;
  importRole: string;
  /** Of instances: no ingress. */
  securityGroup: string;
  /** Of the mount targets: NFS from instances. */
  fileSystemSecurityGroup: string;
  switchDocument: string;
  /** The same as `aws` of the configuration, with a short visibility, since the emulator is consistent. */
  settings: Partial<AwsSettings> & Pick<AwsSettings, "region" | "fleet" | "bucket">;
}

export interface StackOptions {
  fleet?: string;
  bucket?: string;
  instanceType?: string;
  rootGiB?: number;
}

/** Makes the stack in an emulator that has none for this fleet yet (fresh, or after `reset`). */
export async function makeStack(emulator: Emulator, options: StackOptions = {}): Promise<Stack> {
  const { fleet = "clawdinator", instanceType = "t3.small", rootGiB = 40 } = options;
  const { bucket = `${fleet}-images-eu1-test` } = options;
  await makeRoles(emulator);
  const [, network] = await Promise.all([makeBucket(emulator, bucket), makeNetwork(emulator, fleet)]);
  const { subnets, securityGroup, fileSystemSecurityGroup } = network;
  const [launchTemplate, memory] = await Promise.all([
    makeLaunchTemplate(emulator, { fleet, instanceType, rootGiB, securityGroup }),
    makeMemory(emulator, { fleet, subnets, securityGroup: fileSystemSecurityGroup }),
    makeSwitchDocument(emulator),
  ]);
  return {
    region: emulatorRegion,
    fleet,
    bucket,
    launchTemplate,
    launchTemplateName: fleet,
    launchTemplateVersion: 1,
    ...memory,
    subnets,
    instanceRole,
    instanceProfile: instanceRole,
    importRole,
    securityGroup,
    fileSystemSecurityGroup,
    switchDocument,
    settings: {
      region: emulatorRegion,
      fleet,
      bucket,
      launchTemplate,
      subnets,
      fileSystem: memory.fileSystem,
      instanceType,
      rootGiB,
      visibilitySeconds: 5,
    },
  };
}

/** What every client of the emulator takes. */
export function emulatorClientOptions(emulator: Emulator) {
  return {
    region: emulatorRegion,
    endpoint: emulator.url,
    credentials: { accessKeyId: "AKIAEMULATOREMULATOR", secretAccessKey: "emulator" },
  };
}

async function makeBucket(emulator: Emulator, bucket: string): Promise<void> {
  const { S3Client, CreateBucketCommand, PutBucketVersioningCommand, PutPublicAccessBlockCommand } = await import(
    "@aws-sdk/client-s3"
  );
  const client = new S3Client({ ...emulatorClientOptions(emulator), forcePathStyle: true });
  await client.send(
    new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: emulatorRegion } }),
  );
  await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: "Enabled" } }));
  await client.send(
    new PutPublicAccessBlockCommand({
      Bucket: bucket,
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    }),
  );
  client.destroy();
}

async function makeNetwork(emulator: Emulator, fleet: string) {
  const ec2 = await import("@aws-sdk/client-ec2");
  const client = new ec2.EC2Client(emulatorClientOptions(emulator));
  const { Subnets = [] } = await client.send(
    new ec2.DescribeSubnetsCommand({ Filters: [{ Name: "default-for-az", Values: ["true"] }] }),
  );
  const subnets = Subnets.flatMap(({ SubnetId }) => SubnetId ?? []).sort();
  const vpc = Subnets[0]?.VpcId;
  if (!vpc) throw new Error("the emulator has no default VPC");
  const group = async (name: string, description: string): Promise<string> => {
    const { GroupId } = await client.send(
      new ec2.CreateSecurityGroupCommand({
        GroupName: name,
        Description: description,
        VpcId: vpc,
        TagSpecifications: [{ ResourceType: "security-group", Tags: toEc2Tags(ownedBy(fleet)) }],
      }),
    );
    return required(GroupId, "security group");
  };
  const securityGroup = await group(fleet, "instances");
  const fileSystemSecurityGroup = await group(`${fleet}-efs`, "mount targets");
  await client.send(
    new ec2.AuthorizeSecurityGroupIngressCommand({
      GroupId: fileSystemSecurityGroup,
      IpPermissions: [
        { IpProtocol: "tcp", FromPort: 2049, ToPort: 2049, UserIdGroupPairs: [{ GroupId: securityGroup }] },
      ],
    }),
  );
  client.destroy();
  return { subnets, securityGroup, fileSystemSecurityGroup };
}

async function makeLaunchTemplate(
  emulator: Emulator,
  options: { fleet: string; instanceType: string; rootGiB: number; securityGroup: string },
): Promise<string> {
  const { fleet, instanceType, rootGiB, securityGroup } = options;
  const ec2 = await import("@aws-sdk/client-ec2");
  const client = new ec2.EC2Client(emulatorClientOptions(emulator));
  const tags = toEc2Tags(ownedBy(fleet));
  const { LaunchTemplate } = await client.send(
    new ec2.CreateLaunchTemplateCommand({
      LaunchTemplateName: fleet,
      LaunchTemplateData: {
        InstanceType: ec2._InstanceType[instanceType.replace(".", "_") as keyof typeof ec2._InstanceType],
        IamInstanceProfile: { Name: instanceRole },
        MetadataOptions: {
          HttpEndpoint: "enabled",
          HttpTokens: "required",
          HttpPutResponseHopLimit: 1,
          InstanceMetadataTags: "enabled",
        },
        BlockDeviceMappings: [
          {
            DeviceName: "/dev/xvda",
            Ebs: { VolumeType: "gp3", VolumeSize: rootGiB, Encrypted: true, DeleteOnTermination: true },
          },
        ],
        SecurityGroupIds: [securityGroup],
        TagSpecifications: [
          { ResourceType: "instance", Tags: tags },
          { ResourceType: "volume", Tags: tags },
        ],
      },
      TagSpecifications: [{ ResourceType: "launch-template", Tags: tags }],
    }),
  );
  client.destroy();
  return required(LaunchTemplate?.LaunchTemplateId, "launch template");
}

async function makeMemory(
  emulator: Emulator,
  options: { fleet: string; subnets: string[]; securityGroup: string },
): Promise<{ fileSystem: string; accessPoint: string }> {
  const { fleet, subnets, securityGroup } = options;
  const efs = await import("@aws-sdk/client-efs");
  const client = new efs.EFSClient(emulatorClientOptions(emulator));
  const tags = toEc2Tags({ ...ownedBy(fleet), Name: `${fleet}-memory` });
  const { FileSystemId } = await client.send(
    new efs.CreateFileSystemCommand({ CreationToken: `${fleet}-memory`, Encrypted: true, Tags: tags }),
  );
  const fileSystem = required(FileSystemId, "file system");
  for (const subnet of subnets) {
    await client.send(
      new efs.CreateMountTargetCommand({ FileSystemId: fileSystem, SubnetId: subnet, SecurityGroups: [securityGroup] }),
    );
  }
  const { AccessPointId } = await client.send(
    new efs.CreateAccessPointCommand({
      ClientToken: `${fleet}-memory`,
      FileSystemId: fileSystem,
      PosixUser: { Uid: 10001, Gid: 10001 },
      RootDirectory: { Path: "/" },
      Tags: tags,
    }),
  );
  client.destroy();
  return { fileSystem, accessPoint: required(AccessPointId, "access point") };
}

async function makeSwitchDocument(emulator: Emulator): Promise<void> {
  const ssm = await import("@aws-sdk/client-ssm");
  const client = new ssm.SSMClient(emulatorClientOptions(emulator));
  const content = {
    schemaVersion: "2.2",
    description: "Switch an instance to a pinned revision.",
    parameters: { revision: { type: "String", description: "full commit id", allowedPattern: "^[0-9a-f]{40}$" } },
    mainSteps: [
      {
        name: "switch",
        action: "aws:runShellScript",
        inputs: { runCommand: ["systemctl start 'clawdinator-switch@{{ revision }}.service'"] },
      },
    ],
  };
  const command = new ssm.CreateDocumentCommand({
    Name: switchDocument,
    DocumentType: "Command",
    DocumentFormat: "JSON",
    Content: JSON.stringify(content),
  });
  await client.send(command).catch((error: unknown) => {
    if (!(error instanceof ssm.DocumentAlreadyExists)) throw error;
  });
  client.destroy();
}

/** IAM has no client here: the emulator takes its calls as forms, and checks no signature. */
async function makeRoles(emulator: Emulator): Promise<void> {
  const trust = (service: string): string =>
    JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Principal: { Service: service }, Action: "sts:AssumeRole" }],
    });
  for (const [name, service] of [
    [instanceRole, "ec2.amazonaws.com"],
    [importRole, "vmie.amazonaws.com"],
  ] as const) {
    await callIam(emulator, { Action: "CreateRole", RoleName: name, AssumeRolePolicyDocument: trust(service) });
  }
  await callIam(emulator, { Action: "CreateInstanceProfile", InstanceProfileName: instanceRole });
  await callIam(emulator, {
    Action: "AddRoleToInstanceProfile",
    InstanceProfileName: instanceRole,
    RoleName: instanceRole,
  });
}

/** What exists already stays: two fleets of an account share the roles. */
async function callIam(emulator: Emulator, parameters: Record<string, string>): Promise<void> {
  const response = await fetch(emulator.url, {
    method: "POST",
    headers: {
      authorization:
        "AWS4-HMAC-SHA256 Credential=AKIAEMULATOREMULATOR/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0",
    },
    body: new URLSearchParams({ Version: "2010-05-08", ...parameters }),
  });
  const text = await response.text();
  if (!response.ok && !/EntityAlreadyExists|LimitExceeded/.test(text))
    throw new Error(`${parameters.Action} was refused by the emulator: ${text}`);
}

function required(value: string | undefined, what: string): string {
  if (!value) throw new Error(`the emulator made a ${what} without an id`);
  return value;
}
