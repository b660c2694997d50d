/** Asks before something is done, and keeps what was typed when it fails. */
import { html, nothing, type TemplateResult } from "lit";
import { ApiError } from "../lib/api.ts";
import { PageElement } from "../lib/element.ts";
import { icon } from "../lib/icons.ts";

export interface Question {
  title: string;
  body: TemplateResult | string;
  /** The word on the button that does it. */
  action: string;
  /** The word on the other button. */
  otherwise?: string;
  isDanger?: boolean;
  /** Something to be typed, with what stands there at first. */
  field?: { label: string; value: string };
  /** Does it; what it throws is shown in the dialog, which then stays open. */
  attempt: (typed: string) => Promise<void> | void;
}

export class ConfirmDialog extends PageElement {
  static override properties = { question: { state: true }, problem: { state: true }, isBusy: { state: true } };
  declare question: Question | null;
  declare problem: string;
  declare isBusy: boolean;

  constructor() {
    super();
    this.question = null;
    this.problem = "";
    this.isBusy = false;
  }

  async ask(question: Question): Promise<void> {
    this.question = question;
    this.problem = "";
    await this.updateComplete;
    const field = this.querySelector("input");
    if (field) field.value = question.field?.value ?? "";
    this.querySelector("dialog")?.showModal();
    if (field) field.select();
    else this.querySelector<HTMLElement>(".dialog-cancel")?.focus();
  }

  protected override render(): TemplateResult | typeof nothing {
    const { question } = this;
    if (!question) return nothing;
    return html`
      <dialog class="dialog" aria-labelledby="confirm-title" @click=${this.#clickOutside}>
        <form method="dialog" @submit=${this.#submit}>
          <h2 id="confirm-title">${question.title}</h2>
          <p>${question.body}</p>
          ${
            question.field
              ? html`<label class="field"><span>${question.field.label}</span>
                  <input name="typed" maxlength="200" spellcheck="false" autocomplete="off" required />
                </label>`
              : nothing
          }
          ${this.problem ? html`<div class="callout callout-bad" role="alert">${icon("alert")}<p>${this.problem}</p></div>` : nothing}
          <div class="dialog-actions">
            <button class="button dialog-cancel" type="button" @click=${this.#close}>${question.otherwise ?? "Cancel"}</button>
            <button class="button ${question.isDanger ? "button-danger" : "button-primary"}" type="submit" ?disabled=${this.isBusy}>
              ${question.action}
            </button>
          </div>
        </form>
      </dialog>
    `;
  }

  async #submit(event: Event): Promise<void> {
    event.preventDefault();
    this.isBusy = true;
    this.problem = "";
    try {
      await this.question?.attempt(this.querySelector("input")?.value.trim() ?? "");
      this.#close();
    } catch (error) {
      this.problem = error instanceof ApiError ? [error.message, error.hint].filter(Boolean).join(" ") : String(error);
    } finally {
      this.isBusy = false;
    }
  }

  #clickOutside(event: Event): void {
    if (event.target instanceof HTMLDialogElement) this.#close();
  }

  readonly #close = (): void => this.querySelector("dialog")?.close();
}
