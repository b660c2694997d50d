import { html, type TemplateResult } from "lit";
import { PageElement } from "../lib/element.ts";
import { icon } from "../lib/icons.ts";

const confirmationMs = 1500;

/** A digest or id in monospace, whole for the eye and the clipboard. `shown` may be a shorter form. */
export class CopyText extends PageElement {
  static override properties = { value: {}, shown: {}, label: {}, isCopied: { state: true } };
  declare value: string;
  declare shown: string | undefined;
  /** What it is, for the button's name: `digest`. */
  declare label: string;
  declare isCopied: boolean;

  constructor() {
    super();
    this.value = "";
    this.label = "text";
    this.isCopied = false;
  }

  protected override render(): TemplateResult {
    return html`<span class="copy"
      ><code title=${this.value}>${this.shown ?? this.value}</code
      ><button class="copy-button" type="button" title="Copy the ${this.label}" @click=${this.#copy}>
        ${icon(this.isCopied ? "done" : "copy")}<span class="sr-only">${this.isCopied ? "copied" : `copy the ${this.label}`}</span>
      </button></span
    >`;
  }

  /** The clipboard needs a secure context; elsewhere the text is selected, ready for Ctrl+C. */
  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.value);
      this.isCopied = true;
      setTimeout(() => {
        this.isCopied = false;
      }, confirmationMs);
    } catch {
      const code = this.querySelector("code");
      if (code) getSelection()?.selectAllChildren(code);
    }
  }
}
