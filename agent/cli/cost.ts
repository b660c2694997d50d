import { costText } from "../../tools/cost.ts";
import { type CostBreaker, type CostGroup, type CostReport, costGroups, sumCost } from "../../tools/cost-report.ts";
import { connect } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { UsageError } from "./output.ts";

export async function cost(context: CommandContext, options: Record<string, unknown>): Promise<void> {
  const days = typeof options.days === "number" ? options.days : 1;
  const by = groupOf(options.by);
  if (days < 1 || days > 92) throw new UsageError(`--days ${days}: from 1 to 92`, "such as --days 7");
  const report = await (await connect(context)).get<CostReport>(`/api/cost?days=${days}`);
  const sums = by === "run" ? report.runs : sumCost(report, by);
  context.output.result({ ...report, by, sums }, () => costText(report, by));
}

function groupOf(given: unknown): CostGroup {
  const group = costGroups.find((one) => one === (given ?? "model"));
  if (group) return group;
  throw new UsageError(`--by ${String(given)}: there is no such sum`, `one of ${costGroups.join(", ")}`);
}

export async function reset(context: CommandContext): Promise<void> {
  const { closed } = await (await connect(context)).post<{ closed: CostBreaker[] }>("/api/cost/reset", {});
  context.output.result({ closed }, () =>
    closed.length === 0
      ? "nothing was open; what was counted toward the breaker is forgotten"
      : `closed:\n${closed.map(({ label, reason }) => `  ${label}: ${reason}`).join("\n")}`,
  );
}
