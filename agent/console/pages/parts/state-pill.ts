import { html, type TemplateResult } from "lit";
import { words } from "../lib/format.ts";

/** How each state is coloured; the word is always there too. */
const tones: { [state: string]: "good" | "bad" | "busy" | "hot" } = {
  ready: "good",
  succeeded: "good",
  executed: "good",
  approved: "good",
  done: "good",
  answered: "good",
  silent: "good",
  running: "busy",
  booting: "busy",
  candidate: "busy",
  draining: "busy",
  compensating: "busy",
  pending: "hot",
  failed: "bad",
  rejected: "bad",
  lost: "bad",
  refused: "bad",
  interrupted: "bad",
};

const labels: { [state: string]: string } = {
  silent: "all quiet",
  pending: "waiting for a decision",
  compensating: "undoing",
  compensated: "undone",
  superseded: "replaced by a new plan",
};

/** A state as a word in a coloured frame. */
export function statePill(state: string): TemplateResult {
  return html`<span class="pill pill-${tones[state] ?? "plain"}"><i class="dot"></i>${labels[state] ?? words(state)}</span>`;
}
