import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { PageElement } from "../lib/element.ts";
import { icon } from "../lib/icons.ts";
import { type Toast, toasts } from "../state/toasts.ts";

/** Errors and notes at the edge of the page, read out as they come. */
export class ToastList extends PageElement {
  override connectedCallback(): void {
    super.connectedCallback();
    toasts.onChange = () => this.requestUpdate();
  }

  protected override render(): TemplateResult {
    return html`<div class="toasts" aria-live="polite">${repeat(toasts.list, (toast) => toast.id, renderToast)}</div>`;
  }
}

function renderToast(toast: Toast): TemplateResult {
  return html`
    <div class="toast toast-${toast.kind}" role=${toast.kind === "error" ? "alert" : "status"}>
      ${icon(toast.kind === "error" ? "alert" : "done")}
      <div class="toast-text">
        <p>${toast.message}</p>
        ${toast.hint ? html`<p class="quiet">${toast.hint}</p>` : nothing}
      </div>
      <button class="button button-quiet button-icon" aria-label="Dismiss" @click=${() => toasts.dismiss(toast.id)}>${icon("failed")}</button>
    </div>
  `;
}
