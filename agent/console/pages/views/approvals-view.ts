import { html, nothing, type TemplateResult } from "lit";
import type { ApprovalView } from "../../../protocol.ts";
import { serverNow, Ticker } from "../lib/clock.ts";
import { StoreElement } from "../lib/element.ts";
import { clockTime, wholeDuration } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { routeHash } from "../lib/router.ts";
import { emptyState } from "../parts/empty-state.ts";
import { statePill } from "../parts/state-pill.ts";
import { chats } from "../state/chats.ts";
import { influenceOf } from "../state/plan-text.ts";
import { store } from "../state/store.ts";

/** Plans: those that wait first, then those decided; or one of them in full. */
export class ApprovalsView extends StoreElement {
  static override properties = { approvalId: { attribute: false } };
  declare approvalId: string | null;

  constructor() {
    super();
    this.approvalId = null;
    new Ticker(this, () => store.pendingApprovals.length > 0);
  }

  protected override render(): TemplateResult {
    if (this.approvalId) {
      return html`
        <div class="page page-narrow">
          <p class="crumbs"><a href=${routeHash("approvals")}>Approvals</a></p>
          <h1 class="sr-only" tabindex="-1">Approval ${this.approvalId}</h1>
          <claw-plan .approvalId=${this.approvalId}></claw-plan>
          <p class="quiet page-foot">Approval <claw-copy .value=${this.approvalId} label="approval id"></claw-copy></p>
        </div>
      `;
    }
    const all = [...store.approvals.values()].toSorted((a, b) => b.createdAt - a.createdAt);
    const pending = all.filter((approval) => approval.state === "pending");
    const decided = all.filter((approval) => approval.state !== "pending");
    return html`
      <div class="page page-narrow">
        <h1 tabindex="-1">Approvals</h1>
        ${
          store.loaded.has("approvals") && pending.length === 0
            ? emptyState(
                "approvals",
                "Nothing waits for you",
                html`Ask for a change in the <a href=${routeHash("chat", chats.last)}>chat</a>; its plan appears here and there.`,
              )
            : nothing
        }
        ${pending.length ? html`<h2>Waiting for a decision</h2>${list(pending)}` : nothing}
        ${decided.length ? html`<h2>Decided</h2>${list(decided)}` : nothing}
      </div>
    `;
  }
}

function list(approvals: ApprovalView[]): TemplateResult {
  return html`<ul class="rows">${approvals.map(row)}</ul>`;
}

function row(approval: ApprovalView): TemplateResult {
  const time =
    approval.state === "pending"
      ? html`<span class="quiet num">${icon("clock")}${wholeDuration(Math.max(0, approval.expiresAt - serverNow()))} left</span>`
      : html`<span class="quiet num">${clockTime(approval.createdAt)}</span>`;
  return html`
    <li>
      <a class="row" href=${routeHash("approvals", approval.id)}>
        <span class="row-title">${approval.summary}</span>
        <span class="row-meta">
          ${statePill(approval.state)}<code class="tag">${approval.operation}</code>
          <span class="quiet">asked by ${approval.plan.proposer.name}</span>
          ${influenceOf(approval.plan.proposer).level === "public" ? html`<span class="strong-bad">influenced by public text</span>` : nothing} ${time}
        </span>
      </a>
    </li>
  `;
}
