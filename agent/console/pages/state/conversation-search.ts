/** The search box above the conversations: asks while one types, and goes on page by page. */
import { ApiError, getJson } from "../lib/api.ts";
import { store } from "./store.ts";
import { toasts } from "./toasts.ts";

export interface FoundConversation {
  id: string;
  title: string;
  updatedAt: number;
  matches: { entry: string; at: number; by: string; snippet: string }[];
}

interface Page {
  conversations: FoundConversation[];
  next: string | null;
}

/** Long enough that a word is typed to its end, short enough that nobody waits for it. */
const typingMs = 200;

class ConversationSearch {
  /** As it stands in the box. */
  typed = "";
  found: FoundConversation[] = [];
  isSearching = false;
  next: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Rises with each search: an answer to an older one is dropped. */
  #number = 0;

  /** What is searched for; empty: nothing. */
  get text(): string {
    return this.typed.trim();
  }

  set(typed: string): void {
    this.typed = typed;
    clearTimeout(this.#timer);
    this.#number += 1;
    this.isSearching = this.text !== "";
    if (this.isSearching) this.#timer = setTimeout(() => void this.#read(null), typingMs);
    else Object.assign(this, { found: [], next: null });
    store.changed();
  }

  async more(): Promise<void> {
    if (this.next !== null && !this.isSearching) await this.#read(this.next);
  }

  async #read(after: string | null): Promise<void> {
    const number = this.#number;
    this.isSearching = true;
    store.changed();
    try {
      const query = new URLSearchParams({ q: this.text, limit: "20", ...(after === null ? {} : { after }) });
      const page = await getJson<Page>(`/api/conversations?${query}`);
      if (number !== this.#number) return;
      this.found = after === null ? page.conversations : [...this.found, ...page.conversations];
      this.next = page.next;
    } catch (error) {
      if (number === this.#number && error instanceof ApiError) toasts.showError(error);
    } finally {
      if (number === this.#number) this.isSearching = false;
      store.changed();
    }
  }
}

export const conversationSearch = new ConversationSearch();
