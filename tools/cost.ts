/** What the models cost, told in a few lines. */
import { z } from "zod";
import {
  type CostGroup,
  type CostReport,
  type CostSum,
  costGroups,
  isoText,
  personKey,
  sumCost,
  tokensText,
  untilText,
  usdText,
} from "./cost-report.ts";
import type { Json } from "./json.ts";
import { table } from "./text-table.ts";
import { defineReadTool } from "./tool.ts";

/** Longer than this a table is no answer; the console and `--json` show all. */
const mostRows = 20;

export const cost = defineReadTool({
  name: "cost",
  description:
    "Tells what the models cost: today against the budget, what is left, whether the breaker is open, and sums over the " +
    "last days by model, person, answer (run), instance, day or purpose. In US dollars by list price; machines are not " +
    "in it.",
  input: z.strictObject({
    days: z.number().int().min(1).max(92).default(1).describe("days up to and with today, UTC"),
    by: z.enum(costGroups).default("model").describe("what is summed"),
  }),
  async run(context, { days, by }) {
    const report = await context.cost(days);
    return { text: costText(report, by), data: { ...report, sums: sumsOf(report, by) } as unknown as Json };
  },
});

function sumsOf(report: CostReport, by: CostGroup): CostSum[] | CostReport["runs"] {
  return by === "run" ? report.runs : sumCost(report, by);
}

/** The whole answer: the state of the budget, then a table. */
export function costText(report: CostReport, by: CostGroup): string {
  return [...stateLines(report), "", costTable(report, by), ...report.warnings.map((one) => `\n${one}`)].join("\n");
}

function stateLines(report: CostReport): string[] {
  const { budgets, today, until, at } = report;
  const spent = `Today (${report.day}, UTC) the models cost ${usdText(today.usd)}`;
  const reserved =
    today.reservedUsd > 0 ? `, and ${usdText(today.reservedUsd)} is reserved for requests under way` : "";
  const lines = [`${spent}${budgets ? ` of ${usdText(budgets.usdPerDay)}` : ""}${reserved}.`];
  if (budgets && budgets.usdPerDay > 0) {
    const left = Math.max(0, budgets.usdPerDay - today.usd - today.reservedUsd);
    const kept = Math.min(left, budgets.reserveUsd);
    lines.push(
      `${usdText(left)} is left until ${isoText(until)} (${untilText(until, at)}), ${usdText(kept)} of it for what maintainers ask themselves.`,
    );
  }
  if (budgets?.usdPerDay === 0) lines.push("The budget is 0 (`budgets.usdPerDay`): nothing may be spent.");
  if (report.days.length > 1) {
    const total = report.lines.reduce((sum, line) => sum + line.usd, 0);
    lines.push(`The last ${report.days.length} days together: ${usdText(total)}.`);
  }
  for (const entry of report.breaker) {
    lines.push(
      `The breaker is open for ${entry.label} until ${isoText(entry.until)}: ${entry.reason}. \`clawdinator cost reset\` closes it.`,
    );
  }
  const refused = Object.entries(report.refusals).map(([code, count]) => `${count} × ${code}`);
  if (refused.length > 0) lines.push(`Refused today: ${refused.join(", ")}.`);
  return lines;
}

/** The sums as a table, dearest first. */
function costTable(report: CostReport, by: CostGroup): string {
  if (report.lines.length === 0 && by !== "day") return "No model was asked in that time.";
  const rows = by === "run" ? runRows(report) : sumRows(report, by);
  const shown = rows.slice(0, by === "day" ? rows.length : mostRows);
  const more = rows.length > shown.length ? `\n… and ${rows.length - shown.length} more; --json has them all` : "";
  const head =
    by === "run"
      ? ["answer", "for", "day", "instance", "requests", "cost", "ended"]
      : [by, "requests", "input", "of it cached", "output", "cost"];
  return `${table([head, ...shown])}${more}`;
}

function sumRows(report: CostReport, by: Exclude<CostGroup, "run">): string[][] {
  return sumCost(report, by).map((sum) => [
    sum.key,
    String(sum.requests),
    tokensText(sum.inputTokens),
    tokensText(sum.cacheReadTokens),
    tokensText(sum.outputTokens),
    sum.isUnpriced ? (sum.usd === 0 ? "price unknown" : `${usdText(sum.usd)} + price unknown`) : usdText(sum.usd),
  ]);
}

function runRows(report: CostReport): string[][] {
  return report.runs.map((run) => [
    run.message,
    personKey(run.person),
    run.day,
    run.name,
    String(run.requests),
    usdText(run.usd),
    run.outcome ?? "runs",
  ]);
}
