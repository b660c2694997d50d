/** Every document in its folder, a filter over their names, and what a search finds in their texts. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { MemoryListed, MemoryMatchView } from "../../../memory-api.ts";
import { ApiError } from "../lib/api.ts";
import { serverNow } from "../lib/clock.ts";
import { PageElement } from "../lib/element.ts";
import { bytesText, timeAgo } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { readListing, searchMemory } from "../state/memory.ts";
import { documentHash } from "../state/memory-place.ts";
import { amountIn, type Folder, folderOf, matching, nameOf, treeOf } from "../state/memory-tree.ts";
import { conflictMark, trustMark } from "./memory-marks.ts";

/** Long enough that a word is typed to its end, short enough that nobody waits for it. */
const typingMs = 200;
/** More rows than this help nobody; the filter finds the others. */
const mostRows = 200;
/** With no more documents than this, every folder begins open. */
const openUpTo = 30;
const mostMatches = 30;

export class MemoryList extends PageElement {
  static override properties = {
    documents: { attribute: false },
    current: { attribute: false },
    typed: { state: true },
    found: { state: true },
    problem: { state: true },
    isSearching: { state: true },
    deleted: { state: true },
  };
  declare documents: MemoryListed[];
  /** The document that is shown beside the list. */
  declare current: string | null;
  declare typed: string;
  declare found: MemoryMatchView[];
  declare problem: string;
  declare isSearching: boolean;
  /** Null until somebody asks for them. */
  declare deleted: MemoryListed[] | null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #number = 0;

  constructor() {
    super();
    this.documents = [];
    this.current = null;
    this.typed = "";
    this.found = [];
    this.problem = "";
    this.isSearching = false;
    this.deleted = null;
  }

  protected override render(): TemplateResult {
    return html`
      <div class="memory-find">
        <label class="search">
          ${icon("search")}<span class="sr-only">Filter names and search texts</span>
          <input type="search" placeholder="Filter and search" maxlength="200" .value=${this.typed} @input=${this.#input} />
        </label>
        <a class="button button-icon" href="#/memory/new" title="New document" aria-label="New document">${icon("plus")}</a>
      </div>
      ${this.typed.trim() === "" ? this.#tree() : this.#results()}
    `;
  }

  #tree(): TemplateResult {
    return html`
      ${this.#folder(treeOf(this.documents))}
      <details class="fold memory-deleted" @toggle=${this.#askDeleted}>
        <summary>Deleted</summary>
        ${
          this.deleted?.length === 0
            ? html`<p class="quiet">Nothing was deleted. What is deleted can be restored from here.</p>`
            : this.#rows(this.deleted ?? [], (one) => documentHash(one.document, "history"), true)
        }
      </details>
    `;
  }

  #folder(folder: Folder): TemplateResult {
    const isOpen = this.documents.length <= openUpTo || `${this.current ?? ""}/`.startsWith(`${folder.path}/`);
    const content = html`
      ${this.#rows(folder.documents)}
      ${repeat(
        folder.folders,
        ({ path }) => path,
        (inner) => this.#folder(inner),
      )}
    `;
    if (folder.path === "") return content;
    return html`
      <details class="memory-folder" ?open=${isOpen}>
        <summary>${icon("folder")}<span>${folder.name}</span> <span class="quiet num">${amountIn(folder)}</span></summary>
        <div class="memory-inner">${content}</div>
      </details>
    `;
  }

  #results(): TemplateResult {
    const named = matching(this.documents, this.typed);
    const isFound = this.found.length > 0;
    return html`
      <h2 class="memory-heading">Names <span class="quiet num">${named.length}</span></h2>
      ${named.length ? this.#rows(named, undefined, true) : html`<p class="quiet memory-none">No name holds every word.</p>`}
      <h2 class="memory-heading">Texts ${isFound ? html`<span class="quiet num">${this.found.length}</span>` : nothing}</h2>
      <p class="quiet memory-none" role="status">${this.#status()}</p>
      <ul class="plain-list">${this.found.map((match) => this.#match(match))}</ul>
    `;
  }

  #status(): string {
    if (this.problem) return this.problem;
    if (this.found.length) return "";
    return this.isSearching ? "Searching…" : "No text speaks of that. Try other words.";
  }

  #rows(
    documents: MemoryListed[],
    hash: (one: MemoryListed) => string = ({ document }) => documentHash(document),
    isWhole = false,
  ): TemplateResult {
    const more = documents.length - mostRows;
    return html`
      <ul class="plain-list">
        ${repeat(
          documents.slice(0, mostRows),
          ({ document }) => document,
          (one) => this.#row(one, hash(one), isWhole),
        )}
      </ul>
      ${more > 0 ? html`<p class="quiet memory-none">${more} more: filter to find them.</p>` : nothing}
    `;
  }

  #row(one: MemoryListed, href: string, isWhole: boolean): TemplateResult {
    const { document, bytes, at, trust, isConflicted } = one;
    const folder = isWhole ? folderOf(document) : "";
    return html`
      <li>
        <a class="memory-row" href=${href} aria-current=${document === this.current ? "true" : "false"}>
          <span class="memory-name">${folder ? html`<span class="quiet">${folder}/</span>` : nothing}${nameOf(document)}</span>
          <span class="memory-about quiet num">
            ${bytesText(bytes)}${at > 0 ? ` · ${timeAgo(at, serverNow())}` : ""} ${trustMark(trust)} ${conflictMark(isConflicted)}
          </span>
        </a>
      </li>
    `;
  }

  #match({ document, snippet, line, trust, author, source }: MemoryMatchView): TemplateResult {
    return html`
      <li>
        <a class="memory-row" href=${documentHash(document)} aria-current=${document === this.current ? "true" : "false"}>
          <span class="memory-name">${document} <span class="quiet num">line ${line}</span></span>
          <span class="memory-snippet ${trust === "public" ? "snippet-public" : ""}">${marked(snippet, this.typed)}</span>
          <span class="memory-about quiet">by ${author}, from ${source} ${trustMark(trust)}</span>
        </a>
      </li>
    `;
  }

  #input(event: Event): void {
    this.typed = (event.target as HTMLInputElement).value;
    clearTimeout(this.#timer);
    this.#number += 1;
    this.isSearching = this.typed.trim() !== "";
    this.problem = "";
    if (this.isSearching) this.#timer = setTimeout(() => void this.#search(this.#number), typingMs);
    else this.found = [];
  }

  async #search(number: number): Promise<void> {
    try {
      const found = await searchMemory(this.typed.trim(), mostMatches);
      if (number === this.#number) this.found = found;
    } catch (error) {
      if (number !== this.#number || !(error instanceof ApiError)) return;
      this.found = [];
      this.problem = [error.message, error.hint].filter(Boolean).join(" ");
    } finally {
      if (number === this.#number) this.isSearching = false;
    }
  }

  async #askDeleted(event: Event): Promise<void> {
    if (!(event.target as HTMLDetailsElement).open) return;
    this.deleted = await readListing(true).catch(() => null);
  }
}

/** The words that were searched for, marked where they stand. */
function marked(text: string, typed: string): (TemplateResult | string)[] {
  const words = typed.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 1);
  if (words.length === 0) return [text];
  const pattern = new RegExp(`(${words.join("|")})`, "giu");
  return text.split(pattern).map((part, index) => (index % 2 ? html`<mark>${part}</mark>` : part));
}
