import { expect, test } from "vitest";
import { runInput } from "../../../../../tools/fleet/aws/instances/launch-request.ts";
import { awsSettingsSchema } from "../../../../../tools/fleet/aws/settings.ts";

const settings = awsSettingsSchema.parse({ bucket: "bucket" });
const placement = {
  launchTemplate: "lt-1",
  version: 7,
  instanceType: "t3.small",
  subnets: ["subnet-a", "subnet-b"],
  rootGiB: 40,
  instanceProfiles: { "CLAWDINATOR-3": "clawdinator-instance-CLAWDINATOR-3" },
};
const spec = {
  instance: "clawd-0123456789ab",
  name: "CLAWDINATOR-2",
  image: "img-1",
  revision: "c".repeat(40),
  port: 1,
  placement,
};
const request = { ami: "ami-1", rootDevice: "/dev/xvda", port: 2, subnet: 0 };
const base = { settings, launch: { spec, placement }, request, template: {} };

test("every attempt in a subnet sends the same bytes, with a token that EC2 takes", () => {
  expect(JSON.stringify(runInput(base))).toBe(JSON.stringify(runInput({ ...base, launch: { spec, placement } })));
  expect(runInput(base).ClientToken).toMatch(/^[\x21-\x7e]{1,64}$/);
});

test("each subnet, instance and fleet has a token of its own", () => {
  const tokens = [
    base,
    { ...base, request: { ...request, subnet: 1 } },
    { ...base, launch: { spec: { ...spec, instance: "clawd-0123456789ac" }, placement } },
    { ...base, settings: { ...settings, fleet: "another" } },
    { ...base, launch: { spec, placement: { ...placement, subnets: [] } } },
  ].map((options) => runInput(options).ClientToken);
  expect(new Set(tokens).size).toBe(tokens.length);
});

test("binds the template's version by its number, and the port that was recorded", () => {
  const input = runInput(base);
  expect(input.LaunchTemplate).toEqual({ LaunchTemplateId: "lt-1", Version: "7" });
  expect(input).toMatchObject({ MinCount: 1, MaxCount: 1, ImageId: "ami-1", SubnetId: "subnet-a" });
  const userData = JSON.parse(Buffer.from(input.UserData ?? "", "base64").toString("utf8"));
  expect(Object.keys(userData)).toEqual(["formatVersion", "instance", "name", "image", "revision", "port"]);
  expect(userData.port).toBe(2);
});

test("a name with a role of its own gets that one, and any other the template's", () => {
  expect(runInput(base)).not.toHaveProperty("IamInstanceProfile");
  const third = { spec: { ...spec, name: "CLAWDINATOR-3" }, placement };
  expect(runInput({ ...base, launch: third }).IamInstanceProfile).toEqual({
    Name: "clawdinator-instance-CLAWDINATOR-3",
  });
});

test("a subnet goes to the network interface where the template has one", () => {
  const template = {
    LaunchTemplateData: { NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: true, Groups: ["sg-1"] }] },
  };
  const input = runInput({ ...base, template });
  expect(input.SubnetId).toBeUndefined();
  expect(input.NetworkInterfaces).toEqual([
    { DeviceIndex: 0, AssociatePublicIpAddress: true, Groups: ["sg-1"], SubnetId: "subnet-a" },
  ]);
  const anywhere = { spec, placement: { ...placement, subnets: [] } };
  expect(runInput({ ...base, template, launch: anywhere })).not.toHaveProperty("NetworkInterfaces");
});

test("the root volume is as the template says, of the planned size, and goes with the machine", () => {
  const template = {
    LaunchTemplateData: {
      BlockDeviceMappings: [
        { DeviceName: "/dev/sdb", Ebs: { VolumeSize: 1 } },
        {
          DeviceName: "/dev/xvda",
          Ebs: { Encrypted: true, VolumeSize: 8, DeleteOnTermination: false, SnapshotId: "snap-1" },
        },
      ],
    },
  };
  expect(runInput({ ...base, template }).BlockDeviceMappings).toEqual([
    {
      DeviceName: "/dev/xvda",
      Ebs: { Encrypted: true, VolumeType: "gp3", VolumeSize: 40, DeleteOnTermination: true },
    },
  ]);
});
