/** How a plan is approved, for answers that are read where no card with buttons stands beside them. */

export function howToApprove(approval: string): string {
  return `Approve it on the console's Approvals page, or with: \`clawdinator approvals approve ${approval}\``;
}

/** The text without those lines: what has a card is approved there. */
export function withoutHowToApprove(text: string, approvals: readonly string[]): string {
  const lines = new Set(approvals.map(howToApprove));
  if (lines.size === 0) return text;
  return text
    .split("\n")
    .filter((line) => !lines.has(line))
    .join("\n");
}
