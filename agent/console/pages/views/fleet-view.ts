import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { DriftItem, FleetDrift } from "../../../../tools/fleet/model.ts";
import { StoreElement } from "../lib/element.ts";
import { clockTime, count, shortRevision, words } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { routeHash } from "../lib/router.ts";
import { chats } from "../state/chats.ts";
import { store } from "../state/store.ts";

/** Every instance, and where the fleet differs from what is wanted. */
export class FleetView extends StoreElement {
  protected override render(): TemplateResult {
    const { fleet } = store;
    const ready = fleet?.instances.filter((one) => one.state === "ready").length ?? 0;
    return html`
      <div class="page">
        <header class="page-head">
          <h1 tabindex="-1">Fleet</h1>
          ${fleet ? html`<p class="quiet num">${ready} of ${count(fleet.instances.length, "instance")} ready</p>` : nothing}
        </header>
        ${
          fleet
            ? html`<div class="cards">
                ${repeat(
                  fleet.instances,
                  (one) => `${one.name} ${one.instance}`,
                  (one) =>
                    html`<claw-instance .instance=${one} ?isSelf=${one.instance === fleet.self.instance}></claw-instance>`,
                )}
              </div>`
            : html`<p class="quiet" role="status">Asking the fleet…</p>`
        }
        ${store.drift ? driftPanel(store.drift) : nothing}
      </div>
    `;
  }
}

function driftPanel(drift: FleetDrift): TemplateResult {
  return html`
    <section class="card drift" aria-labelledby="drift-title">
      <header class="drift-head">
        <h2 id="drift-title">Drift</h2>
        <span class="quiet num">checked ${clockTime(drift.at)}</span>
        <button class="button" @click=${() => store.refreshDrift()}>Check again</button>
      </header>
      ${
        drift.items.length === 0
          ? html`<p class="drift-none">${icon("done")}The fleet is what <code>nix/instances.json</code> says.</p>`
          : html`<ul class="plain-list drift-items">${drift.items.map(driftItem)}</ul>
              <p class="quiet">Ask in the <a href=${routeHash("chat", chats.last)}>chat</a> for what should be put right: it becomes a plan to approve.</p>`
      }
    </section>
  `;
}

function driftItem(item: DriftItem): TemplateResult {
  return html`
    <li class="drift-item">
      ${icon("alert")}
      <div>
        <p><strong>${item.name ?? "Fleet repository"}</strong> <span class="tag">${words(item.kind)}</span></p>
        ${
          "desired" in item
            ? html`<p>wanted <code>${shortRevision(item.desired)}</code>, is <code>${shortRevision(item.actual)}</code></p>`
            : nothing
        }
        ${"commit" in item ? html`<p>commit <claw-copy .value=${item.commit} .shown=${shortRevision(item.commit)} label="commit"></claw-copy></p>` : nothing}
        <p class="quiet">${item.detail}</p>
      </div>
    </li>
  `;
}
