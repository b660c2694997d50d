/** The exact thing that a maintainer decides about: what changes, on what, at what cost, asked by whom. */
import { html, nothing, type TemplateResult } from "lit";
import type { ApprovalView, Decision } from "../../../protocol.ts";
import { ApiError, postJson } from "../lib/api.ts";
import { serverNow, Ticker } from "../lib/clock.ts";
import { StoreElement } from "../lib/element.ts";
import { wholeDuration } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { routeHash } from "../lib/router.ts";
import { store } from "../state/store.ts";
import { toasts } from "../state/toasts.ts";
import type { DecisionDialog } from "./decision-dialog.ts";
import { operationError } from "./operation-steps.ts";
import { planBody } from "./plan-body.ts";
import { statePill } from "./state-pill.ts";

export class PlanCard extends StoreElement {
  static override properties = {
    approvalId: { attribute: false },
    inline: { type: Boolean },
    isBusy: { state: true },
    refusal: { state: true },
  };
  declare approvalId: string;
  /** In a conversation: once decided, the plan folds away and the operation's progress takes its place. */
  declare inline: boolean;
  declare isBusy: boolean;
  declare refusal: ApiError | null;

  constructor() {
    super();
    this.inline = false;
    this.isBusy = false;
    this.refusal = null;
    new Ticker(this, () => store.approvals.get(this.approvalId)?.state === "pending");
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("approvalId")) return;
    this.refusal = null;
    if (!store.approvals.has(this.approvalId)) this.#fetch().catch((error) => this.#refused(error));
  }

  protected override render(): TemplateResult {
    const approval = store.approvals.get(this.approvalId);
    if (!approval) {
      return html`<article class="card plan"><p class="quiet">${this.refusal ? this.refusal.message : "Reading the plan…"}</p></article>`;
    }
    const isPending = approval.state === "pending";
    return html`
      <article class="card plan plan-${approval.state}" aria-label="Plan: ${approval.summary}">
        <header class="plan-head">
          ${statePill(approval.state)}<code class="tag">${approval.operation}</code>
          ${isPending ? expiry(approval) : nothing}
        </header>
        ${
          this.inline
            ? html`<h3 class="plan-summary"><a href=${routeHash("approvals", approval.id)}>${approval.summary}</a></h3>`
            : html`<h2 class="plan-summary">${approval.summary}</h2>`
        }
        ${outcome(approval)}
        ${
          this.inline && !isPending
            ? html`<details class="fold"><summary>The plan</summary>${planBody(approval)}</details>`
            : planBody(approval)
        }
        ${this.refusal ? this.#refusalBox(this.refusal) : nothing}
        ${isPending ? this.#actions(approval) : nothing}
        <claw-decision .approval=${approval} @decide=${this.#decide}></claw-decision>
      </article>
    `;
  }

  #actions(approval: ApprovalView): TemplateResult {
    const own = approval.votes.find((vote) => vote.maintainer === store.session?.maintainer.id);
    if (own?.decision === "approve") {
      const missing =
        approval.quorum - approval.votes.filter((vote) => vote.counts && vote.decision === "approve").length;
      return html`<p class="plan-wait" role="status">You approved. ${missing > 0 ? `${missing} more needed.` : ""}</p>`;
    }
    return html`
      <div class="plan-actions">
        <button class="button button-primary" ?disabled=${this.isBusy} @click=${() => this.#dialog?.ask("approve")}>
          ${icon("done")}${this.isBusy ? "Sending…" : "Approve"}
        </button>
        <button class="button" ?disabled=${this.isBusy} @click=${() => this.#dialog?.ask("reject")}>${icon("failed")}Reject</button>
        ${this.inline ? html`<a class="plan-more" href=${routeHash("approvals", approval.id)}>Open on its own page</a>` : nothing}
      </div>
    `;
  }

  #refusalBox(refusal: ApiError): TemplateResult {
    return html`
      <div class="callout callout-bad" role="alert">
        ${icon("alert")}
        <div><p><strong>${refusal.message}</strong></p>${refusal.hint ? html`<p>${refusal.hint}</p>` : nothing}</div>
      </div>
    `;
  }

  get #dialog(): DecisionDialog | null {
    return this.querySelector<DecisionDialog>("claw-decision");
  }

  async #decide(event: CustomEvent<Decision>): Promise<void> {
    this.isBusy = true;
    this.refusal = null;
    try {
      const path = `/api/approvals/${encodeURIComponent(this.approvalId)}`;
      const answer = await postJson<{ approval: ApprovalView; message: string }>(path, event.detail);
      store.setApproval(answer.approval);
      toasts.showNote(answer.message);
    } catch (error) {
      this.#refused(error);
      await this.#fetch().catch(() => undefined);
    } finally {
      this.isBusy = false;
    }
  }

  async #fetch(): Promise<void> {
    await store.fetchApproval(this.approvalId);
    const successor = store.approvals.get(this.approvalId)?.supersededBy;
    if (successor && !store.approvals.has(successor)) await store.fetchApproval(successor);
  }

  #refused(error: unknown): void {
    if (error instanceof ApiError) this.refusal = error;
    else toasts.showError(error);
  }
}

function expiry(approval: ApprovalView): TemplateResult {
  const leftMs = approval.expiresAt - serverNow();
  const text = leftMs > 0 ? `expires in ${wholeDuration(leftMs)}` : "expired just now";
  return html`<time class="plan-expiry quiet" datetime=${new Date(approval.expiresAt).toISOString()}>${icon("clock")}${text}</time>`;
}

/** Whose words a rejection's reason is. */
function rejecter({ state, votes }: ApprovalView): TemplateResult | typeof nothing {
  const vote = state === "rejected" ? votes.findLast(({ decision }) => decision === "reject") : undefined;
  return vote ? html`<strong>${vote.name}:</strong> ` : nothing;
}

/** What became of it: why it ended, the plan that took its place, the operation that runs it. */
function outcome(approval: ApprovalView): TemplateResult {
  const operation = approval.operationId ? store.operations.get(approval.operationId) : undefined;
  return html`
    ${approval.reason ? html`<p class="plan-reason">${rejecter(approval)}${approval.reason}</p>` : nothing}
    ${
      approval.supersededBy
        ? html`<p><a class="forward" href=${routeHash("approvals", approval.supersededBy)}>Go to the new plan ${icon("arrow")}</a></p>`
        : nothing
    }
    ${
      operation
        ? html`
            <section class="plan-operation" aria-label="Operation">
              <p class="plan-operation-head">
                ${statePill(operation.compensating ? "compensating" : operation.state)}
                <a class="forward" href=${routeHash("operations", operation.id)}>Follow the operation ${icon("arrow")}</a>
              </p>
              <claw-steps .operation=${operation}></claw-steps>
              ${operationError(operation)}
            </section>
          `
        : nothing
    }
  `;
}
