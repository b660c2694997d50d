/** A document's text, written by a person. Nothing typed here is lost: not to a refusal, a lost session or another writer. */
import { html, nothing, type TemplateResult } from "lit";
import type { MemoryDifference, MemoryDocumentView } from "../../../memory-api.ts";
import { ApiError } from "../lib/api.ts";
import { conflictsIn, solveConflict } from "../lib/conflicts.ts";
import { PageElement } from "../lib/element.ts";
import { leaving } from "../lib/leaving.ts";
import { Poll } from "../lib/poll.ts";
import { readDifference, readDocument, writeDocument } from "../state/memory.ts";
import { type Draft, draftOf, dropDraft, isUnsaved, keepDraft } from "../state/memory-drafts.ts";
import { documentHash } from "../state/memory-place.ts";
import { store } from "../state/store.ts";
import { toasts } from "../state/toasts.ts";
import type { ConfirmDialog } from "./confirm-dialog.ts";
import { documentBody, documentOptions } from "./document-body.ts";
import { documentHead } from "./document-head.ts";
import { conflictsToSolve, saveProblem, theirChange } from "./editor-notices.ts";
import { documentName } from "./memory-document.ts";
import { problemCallout } from "./problem-callout.ts";

/** How often it is looked whether somebody else changes the same document. */
const askEveryMs = 2_500;

/** What a save says to the page around it. */
export interface Saved {
  document: string;
  outcome: "merged" | "conflicted" | null;
}

export class MemoryEditor extends PageElement {
  static override properties = {
    document: { attribute: false },
    draft: { state: true },
    theirs: { state: true },
    difference: { state: true },
    problem: { state: true },
    isSaving: { state: true },
    isPreview: { state: true },
    trust: { state: true },
  };
  /** Null: a new one, which gets its name here. */
  declare document: string | null;
  declare draft: Draft | null;
  /** What is there now, when it is no longer what this draft began with. */
  declare theirs: MemoryDocumentView | "deleted" | null;
  declare difference: MemoryDifference | null;
  declare problem: ApiError | null;
  declare isSaving: boolean;
  declare isPreview: boolean;
  declare trust: MemoryDocumentView["trust"];
  #isKept = false;
  readonly #poll = new Poll(this, askEveryMs, () => this.#ask());

  constructor() {
    super();
    this.document = null;
    this.#begin();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("keydown", this.#keydown);
    window.addEventListener("beforeunload", this.#beforeUnload);
  }

  override disconnectedCallback(): void {
    window.removeEventListener("keydown", this.#keydown);
    window.removeEventListener("beforeunload", this.#beforeUnload);
    leaving.ask = null;
    if (this.draft && !isUnsaved(this.draft)) dropDraft(this.document);
    super.disconnectedCallback();
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("document")) {
      this.#begin();
      const kept = draftOf(this.document);
      this.#isKept = kept !== undefined;
      if (kept) this.draft = kept;
      else if (this.document === null) this.draft = keepDraft(null, emptyDraft(""));
      if (changed.get("document") !== undefined) void this.#poll.now();
    }
    leaving.ask = this.draft && isUnsaved(this.draft) ? this.#askToLeave : null;
  }

  protected override render(): TemplateResult {
    const { document, draft } = this;
    return html`
      ${
        document === null
          ? html`<p class="crumbs"><a href="#/memory">Memory</a></p>
              <header class="page-head document-head"><h1 tabindex="-1">New document</h1></header>`
          : documentHead(document, { under: "Edit" })
      }
      ${draft ? this.#form(draft) : this.#waiting()}
      <claw-confirm></claw-confirm>
    `;
  }

  #waiting(): TemplateResult {
    if (!this.problem) return html`<p class="quiet" role="status">Reading ${this.document}…</p>`;
    return problemCallout(this.problem, { after: "The page goes on asking." });
  }

  #form(draft: Draft): TemplateResult {
    const conflicts = draft.text.includes("<!-- conflict: ") ? conflictsIn(draft.text) : [];
    return html`
      <form class="editor" @submit=${this.#submit}>
        ${this.document === null ? this.#nameField(draft) : nothing}
        ${this.#isKept && isUnsaved(draft) && this.document !== null ? html`<p class="quiet" role="status">This text is not saved yet.</p>` : nothing}
        ${theirChange(this, (theirs) => this.#showTheirs(theirs))}
        ${this.problem ? saveProblem(this.problem, this.#toLine) : nothing}
        ${conflictsToSolve(conflicts, (conflict, choice) => this.#change({ text: solveConflict(draft.text, conflict, choice) }))}
        <div class="editor-bar">
          <div class="segments" role="group" aria-label="Show">
            <button type="button" class="segment" aria-pressed=${!this.isPreview} @click=${() => this.#show(false)}>Text</button>
            <button type="button" class="segment" aria-pressed=${this.isPreview} @click=${() => this.#show(true)}>Preview</button>
          </div>
          <span class="quiet">Markdown</span>
        </div>
        ${
          this.isPreview
            ? html`<div class="card preview">${documentBody({ text: draft.text, isPublic: this.trust === "public" && !draft.vouch, options: documentOptions(draft.document) })}</div>`
            : html`<textarea
                class="editor-text mono"
                aria-label="Text"
                spellcheck="true"
                .value=${draft.text}
                @input=${(event: Event) => this.#change({ text: (event.target as HTMLTextAreaElement).value })}
              ></textarea>`
        }
        ${this.trust === "maintainer" || draft.base.length === 0 ? nothing : this.#vouch(draft)}
        <div class="editor-actions">
          <button class="button button-primary" type="submit" ?disabled=${this.isSaving}>${this.isSaving ? "Saving…" : "Save"}</button>
          <a class="button" href=${this.document === null ? "#/memory" : documentHash(this.document)}>Cancel</a>
          <span class="quiet only-wide"><kbd>Ctrl</kbd> or <kbd>⌘</kbd>+<kbd>S</kbd> saves</span>
          <span class="quiet" role="status">${isUnsaved(draft) ? "not saved yet" : ""}</span>
        </div>
      </form>
    `;
  }

  #nameField({ document }: Draft): TemplateResult {
    return html`
      <label class="field">
        <span>Name <span class="quiet">such as ops.md, or with a folder: github/labels.md</span></span>
        <input
          name="document"
          maxlength="200"
          spellcheck="false"
          autocomplete="off"
          required
          .value=${document}
          @input=${(event: Event) => this.#change({ document: (event.target as HTMLInputElement).value })}
        />
      </label>
    `;
  }

