/** AMIs and snapshots of this fleet: found by tags, registered by name, removed together. */
import type { Image as Ec2Image, RegisterImageCommandInput } from "@aws-sdk/client-ec2";
import { ToolError } from "../../../errors.ts";
import type { AwsClients } from "../clients.ts";
import { asAwsError, aws, awsErrorCode, isNotFound } from "../errors.ts";
import { list, poll } from "../poll.ts";
import type { AwsSettings } from "../settings.ts";
import { fromEc2Tags, imageTag, isOwned, ownedFilters, type Tags, toEc2Tags } from "../tags.ts";

/** Registering from a finished snapshot takes seconds; longer than this it has gone wrong. */
const availableDeadlineMs = 15 * 60_000;
/** Name of the root device: what the launch template's mapping of the root volume must name too. */
export const rootDevice = "/dev/xvda";
/** DescribeImages and DescribeSnapshots give at most this many a call. */
const pageSize = 1000;

export type AmiState = "pending" | "available" | "failed";

export interface Ami {
  /** AMI id. */
  ami: string;
  name: string;
  state: AmiState;
  /** Why it failed, in EC2's words. */
  reason: string;
  snapshots: string[];
  createdAt: number;
  tags: Tags;
}

export interface AmiRequest {
  name: string;
  description: string;
  snapshot: string;
  /** x86_64 or arm64. */
  architecture: string;
  /** uefi, legacy-bios or uefi-preferred. */
  bootMode: string;
  tags: Tags;
}

export interface Amis {
  /** Every AMI of this fleet, oldest first, in one call for each 1,000. */
  all(): Promise<Ami[]>;
  /**
   * Registers, and waits until it is available. A name that is taken by this fleet's AMI of the same image is the answer
   * (an earlier attempt made it, whose answer was lost); taken by anything else it is a ToolError.
   */
  register(request: AmiRequest, signal: AbortSignal): Promise<Ami>;
  available(ami: Ami, signal: AbortSignal): Promise<Ami>;
  addTags(resource: string, tags: Tags): Promise<void>;
  removeTag(resource: string, key: string): Promise<void>;
  /** Does nothing where it is gone. */
  deregister(ami: string): Promise<void>;
  /** Snapshots of this fleet that have these tags too, finished or not. */
  snapshots(tags: Tags): Promise<string[]>;
  /** False where an AMI is made of it: it stays. Does nothing where it is gone. */
  deleteSnapshot(snapshot: string): Promise<boolean>;
}

