import { html, type TemplateResult } from "lit";
import { type IconName, icon } from "../lib/icons.ts";

/** Says that there is nothing, and what would change that. */
export function emptyState(symbol: IconName, title: string, advice: TemplateResult | string): TemplateResult {
  return html`<div class="empty">${icon(symbol)}<p class="empty-title">${title}</p><p class="quiet">${advice}</p></div>`;
}
