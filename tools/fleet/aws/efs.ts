/** The file system of the hive-mind memory: whether instances can mount it where they are launched, and its cost. */

import type { FileSystemDescription, MountTargetDescription } from "@aws-sdk/client-efs";
import type { AwsClients } from "./clients.ts";
import { gibibyte } from "./ebs/blocks.ts";
import { aws, awsErrorCode } from "./errors.ts";
import { pricesDate, pricesOf, roundCents } from "./prices.ts";

export interface FileSystemCheck {
  fileSystem: string;
  /** As EFS says it: `available`, `creating`, …; `missing` where there is none. */
  state: string;
  isEncrypted: boolean;
  /** As EFS last measured it, about once an hour. */
  bytes: number;
  monthlyUsd: number;
  /** Where the figure comes from. */
  note: string;
  /** Where instances would be launched, and whether they find a mount target there. */
  zones: { zone: string; isReachable: boolean }[];
  /** Why an instance could not mount it, each with what to do; nothing may be launched while there are any. */
  problems: string[];
  /** Worth knowing, and no reason to refuse. */
  warnings: string[];
}

/**
 * Looks at the file system for instances in `subnets`; without any, one mount target anywhere is enough, since the
 * launch template decides. Changes nothing; throws ProviderError where AWS cannot be asked.
 */
export async function checkFileSystem(options: {
  clients: Pick<AwsClients, "region" | "ec2" | "efs">;
  fileSystem: string;
  subnets: readonly string[];
}): Promise<FileSystemCheck> {
  const { clients, fileSystem } = options;
  const [found, targets, zones] = await Promise.all([
    describeFileSystem(clients, fileSystem),
    listMountTargets(clients, fileSystem),
    zonesOf(clients, options.subnets),
  ]);
  const available = targets.filter((target) => target.LifeCycleState === "available");
  const reachable = new Set(available.map((target) => target.AvailabilityZoneName ?? ""));
  const state = found?.LifeCycleState ?? "missing";
  const bytes = found?.SizeInBytes?.Value ?? 0;
  const monthlyUsd = roundCents((bytes / gibibyte) * pricesOf(clients.region).efsGiBMonth);
  const check: FileSystemCheck = {
    fileSystem,
    state,
    isEncrypted: found?.Encrypted === true,
    bytes,
    monthlyUsd,
    note: `list price of EFS Standard on ${pricesDate} for ${(bytes / gibibyte).toFixed(2)} GiB; traffic not included`,
    zones: zones.map((zone) => ({ zone, isReachable: reachable.has(zone) })),
    problems: [],
    warnings: [],
  };
  addFindings(check, { found, targets, hasTarget: available.length > 0 });
  return check;
}

function addFindings(
  check: FileSystemCheck,
  seen: { found: FileSystemDescription | null; targets: MountTargetDescription[]; hasTarget: boolean },
): void {
  const { fileSystem, problems, warnings } = check;
  const apply = "apply the stack in tofu/ again";
  if (!seen.found) {
    problems.push(`there is no file system ${fileSystem} in this region: compare \`aws.fileSystem\`, or ${apply}`);
    return;
  }
  if (check.state !== "available") problems.push(`${fileSystem} is ${check.state}: wait until it is available`);
  if (!check.isEncrypted) {
    warnings.push(`${fileSystem} is not encrypted, which cannot be changed later: move the memory to one that is`);
  }
  const without = check.zones.filter((zone) => !zone.isReachable).map((zone) => zone.zone);
  if (without.length > 0) {
    const coming = seen.targets.filter((target) => target.LifeCycleState === "creating");
    const wait = coming.length > 0 ? "; one is being created: wait a minute" : "";
    problems.push(`${fileSystem} has no mount target that works in ${without.join(", ")}: ${apply}${wait}`);
  } else if (!seen.hasTarget) {
    problems.push(`${fileSystem} has no mount target that works: ${apply}`);
  }
}

async function describeFileSystem(
  clients: Pick<AwsClients, "efs">,
  fileSystem: string,
): Promise<FileSystemDescription | null> {
  const { DescribeFileSystemsCommand } = await import("@aws-sdk/client-efs");
  const client = await clients.efs();
  return nullIfUnknown(async () => {
    const { FileSystems } = await client.send(new DescribeFileSystemsCommand({ FileSystemId: fileSystem }));
    return FileSystems?.[0] ?? null;
  }, `looking at the file system ${fileSystem}`);
}

async function listMountTargets(
  clients: Pick<AwsClients, "efs">,
  fileSystem: string,
): Promise<MountTargetDescription[]> {
  const { paginateDescribeMountTargets } = await import("@aws-sdk/client-efs");
  const client = await clients.efs();
  const found = await nullIfUnknown(async () => {
    const targets: MountTargetDescription[] = [];
    for await (const page of paginateDescribeMountTargets({ client }, { FileSystemId: fileSystem })) {
      targets.push(...(page.MountTargets ?? []));
    }
    return targets;
  }, `looking at the mount targets of ${fileSystem}`);
  return found ?? [];
}

async function zonesOf(clients: Pick<AwsClients, "ec2">, subnets: readonly string[]): Promise<string[]> {
  if (subnets.length === 0) return [];
  const { DescribeSubnetsCommand } = await import("@aws-sdk/client-ec2");
  const client = await clients.ec2();
  const { Subnets } = await aws(`looking at the subnets ${subnets.join(", ")}`, () =>
    client.send(new DescribeSubnetsCommand({ SubnetIds: [...subnets] })),
  );
  return [...new Set((Subnets ?? []).map((subnet) => subnet.AvailabilityZone ?? ""))].sort();
}

async function nullIfUnknown<T>(work: () => Promise<T>, what: string): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (awsErrorCode(error) === "FileSystemNotFound") return null;
    return aws(what, () => Promise.reject(error));
  }
}
