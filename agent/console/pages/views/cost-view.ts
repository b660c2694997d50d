import { html, nothing, type TemplateResult } from "lit";
import type { CostBreaker, CostReport } from "../../../../tools/cost-report.ts";
import { ApiError, getJson, postJson } from "../lib/api.ts";
import { serverNow, Ticker } from "../lib/clock.ts";
import { StoreElement } from "../lib/element.ts";
import { clockTime, count } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { routeHash } from "../lib/router.ts";
import { budgetBar } from "../parts/budget-bar.ts";
import { dayName } from "../parts/cost-chart.ts";
import { emptyState } from "../parts/empty-state.ts";
import { money, personLabel, type Series, type SumBy, seriesOf, sumRows, tokens, total } from "../state/cost-sums.ts";
import { store } from "../state/store.ts";
import { toasts } from "../state/toasts.ts";

/** Nobody tells the page that something was spent, so it asks this often while it is shown. */
const askEveryMs = 10_000;
const periods = [7, 30, 90] as const;
const sums: { by: SumBy | "answer"; label: string }[] = [
  { by: "model", label: "Model" },
  { by: "person", label: "Person" },
  { by: "purpose", label: "Purpose" },
  { by: "instance", label: "Instance" },
  { by: "answer", label: "Answer" },
];
const answersShown = 20;

/** What the models cost: today against the budget, the breaker, and the last days. */
export class CostView extends StoreElement {
  static override properties = {
    report: { state: true },
    problem: { state: true },
    days: { state: true },
    by: { state: true },
  };
  declare report: CostReport | null;
  declare problem: string;
  declare days: (typeof periods)[number];
  declare by: SumBy | "answer";
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor() {
    super();
    this.report = null;
    this.problem = "";
    this.days = 30;
    this.by = "model";
    new Ticker(this, () => true);
  }

  protected override updated(): void {
    if (performance.now() - this.#askedAt > askEveryMs) void this.#ask();
  }

  protected override render(): TemplateResult {
    const { report } = this;
    return html`
      <div class="page">
        <header class="page-head">
          <h1 tabindex="-1">Cost</h1>
          ${report ? html`<p class="quiet">Models, by list prices of ${report.pricesDate}</p>` : nothing}
          ${this.#periodSwitch()}
        </header>
        ${report ? this.#body(report) : html`<p class="quiet" role="status">${this.problem || "Reading the ledger…"}</p>`}
      </div>
    `;
  }

  #body(report: CostReport): TemplateResult {
    const series = seriesOf(report);
    return html`
      <div class="cost-top">
        <section class="card" aria-labelledby="budget-title">
          <h2 id="budget-title">Today's budget</h2>
          ${budgetBar(report, serverNow())}
        </section>
        <section class="card" aria-labelledby="breaker-title">
          <header class="cost-head">
            <h2 id="breaker-title">Breaker</h2>
            <span class="pill pill-${report.breaker.length ? "bad" : "good"}"><i class="dot"></i>${report.breaker.length ? "open" : "closed"}</span>
          </header>
          ${report.breaker.length ? this.#openBreaker(report.breaker) : closedBreaker(report)}
          ${refusals(report)}
        </section>
      </div>
      ${report.warnings.map((text) => html`<div class="callout callout-warn">${icon("alert")}<div><p>${text}</p></div></div>`)}
      ${report.lines.length ? this.#spent(report, series) : nothingSpent()}
    `;
  }

  #spent(report: CostReport, series: Series[]): TemplateResult {
    const usd = total(report.lines.map((line) => line.usd));
    return html`
      <section class="card" aria-labelledby="days-title">
        <header class="cost-head">
          <h2 id="days-title">Each day, by model</h2>
          <span class="num"><strong>${money(usd)}</strong> <span class="quiet">in ${report.days.length} days</span></span>
        </header>
        <claw-cost-chart .days=${report.days} .series=${series} budget=${report.budgets?.usdPerDay ?? 0}></claw-cost-chart>
        <details class="cost-figures"><summary>The figures as a table</summary>${dayTable(report, series)}</details>
      </section>
      <section class="card" aria-labelledby="sums-title">
        <header class="cost-head">
          <h2 id="sums-title">Where it went</h2>
          ${this.#sumSwitch()}
        </header>
        ${this.by === "answer" ? answerTable(report) : sumTable(report, this.by)}
      </section>
    `;
  }

  #openBreaker(entries: CostBreaker[]): TemplateResult {
    return html`
      <ul class="plain-list breaker-entries">
        ${entries.map(
          (entry) => html`<li>
            <p><strong>${entry.label}</strong> <span class="quiet num">since ${clockTime(entry.openedAt)}</span></p>
            <p class="quiet">${entry.reason}</p>
          </li>`,
        )}
      </ul>
      <p class="cost-reset">
        <button class="button" @click=${this.#reset}>Reset the breaker</button>
        <span class="quiet">It closes by itself at midnight UTC.</span>
      </p>
    `;
  }

  #periodSwitch(): TemplateResult {
    const choose = (days: (typeof periods)[number]) => () => {
      this.days = days;
      void this.#ask();
    };
    return html`
      <div class="segments cost-period" role="group" aria-label="Period">
        ${periods.map((days) => html`<button class="segment" aria-pressed=${this.days === days} @click=${choose(days)}>${days} days</button>`)}
      </div>
    `;
  }

  #sumSwitch(): TemplateResult {
    const choose = (by: SumBy | "answer") => () => {
      this.by = by;
    };
    return html`
      <div class="segments" role="group" aria-label="Sums by">
        ${sums.map(({ by, label }) => html`<button class="segment" aria-pressed=${this.by === by} @click=${choose(by)}>${label}</button>`)}
      </div>
    `;
  }

  readonly #reset = async (): Promise<void> => {
    try {
      await postJson("/api/cost/reset");
      toasts.showNote("The breaker is closed.");
    } catch (error) {
      toasts.showError(error);
    }
    await this.#ask();
  };

  async #ask(): Promise<void> {
    this.#askedAt = performance.now();
    try {
      const report = await getJson<CostReport>(`/api/cost?days=${this.days}`);
      if (report.days.length === this.days) this.report = report;
      this.problem = "";
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) store.session = null;
      this.problem = (error as Error).message;
      store.changed();
    }
  }
}

