/** The frame around every view: header, navigation, and the view that the address names. */
import { html, nothing, type TemplateResult } from "lit";
import { StoreElement } from "./lib/element.ts";
import { icon } from "./lib/icons.ts";
import { leaving } from "./lib/leaving.ts";
import { type Route, readRoute, routeHash, type ViewName, viewNames } from "./lib/router.ts";
import { wordmark } from "./parts/brand.ts";
import { topBar } from "./parts/top-bar.ts";
import { chats } from "./state/chats.ts";
import { setPaused, startSession } from "./state/session.ts";
import { store } from "./state/store.ts";
import { toasts } from "./state/toasts.ts";

const titles: { [view in ViewName]: string } = {
  chat: "Chat",
  approvals: "Approvals",
  fleet: "Fleet",
  operations: "Operations",
  memory: "Memory",
  schedule: "Schedule",
  cost: "Cost",
  audit: "Audit",
};

export class ConsoleShell extends StoreElement {
  #hash = location.hash;
  #route: Route = readRoute(this.#hash);

  override connectedCallback(): void {
    super.connectedCallback();
    this.#noteChat();
    window.addEventListener("hashchange", this.#onHash);
  }

  override disconnectedCallback(): void {
    window.removeEventListener("hashchange", this.#onHash);
    super.disconnectedCallback();
  }

  readonly #onHash = (): void => {
    if (location.hash.startsWith("#login=")) void startSession();
    if (leaving.holds(location.hash, this.#hash)) return;
    const before = this.#route;
    this.#hash = location.hash;
    this.#route = readRoute(this.#hash);
    this.#noteChat();
    this.requestUpdate();
    const moved = before.view !== this.#route.view || before.path.join("/") !== this.#route.path.join("/");
    // Behind the microtasks in which the elements within the new page appear.
    if (moved && this.#route.view !== "chat") void this.updateComplete.then(() => setTimeout(() => this.#toHeading()));
  };

  #noteChat(): void {
    const isChat = this.#route.view === "chat";
    chats.open = isChat ? this.#route.id : null;
    if (isChat) chats.last = this.#route.id;
  }

  /** A new page begins at its heading, for the eye, the keyboard and the screen reader. */
  #toHeading(): void {
    window.scrollTo(0, 0);
    this.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
  }

  protected override render(): TemplateResult {
    if (store.session === undefined) return html`<p class="starting" role="status">Starting the console…</p>`;
    if (store.session === null) return html`<claw-login></claw-login><claw-toasts></claw-toasts>`;
    const pending = store.pendingApprovals.length;
    const { view } = this.#route;
    document.title = `${pending ? `(${pending}) ` : ""}${titles[view]} · ${store.session.instance.name ?? "CLAWDINATOR"}`;
    return html`
      <a class="skip-link" href="#main" @click=${this.#skip}>Skip to content</a>
      <header class="topbar">${wordmark(routeHash("chat", chats.last))}${topBar(store.session)}</header>
      <nav class="nav" aria-label="Main">${viewNames.map((name) => this.#navLink(name, pending))}</nav>
      <main id="main" class="main" tabindex="-1">${store.session.paused ? pausedBanner() : nothing}${this.#view()}</main>
      <claw-toasts></claw-toasts>
    `;
  }

  #navLink(name: ViewName, pending: number): TemplateResult {
    const running = [...store.operations.values()].filter((one) => one.state === "running");
    const amount = name === "approvals" ? pending : name === "operations" ? running.length : 0;
    const meaning = name === "approvals" ? "waiting for a decision" : "running";
    return html`
      <a class="nav-link" href=${routeHash(name, name === "chat" ? chats.last : null)} aria-current=${this.#route.view === name ? "page" : "false"}>
        ${icon(name)}<span class="nav-label">${titles[name]}</span>
        ${
          amount
            ? html`<span class="badge ${name === "approvals" ? "badge-hot" : ""}">${amount}<span class="sr-only"> ${meaning}</span></span>`
            : nothing
        }
      </a>
    `;
  }

  #view(): TemplateResult {
    const { view, id, path } = this.#route;
    if (view === "approvals") return html`<claw-approvals .approvalId=${id}></claw-approvals>`;
    if (view === "fleet") return html`<claw-fleet></claw-fleet>`;
    if (view === "operations") return html`<claw-operations .operationId=${id}></claw-operations>`;
    if (view === "memory") return html`<claw-memory .path=${path}></claw-memory>`;
    if (view === "schedule") return html`<claw-schedule></claw-schedule>`;
    if (view === "cost") return html`<claw-cost></claw-cost>`;
    if (view === "audit") return html`<claw-audit></claw-audit>`;
    return html`<claw-chat .conversation=${id}></claw-chat>`;
  }

  #skip(event: Event): void {
    event.preventDefault();
    this.querySelector<HTMLElement>("main")?.focus();
  }
}

function pausedBanner(): TemplateResult {
  const pausedBy = store.session?.pausedBy;
  const by = pausedBy ? ` by ${pausedBy.name}` : "";
  const why = pausedBy?.reason ? html`“${pausedBy.reason}” ` : nothing;
  const resume = () => setPaused(false).catch((error) => toasts.showError(error));
  return html`
    <div class="banner" role="status">
      ${icon("pause")}
      <p><strong>Paused${by}.</strong> ${why}Nothing new is started until someone resumes.</p>
      <button class="button" @click=${resume}>Resume</button>
    </div>
  `;
}
