/** Asks once more before a decision counts, repeating what it is about. */
import { html, nothing, type TemplateResult } from "lit";
import type { ApprovalView, Decision } from "../../../protocol.ts";
import { PageElement } from "../lib/element.ts";
import { cost } from "../lib/format.ts";
import { influenceOf } from "../state/plan-text.ts";

export class DecisionDialog extends PageElement {
  static override properties = { approval: { attribute: false }, decision: { state: true } };
  declare approval: ApprovalView;
  declare decision: Decision["decision"];

  constructor() {
    super();
    this.decision = "approve";
  }

  /** Opens it. The answer comes as an event `decide` whose detail is the Decision. */
  async ask(decision: Decision["decision"]): Promise<void> {
    this.decision = decision;
    await this.updateComplete;
    const dialog = this.querySelector("dialog");
    const reason = this.querySelector("textarea");
    if (reason) reason.value = "";
    dialog?.showModal();
    if (reason) reason.focus();
    else this.querySelector<HTMLElement>(".dialog-cancel")?.focus();
  }

  protected override render(): TemplateResult {
    const { summary, digest, plan, quorum } = this.approval;
    const isApproval = this.decision === "approve";
    return html`
      <dialog class="dialog" aria-labelledby="title-${digest}" @click=${this.#clickOutside}>
        <form method="dialog" @submit=${this.#submit}>
          <h2 id="title-${digest}">${isApproval ? "Approve this plan?" : "Reject this plan?"}</h2>
          <p class="dialog-summary">${summary}</p>
          <dl class="facts">
            <div><dt>Digest</dt><dd><code>${digest.slice(0, 12)}</code></dd></div>
            <div><dt>Cost</dt><dd>${cost(plan.cost)}</dd></div>
          </dl>
          ${
            isApproval
              ? html`<p class="quiet">
                  ${quorum > 1 ? `It runs once ${quorum} maintainers have approved.` : "It runs at once."} If anything it relies on
                  has changed by then, it is refused and you get the new plan.
                </p>`
              : html`<label class="field">
                  <span>Reason <span class="quiet">(optional, goes on record)</span></span>
                  <textarea name="reason" rows="3" maxlength="2000"></textarea>
                </label>`
          }
          ${influenceOf(plan.proposer).level === "public" && isApproval ? html`<p class="strong-bad">Influenced by public text.</p>` : nothing}
          <div class="dialog-actions">
            <button class="button dialog-cancel" type="button" @click=${this.#close}>Cancel</button>
            <button class="button ${isApproval ? "button-primary" : "button-danger"}" type="submit">
              ${isApproval ? "Approve" : "Reject"}
            </button>
          </div>
        </form>
      </dialog>
    `;
  }

  #submit(event: Event): void {
    event.preventDefault();
    const reason = this.querySelector("textarea")?.value.trim();
    const detail: Decision = { decision: this.decision, digest: this.approval.digest, ...(reason ? { reason } : {}) };
    this.#close();
    this.dispatchEvent(new CustomEvent("decide", { detail }));
  }

  #clickOutside(event: Event): void {
    if (event.target instanceof HTMLDialogElement) this.#close();
  }

  readonly #close = (): void => this.querySelector("dialog")?.close();
}
