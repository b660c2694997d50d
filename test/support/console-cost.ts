/** A month of a small fleet's spending, the same at every run, for the console's tests. */
import type { CostLine, CostReport } from "../../tools/cost-report.ts";

const dayMs = 86_400_000;

const models = [
  { provider: "anthropic", model: "claude-opus-5-5", purpose: "personality", usd: 3.1, price: "list" },
  { provider: "openai", model: "gpt-6.1-sol", purpose: "coding", usd: 1.9, price: "list" },
  { provider: "anthropic", model: "claude-haiku-5-5", purpose: "summaries", usd: 0.22, price: "list" },
  { provider: "anthropic", model: "claude-sonnet-6", purpose: "personality", usd: 0.6, price: "assumed" },
] as const;
const people = [
  { kind: "maintainer", id: "1", name: "Ada" },
  { kind: "schedule", id: "heartbeat", name: "heartbeat" },
  { kind: "maintainer", id: "2", name: "Grace" },
] as const;

export function sampleCost(days: number, changed: Partial<CostReport> = {}): CostReport {
  const at = Date.now();
  const names = Array.from({ length: days }, (_, index) =>
    new Date(at - (days - 1 - index) * dayMs).toISOString().slice(0, 10),
  );
  const day = names.at(-1) ?? "";
  const lines: CostLine[] = names.flatMap((name, index) =>
    models.flatMap(({ usd, ...model }, which) => {
      // Quiet weekends, and a busy week now and then.
      const weekday = new Date(`${name}T00:00:00Z`).getUTCDay();
      const mood = (weekday % 6 === 0 ? 0.25 : 1) * (0.55 + 0.45 * Math.sin((days - index) * 0.55 + which)) + 0.12;
      const person = people[(index + which) % people.length] ?? people[0];
      const instance =
        which % 2 === 0 ? { instance: "i-01", name: "CLAWDINATOR-1" } : { instance: "i-02", name: "CLAWDINATOR-2" };
      if (model.price === "assumed" && days - index > 9) return [];
      return [
        {
          day: name,
          ...instance,
          ...model,
          person,
          conversation: person.kind === "schedule" ? ("schedule" as const) : ("chat" as const),
          requests: Math.round(40 * mood),
          estimatedRequests: 0,
          inputTokens: Math.round(90_000 * mood),
          cacheReadTokens: Math.round(1_900_000 * mood),
          cacheWriteTokens: Math.round(60_000 * mood),
          outputTokens: Math.round(38_000 * mood),
          usd: usd * mood,
        },
      ];
    }),
  );
  const today = lines.filter((line) => line.day === day).reduce((sum, line) => sum + line.usd, 0);
  return {
    at,
    day,
    days: names,
    until: Date.parse(`${day}T00:00:00Z`) + dayMs,
    budgets: { usdPerDay: 10, usdPerRun: 2, usdWithoutProgress: 1, reserveUsd: 1 },
    today: { usd: today, reservedUsd: 0.42 },
    breaker: [],
    refusals: {},
    lines,
    runs: [1.62, 0.94, 0.31].map((usd, index) => ({
      ...{ day, instance: "i-01", name: "CLAWDINATOR-1", message: `m-${index}`, conversationId: "console-1" },
      person: people[index] ?? people[0],
      startedAt: at - (index + 1) * 2_700_000,
      lastAt: at - index * 2_700_000 - 60_000,
      requests: 14 - index * 4,
      usd,
      outcome: index === 0 ? null : "answered",
    })),
    pricesDate: "2026-11-23",
    warnings: [],
    ...changed,
  };
}

export function openBreaker(): Partial<CostReport> {
  return {
    breaker: [
      {
        id: "b-1",
        scope: "job",
        subject: "schedule:heartbeat",
        label: "heartbeat",
        code: "budget_run",
        reason: "this answer has cost $2.06, and one may cost $2.00; it goes no further until midnight",
        openedAt: Date.now() - 5_400_000,
        until: Date.now() + 7_200_000,
      },
    ],
    refusals: { budget_run: 2 },
    warnings: [
      "price assumed: claude-sonnet-6 is not in the table of 2026-11-23 and counted as the newest known of the family",
    ],
  };
}
