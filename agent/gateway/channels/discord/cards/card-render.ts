/**
 * An approval as a Discord message: pure, so that the same approval always gives the same card. Everything that others
 * wrote goes through `plain` or `code`, so that it stays in its line and is neither link, mention nor heading; what does
 * not fit into Discord's 2,000 characters is behind the button Details.
 */
import type { APIMessageTopLevelComponent } from "discord.js";
import type { Json } from "../../../../../tools/json.ts";
import type { PlanChange, PlanTarget } from "../../../../../tools/tool.ts";
import { influenceOf } from "../../../../console/pages/state/plan-text.ts";
import type { ApprovalState, ApprovalView, Vote } from "../../../../protocol.ts";
import type { CardButtons } from "./card-records.ts";
import { code, fitting, moment, plain } from "./card-text.ts";

export interface CardBody {
  /** At most 2,000 characters. It names the approval, so that the card is found again in the channel's history. */
  content: string;
  components: APIMessageTopLevelComponent[];
}

export interface CardContext {
  buttons: CardButtons;
  /** Address of the card of the approval that took this one's place. */
  successor: string | null;
}

/** Discord's numbers for a row, a button and a button's looks. */
const actionRow = 1;
const button = 2;
const looks = { secondary: 2, success: 3, danger: 4 } as const;

const titles: Record<ApprovalState, string> = {
  pending: "🟠 Waits for approval",
  approved: "🟢 Approved",
  executed: "🟢 Approved",
  rejected: "🔴 Rejected",
  expired: "⚪ Expired",
  superseded: "⚪ Superseded",
};

/** Characters for each part, escapes included; what is left of Discord's 2,000 is for the changes, at least 300. */
const room = { card: 1_980, summary: 260, source: 50, warnings: 250, targets: 150, note: 90, votes: 260, reason: 350 };
const sourcesShown = 3;
/** More lines than these never fit. */
const mostChanges = 100;

export function renderCard(approval: ApprovalView, context: CardContext): CardBody {
  const { plan, state } = approval;
  const isPending = state === "pending";
  const before = [
    `### ${titles[state]}: ${plain(approval.operation, 60)}`,
    `**${plain(plan.summary, room.summary)}**`,
    ...(isPending ? [...influenceLines(approval), ...warningLines(plan.warnings)] : outcomeLines(approval, context)),
  ];
  const after = [
    `Targets: ${targetsText(plan.targets)}`,
    `Cost: ${costText(plan.cost)}`,
    votesText(approval),
    [
      ...(isPending ? [`Expires ${moment(approval.expiresAt)}`] : []),
      code(approval.id),
      `digest ${code(approval.digest.slice(0, 12))}`,
    ].join(" · "),
  ];
  const used = [...before, ...after].reduce((sum, line) => sum + line.length + 1, 0);
  return {
    content: [...before, changesText(plan.changes, { most: room.card - used, isPending }), ...after].join("\n"),
    components: isPending ? [buttonRow(context.buttons)] : [],
  };
}

function buttonRow({ approve, reject, details }: CardButtons): APIMessageTopLevelComponent {
  return {
    type: actionRow,
    components: [
      { type: button, style: looks.success, label: "Approve", custom_id: approve },
      { type: button, style: looks.danger, label: "Reject", custom_id: reject },
      { type: button, style: looks.secondary, label: "Details", custom_id: details },
    ],
  };
}

/** What became of it. */
function outcomeLines(approval: ApprovalView, { successor }: CardContext): string[] {
  const { state, reason, supersededBy, operationId, votes } = approval;
  const last = plain(votes.at(-1)?.name ?? "a maintainer", 80);
  const why = plain(reason ?? "", room.reason);
  if (state === "approved") return [`Approved by ${last}; it starts now.`];
  if (state === "executed") return [`Approved by ${last}; it runs as ${code(operationId ?? "an operation", 60)}.`];
  if (state === "rejected") return [`Rejected by ${last}: ${why}`];
  if (state === "expired") return [`Nobody completed it until ${moment(approval.expiresAt, "f")}. Ask for it again.`];
  const next = successor ?? (supersededBy === null ? null : code(supersededBy, 60));
  return [`Not done: ${why}`, ...(next === null ? [] : [`The new plan: ${next}`])];
}

function influenceLines({ plan }: ApprovalView): string[] {
  const { level, text, sources, more } = influenceOf(plan.proposer);
  const asked = `Asked by ${plain(plan.proposer.name, 80)}.`;
  if (level === "none") return [asked];
  if (level === "other") return [`${asked} ${text}`];
  const shown = sources.slice(0, sourcesShown).map((source) => code(source, room.source));
  const left = sources.length - shown.length + more;
  return [
    asked,
    `⚠️ **Influenced by public text**, from ${shown.join(", ")}${left > 0 ? ` and ${left} more` : ""}. ${text}`,
  ];
}

function warningLines(warnings: readonly string[]): string[] {
  if (warnings.length === 0) return [];
  const lines = warnings.map((warning) => `⚠️ ${plain(warning, room.warnings - 50)}`);
  return [fitting(lines, { most: room.warnings, rest: (left) => `⚠️ and ${left} more: press Details` }).text];
}

function changesText(changes: readonly PlanChange[], options: { most: number; isPending: boolean }): string {
  if (changes.length === 0) return "It changes nothing outside its own record.";
  const lines = changes
    .slice(0, mostChanges)
    .map(({ what, before, after }) => `- ${code(what, 120)}: ${code(short(before), 80)} → ${code(short(after), 80)}`);
  const hidden = changes.length - lines.length;
  const rest = (left: number): string => `- … and ${left + hidden} more${options.isPending ? ": press Details" : ""}`;
  return fitting(lines, { most: options.most, rest }).text;
}

function targetsText(targets: readonly PlanTarget[]): string {
  if (targets.length === 0) return "none";
  const parts = targets.map(({ name, epoch }) => `${code(name, 60)} (${epoch === null ? "new" : `epoch ${epoch}`})`);
  return fitting(parts, { most: room.targets, rest: (left) => `and ${left} more`, between: ", " }).text;
}

function costText({ onceUsd, monthlyUsd, note }: ApprovalView["plan"]["cost"]): string {
  const figures = `$${onceUsd} once, $${monthlyUsd} a month`;
  return note === "" ? figures : `${figures} (${plain(note, room.note)})`;
}

/** The quorum's progress, and who voted where. */
function votesText({ votes, quorum }: ApprovalView): string {
  const count = votes.filter((vote) => vote.decision === "approve" && vote.counts).length;
  const parts = votes.map(({ name, surface, decision, note }: Vote) => {
    const where = [plain(surface, 60), ...(note ? [plain(note, 80)] : [])].join("; ");
    return `${decision === "approve" ? "✅" : "❌"} ${plain(name, 60)} (${where})`;
  });
  const who = fitting(parts, { most: room.votes, rest: (left) => `and ${left} more`, between: ", " }).text;
  return `Approvals: ${count} of ${quorum}${who === "" ? "" : `: ${who}`}`;
}

/** A value in a line; full commit ids are as good at 12 digits there. */
function short(value: Json): string {
  if (value === null) return "–";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replace(/[0-9a-f]{40}/g, (commit) => commit.slice(0, 12));
}
