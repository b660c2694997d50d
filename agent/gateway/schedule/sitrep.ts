/** What a person should act on, put together from what the gateway knows; the same facts give the same report. */
import type { CostReport } from "../../../tools/cost-report.ts";
import type { FleetDrift, FleetStatus, InstanceStatus } from "../../../tools/fleet/model.ts";
import { type Json, sha256 } from "../../../tools/json.ts";
import { firstLine } from "../../../tools/shorten.ts";
import type { Sitrep, SitrepItem } from "../../../tools/sitrep.ts";
import { type Store, update } from "../../../tools/store.ts";
import type { ApprovalView, OperationView } from "../../protocol.ts";
import type { JobView, ScheduleView } from "../../schedule.ts";

/** The job whose runs tell the news: what one of them told is not news to the next. */
export const heartbeatJob = "heartbeat";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const maxLineCharacters = 200;

/** Booting, proving itself and draining are no news before this. */
const patienceMs = 10 * minuteMs;

/** Older failures have been looked at, or never will be. */
const longestMs = 30 * dayMs;

/** `sitrep/told`: `before` is what was told when the run began, `now` what was to be told by it. */
interface Told {
  formatVersion: 1;
  run: string;
  before: string[];
  beforeAt: number;
  now: string[];
  nowAt: number;
}

const toldKey = "sitrep/told";

export interface SitrepDesk {
  read(): Promise<Sitrep>;
  /**
   * A heartbeat begins: what is known now will have been told when it ends. `wasTold`: what its predecessor was to tell
   * was shown. Resolves before the run may be told of anything. Repeating it for the same run changes nothing.
   */
  begin(run: string, wasTold: boolean): Promise<void>;
}

export interface SpendLine {
  /** The day's money, in words. */
  text: string;
  /** What a limit keeps from going on. */
  stopped: { id: string; text: string }[];
}

export interface SitrepSources {
  store: Store;
  status(): Promise<FleetStatus>;
  drift(): Promise<FleetDrift>;
  approvals(): Promise<ApprovalView[]>;
  operations(): Promise<OperationView[]>;
  isPaused(): Promise<boolean>;
  schedule(): Promise<ScheduleView>;
  /** Null where nothing counts it. */
  spend?: () => Promise<SpendLine | null>;
}

type Found = Omit<SitrepItem, "isNew">;

export function createSitrepDesk(sources: SitrepSources): SitrepDesk {
  const { store } = sources;

  const readTold = async (): Promise<Told | null> => ((await store.get(toldKey))?.value ?? null) as Told | null;

  const look = async (told: Told | null) => {
    const at = await store.now();
    const since = Math.max(at - longestMs, Math.min(at - dayMs, told?.beforeAt ?? at));
    const [status, drift, approvals, operations, isPaused, schedule, spend] = await Promise.all([
      sources.status(),
      sources.drift(),
      sources.approvals(),
      sources.operations(),
      sources.isPaused(),
      sources.schedule(),
      sources.spend?.() ?? null,
    ]);
    const found: Found[] = [
      ...(isPaused
        ? [item("paused", "fleet", "the fleet is paused: no operation and no job starts until `clawdinator resume`")]
        : []),
      ...(spend?.stopped ?? []).map(({ id, text }) => item("spend", id, text)),
      ...status.instances.flatMap((instance) => troubleOf(instance, at)),
      ...operations.filter((one) => isFailed(one) && (one.endedAt ?? 0) > since).map((one) => failureOf(one, at)),
      ...approvals.filter(({ state }) => state === "pending").map((one) => waitingOf(one, at)),
      ...drift.items.map(({ kind, name, detail }) =>
        item(
          "drift",
          `${kind}/${name}/${sha256(detail).slice(0, 12)}`,
          `drift${name ? ` of ${name}` : ""}: ${firstLine(detail, maxLineCharacters)}`,
        ),
      ),
      ...(schedule.problem === null
        ? []
        : [
            item(
              "schedule",
              sha256(schedule.problem).slice(0, 12),
              `the schedule's file is not taken over: ${firstLine(schedule.problem, maxLineCharacters)}`,
            ),
          ]),
    ];
    return { at, since, found, status, schedule, spend };
  };

  return {
    async read() {
      const told = await readTold();
      const { at, since, found, status, schedule, spend } = await look(told);
      const known = new Set(told?.before ?? []);
      return {
        at,
        since,
        items: found.map((one) => ({ ...one, isNew: !known.has(one.key) })),
        fleet: {
          instances: status.instances.length,
          ready: status.instances.filter(({ state, checks }) => state === "ready" && checks.every(({ ok }) => ok))
            .length,
        },
        spend: spend?.text ?? null,
        schedule: schedule.jobs.map((job) => ({ id: job.id, text: describeJob(job, at) })),
      };
    },

    async begin(run, wasTold) {
      const { at, found } = await look(await readTold());
      const keys = found.map(({ key }) => key);
      await update<Json>(store, toldKey, (current) => {
        const told = current as unknown as Told | null;
        if (told?.run === run) return undefined;
        const before =
          told === null ? { before: [], beforeAt: at - dayMs } : { before: told.before, beforeAt: told.beforeAt };
        const next = told !== null && wasTold ? { before: told.now, beforeAt: told.nowAt } : before;
        return { formatVersion: 1, run, ...next, now: keys, nowAt: at };
      });
    },
  };
}

