/** What the coordination store's requests cost on S3, by the price table of tools/fleet/aws/prices.ts. */
import { hoursPerMonth, pricesDate, pricesOf } from "../../../tools/fleet/aws/prices.ts";

export interface RequestCounts {
  puts: number;
  lists: number;
  gets: number;
}

const monthMs = hoursPerMonth * 3_600_000;

/** US dollars for so many requests. PUT and LIST have one price, GET another, DELETE is free; a refused one is charged too. */
export function requestsUsd({ puts, lists, gets }: RequestCounts, region: string): number {
  const { s3Put1000, s3Get1000 } = pricesOf(region);
  return ((puts + lists) * s3Put1000 + gets * s3Get1000) / 1000;
}

/** Which part of the program a request for a key is made by, as the table of docs/cost.md shows it. */
export const requestKinds = {
  renewals: "renewing names",
  heartbeats: "heartbeats",
  keeper: "the keeper's lease",
  summary: "the summary",
  marker: "asking whether anything changed",
  loop: "looking for messages, approvals and operations",
} as const;
export type RequestKind = keyof typeof requestKinds;

/** Heartbeats, leases and summary: what an idle fleet writes, and what is read for the summary. */
export const upkeepKinds: readonly RequestKind[] = ["renewals", "heartbeats", "keeper", "summary"];

/** By key, without the store's prefix; the marker's name is `.changed`. */
function kindOfRequest(method: "GET" | "PUT" | "LIST" | "DELETE", key: string): RequestKind {
  if (key === ".changed") return "marker";
  if (key === "leases/fleet-keeper") return "keeper";
  if (key === "fleet/summary" || (method === "LIST" && (key === "names/" || key === "candidates/"))) return "summary";
  if (key.endsWith("/heartbeat") || key.startsWith("candidates/")) return method === "PUT" ? "heartbeats" : "summary";
  if (key.startsWith("names/")) return method === "PUT" ? "renewals" : "loop";
  return "loop";
}

export interface CostRow {
  kind: RequestKind;
  monthly: RequestCounts;
  monthlyUsd: number;
}

/** Requests that were counted for a while, as they would be in a month. */
export function costRows(options: {
  requests: Iterable<{ method: "GET" | "PUT" | "LIST" | "DELETE"; key: string }>;
  periodMs: number;
  region: string;
}): CostRow[] {
  const counts = new Map<RequestKind, RequestCounts>();
  for (const kind of Object.keys(requestKinds) as RequestKind[]) counts.set(kind, { puts: 0, lists: 0, gets: 0 });
  for (const { method, key } of options.requests) {
    const count = counts.get(kindOfRequest(method, key));
    if (count && method === "PUT") count.puts++;
    if (count && method === "LIST") count.lists++;
    if (count && method === "GET") count.gets++;
  }
  return [...counts].map(([kind, count]) => {
    const inMonth = (requests: number): number => Math.round((requests * monthMs) / options.periodMs);
    const monthly = { puts: inMonth(count.puts), lists: inMonth(count.lists), gets: inMonth(count.gets) };
    return { kind, monthly, monthlyUsd: requestsUsd(monthly, options.region) };
  });
}

/** The table of docs/cost.md. */
export function costTable(rows: readonly CostRow[]): string {
  const number = (value: number): string => value.toLocaleString("en-US");
  const usd = (value: number): string => `$${value.toFixed(2)}`;
  const sum = rows.filter(({ kind }) => upkeepKinds.includes(kind)).reduce((all, row) => all + row.monthlyUsd, 0);
  const line = ({ kind, monthly, monthlyUsd }: CostRow): string =>
    `| ${requestKinds[kind]} | ${number(monthly.puts)} | ${number(monthly.lists)} | ${number(monthly.gets)} | ${usd(monthlyUsd)} |`;
  return [
    "| What | PUT | LIST | GET | a month |",
    "| --- | ---: | ---: | ---: | ---: |",
    ...rows.filter(({ kind }) => upkeepKinds.includes(kind)).map(line),
    `| **heartbeats, leases and summary together** | | | | **${usd(sum)}** |`,
    ...rows.filter(({ kind }) => !upkeepKinds.includes(kind)).map(line),
    `\nPrices of ${pricesDate}.`,
  ].join("\n");
}
