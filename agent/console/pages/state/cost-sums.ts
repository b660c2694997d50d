/** Sums over a cost report, as the page shows them. */
import type { CostLine, CostPerson, CostReport } from "../../../../tools/cost-report.ts";

/** Beyond these the models of a chart are one. */
const mostSeries = 5;

export interface Series {
  /** What the legend calls it; `others` for all beyond the dearest. */
  label: string;
  /** One value for each day of the report. */
  usd: number[];
  totalUsd: number;
}

export interface SumRow {
  label: string;
  requests: number;
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  usd: number;
  /** `assumed` and `unknown` are worth a word. */
  prices: Set<CostLine["price"]>;
}

export type SumBy = "model" | "person" | "purpose" | "instance";

/** Days × models, the dearest first, with the same order on every day. */
export function seriesOf(report: CostReport): Series[] {
  const byModel = new Map<string, number[]>();
  for (const line of report.lines) {
    const index = report.days.indexOf(line.day);
    if (index < 0) continue;
    const usd = byModel.get(modelLabel(line)) ?? report.days.map(() => 0);
    byModel.set(modelLabel(line), usd);
    usd[index] = (usd[index] ?? 0) + line.usd;
  }
  const all = [...byModel].map(([label, usd]) => ({ label, usd, totalUsd: total(usd) }));
  const dear = all.filter(({ totalUsd }) => totalUsd > 0).sort((a, b) => b.totalUsd - a.totalUsd);
  const rest = dear.slice(mostSeries);
  if (rest.length === 0) return dear;
  const usd = report.days.map((_, index) => total(rest.map((one) => one.usd[index] ?? 0)));
  return [...dear.slice(0, mostSeries), { label: "others", usd, totalUsd: total(usd) }];
}

/** Dearest first. */
export function sumRows(lines: CostLine[], by: SumBy): SumRow[] {
  const rows = new Map<string, SumRow>();
  for (const line of lines) {
    const label = labelOf(line, by);
    const row = rows.get(label) ?? emptyRow(label);
    rows.set(label, row);
    row.requests += line.requests;
    row.inputTokens += line.inputTokens + line.cacheReadTokens + line.cacheWriteTokens;
    row.cachedTokens += line.cacheReadTokens;
    row.outputTokens += line.outputTokens;
    row.usd += line.usd;
    row.prices.add(line.price);
  }
  return [...rows.values()].sort((a, b) => b.usd - a.usd || b.inputTokens - a.inputTokens);
}

function emptyRow(label: string): SumRow {
  const counts = { requests: 0, inputTokens: 0, cachedTokens: 0, outputTokens: 0, usd: 0 };
  return { label, ...counts, prices: new Set() };
}

function labelOf(line: CostLine, by: SumBy): string {
  if (by === "model") return modelLabel(line);
  if (by === "person") return personLabel(line.person);
  return by === "purpose" ? line.purpose : line.name;
}

function modelLabel({ provider, model }: { provider: string; model: string }): string {
  return provider === "anthropic" || provider === "openai" || model === provider ? model : `${model} (${provider})`;
}

export function personLabel({ kind, name }: CostPerson): string {
  return kind === "schedule" ? `schedule: ${name}` : name;
}

export function total(values: number[]): number {
  return values.reduce((sum, one) => sum + one, 0);
}

/** `$6.42`, `$0.0031`, `$0`. */
export function money(usd: number): string {
  if (usd === 0) return "$0";
  if (usd >= 0.095) return `$${usd.toFixed(2)}`;
  return usd < 0.00005 ? "<$0.0001" : `$${usd.toFixed(4)}`;
}

/** `940`, `12k`, `3.4M`. */
export function tokens(amount: number): string {
  if (amount < 1_000) return String(amount);
  if (amount < 999_500) return `${(amount / 1_000).toFixed(amount < 9_950 ? 1 : 0)}k`;
  return `${(amount / 1_000_000).toFixed(1)}M`;
}

/** A round number at or above the largest value, such as 5 for 4.2, and its four equal steps. */
export function axisOf(largest: number): { top: number; steps: number[] } {
  const power = 10 ** Math.floor(Math.log10(Math.max(largest, 0.0001)));
  const top = ([1, 2, 4, 5, 8, 10].find((factor) => factor * power >= largest) ?? 10) * power;
  return { top, steps: [0.25, 0.5, 0.75, 1].map((share) => share * top) };
}
