/** A plan laid out in full: nothing that the digest covers is left out. */
import { html, nothing, type TemplateResult } from "lit";
import type { Json } from "../../../../tools/json.ts";
import type { Plan, PlanChange, PlanTarget } from "../../../../tools/tool.ts";
import type { ApprovalView, Vote } from "../../../protocol.ts";
import { clockTime, cost, count } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { type Influence, influenceOf } from "../state/plan-text.ts";

export function planBody(approval: ApprovalView): TemplateResult {
  const { plan } = approval;
  return html`
    ${influence(influenceOf(plan.proposer))}
    ${plan.warnings.map((warning) => callout(warning))}
    ${plan.changes.length ? changesTable(plan.changes) : html`<p class="quiet">It changes nothing outside its own record.</p>`}
    <dl class="facts facts-plan">
      ${fact("Asked by", proposer(plan))}
      ${fact("Cost", html`${cost(plan.cost)} ${plan.cost.note ? html`<span class="quiet">· ${plan.cost.note}</span>` : nothing}`)}
      ${fact("Expires", html`<span class="num">${clockTime(approval.expiresAt)}</span>`)}
      ${fact("Policy", policy(approval))}
      ${wideFact("Targets", plan.targets.length ? plan.targets.map(target) : "none")}
      ${approval.votes.length ? wideFact("Votes", html`<ul class="plain-list">${approval.votes.map(vote)}</ul>`) : nothing}
      ${wideFact("Digest", html`<claw-copy .value=${approval.digest} label="digest"></claw-copy>`)}
    </dl>
    <details class="fold">
      <summary>Facts it relies on, and its input</summary>
      <p class="quiet">Derived again just before it runs. Any difference refuses it.</p>
      <pre class="code" tabindex="0" aria-label="Facts as JSON"><code>${pretty({ facts: plan.facts, input: plan.input })}</code></pre>
    </details>
  `;
}

function influence({ level, text, sources, more }: Influence): TemplateResult | typeof nothing {
  if (level === "none") return nothing;
  if (level === "other") return html`<p class="quiet">${text}</p>`;
  return html`
    <div class="callout callout-bad">
      ${icon("alert")}
      <div>
        <p><strong>Influenced by public text.</strong></p>
        <p>${text}</p>
        <ul class="plain-list" aria-label="Public text">
          ${sources.map((source) => html`<li><code class="source">${source}</code></li>`)}
          ${more > 0 ? html`<li>and ${more} more</li>` : nothing}
        </ul>
      </div>
    </div>
  `;
}

function callout(text: string): TemplateResult {
  return html`<div class="callout callout-warn">${icon("alert")}<p>${text}</p></div>`;
}

function changesTable(changes: PlanChange[]): TemplateResult {
  return html`
    <table class="changes">
      <caption class="sr-only">What changes</caption>
      <thead><tr><th scope="col">What changes</th><th scope="col">Before</th><th scope="col">After</th></tr></thead>
      <tbody>
        ${changes.map(
          (change) => html`
            <tr>
              <th scope="row">${change.what}</th>
              <td class="before" data-label="Before">${value(change.before)}</td>
              <td class="after" data-label="After">${value(change.after)}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}

function value(json: Json): TemplateResult {
  if (json === null) return html`<span class="quiet">nothing</span>`;
  if (typeof json === "object") return html`<pre class="value" tabindex="0">${pretty(json)}</pre>`;
  return html`<code class="value">${String(json)}</code>`;
}

function target({ name, instance, epoch }: PlanTarget): TemplateResult {
  const detail = [instance ?? "no instance yet", epoch === null ? "name never held" : `epoch ${epoch}`].join(" · ");
  return html`<div><strong>${name}</strong> <span class="quiet mono">${detail}</span></div>`;
}

function proposer({ proposer, createdAt }: Plan): TemplateResult {
  const kinds = {
    maintainer: "",
    repository: "a commit in the fleet repository by ",
    schedule: "the schedule ",
    instance: "the instance ",
  };
  return html`${kinds[proposer.kind]}<strong>${proposer.name}</strong> <span class="quiet num">at ${clockTime(createdAt)}</span>`;
}

function policy({ plan, quorum }: ApprovalView): TemplateResult {
  const { rule, commit } = plan.policy;
  const words = { auto: "runs without asking", approve: `needs ${count(quorum, "vote")}`, deny: "forbidden" }[
    rule.mode
  ];
  return html`${words} <span class="quiet">· policy <code title=${commit}>${commit.slice(0, 10)}</code></span>`;
}

function vote({ name, surface, decision, at, counts, note }: Vote): TemplateResult {
  return html`
    <li>
      <strong>${name}</strong> ${decision === "approve" ? "approved" : "rejected"}
      <span class="quiet num">on ${surface} at ${clockTime(at)}</span>
      ${counts ? nothing : html`<span class="quiet">· does not count${note ? `: ${note}` : ""}</span>`}
    </li>
  `;
}

function fact(name: string, content: unknown): TemplateResult {
  return html`<div><dt>${name}</dt><dd>${content}</dd></div>`;
}

function wideFact(name: string, content: unknown): TemplateResult {
  return html`<div class="fact-wide"><dt>${name}</dt><dd>${content}</dd></div>`;
}

function pretty(json: Json): string {
  return JSON.stringify(json, null, 2);
}
