/** What RunInstances is asked, built from the plan, the store's record and the launch template's pinned version. */
import type {
  _InstanceType,
  Image as Ec2Image,
  LaunchTemplateVersion,
  RunInstancesCommandInput,
} from "@aws-sdk/client-ec2";
import { ToolError } from "../../../errors.ts";
import { sha256 } from "../../../json.ts";
import type { LaunchSpec } from "../../services.ts";
import type { AwsClients } from "../clients.ts";
import { aws } from "../errors.ts";
import { servedBy } from "../images/ami-images.ts";
import { list } from "../poll.ts";
import type { AwsSettings } from "../settings.ts";
import { fromEc2Tags, imageTag, instanceTag, nameTag, ownedBy, ownedFilters, revisionTag, toEc2Tags } from "../tags.ts";
import type { MachineRecord } from "./machine-record.ts";
import type { Placement } from "./placement.ts";
import { encodeUserData } from "./user-data.ts";

/** What every attempt in this subnet sends, byte for byte. */
export function runInput(options: {
  settings: AwsSettings;
  launch: { spec: LaunchSpec; placement: Placement };
  request: MachineRecord["request"];
  template: LaunchTemplateVersion;
}): RunInstancesCommandInput {
  const { settings, request } = options;
  const { rootDevice } = request;
  const { spec, placement } = options.launch;
  const { instance, name, image, revision } = spec;
  const data = options.template.LaunchTemplateData ?? {};
  const subnet = placement.subnets[request.subnet];
  const tags = toEc2Tags({
    ...ownedBy(settings.fleet),
    [instanceTag]: instance,
    [nameTag]: name,
    [imageTag]: image,
    [revisionTag]: revision,
    Name: name,
  });
  // What the template says of the root volume holds, but for its size and that it goes with the machine.
  const { SnapshotId: _snapshot, ...volume } =
    data.BlockDeviceMappings?.find((mapping) => mapping.DeviceName === rootDevice)?.Ebs ??
    data.BlockDeviceMappings?.[0]?.Ebs ??
    {};
  const profile = placement.instanceProfiles[name];
  // EC2 takes a subnet either for the machine or for its network interface, never for both.
  const network = data.NetworkInterfaces ?? [];
  const inSubnet =
    subnet === undefined
      ? {}
      : network.length > 0
        ? { NetworkInterfaces: network.map((card, index) => (index === 0 ? { ...card, SubnetId: subnet } : card)) }
        : { SubnetId: subnet };
  return {
    // 64 characters, the most that EC2 takes.
    ClientToken: sha256(`${settings.fleet}/${instance}/${subnet ?? "template"}`),
    MinCount: 1,
    MaxCount: 1,
    ImageId: request.ami,
    InstanceType: placement.instanceType as _InstanceType,
    LaunchTemplate: { LaunchTemplateId: placement.launchTemplate, Version: String(placement.version) },
    ...(profile ? { IamInstanceProfile: { Name: profile } } : {}),
    UserData: encodeUserData({ instance, name, image, revision, port: request.port }),
    BlockDeviceMappings: [
      {
        DeviceName: rootDevice,
        Ebs: { ...volume, VolumeType: "gp3", VolumeSize: placement.rootGiB, DeleteOnTermination: true },
      },
    ],
    TagSpecifications: [
      { ResourceType: "instance", Tags: tags },
      { ResourceType: "volume", Tags: tags },
    ],
    ...inSubnet,
  } as RunInstancesCommandInput;
}

/** The newest finished AMI of the image that this account and this fleet own. */
export async function findAmi(
  { settings, clients }: { settings: AwsSettings; clients: AwsClients },
  image: string,
): Promise<{ ami: string; rootDevice: string }> {
  const { Images = [] } = await aws(`looking for the AMI of ${image}`, async () => {
    const [{ DescribeImagesCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
    // Images of the same closure share an AMI, so the image's own tag alone does not find it.
    const Filters = [...ownedFilters(settings.fleet), { Name: "state", Values: ["available"] }];
    const visibilityMs = settings.visibilitySeconds * 1000;
    return list(visibilityMs, () => client.send(new DescribeImagesCommand({ Owners: ["self"], Filters })));
  });
  const serves = ({ Tags }: Ec2Image): boolean =>
    servedBy({ tags: fromEc2Tags(Tags) }).some((served) => served.id === image);
  const [newest] = Images.filter(serves).sort(
    (a, b) =>
      (b.CreationDate ?? "").localeCompare(a.CreationDate ?? "") || (a.ImageId ?? "").localeCompare(b.ImageId ?? ""),
  );
  if (newest?.ImageId) return { ami: newest.ImageId, rootDevice: newest.RootDeviceName ?? "/dev/xvda" };
  throw new ToolError(`there is no AMI of image ${image} in ${settings.region}`, {
    code: "image_not_imported",
    hint: "import it first (`clawdinator image import`), or launch again: that builds and imports what is missing",
  });
}
