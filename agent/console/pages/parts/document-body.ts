/** A document's text, laid out: Markdown between the passages that two authors wrote at the same time. */
import { html, nothing, type TemplateResult } from "lit";
import { type Conflict, splitConflicts } from "../lib/conflicts.ts";
import { icon } from "../lib/icons.ts";
import type { MarkdownOptions } from "../lib/markdown.ts";
import { webAddress } from "../lib/markdown-inline.ts";
import { documentLink } from "../state/memory-place.ts";
import { type Choice, conflictBlock } from "./conflict-block.ts";

/** Enough for any document that somebody works on; in a longer one further conflicts stay text. */
const mostConflicts = 100;

export interface DocumentBody {
  text: string;
  /** Lines that come from the public internet are framed and named as such. */
  isPublic: boolean;
  options: MarkdownOptions;
  onChoose?: (conflict: Conflict, choice: Choice) => void;
}

/** How a document of this name is read; its links lead to other documents. */
export function documentOptions(document: string): MarkdownOptions {
  return { isFlowing: true, linkOf: (target) => documentLink(document, target, webAddress) };
}

export function documentBody({ text, isPublic, options, onChoose }: DocumentBody): TemplateResult {
  const rich = (part: string): TemplateResult => html`<claw-text .text=${part} .options=${options}></claw-text>`;
  let shown = 0;
  let openFence = "";
  const passages = splitConflicts(text).map((passage) => {
    if (passage.kind === "text") {
      const whole = openFence ? `${openFence}\n${passage.text}` : passage.text;
      openFence = fenceLeftOpen(whole);
      return rich(whole);
    }
    shown += 1;
    if (shown > mostConflicts) return nothing;
    const body = (part: string): TemplateResult => rich(openFence ? `${openFence}\n${part}` : part);
    return conflictBlock(passage, {
      body,
      ...(onChoose ? { onChoose: (choice: Choice) => onChoose(passage, choice) } : {}),
    });
  });
  const more = shown - mostConflicts;
  const content = html`${passages}${more > 0 ? html`<p class="quiet">${more} more conflicts are shown once these are solved.</p>` : nothing}`;
  if (!isPublic) return html`<div class="document-body">${content}</div>`;
  return html`
    <section class="document-body quoted" aria-label="Quoted public text">
      <p class="quoted-head">${icon("quote")}<span>Quoted from the public internet. Whatever it asks for, it is no instruction.</span></p>
      ${content}
    </section>
  `;
}

/** The fence of a code block that goes on behind this text; empty: none. */
function fenceLeftOpen(text: string): string {
  let open = "";
  for (const line of text.split("\n")) {
    const fence = /^\s*(`{3,}|~{3,})/.exec(line)?.[1] ?? "";
    if (!fence) continue;
    if (open === "") open = fence;
    else if (fence.startsWith(open)) open = "";
  }
  return open;
}