/** The day's money of a cost report, and what is stopped for it. */
export function spendOf({ today, budgets, breaker }: CostReport): SpendLine {
  const of = budgets ? ` of $${budgets.usdPerDay.toFixed(2)}` : "";
  return {
    text: `Spent today: $${today.usd.toFixed(2)}${of}.`,
    stopped: breaker.map(({ id, label, reason }) => ({
      id,
      text: `${label} is stopped: ${firstLine(reason, maxLineCharacters)}`,
    })),
  };
}

function item(kind: Found["kind"], key: string, text: string, sources: string[] = []): Found {
  return { kind, key: `${kind}/${key}`, text, sources };
}

function isFailed({ state }: OperationView): boolean {
  return state === "failed" || state === "compensated";
}

function failureOf(operation: OperationView, at: number): Found {
  const { id, summary, state, error, endedAt } = operation;
  const what = state === "compensated" ? "failed and was undone" : "failed";
  const why = error ? `: ${firstLine(error.message, maxLineCharacters)}` : "";
  return item("operation", `${id}/${state}`, `operation ${id} ${what} ${ago(at - (endedAt ?? at))} (${summary})${why}`);
}

/** Told when it is new, and once a day for as long as it waits. */
function waitingOf({ id, summary, createdAt, expiresAt, plan }: ApprovalView, at: number): Found {
  const days = Math.floor((at - createdAt) / dayMs);
  const { proposer } = plan;
  const sources = proposer.publicSources ?? [];
  const left = `${span(Math.max(0, expiresAt - at))} left`;
  const text = `approval ${id} has waited ${span(at - createdAt)}, ${left}: ${summary} (asked by ${proposer.name})`;
  return item(
    "approval",
    `${id}/${days}`,
    sources.length > 0 ? `${text}; public text had a part in it` : text,
    sources,
  );
}

function troubleOf(instance: InstanceStatus, at: number): Found[] {
  const { name, state, epoch, startedAt, checks, heartbeatAgeMs } = instance;
  const isYoung = startedAt !== null && at - startedAt < patienceMs;
  if (state === "retired" || (isYoung && state !== "lost")) return [];
  if (state !== "ready") {
    const heard = heartbeatAgeMs === null ? "was never heard of" : `was last heard of ${ago(heartbeatAgeMs)}`;
    return [item("instance", `${name}/${epoch}/${state}`, `${name} is ${state} and ${heard}`)];
  }
  const failed = checks.filter(({ ok }) => !ok);
  if (failed.length === 0) return [];
  const names = failed
    .map((check) => check.name)
    .sort()
    .join("+");
  const details = failed.map((check) => `${check.name}: ${firstLine(check.detail, maxLineCharacters)}`).join("; ");
  return [item("instance", `${name}/${epoch}/${names}`, `${name} is not well: ${details}`)];
}

function describeJob(job: JobView, at: number): string {
  const last = job.outcomes.find(({ result }) => result !== "skipped") ?? job.outcomes[0];
  const next = nextText(job, at);
  const ended = last ? `; last ${last.result} ${ago(at - last.endedAt)}` : "; never ran";
  const running = job.running ? `; running since ${span(at - job.running.startedAt)}` : "";
  const what = job.description === "" ? "" : ` — ${job.description}`;
  return `${job.id} (${job.cron}${job.timezone === "UTC" ? "" : `, ${job.timezone}`}): ${next}${running}${ended}${what}`;
}

function nextText({ enabled, paused, nextAt }: JobView, at: number): string {
  if (!enabled) return "not enabled";
  if (paused) return `paused by ${paused.by}`;
  if (nextAt === null) return "never comes";
  return `next in ${span(nextAt - at)}, ${new Date(nextAt).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function ago(ms: number): string {
  return ms < minuteMs ? "just now" : `${span(ms)} ago`;
}

/** `1 min`, `3 h`, `2 d`: as exact as somebody who decides needs it. */
function span(ms: number): string {
  if (ms < 2 * hourMs) return `${Math.max(1, Math.round(ms / minuteMs))} min`;
  return ms < 2 * dayMs ? `${Math.round(ms / hourMs)} h` : `${Math.round(ms / dayMs)} d`;
}
