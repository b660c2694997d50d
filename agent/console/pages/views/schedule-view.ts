import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { JobAction, JobOutcome, JobView, ScheduleView as Schedule } from "../../../schedule.ts";
import { ApiError, getJson, postJson } from "../lib/api.ts";
import { serverNow, Ticker } from "../lib/clock.ts";
import { StoreElement } from "../lib/element.ts";
import { clockTime, wholeDuration } from "../lib/format.ts";
import { icon } from "../lib/icons.ts";
import { routeHash } from "../lib/router.ts";
import { emptyState } from "../parts/empty-state.ts";
import { statePill } from "../parts/state-pill.ts";
import { store } from "../state/store.ts";
import { toasts } from "../state/toasts.ts";

/** Nobody tells the page that a job began or ended, so it asks this often while it is shown. */
const askEveryMs = 5_000;

const notes: { [action in JobAction]: string } = {
  run: "It runs now.",
  pause: "Paused. Nothing of it runs until someone resumes it.",
  resume: "Resumed. One time that it missed is made up for.",
};

/** What runs by itself: when it comes next, how it ended, and the switches. */
export class ScheduleView extends StoreElement {
  static override properties = { schedule: { state: true }, problem: { state: true }, busy: { state: true } };
  declare schedule: Schedule | null;
  declare problem: string;
  /** The job whose switch was pressed and not answered yet. */
  declare busy: string | null;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor() {
    super();
    this.schedule = null;
    this.problem = "";
    this.busy = null;
    new Ticker(this, () => true);
  }

  protected override updated(): void {
    if (performance.now() - this.#askedAt > askEveryMs) void this.#ask();
  }

  protected override render(): TemplateResult {
    return html`
      <div class="page page-narrow">
        <header class="page-head">
          <h1 tabindex="-1">Schedule</h1>
        </header>
        ${this.schedule ? this.#jobs(this.schedule) : html`<p class="quiet" role="status">${this.problem || "Reading the schedule…"}</p>`}
      </div>
    `;
  }

  #jobs({ jobs, problem, file }: Schedule): TemplateResult {
    return html`
      ${
        problem
          ? html`<div class="callout callout-bad" role="alert">
              ${icon("alert")}
              <div>
                <p><strong>The file of the schedule is not taken over.</strong> What was in force before goes on.</p>
                <pre class="job-problem">${problem}</pre>
              </div>
            </div>`
          : nothing
      }
      ${
        jobs.length === 0
          ? emptyState("schedule", "Nothing is scheduled", html`Jobs are in <code class="source">${file}</code>.`)
          : html`<div class="jobs">${repeat(
              jobs,
              (job) => job.id,
              (job) => this.#job(job),
            )}</div>`
      }
    `;
  }

  #job(job: JobView): TemplateResult {
    const title = `job-${job.id}`;
    const isBusy = this.busy === job.id;
    return html`
      <article class="card job" aria-labelledby=${title}>
        <header class="job-head">
          <h2 id=${title}>${job.id}</h2>
          ${stateOf(job)}
          <div class="job-actions">
            <button class="button" aria-label="Run now ${job.id}" ?disabled=${isBusy || job.running !== null || store.session?.paused === true} @click=${() => this.#act(job, "run")}>
              Run now
            </button>
            <button class="button" aria-label="${job.paused ? "Resume" : "Pause"} ${job.id}" ?disabled=${isBusy} @click=${() => this.#act(job, job.paused ? "resume" : "pause")}>
              ${icon(job.paused ? "resume" : "pause")}${job.paused ? "Resume" : "Pause"}
            </button>
          </div>
        </header>
        ${job.description ? html`<p>${job.description}</p>` : nothing}
        <dl class="facts job-facts">
          <div><dt>Next</dt><dd class="num">${next(job)}</dd></div>
          <div><dt>When</dt><dd><code>${job.cron}</code> <span class="quiet">${job.timezone}, ${job.singleton ? "once for the fleet" : "on each instance"}</span></dd></div>
          <div><dt>Last</dt><dd>${last(job)}</dd></div>
          ${
            job.conversation && job.outcomes.some(({ result }) => result !== "skipped")
              ? html`<div><dt>Answers</dt><dd><a href=${routeHash("chat", job.conversation)}>in its conversation</a></dd></div>`
              : nothing
          }
        </dl>
        <details class="fold">
          <summary>What it does</summary>
          <p class="job-what">${job.what}</p>
        </details>
        ${
          job.outcomes.length > 1
            ? html`<details class="fold">
                <summary>Runs before</summary>
                <ul class="plain-list job-outcomes">${job.outcomes.slice(1).map((one) => html`<li>${outcome(one)}</li>`)}</ul>
              </details>`
            : nothing
        }
      </article>
    `;
  }

  async #ask(): Promise<void> {
    this.#askedAt = performance.now();
    try {
      this.schedule = await getJson<Schedule>("/api/schedule");
    } catch (error) {
      this.problem = error instanceof ApiError ? error.message : String(error);
    }
  }

  async #act(job: JobView, action: JobAction): Promise<void> {
    this.busy = job.id;
    try {
      await postJson(`/api/schedule/${encodeURIComponent(job.id)}`, { action });
      toasts.showNote(`${job.id}: ${notes[action]}`);
    } catch (error) {
      toasts.showError(error);
    }
    await this.#ask();
    this.busy = null;
  }
}

function stateOf(job: JobView): TemplateResult | typeof nothing {
  if (job.running) return statePill("running");
  if (job.paused) return statePill("paused");
  return job.enabled ? nothing : statePill("not enabled");
}

function next(job: JobView): TemplateResult | string {
  if (job.running) return `runs since ${wholeDuration(Math.max(0, serverNow() - job.running.startedAt))}`;
  if (job.paused) return `paused by ${job.paused.by}, ${clockTime(job.paused.at)}`;
  if (!job.enabled) return "never: it is not enabled in the file";
  if (job.nextAt === null) return "never: no day is like that";
  if (store.session?.paused) return "when the fleet is resumed";
  return html`in ${wholeDuration(Math.max(0, job.nextAt - serverNow()))} <span class="quiet">${clockTime(job.nextAt)}</span>`;
}

function last({ outcomes: [newest] }: JobView): TemplateResult | string {
  return newest ? outcome(newest) : "it never ran";
}

function outcome({ result, endedAt, trigger, detail, approval }: JobOutcome): TemplateResult {
  const how = { time: "", "catch-up": "made up for", person: "asked for by a person" }[trigger];
  return html`
    ${statePill(result)} <span class="quiet num">${clockTime(endedAt)}${how && result !== "skipped" ? ` · ${how}` : ""}</span>
    ${detail ? html`<span>· ${detail}</span>` : nothing}
    ${approval ? html`<a href=${routeHash("approvals", approval)}>${approval}</a>` : nothing}
  `;
}
