/** What was spent, put together from the records of all instances. */
import type { CostLine, CostReport, CostRun } from "../../../tools/cost-report.ts";
import { modelKey } from "../../../tools/cost-report.ts";
import { budgetsOf, type Policy } from "../../../tools/policy.ts";
import { modelPricesDate } from "../../model-prices.ts";
import { chargedUsd, type DayRecord, dayEnd, lastDays, openUsd } from "./day-record.ts";
import type { Spend } from "./types.ts";

export const mostDays = 92;
/** More answers than anyone reads in one table. */
const mostRuns = 100;

/** The last `days` days, today among them. */
export async function costReport(options: {
  spend: Spend;
  policy(): Promise<{ policy: Policy }>;
  days: number;
}): Promise<CostReport> {
  const { spend } = options;
  await spend.load();
  const { ledger, breaker, fleet } = spend.state();
  const today = ledger.today();
  const days = lastDays(today.day, Math.min(Math.max(1, options.days), mostDays));
  // What this instance wrote of former days is read like the others'; of today its memory is newer.
  const [{ records, unreadable }] = await Promise.all([fleet.records(days), breaker.read().catch(() => {})]);
  const all = [...records.filter((one) => !(one.day === today.day && one.instance === today.instance)), today];
  const budgets = await options.policy().then(
    ({ policy }) => budgetsOf(policy),
    () => null,
  );
  const ofToday = all.filter(({ day }) => day === today.day);
  const lines = all.flatMap((record) => linesOf(record, today.day));
  const now = ledger.now();
  return {
    at: now,
    day: today.day,
    days,
    until: dayEnd(today.day),
    budgets,
    today: { usd: sum(ofToday.map(chargedUsd)), reservedUsd: sum(ofToday.map(openUsd)) },
    breaker: breaker.state().entries.filter(({ until }) => until > now),
    refusals: tally(ofToday),
    lines,
    runs: all
      .flatMap(runsOf)
      .sort((a, b) => b.usd - a.usd || b.lastAt - a.lastAt)
      .slice(0, mostRuns),
    pricesDate: modelPricesDate,
    warnings: warningsOf(lines, unreadable, ledger.isBroken()),
  };
}

function linesOf(record: DayRecord, today: string): CostLine[] {
  const { day, instance, name } = record;
  const lines: CostLine[] = record.lines.map((line) => ({ day, instance, name, ...line }));
  // Of a day that is over, what nobody ended is counted as it was estimated.
  if (day >= today) return lines;
  return [
    ...lines,
    ...record.open.map(({ provider, model, purpose, person, conversation, price, estimate, usd }) => ({
      ...{ day, instance, name, provider, model, purpose, person, conversation, price },
      ...{ requests: 1, estimatedRequests: 1, ...estimate, usd },
    })),
  ];
}

function runsOf({ day, instance, name, runs }: DayRecord): CostRun[] {
  return runs
    .filter(({ requests }) => requests > 0)
    .map(({ message, conversationId, person, startedAt, lastAt, requests, usd, outcome }) => ({
      ...{ day, instance, name, message, conversationId, person, startedAt, lastAt, requests, usd, outcome },
    }));
}

function tally(records: DayRecord[]): { [code: string]: number } {
  const counts: { [code: string]: number } = {};
  for (const { refused } of records) {
    for (const [code, count] of Object.entries(refused)) counts[code] = (counts[code] ?? 0) + count;
  }
  return counts;
}

function warningsOf(lines: CostLine[], unreadable: string[], isBroken: boolean): string[] {
  const named = (price: CostLine["price"]): string[] => [
    ...new Set(lines.filter((line) => line.price === price).map(modelKey)),
  ];
  const unknown = named("unknown");
  const assumed = named("assumed");
  return [
    ...(isBroken ? ["the ledger cannot be written now; see the gateway's log"] : []),
    ...(unknown.length > 0
      ? [
          `price unknown: ${unknown.join(", ")}; its tokens are counted and its money is not, so no limit stops it: set models.*.price in the configuration (0 where it is free)`,
        ]
      : []),
    ...(assumed.length > 0
      ? [
          `price assumed: ${assumed.join(", ")} ${assumed.length === 1 ? "is" : "are"} not in the table of ${modelPricesDate} and counted as the newest known of the family; models.*.price in the configuration sets it`,
        ]
      : []),
    ...(unreadable.length > 0 ? [`not counted, because they cannot be read: ${unreadable.join(", ")}`] : []),
  ];
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
