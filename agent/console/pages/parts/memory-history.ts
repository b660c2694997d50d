/** Every revision of a document: who, when, how far to be trusted, what it changed; and the way back to any of them. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { MemoryDifference, MemoryHistory, MemoryRevisionView } from "../../../memory-api.ts";
import { ApiError } from "../lib/api.ts";
import { serverNow } from "../lib/clock.ts";
import { PageElement } from "../lib/element.ts";
import { bytesText, clockTime, count, timeAgo } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { Poll } from "../lib/poll.ts";
import { readDifference, readHistory, restoreDocument } from "../state/memory.ts";
import { documentHash } from "../state/memory-place.ts";
import { store } from "../state/store.ts";
import { toasts } from "../state/toasts.ts";
import type { ConfirmDialog } from "./confirm-dialog.ts";
import { shortRevisionName } from "./conflict-block.ts";
import { differenceView } from "./difference-view.ts";
import { documentHead } from "./document-head.ts";
import { emptyState } from "./empty-state.ts";
import { trustMark } from "./memory-marks.ts";
import { problemCallout } from "./problem-callout.ts";

const askEveryMs = 5_000;
const firstPage = 50;
/** The gateway gives no more than this at once. */
const mostRevisions = 500;

export class MemoryHistoryPage extends PageElement {
  static override properties = {
    document: { attribute: false },
    revision: { attribute: false },
    history: { state: true },
    problem: { state: true },
    difference: { state: true },
  };
  declare document: string;
  /** Whose changes are shown; null: the newest one's. */
  declare revision: string | null;
  declare history: MemoryHistory | null;
  declare problem: ApiError | null;
  declare difference: MemoryDifference | null;
  #limit = firstPage;
  readonly #poll = new Poll(this, askEveryMs, () => this.#ask());

  constructor() {
    super();
    this.document = "";
    this.revision = null;
    this.history = null;
    this.problem = null;
    this.difference = null;
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("document")) {
      this.history = null;
      this.problem = null;
      this.#limit = firstPage;
      if (changed.get("document") !== undefined) void this.#poll.now();
    }
    const open = this.#open;
    if (open && open !== this.difference?.to) void this.#askDifference(open);
  }

  get #open(): string | null {
    return this.revision ?? this.history?.revisions[0]?.revision ?? null;
  }

  protected override render(): TemplateResult {
    return html`
      ${documentHead(this.document, { under: "History" })}
      ${this.history ? this.#list(this.history) : this.#waiting()}
      <claw-confirm></claw-confirm>
    `;
  }

  #waiting(): TemplateResult {
    const { problem } = this;
    if (!problem) return html`<p class="quiet" role="status">Reading the history…</p>`;
    if (problem.status === 404) return emptyState("clock", "No history", "There never was a document of this name.");
    return problemCallout(problem, { after: "The page goes on asking." });
  }

  #list({ revisions, total, exists }: MemoryHistory): TemplateResult {
    const more = total - revisions.length;
    return html`
      ${
        exists
          ? nothing
          : html`<div class="callout callout-warn">${icon("alert")}<p><strong>This document is deleted.</strong> Open the revision that you want and restore it.</p></div>`
      }
      <p class="quiet num">${count(total, "revision")}, newest first. Each shows what it changed.</p>
      <ol class="plain-list revisions">
        ${repeat(
          revisions,
          ({ revision }) => revision,
          (one, index) => this.#entry(one, { isNewest: index === 0, canRestore: index > 0 || !exists }),
        )}
      </ol>
      ${
        more > 0 && revisions.length < mostRevisions
          ? html`<p><button class="button" @click=${this.#older}>Show older ones (${more})</button></p>`
          : nothing
      }
    `;
  }

  #entry(
    one: MemoryRevisionView,
    { isNewest, canRestore }: { isNewest: boolean; canRestore: boolean },
  ): TemplateResult {
    const isOpen = one.revision === this.#open;
    return html`
      <li class="revision ${isOpen ? "revision-open" : ""}">
        <a class="revision-head" href=${documentHash(this.document, "history", one.revision)} aria-current=${isOpen ? "true" : "false"}>
          <span class="revision-what"><strong>${kindText(one)}</strong> by ${one.author}</span>
          <span class="quiet num" title=${one.at ? clockTime(one.at) : ""}>${one.at ? timeAgo(one.at, serverNow()) : "by hand"}</span>
          ${trustMark(one.trust)}
          ${isNewest ? html`<span class="tag">newest</span>` : nothing}
        </a>
        ${isOpen ? this.#details(one, canRestore) : nothing}
      </li>
    `;
  }

  #details(one: MemoryRevisionView, canRestore: boolean): TemplateResult {
    const difference = this.difference?.to === one.revision ? this.difference : null;
    return html`
      <div class="revision-body">
        <p class="quiet num revision-facts">
          from ${one.source} · ${bytesText(one.bytes)} · revision
          <claw-copy .value=${one.revision} .shown=${shortRevisionName(one.revision)} label="revision"></claw-copy>
        </p>
        ${otherName(one)}
        ${difference ? differenceView(difference) : html`<p class="quiet" role="status">Comparing…</p>`}
        ${
          canRestore && one.kind !== "delete"
            ? html`<p><button class="button" @click=${() => this.#restore(one)}>${icon("undone")}Restore this text</button></p>`
            : nothing
        }
      </div>
    `;
  }

  async #ask(): Promise<void> {
    const { document } = this;
    try {
      const history = await readHistory(document, this.#limit);
      if (document !== this.document) return;
      this.history = history;
      this.problem = null;
    } catch (error) {
      if (!(error instanceof ApiError) || document !== this.document) return;
      if (error.status === 401) store.session = null;
      this.problem = error;
      store.changed();
    }
  }

  async #askDifference(revision: string): Promise<void> {
    const { document } = this;
    if (this.#asked === `${document} ${revision}`) return;
    this.#asked = `${document} ${revision}`;
    try {
      const difference = await readDifference(document, revision);
      if (document === this.document && revision === this.#open) this.difference = difference;
    } catch (error) {
      toasts.showError(error);
    } finally {
      this.#asked = "";
    }
  }
  #asked = "";

  readonly #older = (): void => {
    this.#limit = mostRevisions;
    void this.#poll.now();
  };

  #restore(one: MemoryRevisionView): void {
    void this.querySelector<ConfirmDialog>("claw-confirm")?.ask({
      title: "Restore this text?",
      body: `${this.document} gets the text that it had after ${one.author} changed it ${one.at ? `(${clockTime(one.at)})` : "by hand"}. What it has now stays in the history.`,
      action: "Restore",
      attempt: async () => {
        await restoreDocument(this.document, one.revision);
        toasts.showNote(`${this.document} is restored.`);
        this.dispatchEvent(new CustomEvent("changed", { bubbles: true }));
        location.hash = documentHash(this.document);
      },
    });
  }
}

/** A renamed document's history goes on, or began, under its other name. */
function otherName({ movedTo, movedFrom }: MemoryRevisionView): TemplateResult | typeof nothing {
  const name = movedTo ?? movedFrom;
  if (!name) return nothing;
  return html`<p>${movedTo ? "What came after is in" : "What came before is in"}
    <a href=${documentHash(name, "history")}>the history of ${name}</a>.</p>`;
}

function kindText({ kind, movedTo, movedFrom }: MemoryRevisionView): string {
  if (kind === "append") return "Lines added";
  if (kind === "delete") return movedTo ? `Renamed to ${movedTo}` : "Deleted";
  return movedFrom ? `Renamed from ${movedFrom}` : "Text written";
}
