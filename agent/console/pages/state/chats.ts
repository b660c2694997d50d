/** The open conversations: loaded once, then kept up by their streams and by live events. */
import type { ConversationEntry, LiveEvent } from "../../../protocol.ts";
import { ApiError, getJson } from "../lib/api.ts";
import { serverNow } from "../lib/clock.ts";
import { conversationSearch } from "./conversation-search.ts";
import { follow } from "./follow.ts";
import { store } from "./store.ts";
import { toasts } from "./toasts.ts";
import { applyEvent, newTurn, type Turn, turnsOf } from "./turns.ts";

export interface Chat {
  id: string;
  turns: Turn[];
  state: "loading" | "ready" | "failed";
}

interface History {
  conversation: string;
  entries: ConversationEntry[];
  running: string[];
}

/** Kept by the browser for this tab only. */
const lastKey = "clawdinator.conversation";

class Chats {
  readonly #chats = new Map<string, Chat>();
  /** Messages whose stream this page reads itself; live events of them are not applied again. */
  readonly #followed = new Map<string, AbortController>();
  /** Messages that this page has followed to their end: late live events of them say nothing new. */
  readonly #finished = new Set<string>();
  readonly #reloading = new Map<string, Promise<void>>();
  /** The conversation on the page; only this one is kept up to date. */
  open: string | null = null;

  /** Where the chat was left, to be found again after a look elsewhere or a reload; null for a new one. */
  get last(): string | null {
    return sessionStorage.getItem(lastKey);
  }

  set last(id: string | null) {
    if (id === null) sessionStorage.removeItem(lastKey);
    else sessionStorage.setItem(lastKey, id);
  }

  /** The conversation, which loads itself when it is first asked for. */
  get(id: string): Chat {
    const known = this.#chats.get(id);
    if (known) return known;
    const chat: Chat = { id, turns: [], state: "loading" };
    this.#chats.set(id, chat);
    void this.#reload(id);
    return chat;
  }

  /** A conversation that nobody has written in yet. */
  create(): string {
    const id = `console-${crypto.randomUUID().slice(0, 13)}`;
    this.#chats.set(id, { id, turns: [], state: "ready" });
    return id;
  }

  send(id: string, text: string): void {
    const chat = this.get(id);
    const turn = { ...newTurn(crypto.randomUUID(), text, serverNow()), author: store.session?.maintainer.name ?? "" };
    chat.turns.push(turn);
    void this.#follow(chat, turn);
  }

  /** Goes on with an answer whose connection was lost for too long. */
  followAgain(id: string, turn: Turn): void {
    void this.#follow(this.get(id), turn);
  }

  async reloadOpen(): Promise<void> {
    for (const chat of this.#chats.values()) {
      const isDraft = chat.state === "ready" && chat.turns.length === 0;
      if (chat.id !== this.open && !isDraft && !this.#isFollowed(chat.id)) this.#chats.delete(chat.id);
    }
    const shown = this.open ? this.#chats.get(this.open) : undefined;
    // One that is being read now was perhaps read before the last thing that nobody will tell again.
    if (shown && (shown.turns.length > 0 || shown.state !== "ready")) await this.#reload(shown.id);
  }

  /** Something happened to a message that another page or the command line sent. */
  applyLive(event: Extract<LiveEvent, { type: "conversation" }>): void {
    if (this.#followed.has(event.message) || this.#finished.has(event.message)) return;
    void store.refreshConversations();
    const chat = this.#chats.get(event.conversation);
    if (!chat) return;
    const turn = chat.turns.find((one) => one.message === event.message);
    if (!turn || event.event.type === "done") void this.#reload(chat.id);
    else if (turn.status === "running") applyEvent(turn, event.event);
    store.changed();
  }

  forgetAll(): void {
    for (const controller of this.#followed.values()) controller.abort();
    this.#chats.clear();
    this.last = null;
    conversationSearch.set("");
  }

  /** One reading at a time; whoever asks meanwhile gets one more after it, which surely holds what they heard of. */
  async #reload(id: string): Promise<void> {
    const before = this.#reloading.get(id) ?? Promise.resolve();
    const next = before.then(() => this.#load(id));
    this.#reloading.set(id, next);
    await next;
    if (this.#reloading.get(id) === next) this.#reloading.delete(id);
  }

  async #load(id: string): Promise<void> {
    const chat = this.#chats.get(id);
    if (!chat) return;
    try {
      const history = await getJson<History>(`/api/conversations/${encodeURIComponent(id)}`);
      const known = new Map(chat.turns.map((turn) => [turn.message, turn]));
      const stored = turnsOf(history.entries, history.running);
      const kept = stored.map((turn) => (this.#followed.has(turn.message) ? (known.get(turn.message) ?? turn) : turn));
      const unsaid = chat.turns.filter(
        (turn) => turn.status !== "ended" && !kept.some((one) => one.message === turn.message),
      );
      chat.turns = [...kept, ...unsaid];
      chat.state = "ready";
      for (const turn of chat.turns) {
        if (turn.status === "running" && turn.text !== null && !this.#followed.has(turn.message))
          void this.#follow(chat, turn);
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) chat.state = "ready";
      else if (chat.state === "loading") chat.state = "failed";
      if (chat.state === "failed") toasts.showError(error);
    }
    store.changed();
  }

  async #follow(chat: Chat, turn: Turn): Promise<void> {
    const controller = new AbortController();
    this.#followed.set(turn.message, controller);
    turn.status = "running";
    store.changed();
    const tell = (change: () => void) => {
      change();
      store.changed();
    };
    try {
      await follow({
        conversation: chat.id,
        text: turn.text ?? "",
        message: turn.message,
        signal: controller.signal,
        onBegin: () => tell(() => Object.assign(turn, { parts: [], status: "running" })),
        onEvent: (event) => tell(() => applyEvent(turn, event)),
        onReconnecting: () => tell(() => Object.assign(turn, { status: "reconnecting" })),
      });
      this.#finished.add(turn.message);
    } catch (error) {
      if (controller.signal.aborted) return;
      // Someone else's message cannot be followed, only watched: live events tell the rest.
      const isOthers = error instanceof ApiError && error.status === 403 && turn.channel !== "";
      turn.status = isOthers ? "running" : "lost";
      if (isOthers) return;
      const { message, hint } = error instanceof ApiError ? error : { message: String(error), hint: "" };
      turn.parts.push({ kind: "error", message, hint });
      if (error instanceof ApiError && error.status === 401) await store.refresh();
    } finally {
      this.#followed.delete(turn.message);
      store.changed();
    }
    await store.refreshConversations();
  }

  #isFollowed(id: string): boolean {
    return this.#chats.get(id)?.turns.some((turn) => this.#followed.has(turn.message)) ?? false;
  }
}

export const chats = new Chats();
