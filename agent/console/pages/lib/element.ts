import { LitElement } from "lit";
import { store } from "../state/store.ts";

/** An element in the page's own tree, so that one stylesheet, labels and links work across all of them. */
export class PageElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
}

/** Renders again whenever the console's state changes. */
export class StoreElement extends PageElement {
  #unsubscribe: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unsubscribe = store.subscribe(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    this.#unsubscribe?.();
    super.disconnectedCallback();
  }
}
