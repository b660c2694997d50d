/** Conversations, one of them open. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { serverNow } from "../lib/clock.ts";
import { StoreElement } from "../lib/element.ts";
import { timeAgo } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { routeHash } from "../lib/router.ts";
import type { MessageComposer } from "../parts/message-composer.ts";
import { turnView } from "../parts/turn-view.ts";
import { type Chat, chats } from "../state/chats.ts";
import { conversationSearch, type FoundConversation } from "../state/conversation-search.ts";
import { store } from "../state/store.ts";

const suggestions = ["status", "spawn a sibling", "drift", "help"];

/** Closer to the end than this, the page follows new text. */
const followPixels = 120;

export class ChatView extends StoreElement {
  static override properties = { conversation: { attribute: false } };
  declare conversation: string | null;
  #draft = "";
  #isAtEnd = true;

  constructor() {
    super();
    this.conversation = null;
  }

  protected override firstUpdated(): void {
    // Not where it would raise a keyboard over half of the page.
    if (matchMedia("(hover: hover)").matches) this.querySelector<MessageComposer>("claw-composer")?.focus();
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("conversation")) return;
    this.#isAtEnd = true;
    chats.open = this.conversation;
  }

  protected override updated(): void {
    const list = this.querySelector(".messages");
    if (list && this.#isAtEnd) list.scrollTop = list.scrollHeight;
  }

  protected override render(): TemplateResult {
    const chat = chats.get(this.#id);
    const last = chat.turns.findLast((turn) => turn.text !== null && turn.author === store.session?.maintainer.name);
    return html`
      <div class="chat">
        <h1 class="sr-only" tabindex="-1">Chat</h1>
        <aside class="conversations only-wide" aria-label="Conversations">${this.#conversations()}</aside>
        <details class="conversation-picker only-narrow">
          <summary>Conversations</summary>
          ${this.#conversations()}
        </details>
        <section class="thread" aria-label="Conversation">
          <div class="messages" role="log" aria-relevant="additions" tabindex="0" @scroll=${this.#onScroll}>
            <div class="messages-inner">${this.#messages(chat)}</div>
          </div>
          <claw-composer .last=${last?.text ?? null} @send=${(event: CustomEvent<string>) => this.#send(event.detail)}></claw-composer>
        </section>
      </div>
    `;
  }

  /** The conversation of the address, or one that begins with the first message. */
  get #id(): string {
    if (this.conversation) return this.conversation;
    this.#draft ||= chats.create();
    return this.#draft;
  }

  #conversations(): TemplateResult {
    const { typed, text } = conversationSearch;
    return html`
      <button class="button new-conversation" @click=${this.#startNew}>${icon("plus")}New conversation</button>
      <label class="search conversation-search">
        ${icon("search")}<span class="sr-only">Search conversations</span>
        <input type="search" placeholder="Search" maxlength="200" .value=${typed} @input=${this.#search} />
      </label>
      ${text === "" ? this.#newest() : this.#found()}
    `;
  }

  #newest(): TemplateResult {
    return html`
      ${
        store.loaded.has("conversations") && store.conversations.length === 0
          ? html`<p class="quiet no-conversations">What you talk about is listed here.</p>`
          : nothing
      }
      <ul class="plain-list">
        ${store.conversations.map((one) => this.#listed(one))}
      </ul>
    `;
  }

  #found(): TemplateResult {
    const { found, isSearching, next } = conversationSearch;
    const none = isSearching ? "Searching…" : "No conversation holds that.";
    return html`
      <p class="quiet no-conversations" role="status">${found.length === 0 ? none : nothing}</p>
      <ul class="plain-list">
        ${found.map((one) => this.#listed(one, one.matches))}
      </ul>
      ${
        next === null
          ? nothing
          : html`<button class="button new-conversation" ?disabled=${isSearching} @click=${() => conversationSearch.more()}>
              Search on
            </button>`
      }
    `;
  }

  #listed(
    { id, title, updatedAt }: { id: string; title: string; updatedAt: number },
    matches: FoundConversation["matches"] = [],
  ): TemplateResult {
    return html`
      <li>
        <a
          class="conversation"
          href=${routeHash("chat", id)}
          aria-current=${id === this.conversation ? "true" : "false"}
          @click=${this.#closePicker}
          ><span class="conversation-title">${title || "Untitled"}</span>
          ${matches.map(({ by, snippet }) => html`<span class="conversation-match">${by}: ${snippet}</span>`)}
          <span class="quiet num">${timeAgo(updatedAt, serverNow())}</span></a
        >
      </li>
    `;
  }

  readonly #search = (event: Event): void => conversationSearch.set((event.target as HTMLInputElement).value);

  #messages(chat: Chat): TemplateResult {
    if (chat.state === "loading") return html`<p class="quiet" role="status">Reading the conversation…</p>`;
    if (chat.state === "failed") {
      return html`<div class="callout callout-bad">${icon("alert")}<p>This conversation could not be read. Reload the page to try again.</p></div>`;
    }
    if (chat.turns.length === 0) return this.#welcome();
    const instanceName = store.session?.instance.name ?? "CLAWDINATOR";
    return html`${repeat(
      chat.turns,
      (turn) => turn.message,
      (turn) => turnView(turn, { instanceName, followAgain: () => chats.followAgain(chat.id, turn) }),
    )}`;
  }

  #welcome(): TemplateResult {
    return html`
      <div class="welcome">
        <img src="/assets/console/logo.svg" alt="" width="88" height="88" />
        <p class="welcome-title">What shall I pinch?</p>
        <p class="quiet">Ask about the fleet, or ask for a change. I plan it, you approve the exact plan, then it runs.</p>
        <div class="suggestions">
          ${suggestions.map((text) => html`<button class="button" @click=${() => this.#send(text)}>${text}</button>`)}
        </div>
      </div>
    `;
  }

  #send(text: string): void {
    const id = this.#id;
    this.#isAtEnd = true;
    chats.send(id, text);
    if (!this.conversation) {
      this.#draft = "";
      location.hash = routeHash("chat", id);
    }
    this.querySelector<MessageComposer>("claw-composer")?.focus();
  }

  #startNew(): void {
    this.#draft = "";
    this.#closePicker();
    location.hash = routeHash("chat");
    this.requestUpdate();
    void this.updateComplete.then(() => this.querySelector<MessageComposer>("claw-composer")?.focus());
  }

  readonly #closePicker = (): void => this.querySelector("details.conversation-picker")?.removeAttribute("open");

  #onScroll(event: Event): void {
    const list = event.currentTarget as HTMLElement;
    this.#isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < followPixels;
  }
}
