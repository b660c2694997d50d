import { html, type nothing, type TemplateResult } from "lit";
import { documentHash } from "../state/memory-place.ts";
import { folderOf, nameOf } from "../state/memory-tree.ts";

/** The top of every page about one document. `under`: what of it is shown; without it, the document itself. */
export function documentHead(
  document: string,
  parts: {
    under?: string;
    marks?: TemplateResult | typeof nothing;
    actions?: TemplateResult | typeof nothing;
  },
): TemplateResult {
  const folder = folderOf(document);
  return html`
    <p class="crumbs">
      <a href="#/memory">Memory</a>${folder ? html` / <span class="quiet">${folder}</span>` : ""}
      ${parts.under ? html` / <a href=${documentHash(document)}>${nameOf(document)}</a>` : ""}
    </p>
    <header class="page-head document-head">
      <h1 tabindex="-1">${parts.under ?? nameOf(document)}</h1>
      ${parts.marks ?? ""}
      <div class="document-actions">${parts.actions ?? ""}</div>
    </header>
  `;
}
