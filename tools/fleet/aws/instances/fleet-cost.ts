/** What the fleet costs a month as it is now, by the price table: for the plan's cap, not for the bill. */

import type { AwsClients } from "../clients.ts";
import { gibibyte } from "../ebs/blocks.ts";
import { aws } from "../errors.ts";
import { list } from "../poll.ts";
import { hoursPerMonth, pricesOf, roundCents } from "../prices.ts";
import type { AwsSettings } from "../settings.ts";
import { bytesTag, fromEc2Tags, ownedFilters } from "../tags.ts";
import type { Machine } from "./machines.ts";

/** An estimate waits no longer for a listing that answers "not found". */
const patienceMs = 30_000;

export interface FleetCost {
  monthlyUsd: number;
  /** Types that run and whose price is not in the table. */
  unknownTypes: string[];
}

/** Machines that run, every volume (a stopped machine keeps its own) and every snapshot of the fleet. */
export async function currentCost(options: {
  settings: AwsSettings;
  clients: AwsClients;
  machines: Machine[];
  fileSystemUsd: number;
}): Promise<FleetCost> {
  const { settings, clients, fileSystemUsd } = options;
  const prices = pricesOf(settings.region);
  const running = options.machines.filter(({ state }) => state === "running" || state === "pending");
  const hourly = running.map(
    ({ type, hasPublicAddress }) =>
      (prices.instanceHour[type] ?? 0) + (hasPublicAddress ? prices.publicAddressHour : 0),
  );
  const [volumesGiB, snapshotsGiB] = await Promise.all([
    volumeSize(clients, settings.fleet),
    snapshotSize(clients, settings.fleet),
  ]);
  return {
    monthlyUsd: roundCents(
      hourly.reduce((sum, usd) => sum + usd, 0) * hoursPerMonth +
        volumesGiB * prices.gp3GiBMonth +
        snapshotsGiB * prices.snapshotGiBMonth +
        fileSystemUsd,
    ),
    unknownTypes: [...new Set(running.map(({ type }) => type))].filter((type) => !(type in prices.instanceHour)),
  };
}

async function volumeSize(clients: AwsClients, fleet: string): Promise<number> {
  return aws("listing the fleet's volumes", async () => {
    const [{ paginateDescribeVolumes }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
    let sizeGiB = 0;
    for await (const page of paginateDescribeVolumes({ client }, { Filters: ownedFilters(fleet), MaxResults: 500 }))
      for (const { Size = 0 } of page.Volumes ?? []) sizeGiB += Size;
    return sizeGiB;
  });
}

/** What the snapshots hold at most: blocks that two of them share are paid once, and zeros not at all. */
async function snapshotSize(clients: AwsClients, fleet: string): Promise<number> {
  return aws("listing the fleet's snapshots", () => list(patienceMs, () => snapshotPages(clients, fleet)));
}

async function snapshotPages(clients: AwsClients, fleet: string): Promise<number> {
  const [{ paginateDescribeSnapshots }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const input = { OwnerIds: ["self"], Filters: ownedFilters(fleet), MaxResults: 1000 };
  let sizeGiB = 0;
  for await (const page of paginateDescribeSnapshots({ client }, input)) {
    for (const { VolumeSize = 0, Tags } of page.Snapshots ?? []) {
      const bytes = Number(fromEc2Tags(Tags)[bytesTag]);
      sizeGiB += bytes > 0 ? bytes / gibibyte : VolumeSize;
    }
  }
  return sizeGiB;
}