  #vouch({ vouch }: Draft): TemplateResult {
    return html`
      <label class="vouch">
        <input type="checkbox" .checked=${vouch} @change=${(event: Event) => this.#change({ vouch: (event.target as HTMLInputElement).checked })} />
        <span>I have checked the whole text. <span class="quiet">Its trust becomes maintainer; otherwise it stays ${this.trust}.</span></span>
      </label>
    `;
  }

  #change(change: Partial<Draft>): void {
    if (!this.draft) return;
    this.draft = keepDraft(this.document, { ...this.draft, ...change });
  }

  #show(isPreview: boolean): void {
    this.isPreview = isPreview;
    if (!isPreview) void this.updateComplete.then(() => this.querySelector("textarea")?.focus());
  }

  async #showTheirs({ document, revision }: MemoryDocumentView): Promise<void> {
    try {
      this.difference = await readDifference(document, revision);
    } catch (error) {
      toasts.showError(error);
    }
  }

  #submit(event: Event): void {
    event.preventDefault();
    void this.#save();
  }

  async #save(): Promise<void> {
    const { draft } = this;
    if (!draft || this.isSaving) return;
    const name = this.querySelector<HTMLInputElement>("input[name=document]");
    if (name && !name.reportValidity()) return;
    const document = documentName(draft.document);
    this.isSaving = true;
    this.problem = null;
    try {
      const { text, base, vouch } = draft;
      const { document: now } = await writeDocument(document, { text, base, vouch });
      dropDraft(this.document);
      this.draft = null;
      leaving.ask = null;
      const outcome =
        now?.isConflicted && now.text !== text ? "conflicted" : now && now.text !== text ? "merged" : null;
      if (!outcome) toasts.showNote(`${document} is saved.`);
      this.dispatchEvent(new CustomEvent<Saved>("saved", { bubbles: true, detail: { document, outcome } }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error;
      await this.updateComplete;
      this.querySelector("[role=alert]")?.scrollIntoView({ block: "nearest" });
    } finally {
      this.isSaving = false;
    }
  }

  async #ask(): Promise<void> {
    const { document } = this;
    if (document === null || this.isSaving) return;
    try {
      const now = await readDocument(document);
      if (document !== this.document || this.isSaving) return;
      this.trust = now.trust;
      if (!this.draft) this.draft = keepDraft(document, draftFrom(now));
      else if (now.shown.join() === this.draft.base.join()) this.theirs = null;
      else if (isUnsaved(this.draft)) this.#noticeTheirs(now);
      else this.draft = keepDraft(document, draftFrom(now));
    } catch (error) {
      if (!(error instanceof ApiError) || document !== this.document) return;
      const isAbsent = error.status === 404 || error.status === 410;
      if (isAbsent && !this.draft) this.draft = keepDraft(document, emptyDraft(document));
      else if (isAbsent && this.draft?.base.length) this.theirs = "deleted";
      else if (!this.draft) this.problem = error;
      if (error.status === 401) store.session = null;
      store.changed();
    }
  }

  #noticeTheirs(now: MemoryDocumentView): void {
    if (this.theirs && this.theirs !== "deleted" && this.theirs.revision === now.revision) return;
    this.theirs = now;
    this.difference = null;
  }

  readonly #toLine = (line: number): void => {
    this.#show(false);
    void this.updateComplete.then(() => {
      const field = this.querySelector("textarea");
      const lines = field?.value.split("\n") ?? [];
      const from = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
      field?.focus();
      field?.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
    });
  };

  readonly #keydown = (event: KeyboardEvent): void => {
    if (event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    event.preventDefault();
    void this.#save();
  };

  readonly #beforeUnload = (event: BeforeUnloadEvent): void => {
    if (this.draft && isUnsaved(this.draft)) event.preventDefault();
  };

  readonly #askToLeave = (go: () => void): void => {
    void this.querySelector<ConfirmDialog>("claw-confirm")?.ask({
      title: "Leave without saving?",
      body: "What you changed here is not saved yet.",
      action: "Discard my changes",
      otherwise: "Go on writing",
      isDanger: true,
      attempt: () => {
        dropDraft(this.document);
        this.draft = null;
        go();
      },
    });
  };

  #begin(): void {
    this.draft = null;
    this.theirs = null;
    this.difference = null;
    this.problem = null;
    this.isSaving = false;
    this.isPreview = false;
    this.trust = "maintainer";
  }
}

function draftFrom({ document, text, shown }: MemoryDocumentView): Draft {
  return { document, text, from: text, base: shown, vouch: false };
}

function emptyDraft(document: string): Draft {
  return { document, text: "", from: "", base: [], vouch: false };
}
