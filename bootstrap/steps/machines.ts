/** The end of a fleet's machines and images. */
import { aws, awsErrorCode, isNotFound } from "../../tools/fleet/aws/errors.ts";
import { poll } from "../../tools/fleet/aws/poll.ts";
import { ownedFilters } from "../../tools/fleet/aws/tags.ts";
import { readSettings } from "../settings-file.ts";
import type { BootstrapContext } from "../step.ts";

/** A shutdown that hangs is cut off. */
const graceMs = 30_000;
/** A snapshot counts as used for a while after its image was deregistered. */
const snapshotDeadlineMs = 120_000;

/** Machines, images and snapshots with this fleet's tags. */
export async function listMachines(context: BootstrapContext): Promise<string[]> {
  const [machines, images, snapshots] = await Promise.all([
    ownedMachines(context),
    ownedImages(context),
    ownedSnapshots(context),
  ]);
  return [
    ...machines.map((id) => `instance ${id}`),
    ...images.map((id) => `image ${id}`),
    ...snapshots.map((id) => `snapshot ${id}`),
  ];
}

/** Ends them in that order; each part is found by its tags, so a run that was cut short is taken up anywhere. */
export async function removeMachines(context: BootstrapContext): Promise<void> {
  const { speaker, signal } = context;
  if ((await readSettings(context)) !== null && (await ownedMachines(context)).length > 0) {
    const { core } = await context.fleet();
    for (const { instance, liveness } of await core.provider.list()) {
      if (liveness === "absent") continue;
      speaker.say("progress", `ending ${instance}`);
      await core.provider.remove(instance, { graceMs, signal });
    }
  }
  await endRest(context);
  const [sdk, client] = await Promise.all([import("@aws-sdk/client-ec2"), context.clients.ec2()]);
  for (const id of await ownedImages(context)) {
    speaker.say("progress", `deregistering ${id}`);
    await ignoring(
      [isNotFound, (error) => awsErrorCode(error) === "InvalidAMIID.Unavailable"],
      `deregistering ${id}`,
      () => client.send(new sdk.DeregisterImageCommand({ ImageId: id })),
    );
  }
  for (const id of await ownedSnapshots(context)) {
    speaker.say("progress", `deleting ${id}`);
    await poll({
      timeoutMs: snapshotDeadlineMs,
      signal,
      check: async () =>
        (await ignoring([isNotFound], `deleting ${id}`, async () => {
          try {
            await client.send(new sdk.DeleteSnapshotCommand({ SnapshotId: id }));
            return true;
          } catch (error) {
            if (awsErrorCode(error) === "InvalidSnapshot.InUse") return false;
            throw error;
          }
        })) === false
          ? null
          : true,
    });
  }
}

/** Machines with our tags that the provider does not count as instances, such as one that was tagged by hand. */
async function endRest(context: BootstrapContext): Promise<void> {
  const [sdk, client] = await Promise.all([import("@aws-sdk/client-ec2"), context.clients.ec2()]);
  const ids = await ownedMachines(context);
  if (ids.length === 0) return;
  context.speaker.say("progress", `ending ${ids.join(", ")}`);
  await aws("ending instances", () => client.send(new sdk.TerminateInstancesCommand({ InstanceIds: ids })));
}

async function ignoring<T>(
  ignored: ((error: unknown) => boolean)[],
  what: string,
  work: () => Promise<T>,
): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (ignored.some((matches) => matches(error))) return null;
    return aws(what, () => Promise.reject(error));
  }
}

async function ownedMachines({ clients, options }: BootstrapContext): Promise<string[]> {
  const [sdk, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const states = { Name: "instance-state-name", Values: ["pending", "running", "stopping", "stopped"] };
  const ids: string[] = [];
  await aws("listing the fleet's instances", async () => {
    const query = { Filters: [...ownedFilters(options.fleet), states] };
    for await (const page of sdk.paginateDescribeInstances({ client }, query))
      for (const { Instances = [] } of page.Reservations ?? [])
        for (const { InstanceId } of Instances) if (InstanceId) ids.push(InstanceId);
  });
  return ids.sort();
}

async function ownedImages({ clients, options }: BootstrapContext): Promise<string[]> {
  const [sdk, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const ids: string[] = [];
  await aws("listing the fleet's images", async () => {
    const query = { Owners: ["self"], Filters: ownedFilters(options.fleet) };
    for await (const page of sdk.paginateDescribeImages({ client }, query))
      for (const { ImageId } of page.Images ?? []) if (ImageId) ids.push(ImageId);
  });
  return ids.sort();
}

async function ownedSnapshots({ clients, options }: BootstrapContext): Promise<string[]> {
  const [sdk, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const ids: string[] = [];
  await aws("listing the fleet's snapshots", async () => {
    const query = { OwnerIds: ["self"], Filters: ownedFilters(options.fleet) };
    for await (const page of sdk.paginateDescribeSnapshots({ client }, query))
      for (const { SnapshotId } of page.Snapshots ?? []) if (SnapshotId) ids.push(SnapshotId);
  });
  return ids.sort();
}