function closedBreaker({ budgets }: CostReport): TemplateResult {
  if (!budgets) return html``;
  return html`<p class="quiet">
    It opens when an answer costs more than ${money(budgets.usdPerRun)}, or when ${money(budgets.usdWithoutProgress)} is spent without
    getting anywhere.
  </p>`;
}

function refusals({ refusals }: CostReport): TemplateResult | typeof nothing {
  const all = Object.entries(refusals);
  if (all.length === 0) return nothing;
  return html`<p class="quiet cost-refused">Refused today: ${all.map(([code, amount], index) => html`${index ? ", " : ""}${amount} × <code>${code}</code>`)}</p>`;
}

function nothingSpent(): TemplateResult {
  const advice = html`The interpreter costs nothing. Once a model answers in the <a href=${routeHash("chat")}>chat</a>, its cost shows here.`;
  return emptyState("cost", "Nothing was spent", advice);
}

function dayTable(report: CostReport, series: Series[]): TemplateResult {
  const rows = report.days
    .map((day, index) => ({ day, usd: series.map((one) => one.usd[index] ?? 0) }))
    .filter(({ usd }) => total(usd) > 0)
    .reverse();
  return html`
    <div class="scroll-x" tabindex="0" role="group" aria-label="Cost of each day, by model">
      <table class="figures">
        <thead><tr><th scope="col">Day</th>${series.map(({ label }) => html`<th scope="col" class="figure">${label}</th>`)}<th scope="col" class="figure">Total</th></tr></thead>
        <tbody>
          ${rows.map(
            ({ day, usd }) =>
              html`<tr><th scope="row" class="num">${dayName(day)}</th>${usd.map((one) => html`<td class="figure">${one ? money(one) : "–"}</td>`)}<td class="figure"><strong>${money(total(usd))}</strong></td></tr>`,
          )}
        </tbody>
      </table>
    </div>
  `;
}

function sumTable(report: CostReport, by: SumBy): TemplateResult {
  const rows = sumRows(report.lines, by);
  const usd = total(rows.map((row) => row.usd));
  const head = sums.find((one) => one.by === by)?.label ?? "";
  return html`
    <div class="scroll-x" tabindex="0" role="group" aria-label="Sums">
      <table class="figures">
        <thead>
          <tr><th scope="col">${head}</th><th scope="col" class="figure">Cost</th><th scope="col" class="figure">Share</th><th scope="col" class="figure">Requests</th><th scope="col" class="figure">Input</th><th scope="col" class="figure">Cached</th><th scope="col" class="figure">Output</th></tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) => html`<tr>
              <th scope="row">${row.label}${priceNote(row.prices)}</th>
              <td class="figure"><strong>${row.prices.has("unknown") && row.usd === 0 ? "?" : money(row.usd)}</strong></td>
              <td class="figure quiet">${usd > 0 ? `${Math.round((row.usd / usd) * 100)} %` : "–"}</td>
              <td class="figure">${row.requests}</td>
              <td class="figure">${tokens(row.inputTokens)}</td>
              <td class="figure quiet">${row.inputTokens ? `${Math.round((row.cachedTokens / row.inputTokens) * 100)} %` : "–"}</td>
              <td class="figure">${tokens(row.outputTokens)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  `;
}

function priceNote(prices: Set<string>): TemplateResult | typeof nothing {
  const word = prices.has("unknown") ? "price unknown" : prices.has("assumed") ? "price assumed" : "";
  return word ? html` <span class="tag">${word}</span>` : nothing;
}

function answerTable(report: CostReport): TemplateResult {
  const runs = report.runs.slice(0, answersShown);
  if (runs.length === 0) return html`<p class="quiet">No answer has cost anything.</p>`;
  return html`
    <div class="scroll-x" tabindex="0" role="group" aria-label="Dearest answers">
      <table class="figures">
        <thead><tr><th scope="col">Answer</th><th scope="col" class="figure">Cost</th><th scope="col" class="figure">Requests</th><th scope="col">For</th><th scope="col">By</th><th scope="col">Ended</th></tr></thead>
        <tbody>
          ${runs.map(
            (run) => html`<tr>
              <th scope="row" class="num">${run.conversationId ? html`<a href=${routeHash("chat", run.conversationId)}>${clockTime(run.startedAt)}</a>` : clockTime(run.startedAt)}</th>
              <td class="figure"><strong>${money(run.usd)}</strong></td>
              <td class="figure">${run.requests}</td>
              <td>${personLabel(run.person)}</td>
              <td>${run.name}</td>
              <td>${run.outcome ?? "runs"}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${report.runs.length > runs.length ? html`<p class="quiet">The dearest ${count(runs.length, "answer")}; <code>clawdinator cost --by run</code> shows more.</p>` : nothing}
  `;
}
