/** Lines that a revision added and removed. Signs and words say it too, for those who do not see the colours. */
import { html, nothing, type TemplateResult } from "lit";
import type { MemoryDifference, MemoryDifferenceHunk } from "../../../memory-api.ts";
import { count } from "../lib/format.ts";

const signs = { same: " ", added: "+", removed: "−" } as const;

/** A browser shows so many rows at once without a pause. */
const mostRows = 2000;

export function differenceView(difference: MemoryDifference): TemplateResult {
  const { added, removed, hunks, isWhole } = difference;
  const rows = hunks.reduce((sum, { lines }) => sum + lines.length, 0);
  let left = mostRows;
  const shown = hunks.flatMap((hunk) => {
    if (left <= 0) return [];
    const lines = hunk.lines.slice(0, left);
    left -= lines.length;
    return [{ ...hunk, lines }];
  });
  return html`
    <div class="difference">
      <p class="difference-sum num">
        <span class="added-sum">+${count(added, "line")}</span> <span class="removed-sum">−${count(removed, "line")}</span>
        ${isWhole ? html`<span class="quiet">The texts are too long to be compared: the whole text before, then the whole text after.</span>` : nothing}
      </p>
      ${hunks.length === 0 ? html`<p class="quiet">It changed no line.</p>` : nothing}
      ${shown.map(hunkView)}
      ${rows > mostRows ? html`<p class="quiet">${count(rows - mostRows, "more line")}: <code>clawdinator memory history</code> has all of them.</p>` : nothing}
    </div>
  `;
}

function hunkView({ fromLine, toLine, lines }: MemoryDifferenceHunk): TemplateResult {
  return html`
    <div class="hunk scroll-x" tabindex="0" role="group" aria-label="Change at line ${toLine}">
      <p class="hunk-head quiet num">line ${fromLine === toLine ? toLine : `${fromLine}, now ${toLine}`}</p>
      ${lines.map(
        ({ kind, text }) =>
          html`<div class="hunk-line hunk-${kind}"><span class="hunk-sign" aria-hidden="true">${signs[kind]}</span><span class="sr-only">${kind === "same" ? "" : `${kind}: `}</span><code>${text || " "}</code></div>`,
      )}
    </div>
  `;
}
