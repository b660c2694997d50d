import { html, nothing, type TemplateResult } from "lit";
import { ApiError } from "../lib/api.ts";
import { PageElement } from "../lib/element.ts";
import { icon } from "../lib/icons.ts";
import { logIn } from "../state/session.ts";

/** Asks for a maintainer's token. */
export class LoginView extends PageElement {
  static override properties = { isBusy: { state: true }, problem: { state: true } };
  declare isBusy: boolean;
  declare problem: string;

  constructor() {
    super();
    this.isBusy = false;
    this.problem = "";
  }

  protected override render(): TemplateResult {
    return html`
      <main class="login">
        <form class="card login-card" @submit=${this.#submit}>
          <img src="/assets/console/logo.svg" alt="" width="72" height="72" />
          <h1>CLAWDINATOR</h1>
          <p class="quiet">Maintainers only. Log in with your own token.</p>
          <label class="field">
            <span>Token</span>
            <input name="token" type="password" autocomplete="current-password" spellcheck="false" required autofocus />
          </label>
          ${this.problem ? html`<div class="callout callout-bad" role="alert">${icon("alert")}<p>${this.problem}</p></div>` : nothing}
          <button class="button button-primary" type="submit" ?disabled=${this.isBusy}>${this.isBusy ? "Checking…" : "Log in"}</button>
          <p class="login-help quiet">No token at hand? On the machine where it runs, this prints a login link:</p>
          <claw-copy .value=${"clawdinator maintainers login"} label="command"></claw-copy>
        </form>
      </main>
    `;
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const field = this.querySelector("input");
    const token = field?.value.trim();
    if (!token) return;
    this.isBusy = true;
    this.problem = "";
    try {
      await logIn(token);
    } catch (error) {
      this.problem = error instanceof ApiError ? [error.message, error.hint].filter(Boolean).join(" ") : String(error);
      field?.select();
    } finally {
      this.isBusy = false;
    }
  }
}
