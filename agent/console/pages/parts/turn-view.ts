/** One message and its answer. */
import { html, nothing, type TemplateResult } from "lit";
import type { ApprovalView } from "../../../protocol.ts";
import { clockTime, words } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { withoutPlanText } from "../state/plan-text.ts";
import { store } from "../state/store.ts";
import type { Turn, TurnPart } from "../state/turns.ts";
import { noticeLine } from "./notice-line.ts";
import { pictureView } from "./picture-view.ts";

const endings: { [reason: string]: string } = {
  interrupted: "Stopped by a newer message.",
  limit: "Stopped at a limit of this run.",
  parked: "Parked: it goes on when the instance is back.",
};

export function turnView(turn: Turn, options: { instanceName: string; followAgain: () => void }): TemplateResult {
  return html`
    <section class="turn ${turn.text === null ? "turn-notice" : ""}">
      ${turn.text === null ? nothing : question(turn)}
      <div class="answer" aria-busy=${turn.status === "running"}>
        ${turn.text === null ? nothing : html`<p class="speaker"><span>${options.instanceName}</span></p>`}
        ${turn.parts.map((part) => partView(part, turn))} ${status(turn, options.followAgain)}
      </div>
    </section>
  `;
}

function question(turn: Turn): TemplateResult {
  const place = turn.channel && turn.channel !== "console" ? `${turn.channel} · ` : "";
  return html`
    <div class="question">
      <p class="speaker">
        <span>${turn.author || "You"}</span>
        <time class="quiet num" datetime=${new Date(turn.at).toISOString()}>${place}${clockTime(turn.at)}</time>
      </p>
      <div class="bubble">${turn.text}</div>
    </div>
  `;
}

function partView(part: TurnPart, turn: Turn): TemplateResult | typeof nothing {
  if (part.kind === "text") return answerText(part.text, turn);
  if (part.kind === "notice") return noticeLine(turn.message, part.text);
  if (part.kind === "picture") return pictureView(part);
  if (part.kind === "proposal") return html`<claw-plan .approvalId=${part.approval} inline></claw-plan>`;
  if (part.kind === "error") {
    return html`
      <div class="callout callout-bad">
        ${icon("alert")}
        <div><p><strong>${part.message}</strong></p>${part.hint ? html`<p>${part.hint}</p>` : nothing}</div>
      </div>
    `;
  }
  const isPlanned = plansOf(turn).some(({ operation }) => operation === part.name);
  const state = { started: "running", succeeded: isPlanned ? "planned" : "done", failed: "failed" }[part.state];
  const line = html`
    ${part.state === "started" ? html`<i class="spinner"></i>` : icon(part.state === "failed" ? "failed" : "tool")}
    <code>${words(part.name)}</code><span class="quiet">${state}</span>
  `;
  if (!part.text) return html`<p class="tool tool-${part.state}">${line}</p>`;
  return html`
    <details class="tool tool-${part.state}">
      <summary>${line}</summary>
      <pre class="code" tabindex="0"><code>${part.text}</code></pre>
    </details>
  `;
}

function plansOf(turn: Turn): ApprovalView[] {
  return turn.parts.flatMap((part) => (part.kind === "proposal" ? (store.approvals.get(part.approval) ?? []) : []));
}

/** What the model said; of what its plan's card shows anyway, nothing. */
function answerText(text: string, turn: Turn): TemplateResult | typeof nothing {
  const plans = plansOf(turn);
  const left = plans.reduce(withoutPlanText, text);
  if (!left.trim()) return nothing;
  return html`<claw-text class=${plans.length ? "beside-plan" : ""} .text=${left}></claw-text>`;
}

function status(turn: Turn, followAgain: () => void): TemplateResult | typeof nothing {
  if (turn.status === "reconnecting") return html`<p class="quiet waiting"><i class="spinner"></i>reconnecting…</p>`;
  if (turn.status === "lost")
    return html`<button class="button" @click=${followAgain}>Follow the answer again</button>`;
  if (turn.status === "running" && turn.parts.at(-1)?.kind !== "text") {
    return html`<p class="quiet waiting"><span class="pulse" aria-hidden="true"><i></i><i></i><i></i></span>working…</p>`;
  }
  const ending = turn.reason ? endings[turn.reason] : undefined;
  return ending ? html`<p class="quiet ending">${ending}</p>` : nothing;
}
