/** One document, read: its text, where it comes from, and what can be done with it. */
import { html, nothing, type TemplateResult } from "lit";
import type { MemoryDocumentView, MemoryRevisionView } from "../../../memory-api.ts";
import { ApiError } from "../lib/api.ts";
import { serverNow } from "../lib/clock.ts";
import { type Conflict, conflictsIn, solveConflict } from "../lib/conflicts.ts";
import { PageElement } from "../lib/element.ts";
import { clockTime, count, timeAgo } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import type { MarkdownOptions } from "../lib/markdown.ts";
import { webAddress } from "../lib/markdown-inline.ts";
import { Poll } from "../lib/poll.ts";
import { deleteDocument, readDocument, readHistory, renameDocument } from "../state/memory.ts";
import { keepDraft } from "../state/memory-drafts.ts";
import { documentHash } from "../state/memory-place.ts";
import { store } from "../state/store.ts";
import { toasts } from "../state/toasts.ts";
import type { ConfirmDialog } from "./confirm-dialog.ts";
import { type Choice, shortRevisionName } from "./conflict-block.ts";
import { documentBody, documentOptions } from "./document-body.ts";
import { documentHead } from "./document-head.ts";
import { emptyState } from "./empty-state.ts";
import { conflictMark, trustMark } from "./memory-marks.ts";
import { problemCallout } from "./problem-callout.ts";

/** Nobody tells the page that a document changed, so it asks this often while the document is shown. */
const askEveryMs = 2_500;
/** The newest change that the text shows is among the first of its history. */
const revisionsLooked = 20;

export class MemoryDocumentPage extends PageElement {
  static override properties = {
    document: { attribute: false },
    outcome: { attribute: false },
    shown: { state: true },
    origin: { state: true },
    problem: { state: true },
    news: { state: true },
  };
  declare document: string;
  /** What became of a save just before; null: nothing to say. */
  declare outcome: "merged" | "conflicted" | null;
  declare shown: MemoryDocumentView | null;
  declare origin: MemoryRevisionView | null;
  declare problem: ApiError | null;
  /** Said when the text changed under the reader's eyes. */
  declare news: string;
  /** What it is called now, where it was renamed. */
  #movedTo: string | null = null;
  #options: MarkdownOptions = {};
  readonly #poll = new Poll(this, askEveryMs, () => this.#ask());

