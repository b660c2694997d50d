import { html, nothing, type TemplateResult } from "lit";
import type { AuditEntry } from "../../../protocol.ts";
import { StoreElement } from "../lib/element.ts";
import { clockTime } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { emptyState } from "../parts/empty-state.ts";
import { actorName, instanceName } from "../state/actors.ts";
import { auditEntriesKept, store } from "../state/store.ts";

/** Who did what, newest first. */
export class AuditView extends StoreElement {
  static override properties = { filter: { state: true } };
  declare filter: string;

  constructor() {
    super();
    this.filter = "";
  }

  protected override render(): TemplateResult {
    const terms = this.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const entries = store.audit.filter((entry) => terms.every((term) => haystack(entry).includes(term)));
    return html`
      <div class="page">
        <header class="page-head">
          <h1 tabindex="-1">Audit</h1>
          <label class="search">
            ${icon("search")}<span class="sr-only">Filter</span>
            <input type="search" placeholder="Filter: who, what, id" .value=${this.filter} @input=${this.#input} />
          </label>
          <p class="quiet num" role="status">${amount(entries.length, this.filter !== "")}</p>
        </header>
        ${entries.length ? table(entries) : this.#empty()}
      </div>
    `;
  }

  #empty(): TemplateResult {
    if (this.filter)
      return emptyState("search", "Nothing matches", "Every word must occur in an entry. Try fewer of them.");
    return emptyState(
      "audit",
      "No entries yet",
      "Approvals, operations and changes of names are written down here as they happen.",
    );
  }

  #input(event: Event): void {
    this.filter = (event.target as HTMLInputElement).value;
  }
}

function amount(entries: number, isFiltered: boolean): string {
  if (isFiltered) return `${entries} found`;
  return entries === auditEntriesKept ? `the newest ${entries}` : `${entries} in all`;
}

function haystack(entry: AuditEntry): string {
  return [entry.action, entry.actor, entry.surface, entry.subject, entry.detail].join(" ").toLowerCase();
}

function table(entries: AuditEntry[]): TemplateResult {
  return html`
    <table class="audit">
      <thead>
        <tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Who</th><th scope="col">About</th><th scope="col">Detail</th></tr>
      </thead>
      <tbody>
        ${entries.map(
          (entry) => html`
            <tr>
              <td class="num audit-time"><time datetime=${new Date(entry.at).toISOString()}>${clockTime(entry.at)}</time></td>
              <td><code>${entry.action}</code></td>
              <td class="audit-who"><span title=${entry.actor}>${actorName(entry.actor)}</span> ${surface(entry)}</td>
              <td class="mono audit-subject">${entry.subject}</td>
              <td class="audit-detail" title=${entry.detail}>${shortDigests(entry.detail)}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}

/** Where it was done; an instance's own doings happen in itself. */
function surface({ actor, surface }: AuditEntry): TemplateResult | typeof nothing {
  return actor.endsWith(surface) ? nothing : html`<span class="quiet">${instanceName(surface)}</span>`;
}

/** A digest or commit in a sentence is recognised by its beginning; the whole text is the cell's title. */
function shortDigests(text: string): string {
  return text.replace(/\b([0-9a-f]{12})[0-9a-f]{28,52}\b/g, "$1…");
}
