/** Today's budget as one bar: spent, reserved for what runs, and the part that is kept for maintainers. */
import { html, nothing, svg, type TemplateResult } from "lit";
import type { CostReport } from "../../../../tools/cost-report.ts";
import { wholeDuration } from "../lib/format.ts";
import { money } from "../state/cost-sums.ts";

/** The bar is drawn in thousandths of its width. */
const whole = 1000;
const thickness = 14;

export function budgetBar({ budgets, today, until }: CostReport, now: number): TemplateResult {
  if (!budgets) return html`<p class="quiet">No policy is in force, so nothing may be spent.</p>`;
  const { usdPerDay, reserveUsd } = budgets;
  if (usdPerDay === 0) {
    return html`<p class="budget-amount">Nothing may be spent</p>
      <p class="quiet">The policy's budget for models is 0. A policy change gives them one.</p>`;
  }
  const used = today.usd + today.reservedUsd;
  const left = Math.max(0, usdPerDay - used);
  const share = (usd: number): number => Math.min(whole, Math.max(0, (usd / usdPerDay) * whole));
  const words = `${money(today.usd)} of ${money(usdPerDay)} spent today, ${money(left)} left, the last ${money(reserveUsd)} kept for maintainers`;
  const tone = used >= usdPerDay ? "bad" : used >= usdPerDay - reserveUsd ? "warn" : "fine";
  return html`
    <p class="budget-amount num"><strong>${money(today.usd)}</strong> <span class="quiet">of ${money(usdPerDay)} today</span></p>
    <svg class="budget-bar budget-${tone}" viewBox="0 0 ${whole} ${thickness}" preserveAspectRatio="none" role="img" aria-label=${words}>
      <rect class="budget-ground" width=${whole} height=${thickness} />
      <rect class="budget-reserve" x=${whole - share(reserveUsd)} width=${share(reserveUsd)} height=${thickness} />
      <rect class="budget-open" x=${share(today.usd)} width=${share(used) - share(today.usd)} height=${thickness} />
      <rect class="budget-spent" width=${share(today.usd)} height=${thickness} />
      ${reserveUsd > 0 ? svg`<rect class="budget-mark" x=${whole - share(reserveUsd) - 1} width="2" height=${thickness} />` : nothing}
    </svg>
    <ul class="plain-list legend">
      <li>${swatch("budget-spent")}spent</li>
      ${today.reservedUsd > 0 ? html`<li>${swatch("budget-open")}under way <span class="num quiet">${money(today.reservedUsd)}</span></li>` : nothing}
      <li>${swatch("budget-reserve")}for maintainers' own questions <span class="num quiet">${money(reserveUsd)}</span></li>
    </ul>
    <p class="quiet num budget-left">${money(left)} left · the next day's budget comes in ${wholeDuration(Math.max(0, until - now))}, at midnight UTC</p>
  `;
}

function swatch(name: string): TemplateResult {
  return html`<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class=${name} width="10" height="10" rx="3" /></svg>`;
}