  constructor() {
    super();
    this.document = "";
    this.outcome = null;
    this.#forget();
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("document")) return;
    this.#forget();
    this.#options = documentOptions(this.document);
    if (changed.get("document") !== undefined) void this.#poll.now();
  }

  protected override render(): TemplateResult {
    const { shown } = this;
    return html`
      ${documentHead(this.document, {
        marks: shown ? html`${trustMark(shown.trust)}${conflictMark(shown.isConflicted)}` : nothing,
        actions: shown ? this.#actions() : nothing,
      })}
      ${shown ? this.#whole(shown) : this.#absent()}
      <claw-confirm></claw-confirm>
    `;
  }

  #whole(shown: MemoryDocumentView): TemplateResult {
    const conflicts = shown.isConflicted ? conflictsIn(shown.text).length : 0;
    return html`
      ${this.#provenance(shown)}
      ${shown.notice ? html`<div class="callout callout-warn">${icon("alert")}<p>${shown.notice}</p></div>` : nothing}
      ${conflicts ? this.#conflicted(conflicts) : nothing}
      ${this.outcome === "merged" && !conflicts ? this.#merged() : nothing}
      ${
        shown.text.trim() === ""
          ? emptyState(
              "document",
              "This document is empty",
              html`<a href=${documentHash(this.document, "edit")}>Write its first lines.</a>`,
            )
          : documentBody({
              text: shown.text,
              isPublic: shown.trust === "public",
              options: this.#options,
              onChoose: (conflict, choice) => this.#solve(shown, conflict, choice),
            })
      }
    `;
  }

  #provenance({ author, revision, trust }: MemoryDocumentView): TemplateResult {
    const { origin } = this;
    const at = origin?.at
      ? html` · <span title=${clockTime(origin.at)}>${timeAgo(origin.at, serverNow())}</span>`
      : nothing;
    return html`
      <p class="provenance quiet num">
        Last changed by <strong>${author}</strong>${at}${origin ? html` · from ${sourceText(origin.source)}` : nothing} · trust ${trust} ·
        revision <claw-copy .value=${revision} .shown=${shortRevisionName(revision)} label="revision"></claw-copy>
        <span role="status" class="news">${this.news}</span>
      </p>
    `;
  }

  #conflicted(amount: number): TemplateResult {
    const saved = this.outcome === "conflicted" ? "Saved. Somebody else changed the same lines meanwhile. " : "";
    return html`
      <div class="callout callout-warn" role="alert">
        ${icon("alert")}
        <div>
          <p><strong>${saved}${count(amount, "passage")} ${amount === 1 ? "has" : "have"} two versions.</strong></p>
          <p>Nothing was lost. Choose a version below, or <a href=${documentHash(this.document, "edit")}>edit the text</a> and join them by hand.</p>
        </div>
      </div>
    `;
  }

  #merged(): TemplateResult {
    return html`
      <div class="callout callout-good" role="status">
        ${icon("done")}
        <p><strong>Saved and merged.</strong> Somebody else changed other lines meanwhile; the text below has both.
          <a href=${documentHash(this.document, "history")}>History shows who changed what.</a></p>
      </div>
    `;
  }

  #actions(): TemplateResult {
    return html`
      <a class="button button-primary" href=${documentHash(this.document, "edit")}>${icon("edit")}Edit</a>
      <a class="button" href=${documentHash(this.document, "history")}>${icon("clock")}History</a>
      <button class="button" @click=${this.#rename}>Rename</button>
      <button class="button" @click=${this.#delete}>Delete</button>
    `;
  }

  #absent(): TemplateResult {
    const { problem } = this;
    if (!problem) return html`<p class="quiet" role="status">Reading ${this.document}…</p>`;
    if (problem.status === 410) return this.#gone();
    if (problem.status === 404) {
      return emptyState(
        "document",
        "There is no document of this name",
        html`<a href=${documentHash(this.document, "edit")}>Write it</a>, or look for it in the list.`,
      );
    }
    return problemCallout(problem, { after: "The page goes on asking." });
  }

  #gone(): TemplateResult {
    const movedTo = this.#movedTo;
    if (movedTo) {
      return emptyState(
        "document",
        "This document has another name now",
        html`<a href=${documentHash(movedTo)}>${movedTo}</a>`,
      );
    }
    return emptyState(
      "document",
      "This document was deleted",
      html`<a href=${documentHash(this.document, "history")}>Its history</a> says by whom, and restores it.`,
    );
  }

  async #ask(): Promise<void> {
    const { document } = this;
    try {
      const next = await readDocument(document);
      if (document !== this.document) return;
      this.problem = null;
      if (this.shown?.shown.join() === next.shown.join() && this.shown.notice === next.notice) return;
      if (this.shown) this.news = `Changed just now by ${next.author}.`;
      this.shown = next;
      await this.#askOrigin(next);
    } catch (error) {
      if (!(error instanceof ApiError) || document !== this.document) return;
      if (error.status === 401) store.session = null;
      if (error.status === 404 || error.status === 410) this.shown = null;
      if (error.status === 410) this.#movedTo = await newNameOf(document);
      this.problem = error;
      store.changed();
    }
  }

  async #askOrigin({ document, revision }: MemoryDocumentView): Promise<void> {
    const { revisions } = await readHistory(document, revisionsLooked);
    if (document === this.document) this.origin = revisions.find((one) => one.revision === revision) ?? null;
  }

  #forget(): void {
    this.shown = null;
    this.origin = null;
    this.problem = null;
    this.news = "";
    this.#movedTo = null;
  }

  /** The choice is made in the editor, where it is seen before it counts. */
  #solve(shown: MemoryDocumentView, conflict: Conflict, choice: Choice): void {
    const text = solveConflict(shown.text, conflict, choice);
    keepDraft(this.document, { document: this.document, text, from: shown.text, base: shown.shown, vouch: false });
    location.hash = documentHash(this.document, "edit");
  }

  readonly #rename = (): void => {
    void this.querySelector<ConfirmDialog>("claw-confirm")?.ask({
      title: `Rename ${this.document}`,
      body: "Its history goes with it, and the old name leads to the new one. Links in other documents stay as they are.",
      action: "Rename",
      field: { label: "New name", value: this.document },
      attempt: async (typed) => {
        const to = documentName(typed);
        await renameDocument(this.document, to);
        toasts.showNote(`${this.document} is now ${to}.`);
        this.dispatchEvent(new CustomEvent("changed", { bubbles: true }));
        location.hash = documentHash(to);
      },
    });
  };

  readonly #delete = (): void => {
    void this.querySelector<ConfirmDialog>("claw-confirm")?.ask({
      title: `Delete ${this.document}?`,
      body: "Every instance stops seeing it. Its history stays, and restores it whenever you like.",
      action: "Delete",
      isDanger: true,
      attempt: async () => {
        await deleteDocument(this.document);
        toasts.showNote(`${this.document} is deleted. “Deleted” below the list restores it.`);
        this.dispatchEvent(new CustomEvent("changed", { bubbles: true }));
        location.hash = "#/memory";
      },
    });
  };
}

async function newNameOf(document: string): Promise<string | null> {
  const history = await readHistory(document, 1).catch(() => null);
  return history?.revisions[0]?.movedTo ?? null;
}

/** The ending is the same for all, so nobody needs to type it. */
export function documentName(typed: string): string {
  const name = typed.trim();
  return name.endsWith(".md") || name === "" ? name : `${name}.md`;
}

function sourceText(source: string): TemplateResult | string {
  const href = webAddress(source);
  return href ? html`<a href=${href} target="_blank" rel="noopener noreferrer">${source}</a>` : source;
}
