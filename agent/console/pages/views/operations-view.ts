import { html, nothing, type TemplateResult } from "lit";
import type { OperationView } from "../../../protocol.ts";
import { ApiError, postJson } from "../lib/api.ts";
import { serverNow, Ticker } from "../lib/clock.ts";
import { StoreElement } from "../lib/element.ts";
import { clockTime, duration, wholeDuration } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { routeHash } from "../lib/router.ts";
import { emptyState } from "../parts/empty-state.ts";
import { isActive, operationError } from "../parts/operation-steps.ts";
import { statePill } from "../parts/state-pill.ts";
import { instanceName } from "../state/actors.ts";
import { chats } from "../state/chats.ts";
import { store } from "../state/store.ts";
import { toasts } from "../state/toasts.ts";

/** What was approved and then done: a list, or one operation step by step. */
export class OperationsView extends StoreElement {
  static override properties = { operationId: { attribute: false }, problem: { state: true } };
  declare operationId: string | null;
  declare problem: string;

  constructor() {
    super();
    this.operationId = null;
    this.problem = "";
    new Ticker(this, () => [...store.operations.values()].some(isActive));
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("operationId") || !this.operationId) return;
    this.problem = "";
    store.fetchOperation(this.operationId).catch((error) => {
      this.problem = error instanceof ApiError ? error.message : String(error);
    });
  }

  protected override render(): TemplateResult {
    return html`<div class="page page-narrow">${this.operationId ? this.#detail(this.operationId) : this.#list()}</div>`;
  }

  #list(): TemplateResult {
    const all = [...store.operations.values()].toSorted((a, b) => b.startedAt - a.startedAt);
    return html`
      <h1 tabindex="-1">Operations</h1>
      ${
        store.loaded.has("operations") && all.length === 0
          ? emptyState(
              "operations",
              "Nothing has been done yet",
              html`Operations begin when a plan is approved. Try “spawn a sibling” in the <a href=${routeHash("chat", chats.last)}>chat</a>.`,
            )
          : html`<ul class="rows">${all.map(row)}</ul>`
      }
    `;
  }

  #detail(id: string): TemplateResult {
    const operation = store.operations.get(id);
    const crumbs = html`<p class="crumbs"><a href=${routeHash("operations")}>Operations</a></p>`;
    if (!operation) {
      return html`${crumbs}<h1 tabindex="-1">Operation</h1><p class="quiet" role="status">${this.problem || "Reading the operation…"}</p>`;
    }
    return html`
      ${crumbs}
      <h1 class="operation-title" tabindex="-1">${operation.summary}</h1>
      <p class="operation-head">
        ${statePill(operation.compensating ? "compensating" : operation.state)}<code class="tag">${operation.operation}</code><span class="quiet num">${span(operation)}</span>
        ${operation.state === "running" ? html`<button class="button" @click=${() => this.#cancel(operation)}>Cancel</button>` : nothing}
      </p>
      ${operationError(operation)}
      <section class="card"><claw-steps .operation=${operation} detailed></claw-steps></section>
      <dl class="facts">
        <div><dt>Asked by</dt><dd>${operation.proposedBy}</dd></div>
        ${
          operation.conversation
            ? html`<div><dt>Asked in</dt><dd><a href=${routeHash("chat", operation.conversation)}>this conversation</a></dd></div>`
            : nothing
        }
        <div><dt>Approved by</dt><dd>${operation.approvedBy.join(", ") || "–"}</dd></div>
        <div><dt>Approval</dt><dd><a href=${routeHash("approvals", operation.approval)}>${operation.approval}</a></dd></div>
        <div><dt>Run by</dt><dd>${operation.owner === null ? "nobody now" : instanceName(operation.owner)}</dd></div>
        <div><dt>Digest</dt><dd><claw-copy .value=${operation.digest} label="digest"></claw-copy></dd></div>
        <div><dt>Operation</dt><dd><claw-copy .value=${operation.id} label="operation id"></claw-copy></dd></div>
      </dl>
    `;
  }

  async #cancel(operation: OperationView): Promise<void> {
    try {
      await postJson(`/api/operations/${encodeURIComponent(operation.id)}`, { action: "cancel" });
      toasts.showNote("Cancelling: the running step ends, then what was done is undone.");
    } catch (error) {
      toasts.showError(error);
    }
  }
}

function row(operation: OperationView): TemplateResult {
  const done = operation.steps.filter((step) => step.state === "succeeded").length;
  return html`
    <li>
      <a class="row" href=${routeHash("operations", operation.id)}>
        <span class="row-title">${operation.summary}</span>
        <span class="row-meta">
          ${statePill(operation.compensating ? "compensating" : operation.state)}<code class="tag">${operation.operation}</code>
          <span class="quiet num">${done} of ${operation.steps.length} steps · ${span(operation)}</span>
        </span>
        ${isActive(operation) && operation.progress ? html`<span class="quiet">${operation.progress}</span>` : nothing}
      </a>
    </li>
  `;
}

function span(operation: OperationView): TemplateResult {
  const length =
    operation.endedAt === null
      ? `since ${wholeDuration(serverNow() - operation.startedAt)}`
      : duration(operation.endedAt - operation.startedAt);
  return html`${icon("clock")}${length} · ${clockTime(operation.startedAt)}`;
}
