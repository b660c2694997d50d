/**
 * What a fleet costs, estimated from list prices. Prices are on-demand Linux, without tax, free tier or discounts, as
 * published by AWS on the date below; a plan says so.
 */

/** When the table was last compared with AWS' price pages. */
export const pricesDate = "2026-11-01";

/** What EBS direct charges for writing a block, in every region of the table. */
export const usdPerBlock = 0.006 / 1000;

/** AWS counts a month as 730 hours. */
export const hoursPerMonth = 730;

interface RegionPrices {
  /** US dollars an hour by instance type. */
  instanceHour: Record<string, number>;
  /** US dollars per GiB and month. */
  gp3GiBMonth: number;
  snapshotGiBMonth: number;
  efsGiBMonth: number;
  s3GiBMonth: number;
  /** US dollars an hour of one public IPv4 address. */
  publicAddressHour: number;
  /** US dollars a secret and month. */
  secretMonth: number;
  /** US dollars per 1,000 requests: PUT, COPY, POST, LIST. */
  s3Put1000: number;
  /** US dollars per 1,000 requests: GET and all others. */
  s3Get1000: number;
}

const europe: RegionPrices = {
  instanceHour: {
    "t3.micro": 0.012,
    "t3.small": 0.024,
    "t3.medium": 0.048,
    "t3.large": 0.096,
    "t3.xlarge": 0.192,
    "t3a.small": 0.0216,
    "t3a.medium": 0.0432,
    "t3a.large": 0.0864,
    "m7i.large": 0.1208,
    "m7i.xlarge": 0.2415,
    "c7i.large": 0.1019,
    "c7i.xlarge": 0.2037,
  },
  gp3GiBMonth: 0.0952,
  snapshotGiBMonth: 0.054,
  efsGiBMonth: 0.36,
  s3GiBMonth: 0.0245,
  publicAddressHour: 0.005,
  secretMonth: 0.4,
  s3Put1000: 0.0054,
  s3Get1000: 0.00043,
};

const unitedStates: RegionPrices = {
  instanceHour: {
    "t3.micro": 0.0104,
    "t3.small": 0.0208,
    "t3.medium": 0.0416,
    "t3.large": 0.0832,
    "t3.xlarge": 0.1664,
    "t3a.small": 0.0188,
    "t3a.medium": 0.0376,
    "t3a.large": 0.0752,
    "m7i.large": 0.1008,
    "m7i.xlarge": 0.2016,
    "c7i.large": 0.0893,
    "c7i.xlarge": 0.1785,
  },
  gp3GiBMonth: 0.08,
  snapshotGiBMonth: 0.05,
  efsGiBMonth: 0.3,
  s3GiBMonth: 0.023,
  publicAddressHour: 0.005,
  secretMonth: 0.4,
  s3Put1000: 0.005,
  s3Get1000: 0.0004,
};

/** Regions whose prices are in the table; others are estimated with Frankfurt's, and the note says so. */
const regions: Record<string, RegionPrices> = {
  "eu-central-1": europe,
  "us-east-1": unitedStates,
  "us-east-2": unitedStates,
  "us-west-2": unitedStates,
};

export function pricesOf(region: string): RegionPrices {
  return regions[region] ?? europe;
}

export interface InstanceCost {
  monthlyUsd: number;
  /** Where the figures come from, and what they leave out. */
  note: string;
  /** The type is not in the table: the estimate lacks the instance itself. */
  isTypeKnown: boolean;
}

/** What one instance costs a month: the machine, its root volume, its public address. */
export function instanceCost(options: {
  region: string;
  type: string;
  rootGiB: number;
  publicAddress: boolean;
}): InstanceCost {
  const prices = pricesOf(options.region);
  const hour = prices.instanceHour[options.type];
  const monthlyUsd =
    (hour ?? 0) * hoursPerMonth +
    options.rootGiB * prices.gp3GiBMonth +
    (options.publicAddress ? prices.publicAddressHour * hoursPerMonth : 0);
  const elsewhere = options.region in regions ? options.region : `eu-central-1, in place of ${options.region}`;
  const missing = hour === undefined ? `; the price of ${options.type} is unknown and left out` : "";
  return {
    monthlyUsd: roundCents(monthlyUsd),
    note: `list prices of ${elsewhere} on ${pricesDate}: ${options.type}, ${options.rootGiB} GiB gp3${options.publicAddress ? ", a public address" : ""}${missing}; traffic and models not included`,
    isTypeKnown: hour !== undefined,
  };
}

export function roundCents(usd: number): number {
  return Math.round(usd * 100) / 100;
}
