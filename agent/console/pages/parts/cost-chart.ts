import { html, nothing, svg, type TemplateResult } from "lit";
import { PageElement } from "../lib/element.ts";
import { axisOf, money, type Series, total } from "../state/cost-sums.ts";

const height = 240;
const edge = { top: 14, right: 4, bottom: 26, left: 46 };
const widestBar = 40;
/** Room that a day's name needs. */
const labelWidth = 58;
const corner = 4;

/** Days × models as stacked bars, drawn in the width that is there. The table beside it says the same. */
export class CostChart extends PageElement {
  static override properties = {
    days: { attribute: false },
    series: { attribute: false },
    budget: { type: Number },
    width: { state: true },
    chosen: { state: true },
  };
  declare days: string[];
  declare series: Series[];
  declare budget: number;
  declare width: number;
  /** The day under the pointer; null: the last. */
  declare chosen: number | null;
  readonly #observer = new ResizeObserver(([entry]) => {
    this.width = Math.floor(entry?.contentRect.width ?? 0);
  });

  constructor() {
    super();
    this.days = [];
    this.series = [];
    this.budget = 0;
    this.width = 0;
    this.chosen = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#observer.observe(this);
  }

  override disconnectedCallback(): void {
    this.#observer.disconnect();
    super.disconnectedCallback();
  }

  protected override render(): TemplateResult {
    const totals = this.days.map((_, index) => total(this.series.map(({ usd }) => usd[index] ?? 0)));
    const shown = this.chosen ?? this.days.length - 1;
    return html`
      <figure class="chart">
        ${this.width > 120 ? this.#drawing(totals, shown) : nothing}
        <figcaption>${this.#legend(totals, shown)}</figcaption>
      </figure>
    `;
  }

  #drawing(totals: number[], shown: number): TemplateResult {
    const largest = Math.max(...totals);
    // The budget's line is drawn where it does not press the bars flat.
    const hasBudget = this.budget > 0 && this.budget <= largest * 2.5;
    const { top, steps } = axisOf(hasBudget ? Math.max(largest, this.budget) : largest);
    const inner = { width: this.width - edge.left - edge.right, height: height - edge.top - edge.bottom };
    const y = (usd: number): number => edge.top + inner.height * (1 - usd / top);
    const band = inner.width / this.days.length;
    const label = `Cost of each day, by model: ${money(total(totals))} in ${this.days.length} days. The table below has the figures.`;
    return html`
      <svg
        class="chart-drawing"
        width=${this.width}
        height=${height}
        viewBox="0 0 ${this.width} ${height}"
        role="img"
        aria-label=${label}
        @pointermove=${(event: PointerEvent) => this.#choose(event, band)}
        @pointerdown=${(event: PointerEvent) => this.#choose(event, band)}
        @pointerleave=${() => {
          this.chosen = null;
        }}
      >
        ${steps.map((step) => gridLine(y(step), this.width, axisLabel(step)))}
        ${this.chosen === null ? nothing : svg`<rect class="chart-band" x=${edge.left + band * shown} y=${edge.top} width=${band} height=${inner.height} />`}
        ${this.days.map((_, day) => this.#bar(day, { x: edge.left + band * day, band, y }))}
        <line class="chart-base" x1=${edge.left} x2=${this.width - edge.right} y1=${y(0)} y2=${y(0)} />
        ${hasBudget ? budgetLine(y(this.budget), this.width, this.budget) : nothing}
        ${this.days.map((day, index) => this.#dayLabel(day, index, edge.left + band * (index + 0.5), band))}
      </svg>
    `;
  }

  #bar(day: number, { x, band, y }: { x: number; band: number; y: (usd: number) => number }): TemplateResult[] {
    const width = Math.max(1, Math.min(widestBar, band * 0.7));
    const left = x + (band - width) / 2;
    const parts = this.series.map(({ usd }, index) => ({ usd: usd[day] ?? 0, index })).filter(({ usd }) => usd > 0);
    let below = 0;
    return parts.map(({ usd, index }, part) => {
      const from = y(below);
      below += usd;
      const to = y(below);
      const isTop = part === parts.length - 1;
      // A hair of ground between two parts keeps them apart for every eye.
      const bottom = part > 0 && from - to > 3 ? from - 1 : from;
      const radius = isTop ? Math.min(corner, width / 2, bottom - to) : 0;
      return svg`<path class="series-${index + 1}" d=${barPath({ left, width, top: to, bottom, radius })} />`;
    });
  }

  #dayLabel(day: string, index: number, x: number, band: number): TemplateResult | typeof nothing {
    const every = Math.max(1, Math.ceil(labelWidth / band));
    const fromEnd = this.days.length - 1 - index;
    if (fromEnd % every !== 0) return nothing;
    const isLast = fromEnd === 0;
    const anchor = isLast && band < labelWidth ? "end" : "middle";
    const at = anchor === "end" ? this.width - edge.right : x;
    if (at < edge.left + 14) return nothing;
    return svg`<text class="chart-label ${isLast ? "chart-today" : ""}" x=${at} y=${height - 6} text-anchor=${anchor}>${isLast ? "today" : dayName(day)}</text>`;
  }

  #legend(totals: number[], shown: number): TemplateResult {
    const day = this.days[shown] ?? "";
    return html`
      <p class="chart-day num"><strong>${dayName(day, true)}</strong> <span>${money(totals[shown] ?? 0)}</span></p>
      <ul class="plain-list legend">
        ${this.series.map(
          ({ label, usd }, index) => html`
            <li><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="series-${index + 1}" width="10" height="10" rx="3" /></svg>${label} <span class="num quiet">${money(usd[shown] ?? 0)}</span></li>
          `,
        )}
      </ul>
    `;
  }

  #choose(event: PointerEvent, band: number): void {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const index = Math.floor((event.clientX - box.left - edge.left) / band);
    this.chosen = index >= 0 && index < this.days.length ? index : null;
  }
}

function gridLine(y: number, width: number, label: string): TemplateResult {
  return svg`
    <line class="chart-grid" x1=${edge.left} x2=${width - edge.right} y1=${y} y2=${y} />
    <text class="chart-label" x=${edge.left - 8} y=${y + 4} text-anchor="end">${label}</text>
  `;
}

function budgetLine(y: number, width: number, budget: number): TemplateResult {
  return svg`
    <line class="chart-budget" x1=${edge.left} x2=${width - edge.right} y1=${y} y2=${y} />
    <text class="chart-label chart-budget-label" x=${edge.left + 6} y=${y - 5}>budget ${money(budget)}</text>
  `;
}

function barPath(bar: { left: number; width: number; top: number; bottom: number; radius: number }): string {
  const { left, width, top, bottom, radius } = bar;
  const right = left + width;
  return `M${left} ${bottom}V${top + radius}Q${left} ${top} ${left + radius} ${top}H${right - radius}Q${right} ${top} ${right} ${top + radius}V${bottom}Z`;
}

function axisLabel(usd: number): string {
  if (usd >= 10) return `$${Math.round(usd)}`;
  return usd >= 0.1 ? `$${Number(usd.toFixed(2))}` : `$${Number(usd.toPrecision(2))}`;
}

/** `23 Nov`, in the reader's language; the day itself is UTC. */
export function dayName(day: string, withWeekday = false): string {
  if (day === "") return "";
  const date = new Date(`${day}T00:00:00Z`);
  const options = {
    day: "numeric",
    month: "short",
    timeZone: "UTC",
    ...(withWeekday ? { weekday: "short" as const } : {}),
  } as const;
  return date.toLocaleDateString(undefined, options);
}
