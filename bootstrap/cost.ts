/** What the first instance and what is around it costs, estimated from list prices. */
import { blockBytes, gibibyte } from "../tools/fleet/aws/ebs/blocks.ts";
import { instanceCost, pricesDate, pricesOf, roundCents, usdPerBlock } from "../tools/fleet/aws/prices.ts";
import type { AwsSettings } from "../tools/fleet/aws/settings.ts";
import { knownSecrets } from "../tools/secrets/secrets.ts";

/** A NixOS image of this program; zeros are not stored. */
const imageGiB = 3;
/** A young hive mind: text. */
const memoryGiB = 1;
/** Requests of one instance's heartbeats and leases, about two puts and five gets a minute, and a GiB of seeds. */
const storePutsMonth = 2 * 60 * 24 * 30;
const storeGetsMonth = 5 * 60 * 24 * 30;

export interface CostLine {
  what: string;
  onceUsd: number;
  monthlyUsd: number;
}

export interface CostEstimate {
  lines: CostLine[];
  onceUsd: number;
  monthlyUsd: number;
  note: string;
}

export function estimateCost(options: {
  settings: Pick<AwsSettings, "region" | "instanceType" | "rootGiB">;
  /** An AMI that exists is not sent again. */
  sendsImage: boolean;
}): CostEstimate {
  const { region, instanceType, rootGiB } = options.settings;
  const prices = pricesOf(region);
  const instance = instanceCost({ region, type: instanceType, rootGiB, publicAddress: true });
  const secrets = knownSecrets.length;
  const lines: CostLine[] = [
    { what: `one ${instanceType}, ${rootGiB} GiB disk, public address`, onceUsd: 0, monthlyUsd: instance.monthlyUsd },
    {
      what: `machine image, about ${imageGiB} GiB`,
      onceUsd: options.sendsImage ? ((imageGiB * gibibyte) / blockBytes) * usdPerBlock : 0,
      monthlyUsd: imageGiB * prices.snapshotGiBMonth,
    },
    { what: `${secrets} secrets`, onceUsd: 0, monthlyUsd: secrets * prices.secretMonth },
    { what: `memory on EFS, ${memoryGiB} GiB`, onceUsd: 0, monthlyUsd: memoryGiB * prices.efsGiBMonth },
    {
      what: "coordination store and seeds on S3",
      onceUsd: 0,
      monthlyUsd:
        (storePutsMonth / 1000) * prices.s3Put1000 + (storeGetsMonth / 1000) * prices.s3Get1000 + prices.s3GiBMonth,
    },
  ].map((line) => ({ ...line, onceUsd: roundCents(line.onceUsd), monthlyUsd: roundCents(line.monthlyUsd) }));
  const sum = (key: "onceUsd" | "monthlyUsd"): number =>
    roundCents(lines.reduce((total, line) => total + line[key], 0));
  return {
    lines,
    onceUsd: sum("onceUsd"),
    monthlyUsd: sum("monthlyUsd"),
    note: `estimated from AWS' list prices of ${pricesDate}, without tax, traffic and free tier; models are paid to their providers`,
  };
}
