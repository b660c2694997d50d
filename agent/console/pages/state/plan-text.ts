/** The words about a plan that its card, the command line and the bot have in common. */
import type { Proposer } from "../../../../tools/tool.ts";
import type { ApprovalView } from "../../../protocol.ts";

/** Who or what shaped a proposal, as far as an approver should know it. */
export interface Influence {
  /** `public`: it had read public text; `other`: not a typed command; `none`: a person typed exactly this. */
  level: "public" | "other" | "none";
  text: string;
  /** Where that public text came from: names that strangers may have chosen, to be shown as plain text. */
  sources: string[];
  /** Sources that are not among those. */
  more: number;
}

/** More would push the changes, which are what counts, out of sight. */
const sourcesShown = 5;

export function influenceOf({ kind, influencedByPublicText, publicSources = [] }: Proposer): Influence {
  const sources = publicSources.slice(0, sourcesShown);
  const more = publicSources.length - sources.length;
  if (publicSources.length > 0) {
    const text =
      "The model that proposed it had read text from the public internet. Judge what changes, not the wording.";
    return { level: "public", text, sources, more };
  }
  if (!influencedByPublicText) return { level: "none", text: "", sources, more };
  const text =
    kind === "repository"
      ? "A commit proposed this that no approved operation made."
      : "A model proposed this, nobody typed it as a command. As far as it said, it had read no public text.";
  return { level: "other", text, sources, more };
}

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
    /^Influenced by public text, from `[^`]*`(?:, `[^`]*`)*(?: and [0-9]+ more)?\.$/.test(line) ||
    /^Nothing happens until \S+ maintainers? approves? this plan, /.test(line) ||
    (line.startsWith("Approve it on the console") && line.endsWith(`\`clawdinator approvals approve ${id}\``));
  return text
    .split("\n")
    .filter((line) => !isRepeated(line))
    .join("\n")
    .trim();
}
