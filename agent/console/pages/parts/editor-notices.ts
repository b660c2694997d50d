/** What the editor tells above the text: why it was not saved, what others changed, what is to be solved. */
import { html, nothing, type TemplateResult } from "lit";
import type { MemoryDifference, MemoryDocumentView } from "../../../memory-api.ts";
import type { ApiError } from "../lib/api.ts";
import type { Conflict } from "../lib/conflicts.ts";
import { count } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { type Choice, conflictBlock } from "./conflict-block.ts";
import { differenceView } from "./difference-view.ts";
import { problemCallout } from "./problem-callout.ts";

/** Why a text was not saved. Of a secret: the line and what it looks like, never the secret. */
export function saveProblem(problem: ApiError, toLine: (line: number) => void): TemplateResult {
  const { status, detail } = problem;
  const { line, kind } = detail;
  const isPlace = typeof line === "number" && typeof kind === "string";
  const isLater = status === 401 || status === 0;
  const place = isPlace
    ? html`<p><button class="button" type="button" @click=${() => toLine(line)}>Line ${line}: ${kind}</button></p>`
    : nothing;
  return problemCallout(problem, {
    lead: "Not saved: ",
    after: isLater ? "Your text stays here." : "",
    more: place,
  });
}

/** What somebody else saved while this text was written; null: nothing. */
export function theirChange(
  { theirs, difference }: { theirs: MemoryDocumentView | "deleted" | null; difference: MemoryDifference | null },
  onShow: (theirs: MemoryDocumentView) => void,
): TemplateResult | typeof nothing {
  if (!theirs) return nothing;
  if (theirs === "deleted") {
    return html`<div class="callout callout-warn" role="status">
        ${icon("alert")}<p><strong>Somebody deleted this document meanwhile.</strong> Your text is kept here; saving it makes the document anew.</p>
      </div>`;
  }
  return html`
      <div class="callout callout-warn" role="status">
        ${icon("alert")}
        <div>
          <p><strong>${theirs.author} changed this document meanwhile.</strong> Your text stays as you write it. Saving merges both;
            lines that both of you changed are kept in both versions, and marked.</p>
          ${
            difference
              ? differenceView(difference)
              : html`<p><button class="button" type="button" @click=${() => onShow(theirs)}>Show their change</button></p>`
          }
        </div>
      </div>
    `;
}

/** Each passage of the text that has two versions, with the ways out of it. */
export function conflictsToSolve(
  conflicts: Conflict[],
  onChoose: (conflict: Conflict, choice: Choice) => void,
): TemplateResult | typeof nothing {
  if (conflicts.length === 0) return nothing;
  const body = (text: string): TemplateResult => html`<pre class="code" tabindex="0"><code>${text}</code></pre>`;
  return html`
      <details class="editor-conflicts" open>
        <summary>${icon("alert")}<strong>${count(conflicts.length, "passage")} to solve</strong></summary>
        <p class="quiet">Choose here, or change the text below and remove the three marker lines.</p>
        ${conflicts.map((conflict) =>
          conflictBlock(conflict, {
            body,
            onChoose: (choice) => onChoose(conflict, choice),
          }),
        )}
      </details>
    `;
}
