/** What models cost, as it is shown: the shape that chat, command line, console and API share, and sums over it. */

export interface CostPerson {
  kind: "maintainer" | "instance" | "schedule";
  id: string;
  name: string;
}

/** `configured`: the configuration's price; `list`: the dated table's; `assumed`: of the newest relative; `unknown`: none. */
export type CostPrice = "configured" | "list" | "assumed" | "free" | "unknown";

/** What one model used on one day, at one instance, for one purpose and person. */
export interface CostLine {
  /** `yyyy-mm-dd`, UTC. */
  day: string;
  instance: string;
  /** The instance's name, such as CLAWDINATOR-1. */
  name: string;
  provider: string;
  model: string;
  purpose: string;
  person: CostPerson;
  /** What it was for: an answer in chat, a job of the schedule, a notice, or nobody's message (a health check). */
  conversation: "chat" | "schedule" | "notice" | "none";
  requests: number;
  /** Requests whose end was never told: they are counted as estimated. */
  estimatedRequests: number;
  inputTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
  outputTokens: number;
  usd: number;
  price: CostPrice;
}

/** One answer: of those of a day, the dearest and the newest. */
export interface CostRun {
  day: string;
  instance: string;
  name: string;
  /** Id of the message that was answered. */
  message: string;
  conversationId: string | null;
  person: CostPerson;
  startedAt: number;
  lastAt: number;
  requests: number;
  usd: number;
  /** `answered`, `interrupted`, `limit`, `failed`; null while it runs. */
  outcome: string | null;
}

export interface CostBreaker {
  id: string;
  /** What is stopped: one answer, all of a job or instance that asks by itself, or everything at an instance. */
  scope: "answer" | "job" | "instance";
  /** The message, the job or the instance. */
  subject: string;
  /** For people: the instance's name, the job's. */
  label: string;
  code: string;
  reason: string;
  openedAt: number;
  until: number;
}

export interface CostReport {
  /** Milliseconds since 1970. */
  at: number;
  /** Today, `yyyy-mm-dd`, UTC. */
  day: string;
  /** Every day that the report covers, oldest first, today last. */
  days: string[];
  /** When today's budget ends and tomorrow's begins. */
  until: number;
  /** Null while no policy is in force. */
  budgets: { usdPerDay: number; usdPerRun: number; usdWithoutProgress: number; reserveUsd: number } | null;
  /** Of the whole fleet: spent, and reserved for requests that run now. */
  today: { usd: number; reservedUsd: number };
  breaker: CostBreaker[];
  /** Answers and checks that were refused something today, by the reason's code. */
  refusals: { [code: string]: number };
  lines: CostLine[];
  runs: CostRun[];
  pricesDate: string;
  /** What makes the sums less than certain, such as a model without a known price. */
  warnings: string[];
}

export const costGroups = ["model", "person", "run", "instance", "day", "purpose"] as const;
export type CostGroup = (typeof costGroups)[number];

export interface CostSum {
  key: string;
  requests: number;
  inputTokens: number;
  /** Of the input, what came from a cache. */
  cacheReadTokens: number;
  outputTokens: number;
  usd: number;
  /** Some of it has no known price, so that it cost more than `usd` says. */
  isUnpriced: boolean;
}

/** Sums, dearest first; by day in the order of the days, with those on which nothing was used. */
export function sumCost(report: CostReport, group: Exclude<CostGroup, "run">): CostSum[] {
  const sums = new Map<string, CostSum>();
  if (group === "day") for (const day of report.days) sums.set(day, emptySum(day));
  for (const line of report.lines) {
    const key = keyOf(line, group);
    const sum = sums.get(key) ?? emptySum(key);
    sums.set(key, sum);
    sum.requests += line.requests;
    sum.inputTokens += line.inputTokens + line.cacheReadTokens + line.cacheWriteTokens;
    sum.cacheReadTokens += line.cacheReadTokens;
    sum.outputTokens += line.outputTokens;
    sum.usd += line.usd;
    sum.isUnpriced ||= line.price === "unknown";
  }
  const all = [...sums.values()];
  return group === "day" ? all : all.sort((a, b) => b.usd - a.usd || b.inputTokens - a.inputTokens);
}

function emptySum(key: string): CostSum {
  return { key, requests: 0, inputTokens: 0, cacheReadTokens: 0, outputTokens: 0, usd: 0, isUnpriced: false };
}

function keyOf(line: CostLine, group: Exclude<CostGroup, "run">): string {
  if (group === "model") return modelKey(line);
  if (group === "person") return personKey(line.person);
  if (group === "instance") return line.name;
  return group === "day" ? line.day : line.purpose;
}

/** A provider's own models are known by their name alone. */
export function modelKey({ provider, model }: { provider: string; model: string }): string {
  return provider === "anthropic" || provider === "openai" || model === provider ? model : `${model} (${provider})`;
}

export function personKey({ kind, name }: CostPerson): string {
  return kind === "maintainer" ? name : kind === "schedule" ? `schedule: ${name}` : name;
}

/** `$0.42`; what rounds to nothing keeps two digits that say something, such as `$0.0031`. */
export function usdText(usd: number): string {
  if (usd === 0 || usd >= 0.095) return `$${usd.toFixed(2)}`;
  return usd < 0.00005 ? "<$0.0001" : `$${usd.toFixed(4)}`;
}

/** `12`, `3.4k`, `1.2M`. */
export function tokensText(tokens: number): string {
  if (tokens < 1000) return String(tokens);
  if (tokens < 999_500) return `${(tokens / 1000).toPrecision(tokens < 9_950 ? 2 : 3).replace(/\.0+$/, "")}k`;
  return `${(tokens / 1_000_000).toFixed(tokens < 99_950_000 ? 1 : 0)}M`;
}

/** `in 3.2 hours`, `in 12 minutes`. */
export function untilText(until: number, now: number): string {
  const minutes = Math.max(1, Math.round((until - now) / 60_000));
  return minutes < 60
    ? `in ${minutes} ${minutes === 1 ? "minute" : "minutes"}`
    : `in ${(minutes / 60).toFixed(1)} hours`;
}

/** ISO without milliseconds: `2026-11-24T00:00:00Z`. */
export function isoText(at: number): string {
  return new Date(at).toISOString().replace(/\.000Z$/, "Z");
}
