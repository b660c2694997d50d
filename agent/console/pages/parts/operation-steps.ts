/** An operation's steps as a vertical timeline, live while it runs. */
import { html, nothing, type TemplateResult } from "lit";
import type { OperationView, StepState, StepView } from "../../../protocol.ts";
import { serverNow, Ticker } from "../lib/clock.ts";
import { PageElement } from "../lib/element.ts";
import { clockTime, duration, wholeDuration, words } from "../lib/format.ts";
import { type IconName, icon } from "../lib/icons.ts";

const stepIcons: { [state in StepState]: IconName | null } = {
  pending: null,
  running: null,
  succeeded: "done",
  failed: "failed",
  compensating: "undone",
  compensated: "undone",
};

const stepWords: { [state in StepState]: string } = {
  pending: "waiting",
  running: "running",
  succeeded: "done",
  failed: "failed",
  compensating: "undoing",
  compensated: "undone",
};

export class OperationSteps extends PageElement {
  static override properties = { operation: { attribute: false }, detailed: { type: Boolean } };
  declare operation: OperationView;
  /** Also start times and, for long names, their whole text. */
  declare detailed: boolean;

  constructor() {
    super();
    this.detailed = false;
    new Ticker(this, () => isActive(this.operation));
  }

  protected override render(): TemplateResult {
    return html`<ol class="timeline">${this.operation.steps.map((step) => this.#step(step))}</ol>`;
  }

  #step(step: StepView): TemplateResult {
    const symbol = stepIcons[step.state];
    const isBusy = step.state === "running" || step.state === "compensating";
    return html`
      <li class="step step-${step.state}">
        <span class="step-mark">${symbol ? icon(symbol) : isBusy ? html`<i class="spinner"></i>` : nothing}</span>
        <div class="step-body">
          <p class="step-line">
            <span class="step-name">${words(step.name)}</span>
            <span class="step-time quiet">${this.#word(step)}${this.#time(step)}</span>
          </p>
          ${
            isBusy && this.operation.progress
              ? html`<p class="step-progress" role="status">${this.operation.progress}</p>`
              : nothing
          }
          ${step.error ? html`<p class="step-error">${step.error}</p>` : nothing}
        </div>
      </li>
    `;
  }

  #word(step: StepView): string {
    return step.state === "pending" && !isActive(this.operation) ? "not run" : stepWords[step.state];
  }

  #time(step: StepView): string {
    const parts = [];
    if (step.startedAt !== null) {
      if (step.endedAt !== null) parts.push(duration(step.endedAt - step.startedAt));
      else if (step.state !== "pending") parts.push(`since ${wholeDuration(serverNow() - step.startedAt)}`);
      if (this.detailed) parts.push(clockTime(step.startedAt));
    }
    if (step.attempts > 1) parts.push(`attempt ${step.attempts}`);
    return parts.map((part) => ` · ${part}`).join("");
  }
}

export function isActive(operation: OperationView): boolean {
  return operation.state === "running";
}

/** Why it failed, what to do, and the last log lines. */
export function operationError(operation: OperationView): TemplateResult | typeof nothing {
  const { error } = operation;
  if (!error) return nothing;
  return html`
    <div class="callout callout-bad">
      ${icon("alert")}
      <div>
        <p><strong>${error.message}</strong></p>
        ${error.hint ? html`<p>${error.hint}</p>` : nothing}
        ${
          error.log.length
            ? html`<p class="quiet">Last log lines</p>
                <pre class="code" tabindex="0" aria-label="Last log lines"><code>${error.log.join("\n")}</code></pre>`
            : nothing
        }
      </div>
    </div>
  `;
}
