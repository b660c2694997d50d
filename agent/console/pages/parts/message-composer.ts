import { html, type TemplateResult } from "lit";
import { PageElement } from "../lib/element.ts";
import { icon } from "../lib/icons.ts";

/** The gateway refuses longer messages (`maxMessageCharacters` of the protocol). */
const maxCharacters = 32_000;

/** Where a message is typed. Sends it as an event `send` whose detail is the text. */
export class MessageComposer extends PageElement {
  static override properties = { last: { attribute: false }, text: { state: true } };
  /** The person's previous message, recalled with ArrowUp in an empty field. */
  declare last: string | null;
  declare text: string;

  constructor() {
    super();
    this.last = null;
    this.text = "";
  }

  override focus(): void {
    void this.updateComplete.then(() => this.querySelector("textarea")?.focus());
  }

  protected override render(): TemplateResult {
    return html`
      <form class="composer" @submit=${this.#submit}>
        <label class="sr-only" for="composer">Message</label>
        <textarea
          id="composer"
          rows="1"
          maxlength=${maxCharacters}
          placeholder="Message, or “help”"
          .value=${this.text}
          @input=${this.#input}
          @keydown=${this.#keydown}
        ></textarea>
        <button class="button button-primary button-icon" type="submit" aria-label="Send" ?disabled=${!this.text.trim()}>${icon("send")}</button>
      </form>
      <p class="composer-hint quiet only-wide"><kbd>Enter</kbd> sends, <kbd>Shift</kbd>+<kbd>Enter</kbd> starts a line, <kbd>↑</kbd> recalls</p>
    `;
  }

  protected override updated(): void {
    const field = this.querySelector("textarea");
    if (!field) return;
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  }

  #input(event: Event): void {
    this.text = (event.target as HTMLTextAreaElement).value;
  }

  #keydown(event: KeyboardEvent): void {
    if (event.key === "ArrowUp" && this.text === "" && this.last) {
      event.preventDefault();
      this.text = this.last;
    }
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#send();
  }

  #submit(event: Event): void {
    event.preventDefault();
    this.#send();
  }

  #send(): void {
    const text = this.text.trim();
    if (!text) return;
    this.text = "";
    this.dispatchEvent(new CustomEvent("send", { detail: text }));
  }
}
