import { html, type nothing, type TemplateResult } from "lit";
import type { ApiError } from "../lib/api.ts";
import { icon } from "../lib/icons.ts";

/** What failed and what to do, where it concerns the page: `lead` before it, `more` below. */
export function problemCallout(
  { message, hint }: ApiError,
  { lead = "", after = "", more }: { lead?: string; after?: string; more?: TemplateResult | typeof nothing } = {},
): TemplateResult {
  return html`
    <div class="callout callout-bad" role="alert">
      ${icon("alert")}
      <div>
        <p><strong>${lead}${message}</strong></p>
        <p>${hint} ${after}</p>
        ${more ?? ""}
      </div>
    </div>
  `;
}
