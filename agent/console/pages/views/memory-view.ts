import { html, nothing, type TemplateResult } from "lit";
import type { MemoryListed } from "../../../memory-api.ts";
import { ApiError } from "../lib/api.ts";
import { serverNow } from "../lib/clock.ts";
import { StoreElement } from "../lib/element.ts";
import { timeAgo } from "../lib/format.ts";
import { Poll } from "../lib/poll.ts";
import { emptyState } from "../parts/empty-state.ts";
import type { Saved } from "../parts/memory-editor.ts";
import { conflictMark, trustMark } from "../parts/memory-marks.ts";
import { problemCallout } from "../parts/problem-callout.ts";
import { readListing } from "../state/memory.ts";
import { documentHash, type MemoryPlace, readPlace } from "../state/memory-place.ts";
import { store } from "../state/store.ts";

/** Nobody tells the page that a document came or went, so it asks this often while it is shown. */
const askEveryMs = 10_000;
const latelyShown = 8;

/** The hive mind: its documents, one of them open. */
export class MemoryView extends StoreElement {
  static override properties = {
    path: { attribute: false },
    documents: { state: true },
    problem: { state: true },
    saved: { state: true },
  };
  /** What the address names behind `#/memory`. */
  declare path: string[];
  declare documents: MemoryListed[] | null;
  declare problem: ApiError | null;
  /** The save that led to the page that is shown. */
  declare saved: Saved | null;
  readonly #poll = new Poll(this, askEveryMs, () => this.#ask());

  constructor() {
    super();
    this.path = [];
    this.documents = null;
    this.problem = null;
    this.saved = null;
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    const place = readPlace(this.path);
    const isShown = place.kind === "document" && place.mode === "read" && place.document === this.saved?.document;
    if (changed.has("path") && !isShown) this.saved = null;
  }

  protected override render(): TemplateResult {
    const place = readPlace(this.path);
    return html`
      <div class="memory ${place.kind === "start" ? "memory-start" : ""}" @saved=${this.#onSaved} @changed=${() => void this.#poll.now()}>
        <aside class="memory-side" aria-label="Documents">${this.#side(place)}</aside>
        <section class="page memory-main" aria-label="Document">${this.#main(place)}</section>
      </div>
    `;
  }

  #side(place: MemoryPlace): TemplateResult {
    const { documents, problem } = this;
    const current = place.kind === "document" ? place.document : null;
    const fault = problem
      ? problemCallout(problem, { lead: "The list could not be read: ", after: "The page goes on asking." })
      : nothing;
    if (!documents)
      return html`${fault}${problem ? nothing : html`<p class="quiet" role="status">Reading the memory…</p>`}`;
    return html`${fault}<claw-memory-list .documents=${documents} .current=${current}></claw-memory-list>`;
  }

  #main(place: MemoryPlace): TemplateResult {
    if (place.kind === "start") return this.#start();
    if (place.kind === "new") return html`<claw-memory-editor .document=${null}></claw-memory-editor>`;
    const { document, mode, revision } = place;
    if (mode === "edit") return html`<claw-memory-editor .document=${document}></claw-memory-editor>`;
    if (mode === "history") {
      return html`<claw-memory-history .document=${document} .revision=${revision}></claw-memory-history>`;
    }
    return html`<claw-memory-document .document=${document} .outcome=${this.saved?.outcome ?? null}></claw-memory-document>`;
  }

  #start(): TemplateResult {
    const { documents } = this;
    return html`
      <header class="page-head"><h1 tabindex="-1">Memory</h1></header>
      ${documents && documents.length === 0 ? nothingYet() : nothing}
      ${documents?.length ? overview(documents) : nothing}
    `;
  }

  readonly #onSaved = (event: CustomEvent<Saved>): void => {
    this.saved = event.detail;
    location.hash = documentHash(event.detail.document);
    void this.#poll.now();
  };

  async #ask(): Promise<void> {
    try {
      this.documents = await readListing();
      this.problem = null;
    } catch (error) {
      if (!(error instanceof ApiError)) return;
      if (error.status === 401) store.session = null;
      this.problem = error;
      store.changed();
    }
  }
}

function nothingYet(): TemplateResult {
  return emptyState(
    "memory",
    "Nothing is remembered yet",
    html`<a href="#/memory/new">Write the first document</a>, or say “remember that …” in the <a href="#/chat">chat</a>.`,
  );
}

function overview(documents: MemoryListed[]): TemplateResult {
  const conflicted = documents.filter(({ isConflicted }) => isConflicted);
  const lately = documents.toSorted((a, b) => b.at - a.at).slice(0, latelyShown);
  return html`
    <p class="quiet memory-wide">What every CLAWDINATOR of this fleet knows. People and bots write the same Markdown; nothing that was saved is ever lost.</p>
    ${
      conflicted.length
        ? html`<section class="card" aria-labelledby="conflicts-title">
            <h2 id="conflicts-title">Waiting for a person</h2>
            <p class="quiet">In these, two authors wrote the same lines at the same time. Both versions are kept until somebody chooses.</p>
            ${rows(conflicted)}
          </section>`
        : nothing
    }
    <section class="card memory-wide" aria-labelledby="lately-title">
      <h2 id="lately-title">Changed last</h2>
      ${rows(lately)}
    </section>
  `;
}

function rows(documents: MemoryListed[]): TemplateResult {
  return html`
    <ul class="plain-list lately">
      ${documents.map(
        ({ document, at, trust, isConflicted }) => html`
          <li>
            <a href=${documentHash(document)}>${document}</a>
            <span class="quiet num">${at > 0 ? timeAgo(at, serverNow()) : ""}</span> ${trustMark(trust)}${conflictMark(isConflicted)}
          </li>
        `,
      )}
    </ul>
  `;
}
