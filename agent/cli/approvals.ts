import { influenceOf } from "../console/pages/state/plan-text.ts";
import type { ApprovalView } from "../protocol.ts";
import { connect } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { followApproval } from "./follow.ts";
import { table, timeOf } from "./output.ts";

export async function list(context: CommandContext, options: Record<string, unknown>): Promise<void> {
  const { approvals } = await (await connect(context)).get<{ approvals: ApprovalView[] }>("/api/approvals");
  const shown =
    options.all === true || context.output.json ? approvals : approvals.filter((one) => one.state === "pending");
  context.output.result({ approvals }, () =>
    shown.length === 0
      ? "nothing waits for approval (--all shows what was decided)"
      : table(
          ["ID", "STATE", "EXPIRES (UTC)", "VOTES", "WHAT"],
          shown.map((one) => [
            one.id,
            one.state,
            timeOf(one.expiresAt),
            `${countVotes(one)}/${one.quorum}`,
            influenceOf(one.plan.proposer).level === "public"
              ? `${one.summary} (influenced by public text)`
              : one.summary,
          ]),
        ),
  );
}

export async function show(context: CommandContext, id: string): Promise<void> {
  const approval = await (await connect(context)).get<ApprovalView>(`/api/approvals/${encodeURIComponent(id)}`);
  context.output.result(approval, () => renderPlan(approval));
}

export async function decide(
  context: CommandContext,
  id: string,
  decision: "approve" | "reject",
  options: Record<string, unknown>,
): Promise<void> {
  const client = await connect(context);
  const shown = await client.get<ApprovalView>(`/api/approvals/${encodeURIComponent(id)}`);
  if (decision === "approve") context.output.note(renderPlan(shown));
  const digest = typeof options.digest === "string" ? options.digest : shown.digest;
  const reason = typeof options.reason === "string" ? { reason: options.reason } : {};
  const { approval, message } = await client.post<{ approval: ApprovalView; message: string }>(
    `/api/approvals/${encodeURIComponent(id)}`,
    { decision, digest, ...reason },
  );
  if (options.wait !== true || approval.state === "rejected") {
    context.output.result(approval, () => `${approval.id}: ${message}`);
    return;
  }
  context.output.note(`${approval.id}: ${message}`);
  const operation = await followApproval(context, id, { asStream: false });
  if (context.output.json) context.output.result(operation, () => "");
}

/** Exactly what would change, for a terminal. */
function renderPlan(approval: ApprovalView): string {
  const { plan } = approval;
  const { level, text, sources, more } = influenceOf(plan.proposer);
  const influence = level === "public" ? `Influenced by public text. ${text}` : text;
  return [
    `${approval.id}  ${approval.state}`,
    plan.summary,
    "",
    table(
      ["CHANGES", "BEFORE", "AFTER"],
      plan.changes.map((change) => [change.what, short(change.before), short(change.after)]),
    ),
    "",
    ...(level === "public" ? [`! ${influence}`] : []),
    ...sources.map((source) => `    from ${source}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
    ...plan.warnings.map((warning) => `! ${warning}`),
    `cost      $${plan.cost.onceUsd} once, $${plan.cost.monthlyUsd} a month (${plan.cost.note})`,
    `proposed  by ${plan.proposer.name}`,
    ...(level === "other" ? [`          ${influence}`] : []),
    `needs     ${approval.quorum} approval(s); has ${countVotes(approval)}`,
    ...approval.votes.map(
      (vote) =>
        `          ${vote.decision} by ${vote.name} through ${vote.surface}${vote.note ? ` (${vote.note})` : ""}`,
    ),
    `expires   ${timeOf(approval.expiresAt)} UTC`,
    `digest    ${approval.digest}`,
    ...(approval.reason ? [`reason    ${approval.reason}`] : []),
    ...(approval.operationId ? [`operation ${approval.operationId}`] : []),
  ].join("\n");
}

function countVotes(approval: ApprovalView): number {
  return approval.votes.filter((vote) => vote.decision === "approve" && vote.counts).length;
}

function short(value: unknown): string {
  if (value === null) return "–";
  return (typeof value === "string" ? value : JSON.stringify(value)).replace(/[0-9a-f]{40}/g, (commit) =>
    commit.slice(0, 12),
  );
}
