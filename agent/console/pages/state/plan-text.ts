/** The words around a plan that its card says better. */
import type { ApprovalView } from "../../../protocol.ts";

/** A model's answer without the lines that only repeat this plan; everything else stays word for word. */
export function withoutPlanText(
  text: string,
  { id, summary, plan }: Pick<ApprovalView, "id" | "summary" | "plan">,
): string {
  const repeated = new Set([
    `Proposed: ${summary}`,
    `Started: ${summary}`,
    ...plan.warnings.map((warning) => `Note: ${warning}`),
  ]);
  const isRepeated = (line: string): boolean =>
    repeated.has(line) ||
    /^Nothing happens until \S+ maintainers? approves? this plan, /.test(line) ||
    (line.startsWith("Approve it on the console") && line.endsWith(`\`clawdinator approvals approve ${id}\``));
  return text
    .split("\n")
    .filter((line) => !isRepeated(line))
    .join("\n")
    .trim();
}
