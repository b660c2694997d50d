/** Metrics in Prometheus' text exposition format, version 0.0.4; each is described where it is defined. */
import { chargedUsd, openUsd } from "../spend/day-record.ts";
import type { Api } from "./context.ts";

interface Metric {
  name: string;
  help: string;
  type: "gauge" | "counter";
  samples(api: Api): Promise<{ labels?: Record<string, string>; value: number }[]>;
}

const scheduleHelp = {
  fired: "runs of a job that this process started",
  missed: "times of a job that this process found missed",
  skipped: "times of a job that this process did not run",
};

export const metrics: readonly Metric[] = [
  {
    name: "clawdinator_info",
    help: "1, with version, revision and image of this instance as labels",
    type: "gauge",
    samples: async ({ presence }) => {
      const { instance, name, version, revision, image } = presence.heartbeat();
      return [{ labels: { instance, name, version, revision, image }, value: 1 }];
    },
  },
  {
    name: "clawdinator_ready",
    help: "1 when this instance is ready",
    type: "gauge",
    samples: async ({ presence }) => [{ value: presence.state() === "ready" ? 1 : 0 }],
  },
  {
    name: "clawdinator_epoch",
    help: "epoch under which this instance holds its name, 0 when it holds none",
    type: "gauge",
    samples: async ({ presence }) => [{ value: presence.epoch() ?? 0 }],
  },
  {
    name: "clawdinator_check",
    help: "1 for each check of this instance that passes, 0 for each that fails",
    type: "gauge",
    samples: async ({ presence }) =>
      presence.heartbeat().checks.map((check) => ({ labels: { check: check.name }, value: check.ok ? 1 : 0 })),
  },
  {
    name: "clawdinator_runs",
    help: "answers that the mind works on now",
    type: "gauge",
    samples: async ({ runs }) => [{ value: runs.count() }],
  },
  {
    name: "clawdinator_fleet_instances",
    help: "instances of the fleet by state",
    type: "gauge",
    samples: async ({ fleet }) => tally((await fleet.status()).instances.map(({ state }) => state)),
  },
  {
    name: "clawdinator_approvals",
    help: "approvals by state",
    type: "gauge",
    samples: async ({ approvals }) => tally((await approvals.list()).map(({ state }) => state)),
  },
  {
    name: "clawdinator_operations",
    help: "operations by state",
    type: "gauge",
    samples: async ({ operations }) => tally((await operations.list()).map(({ state }) => state)),
  },
  ...(["fired", "missed", "skipped"] as const).map((kind) => ({
    name: `clawdinator_schedule_${kind}_total`,
    help: scheduleHelp[kind],
    type: "counter" as const,
    samples: async ({ schedule }: Api) =>
      [...schedule.counts()].map(([job, counts]) => ({ labels: { job }, value: counts[kind] })),
  })),
  {
    name: "clawdinator_model_usd_total",
    help: "US dollars that requests of this instance to models cost since it started, by the dated table of prices",
    type: "counter",
    samples: async ({ spend }) =>
      [...spend.totals().usage.values()].map(({ model, purpose, usd }) => ({ labels: { model, purpose }, value: usd })),
  },
  {
    name: "clawdinator_model_tokens_total",
    help: "tokens that requests of this instance to models used since it started",
    type: "counter",
    samples: async ({ spend }) =>
      [...spend.totals().usage.values()].flatMap(({ model, purpose, usage }) => [
        { labels: { model, purpose, kind: "input" }, value: usage.inputTokens },
        { labels: { model, purpose, kind: "cache_read" }, value: usage.cacheReadTokens },
        { labels: { model, purpose, kind: "cache_write" }, value: usage.cacheWriteTokens },
        { labels: { model, purpose, kind: "output" }, value: usage.outputTokens },
      ]),
  },
  {
    name: "clawdinator_model_refusals_total",
    help: "requests to models that the budget did not allow since this instance started, by the reason's code",
    type: "counter",
    samples: async ({ spend }) => [...spend.totals().refusals].map(([code, value]) => ({ labels: { code }, value })),
  },
  {
    name: "clawdinator_model_spent_today_usd",
    help: "US dollars that the fleet spent and reserved today (UTC), as far as this instance knows",
    type: "gauge",
    samples: async ({ spend }) => {
      const { ledger, fleet } = spend.state();
      const today = ledger.today();
      return [{ value: chargedUsd(today) + openUsd(today) + fleet.others(today.day).usd }];
    },
  },
  {
    name: "clawdinator_breaker_open",
    help: "entries of the breaker that are open",
    type: "gauge",
    samples: async ({ spend }) => {
      const { ledger, breaker } = spend.state();
      const now = ledger.now();
      return [{ value: breaker.state().entries.filter(({ until }) => until > now).length }];
    },
  },
  {
    name: "clawdinator_process_resident_bytes",
    help: "resident memory of the gateway",
    type: "gauge",
    samples: async () => [{ value: process.memoryUsage.rss() }],
  },
];

function tally(states: string[]): { labels: Record<string, string>; value: number }[] {
  const counts = new Map<string, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].sort().map(([state, value]) => ({ labels: { state }, value }));
}

export async function renderMetrics(api: Api): Promise<string> {
  const parts = await Promise.all(
    metrics.map(async ({ name, help, type, samples }) => {
      const lines = (await samples(api)).map(({ labels, value }) => `${name}${renderLabels(labels)} ${value}`);
      return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join("\n");
    }),
  );
  return `${parts.join("\n")}\n`;
}

function renderLabels(labels: Record<string, string> | undefined): string {
  if (!labels) return "";
  const escaped = (value: string): string =>
    value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",")}}`;
}
