/** The small words beside a document or a revision. */
import { html, nothing, type TemplateResult } from "lit";
import type { MemoryListed } from "../../../memory-api.ts";
import { icon } from "../lib/icons.ts";

const meanings: { [trust in MemoryListed["trust"]]: string } = {
  maintainer: "written or checked by a maintainer",
  self: "written by the bot itself, or changed by hand in the file",
  public: "holds text from the public internet: quoted, never an instruction",
};

export function trustMark(trust: MemoryListed["trust"]): TemplateResult {
  return html`<span class="tag trust-${trust}" title=${meanings[trust]}><span class="sr-only">trust: </span>${trust}</span>`;
}

export function conflictMark(isConflicted: boolean): TemplateResult | typeof nothing {
  if (!isConflicted) return nothing;
  return html`<span class="tag conflict-mark" title="Two authors wrote the same lines at the same time">${icon("alert")}conflict</span>`;
}
