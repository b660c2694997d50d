/** EC2 instances of this fleet, as EC2 shows them. "Machine" is EC2's instance, "instance" is the fleet's own. */
import type { DescribeInstancesCommandInput, Instance } from "@aws-sdk/client-ec2";
import { ToolError } from "../../../errors.ts";
import type { InstanceLiveness } from "../../services.ts";
import type { AwsClients } from "../clients.ts";
import { aws, isNotFound } from "../errors.ts";
import { list } from "../poll.ts";
import type { AwsSettings } from "../settings.ts";
import { fromEc2Tags, imageTag, instanceTag, isOwned, nameTag, ownedFilters, revisionTag, type Tags } from "../tags.ts";

export type MachineState = "pending" | "running" | "stopping" | "stopped" | "shutting-down" | "terminated";

export interface Machine {
  /** EC2 instance id. */
  id: string;
  state: MachineState;
  type: string;
  instance: string;
  name: string;
  image: string;
  revision: string;
  hasPublicAddress: boolean;
  launchedAt: number;
  tags: Tags;
}

/** DescribeInstances gives at most this many a call. */
const pageSize = 1000;

export interface Machines {
  /** Every machine that is not gone or going, in one call for each 1,000. */
  all(): Promise<Machine[]>;
  /**
   * Every machine launched as this instance, terminated ones included for as long as EC2 shows them. The tag is set in
   * the call that launches, so it finds what any client token of the instance launched.
   */
  ofInstance(instance: string): Promise<Machine[]>;
  /** By EC2 id, whoever it belongs to; null when EC2 does not (yet) know it. */
  byId(id: string): Promise<Machine | null>;
}

export function openMachines({ settings, clients }: { settings: AwsSettings; clients: AwsClients }): Machines {
  async function pages(input: DescribeInstancesCommandInput): Promise<Machine[]> {
    const [{ paginateDescribeInstances }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
    const found: Machine[] = [];
    for await (const page of paginateDescribeInstances({ client }, input)) {
      for (const { Instances = [] } of page.Reservations ?? []) found.push(...Instances.map(toMachine));
    }
    return found;
  }
  const describe = (what: string, input: DescribeInstancesCommandInput): Promise<Machine[]> =>
    aws(what, () => pages(input));

  return {
    async all() {
      const states = { Name: "instance-state-name", Values: ["pending", "running", "stopping", "stopped"] };
      const Filters = [...ownedFilters(settings.fleet), states];
      const found = await aws("listing the fleet's instances", () =>
        list(settings.visibilitySeconds * 1000, () => pages({ Filters, MaxResults: pageSize })),
      );
      // A machine of ours without an instance (such as one that builds images) is no member of the fleet.
      return found.filter((machine) => machine.instance !== "");
    },
    async ofInstance(instance) {
      const Filters = ownedFilters(settings.fleet, { [instanceTag]: instance });
      const found = await noneIfNotFound(describe(`looking for ${instance}`, { Filters }));
      return found.filter((machine) => machine.instance === instance);
    },
    async byId(id) {
      return (await noneIfNotFound(describe(`looking for ${id}`, { InstanceIds: [id] })))[0] ?? null;
    },
  };
}

/** "Not found" is what EC2 says of a machine that is gone, and of one that it does not show yet. */
async function noneIfNotFound(found: Promise<Machine[]>): Promise<Machine[]> {
  try {
    return await found;
  } catch (error) {
    if (isNotFound((error as Error).cause)) return [];
    throw error;
  }
}

function toMachine(instance: Instance): Machine {
  const tags = fromEc2Tags(instance.Tags);
  return {
    id: instance.InstanceId ?? "",
    state: (instance.State?.Name ?? "pending") as MachineState,
    type: instance.InstanceType ?? "",
    instance: tags[instanceTag] ?? "",
    name: tags[nameTag] ?? "",
    image: tags[imageTag] ?? "",
    revision: tags[revisionTag] ?? "",
    hasPublicAddress: Boolean(instance.PublicIpAddress),
    launchedAt: instance.LaunchTime?.getTime() ?? 0,
    tags,
  };
}

export function isLive(machine: Machine): boolean {
  return machine.state !== "terminated" && machine.state !== "shutting-down";
}

export function livenessOf(machine: Machine): InstanceLiveness {
  if (!isLive(machine)) return "absent";
  return machine.state === "pending" || machine.state === "running" ? "running" : "stopped";
}

/**
 * Throws ToolError `not_ours` unless the machine carries the fleet's tags and this instance's. Checked on a fresh
 * description before every change: an id alone, from wherever it comes, is no proof.
 */
export function assertOurs(machine: Machine, options: { fleet: string; instance: string }): void {
  if (isOwned(machine.tags, options.fleet) && machine.instance === options.instance) return;
  throw new ToolError(`${machine.id} is not ${options.instance} of the fleet ${options.fleet}: its tags differ`, {
    code: "not_ours",
    hint: "nothing was changed; if its tags were edited by hand, put them back (docs/troubleshooting.md), else remove the record in the store",
  });
}
