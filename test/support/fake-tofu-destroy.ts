/** What `tofu destroy` would remove, removed from the emulator; refuses what AWS would refuse. */
import type { Emulator } from "./aws.ts";
import { emulatorClientOptions, type Stack } from "./stack.ts";

export async function removeStack(emulator: Emulator, stack: Stack): Promise<void> {
  const options = emulatorClientOptions(emulator);
  const [ec2, s3, efs, ssm] = await Promise.all([
    import("@aws-sdk/client-ec2"),
    import("@aws-sdk/client-s3"),
    import("@aws-sdk/client-efs"),
    import("@aws-sdk/client-ssm"),
  ]);
  const compute = new ec2.EC2Client(options);
  const { Reservations = [] } = await compute.send(new ec2.DescribeInstancesCommand({}));
  const live = Reservations.flatMap(({ Instances = [] }) => Instances).filter(
    ({ State, SecurityGroups = [] }) =>
      SecurityGroups.some(({ GroupId }) => GroupId === stack.securityGroup) &&
      !/shutting-down|terminated/.test(State?.Name ?? ""),
  );
  if (live.length > 0) throw new Error(`DependencyViolation: ${stack.securityGroup} has a dependent object`);
  const objects = new s3.S3Client({ ...options, forcePathStyle: true });
  await objects.send(new s3.DeleteBucketCommand({ Bucket: stack.bucket }));
  objects.destroy();

  const memory = new efs.EFSClient(options);
  const { MountTargets = [] } = await memory.send(
    new efs.DescribeMountTargetsCommand({ FileSystemId: stack.fileSystem }),
  );
  for (const { MountTargetId } of MountTargets) await memory.send(new efs.DeleteMountTargetCommand({ MountTargetId }));
  await memory.send(new efs.DeleteAccessPointCommand({ AccessPointId: stack.accessPoint }));
  await memory.send(new efs.DeleteFileSystemCommand({ FileSystemId: stack.fileSystem }));
  memory.destroy();

  await compute.send(new ec2.DeleteLaunchTemplateCommand({ LaunchTemplateId: stack.launchTemplate }));
  for (const GroupId of [stack.fileSystemSecurityGroup, stack.securityGroup])
    await compute.send(new ec2.DeleteSecurityGroupCommand({ GroupId }));
  compute.destroy();

  const documents = new ssm.SSMClient(options);
  await documents.send(new ssm.DeleteDocumentCommand({ Name: stack.switchDocument }));
  documents.destroy();
}
