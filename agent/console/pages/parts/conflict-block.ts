import { html, nothing, type TemplateResult } from "lit";
import { authorsOf, type Conflict, type Side } from "../lib/conflicts.ts";
import { icon } from "../lib/icons.ts";

export type Choice = "left" | "right" | "both";

/**
 * What two authors wrote in the same place, side by side, with a button for each way out. `body` lays out a
 * side's text.
 */
export function conflictBlock(
  { left, right }: Conflict,
  { body, onChoose }: { body: (text: string) => unknown; onChoose?: (choice: Choice) => void },
): TemplateResult {
  const side = (one: Side, choice: Choice, letter: string): TemplateResult => html`
    <section class="conflict-side" aria-label="Version ${letter}, by ${authorsOf(one)}">
      <p class="conflict-author"><strong>${letter}</strong> ${authorsOf(one)} ${one.authors.map(({ revision }) => html`<code class="quiet" title=${revision}>${shortRevisionName(revision)}</code> `)}</p>
      ${one.text.trim() === "" ? html`<p class="quiet">These lines were removed.</p>` : body(one.text)}
      ${onChoose ? html`<button class="button" type="button" @click=${() => onChoose(choice)}>Keep ${letter}</button>` : nothing}
    </section>
  `;
  return html`
    <div class="conflict" role="group" aria-label="Conflict between ${authorsOf(left)} and ${authorsOf(right)}">
      <p class="conflict-head">${icon("alert")}<span>Two versions of the same lines. Nothing was lost: keep one, or both.</span></p>
      <div class="conflict-sides">${side(left, "left", "A")}${side(right, "right", "B")}</div>
      ${onChoose ? html`<p class="conflict-both"><button class="button" type="button" @click=${() => onChoose("both")}>Keep both, A above B</button></p>` : nothing}
    </div>
  `;
}

/** A revision's number and writer; its hash is for machines. */
export function shortRevisionName(revision: string): string {
  const [, lamport = "", writer = ""] = /^0*(\d+)-(.*)-[0-9a-f]+$/.exec(revision) ?? [];
  return lamport ? `${lamport} · ${writer}` : revision;
}
