import { _InstanceType, RunInstancesCommand, StopInstancesCommand } from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { parseUserData } from "../../../../../tools/fleet/aws/instances/user-data.ts";
import { fromEc2Tags, instanceTag, ownedBy, ownedTag, toEc2Tags } from "../../../../../tools/fleet/aws/tags.ts";
import { emulatorKind, whyNotRepaired } from "../../../../support/aws.ts";
import {
  type AwsAccount,
  makeAccount,
  shareEmulator,
  testImage,
  testRevision,
} from "../../../../support/aws-instances.ts";

/** Faults are the repaired emulator's. */
const isRepaired = emulatorKind() === "moto, repaired and with faults";
const emulator = shareEmulator();
const signal = new AbortController().signal;
const one = "clawd-0123456789ab";

describe.skipIf(whyNotRepaired())("launching", () => {
  test("makes one tagged machine from the AMI of the image, with a root volume that goes with it", async () => {
    const account = await makeAccount(emulator());
    const { instances, settings } = account;
    expect(await instances.launch(account.spec(one, { port: 18_790 }))).toEqual({ started: true });
    const [machine, ...others] = await account.liveMachines(one);
    expect(others).toEqual([]);
    expect(machine?.ImageId).toBe(account.ami);
    expect(machine?.InstanceType).toBe("t3.small");
    expect(machine?.SubnetId).toBe(settings.subnets[0]);
    expect(fromEc2Tags(machine?.Tags)).toMatchObject({
      ...ownedBy(settings.fleet),
      "clawdinator:instance": one,
      "clawdinator:name": "CLAWDINATOR-2",
      "clawdinator:image": testImage,
      "clawdinator:revision": testRevision,
      Name: "CLAWDINATOR-2",
    });
    const { value } = (await account.store.get(`machines/${one}`)) ?? {};
    expect(value).toMatchObject({ formatVersion: 1, machine: machine?.InstanceId });
    expect(await userDataOf(account, String(machine?.InstanceId))).toEqual({
      formatVersion: 1,
      instance: one,
      name: "CLAWDINATOR-2",
      image: testImage,
      revision: testRevision,
      port: 18_790,
    });
    const [volume, ...rest] = await volumesOf(account);
    expect(rest).toEqual([]);
    expect(volume).toMatchObject({ Size: 40, VolumeType: "gp3" });
    expect(fromEc2Tags(volume?.Tags)).toMatchObject(ownedBy(settings.fleet));
  });

  test("again finds the machine, and a stopped one is started again without a plan", async () => {
    const account = await makeAccount(emulator());
    const { instances } = account;
    await instances.launch(account.spec(one));
    expect(await instances.launch(account.spec(one))).toEqual({ started: false });
    await instances.stop(one, { graceMs: 0, signal });
    expect(await instances.liveness(one)).toBe("stopped");
    expect(await instances.launch(account.spec(one, { placement: null }))).toEqual({ started: true });
    expect(await instances.liveness(one)).toBe("running");
    expect(await account.liveMachines(one)).toHaveLength(1);
  });

  test("does not bring back what is gone", async () => {
    const account = await makeAccount(emulator());
    const { instances } = account;
    await expect(instances.launch(account.spec(one, { placement: null }))).rejects.toMatchObject({
      code: "instance_gone",
    });
    await instances.launch(account.spec(one));
    await instances.remove(one, { signal });
    await expect(instances.launch(account.spec(one))).rejects.toMatchObject({ code: "instance_gone" });
    expect(await account.liveMachines(one)).toEqual([]);
  });

  test("says so when the image has no AMI of this fleet, and leaves nothing", async () => {
    const account = await makeAccount(emulator());
    await expect(account.instances.launch(account.spec(one, { image: "aws-ffffffffffffffff" }))).rejects.toMatchObject({
      code: "image_not_imported",
    });
    expect(await account.store.get(`machines/${one}`)).toBeNull();
  });

  test("refuses a placement of another provider, and an id that could mean more than one", async () => {
    const account = await makeAccount(emulator());
    await expect(account.instances.launch(account.spec(one, { placement: { host: "here" } }))).rejects.toMatchObject({
      code: "placement_invalid",
    });
    await expect(account.instances.launch(account.spec("clawd-*"))).rejects.toMatchObject({
      code: "instance_id_invalid",
    });
  });
});