export function openAmis(options: { settings: AwsSettings; clients: AwsClients }): Amis {
  const { settings, clients } = options;
  const visibilityMs = settings.visibilitySeconds * 1000;

  async function describe(input: { ImageIds?: string[]; name?: string }): Promise<Ami[]> {
    const [{ paginateDescribeImages }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
    const byName = input.name === undefined ? ownedFilters(settings.fleet) : [{ Name: "name", Values: [input.name] }];
    const query = input.ImageIds ? { ImageIds: input.ImageIds } : { Filters: byName, MaxResults: pageSize };
    const found: Ami[] = [];
    for await (const page of paginateDescribeImages({ client }, { Owners: ["self"], ...query })) {
      found.push(...(page.Images ?? []).map(toAmi));
    }
    return found.sort((a, b) => a.createdAt - b.createdAt || (a.ami < b.ami ? -1 : 1));
  }

  /** The AMI that has the name. EC2 may say "taken" before it shows by what. */
  async function holderOf(request: AmiRequest, signal: AbortSignal): Promise<Ami> {
    const check = async () => (await aws(`looking for AMI ${request.name}`, () => describe(request)))[0] ?? null;
    const found = await poll({ timeoutMs: visibilityMs, signal, check });
    if (found && isOwned(found.tags, settings.fleet) && found.tags[imageTag] === request.tags[imageTag]) return found;
    throw new ToolError(
      `the AMI name ${request.name} is taken by ${found?.ami ?? "an AMI that EC2 does not show"}, which is not this fleet's image`,
      {
        code: "ami_name_taken",
        hint: "find out whose it is (its tags), and deregister or rename it; or give this fleet another name (`aws.fleet`)",
      },
    );
  }

  async function available(ami: Ami, signal: AbortSignal): Promise<Ami> {
    let latest = ami;
    const reached = await poll({
      timeoutMs: availableDeadlineMs,
      signal,
      async check() {
        if (latest.state === "pending") latest = (await current(ami.ami)) ?? latest;
        return latest.state === "pending" ? null : latest;
      },
    });
    if (reached?.state === "available") return reached;
    throw new ToolError(`AMI ${ami.ami} did not become available: ${reached ? reached.reason : "EC2 gives no end"}`, {
      code: "ami_failed",
      hint: "remove it with `clawdinator image prune`, then import again",
    });
  }

  /** Null while EC2 does not show it: an AMI of a moment ago may be invisible. */
  async function current(ami: string): Promise<Ami | null> {
    try {
      return (await describe({ ImageIds: [ami] }))[0] ?? null;
    } catch (error) {
      if (isNotFound(error)) return null;
      throw asAwsError(error, `looking at ${ami}`);
    }
  }

  return {
    available,
    all: () => aws("listing the fleet's AMIs", () => list(visibilityMs, () => describe({}))),
    async register(request, signal) {
      const [{ RegisterImageCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
      const command = new RegisterImageCommand(registration(request));
      const found = await poll({
        timeoutMs: visibilityMs,
        signal,
        async check() {
          try {
            const { ImageId = "" } = await client.send(command, { abortSignal: signal });
            return pendingAmi(ImageId, request);
          } catch (error) {
            if (awsErrorCode(error) === "InvalidAMIName.Duplicate") return holderOf(request, signal);
            if (!isNotYet(error)) throw asAwsError(error, `registering AMI ${request.name}`);
            return null;
          }
        },
      });
      if (found) return available(found, signal);
      throw new ToolError(
        `EC2 still does not know snapshot ${request.snapshot} after ${settings.visibilitySeconds} s`,
        { code: "snapshot_invisible", hint: "resume the operation; what was sent is not sent again" },
      );
    },
    async addTags(resource, tags) {
      const [{ CreateTagsCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
      const tagged = await poll({
        timeoutMs: visibilityMs,
        async check() {
          try {
            return await client.send(new CreateTagsCommand({ Resources: [resource], Tags: toEc2Tags(tags) }));
          } catch (error) {
            if (!isNotFound(error)) throw asAwsError(error, `tagging ${resource}`);
            return null;
          }
        },
      });
      if (tagged) return;
      throw new ToolError(`${resource} cannot be tagged: EC2 does not know it`, {
        code: "resource_vanished",
        hint: "someone may have deleted it: import again",
      });
    },
    async removeTag(resource, key) {
      const [{ DeleteTagsCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
      await aws(`removing a tag of ${resource}`, () =>
        client.send(new DeleteTagsCommand({ Resources: [resource], Tags: [{ Key: key }] })),
      );
    },
    async deregister(ami) {
      const [{ DeregisterImageCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
      try {
        await client.send(new DeregisterImageCommand({ ImageId: ami }));
      } catch (error) {
        // EC2 says "unavailable" of one that was deregistered.
        if (isNotFound(error) || awsErrorCode(error) === "InvalidAMIID.Unavailable") return;
        throw asAwsError(error, `deregistering ${ami}`);
      }
    },
    async snapshots(tags) {
      const [{ paginateDescribeSnapshots }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
      const query = { OwnerIds: ["self"], Filters: ownedFilters(settings.fleet, tags), MaxResults: pageSize };
      const pages = async (): Promise<string[]> => {
        const found: string[] = [];
        for await (const page of paginateDescribeSnapshots({ client }, query)) {
          for (const { SnapshotId } of page.Snapshots ?? []) if (SnapshotId) found.push(SnapshotId);
        }
        return found;
      };
      return aws("listing the fleet's snapshots", () => list(visibilityMs, pages));
    },
    async deleteSnapshot(snapshot) {
      const [{ DeleteSnapshotCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
      try {
        await client.send(new DeleteSnapshotCommand({ SnapshotId: snapshot }));
        return true;
      } catch (error) {
        if (isNotFound(error)) return true;
        if (awsErrorCode(error) === "InvalidSnapshot.InUse") return false;
        throw asAwsError(error, `deleting ${snapshot}`);
      }
    },
  };
}

/** The snapshot was made a moment ago: EC2 may not know it yet, or not know that it is finished. */
function isNotYet(error: unknown): boolean {
  return isNotFound(error) || awsErrorCode(error) === "IncorrectState";
}

/** A pure function of the request. IMDSv2 is set in the AMI itself, so that no launch can go without it. */
export function registration(request: AmiRequest): RegisterImageCommandInput {
  return {
    Name: request.name,
    Description: request.description,
    Architecture: request.architecture as "x86_64" | "arm64",
    BootMode: request.bootMode as "uefi" | "legacy-bios" | "uefi-preferred",
    VirtualizationType: "hvm",
    EnaSupport: true,
    ImdsSupport: "v2.0",
    RootDeviceName: rootDevice,
    BlockDeviceMappings: [
      {
        DeviceName: rootDevice,
        Ebs: { SnapshotId: request.snapshot, VolumeType: "gp3", DeleteOnTermination: true },
      },
    ],
    TagSpecifications: [{ ResourceType: "image", Tags: toEc2Tags(request.tags) }],
  };
}

function pendingAmi(ami: string, request: AmiRequest): Ami {
  const { name, snapshot, tags } = request;
  return { ami, name, state: "pending", reason: "", snapshots: [snapshot], createdAt: 0, tags };
}

function toAmi(image: Ec2Image): Ami {
  const mappings = image.BlockDeviceMappings ?? [];
  return {
    ami: image.ImageId ?? "",
    name: image.Name ?? "",
    state: stateOf(image.State),
    reason: image.StateReason?.Message ?? image.State ?? "no reason given",
    snapshots: mappings.flatMap(({ Ebs }) => (Ebs?.SnapshotId ? [Ebs.SnapshotId] : [])),
    createdAt: Date.parse(image.CreationDate ?? "") || 0,
    tags: fromEc2Tags(image.Tags),
  };
}

function stateOf(state: string | undefined): AmiState {
  if (state === "available" || state === "pending") return state;
  // Invalid, deregistered, disabled, error: nothing can be launched from it.
  return state === "transient" ? "pending" : "failed";
}
