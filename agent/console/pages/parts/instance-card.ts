/** One instance of the fleet: who it is, what it runs, how it boots and how it feels. */
import { html, nothing, type TemplateResult } from "lit";
import type { BootPhase, InstanceStatus } from "../../../../tools/fleet/model.ts";
import { serverNow, Ticker } from "../lib/clock.ts";
import { PageElement } from "../lib/element.ts";
import { duration, shortRevision, wholeDuration, words } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { store } from "../state/store.ts";
import { statePill } from "./state-pill.ts";

/** A heart that was not heard for this long is worth a colour: it beats every few seconds, or once a lease on AWS. */
const quietHeartMs = (one: InstanceStatus): number => (one.machine === null ? 15_000 : 20 * 60_000);

export class InstanceCard extends PageElement {
  static override properties = { instance: { attribute: false }, isSelf: { type: Boolean } };
  declare instance: InstanceStatus;
  declare isSelf: boolean;

  constructor() {
    super();
    this.isSelf = false;
    new Ticker(this, () => this.instance.state !== "retired");
  }

  protected override render(): TemplateResult {
    const one = this.instance;
    return html`
      <article class="card instance instance-${one.state}" aria-label=${one.name}>
        <header class="instance-head">
          <h2>${one.name}</h2>
          ${this.isSelf ? html`<span class="tag">this one</span>` : nothing} ${statePill(one.state)}
        </header>
        <dl class="facts facts-tight">
          <div><dt>Revision</dt><dd>${revision(one)}</dd></div>
          <div><dt>Image</dt><dd>${one.image === "checkout" ? html`<code>checkout</code>` : copyable(one.image, "image id", 16)}</dd></div>
          ${one.machine === null ? nothing : html`<div><dt>Machine</dt><dd>${copyable(one.machine, "machine id", 20)}</dd></div>`}
          <div><dt>Epoch</dt><dd class="num">${one.epoch ?? html`<span class="quiet">none, holds no name yet</span>`}</dd></div>
          <div><dt>Instance</dt><dd>${copyable(one.instance, "instance id", 20)}</dd></div>
          <div><dt>Console</dt><dd>${address(one)}</dd></div>
          <div><dt>Up</dt><dd class="num">${uptime(one)}</dd></div>
          <div><dt>Heartbeat</dt><dd class="num">${heartbeat(one)}</dd></div>
        </dl>
        ${one.phases.length && one.state !== "lost" ? phases(one.phases) : nothing} ${one.checks.length ? checks(one) : nothing}
      </article>
    `;
  }
}

function revision(one: InstanceStatus): TemplateResult {
  const mark =
    one.image === "checkout"
      ? html`<span class="tag">${one.dirty ? "checkout, uncommitted changes" : "checkout"}</span>`
      : nothing;
  return html`${copyable(one.revision, "revision", 10)} ${mark}`;
}

function copyable(text: string, label: string, characters: number): TemplateResult {
  const shown = /^[0-9a-f]{40}$/.test(text)
    ? shortRevision(text)
    : text.length > characters + 1
      ? `${text.slice(0, characters)}…`
      : text;
  return html`<claw-copy .value=${text} .shown=${shown} label=${label}></claw-copy>`;
}

/** Only a web address becomes a link; an instance says its own, so it is not trusted further than that. */
function address(one: InstanceStatus): TemplateResult {
  const text = one.port === null ? "no port yet" : `port ${one.port}`;
  const isWeb = one.url !== null && /^https?:\/\//.test(one.url);
  return isWeb
    ? html`<a href=${one.url} target="_blank" rel="noopener noreferrer">${text}</a>`
    : html`<span class="quiet">${text}</span>`;
}

function uptime(one: InstanceStatus): string {
  if (one.startedAt === null || one.state === "retired" || one.state === "lost") return "–";
  return wholeDuration(serverNow() - one.startedAt);
}

function heartbeat(one: InstanceStatus): TemplateResult {
  if (one.heartbeatAgeMs === null) return html`<span class="quiet">not heard yet</span>`;
  const ageMs = one.heartbeatAgeMs + (serverNow() - store.fleetReceivedAt);
  const text = ageMs < 2000 ? "just now" : `${wholeDuration(ageMs)} ago`;
  return ageMs > quietHeartMs(one) || one.state === "lost"
    ? html`<span class="strong-bad">${text}</span>`
    : html`${text}`;
}

function phases(list: BootPhase[]): TemplateResult {
  return html`
    <h3>Boot</h3>
    <ol class="stepper" aria-label="Boot phases">
      ${list.map((phase) => {
        const time =
          phase.endedAt === null
            ? `since ${wholeDuration(serverNow() - phase.startedAt)}`
            : duration(phase.endedAt - phase.startedAt);
        const symbol =
          phase.state === "done"
            ? icon("done")
            : phase.state === "failed"
              ? icon("failed")
              : html`<i class="spinner"></i>`;
        return html`
          <li class="phase phase-${phase.state}">
            <span class="phase-mark">${symbol}</span>
            <span class="phase-name">${words(phase.name)}<span class="sr-only">, ${phase.state},</span></span>
            <span class="phase-time quiet num">${time}</span>
          </li>
        `;
      })}
    </ol>
  `;
}

function checks(one: InstanceStatus): TemplateResult {
  const bad = one.checks.filter((check) => !check.ok).length;
  const total = one.checks.length;
  const isLost = one.state === "lost";
  const summary = isLost
    ? `Last known: ${bad ? `${bad} of ${total} checks failed` : `all ${total} checks passed`}`
    : bad
      ? `${bad} of ${total} checks fail`
      : `All ${total} checks pass`;
  return html`
    <details class="fold ${isLost ? "fold-stale" : ""}" ?open=${bad > 0 && !isLost}>
      <summary>${summary}</summary>
      <ul class="checks">
        ${one.checks.map(
          (check) => html`
            <li class=${check.ok ? "check" : "check check-bad"}>
              ${icon(check.ok ? "done" : "failed")}
              <span><strong>${words(check.name)}</strong><span class="sr-only">${check.ok ? " passes:" : " fails:"}</span>
              <span class="quiet">${check.detail}</span></span>
            </li>
          `,
        )}
      </ul>
    </details>
  `;
}