describe.skipIf(whyNotRepaired())("stopping and removing", () => {
  test("are confirmed, leave nothing, and may be repeated", async () => {
    const account = await makeAccount(emulator());
    const { instances } = account;
    await instances.launch(account.spec(one));
    await instances.stop(one, { graceMs: 0, signal });
    await instances.stop(one, { graceMs: 0, signal });
    await instances.remove(one, { signal });
    await instances.remove(one, { signal });
    expect(await instances.liveness(one)).toBe("absent");
    expect(await instances.list()).toEqual([]);
    expect(await account.liveMachines(one)).toEqual([]);
    expect(await account.store.list("machines/")).toEqual([]);
    expect(await volumesOf(account)).toEqual([]);
  });

  test("leave alone what was never there", async () => {
    const account = await makeAccount(emulator());
    await account.instances.stop(one, { graceMs: 0, signal });
    await account.instances.remove(one, { signal });
    expect(await account.instances.liveness(one)).toBe("absent");
  });

  test("never touch machines whose tags only look like ours", async () => {
    const account = await makeAccount(emulator());
    const { fleet } = account.settings;
    const foreign: Record<string, string>[] = [
      { [instanceTag]: one },
      { ...ownedBy(`${fleet}-other`), [instanceTag]: one },
      { [ownedTag]: "yes", "clawdinator:fleet": fleet, [instanceTag]: one },
      { ...ownedBy(fleet), [instanceTag]: `${one}0` },
      { ...ownedBy(fleet) },
    ];
    const ids = await Promise.all(foreign.map((tags) => runForeign(account, tags)));
    await account.instances.stop(one, { graceMs: 0, signal });
    await account.instances.remove(one, { signal });
    for (const id of ids) await account.instances.remove(id, { signal });
    const states = (await account.everything()).filter(({ InstanceId = "" }) => ids.includes(InstanceId));
    expect(states.map(({ State }) => State?.Name)).toEqual(foreign.map(() => "running"));
  });

  test("refuse a recorded machine that does not carry the fleet's tags", async () => {
    const account = await makeAccount(emulator());
    const foreign = await runForeign(account, { owner: "somebody" });
    await account.instances.launch(account.spec(one));
    const entry = await account.store.get(`machines/${one}`);
    await account.store.put(`machines/${one}`, { ...(entry?.value as object), machine: foreign });
    await expect(account.instances.remove(one, { signal })).rejects.toMatchObject({ code: "not_ours" });
    await expect(account.instances.stop(one, { graceMs: 0, signal })).rejects.toMatchObject({ code: "not_ours" });
    const found = (await account.everything()).find(({ InstanceId }) => InstanceId === foreign);
    expect(found?.State?.Name).toBe("running");
  });

  test.skipIf(!isRepaired)("tell of termination protection", async () => {
    const account = await makeAccount(emulator());
    await account.instances.launch(account.spec(one));
    // The emulator keeps the attribute and does not heed it.
    emulator().setFaults({ "ec2:TerminateInstances": { code: "OperationNotPermitted" } });
    await expect(account.instances.remove(one, { signal })).rejects.toMatchObject({ code: "instance_protected" });
    expect(await account.liveMachines(one)).toHaveLength(1);
    expect(await account.store.get(`machines/${one}`)).not.toBeNull();
  });

  test("remove every machine that carries the instance's tags, recorded or not", async () => {
    const account = await makeAccount(emulator());
    await account.instances.launch(account.spec(one));
    await runForeign(account, { ...ownedBy(account.settings.fleet), [instanceTag]: one });
    expect(await account.liveMachines(one)).toHaveLength(2);
    await account.instances.remove(one, { signal });
    expect(await account.liveMachines(one)).toEqual([]);
  });
});

describe.skipIf(whyNotRepaired())("looking", () => {
  test("lists stopped instances too, and no terminated ones", async () => {
    const account = await makeAccount(emulator());
    const [stopped, gone] = ["clawd-00000000000a", "clawd-00000000000b"] as const;
    for (const instance of [one, stopped, gone]) await account.instances.launch(account.spec(instance));
    await account.instances.stop(stopped, { graceMs: 0, signal });
    await account.instances.remove(gone, { signal });
    const listed = await account.instances.list();
    expect(listed.map(({ instance, liveness }) => [instance, liveness]).sort()).toEqual([
      [stopped, "stopped"],
      [one, "running"],
    ]);
  });

  test("reads the end of the console", async () => {
    const account = await makeAccount(emulator());
    expect(await account.instances.readLog(one, 5)).toEqual([]);
    await account.instances.launch(account.spec(one));
    const lines = await account.instances.readLog(one, 3);
    expect(lines).toHaveLength(3);
    expect(lines.join("")).toMatch(/\S/);
  });

  test("sees a machine that somebody stopped by hand", async () => {
    const account = await makeAccount(emulator());
    await account.instances.launch(account.spec(one));
    const [machine] = await account.liveMachines(one);
    const client = await account.clients.ec2();
    await client.send(new StopInstancesCommand({ InstanceIds: [String(machine?.InstanceId)] }));
    expect(await account.another().liveness(one)).toBe("stopped");
  });
});

async function runForeign(account: AwsAccount, tags: Record<string, string>): Promise<string> {
  const client = await account.clients.ec2();
  const { Instances = [] } = await client.send(
    new RunInstancesCommand({
      ImageId: account.ami,
      InstanceType: _InstanceType.t3_micro,
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: [{ ResourceType: "instance", Tags: toEc2Tags(tags) }],
    }),
  );
  return String(Instances[0]?.InstanceId);
}

async function userDataOf(account: AwsAccount, machine: string) {
  const { DescribeInstanceAttributeCommand } = await import("@aws-sdk/client-ec2");
  const client = await account.clients.ec2();
  const { UserData } = await client.send(
    new DescribeInstanceAttributeCommand({ InstanceId: machine, Attribute: "userData" }),
  );
  return parseUserData(Buffer.from(UserData?.Value ?? "", "base64").toString("utf8"));
}

async function volumesOf(account: AwsAccount) {
  const { DescribeVolumesCommand } = await import("@aws-sdk/client-ec2");
  const client = await account.clients.ec2();
  const { Volumes = [] } = await client.send(
    new DescribeVolumesCommand({ Filters: [{ Name: "tag:clawdinator:fleet", Values: [account.settings.fleet] }] }),
  );
  return Volumes;
}
