import { ApiError } from "../lib/api.ts";

export interface Toast {
  id: number;
  kind: "error" | "note";
  message: string;
  hint: string;
}

/** Notes leave by themselves; errors stay until they are dismissed. */
const noteMs = 4000;

class Toasts {
  list: Toast[] = [];
  onChange: () => void = () => undefined;
  #last = 0;

  showNote(message: string): void {
    const id = this.#add({ kind: "note", message, hint: "" });
    setTimeout(() => this.dismiss(id), noteMs);
  }

  showError(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const hint = error instanceof ApiError ? error.hint : "";
    if (this.list.some((toast) => toast.message === message && toast.hint === hint)) return;
    this.#add({ kind: "error", message, hint });
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
    this.onChange();
  }

  #add(toast: Omit<Toast, "id">): number {
    this.#last += 1;
    this.list = [...this.list.slice(-3), { id: this.#last, ...toast }];
    this.onChange();
    return this.#last;
  }
}

export const toasts = new Toasts();
