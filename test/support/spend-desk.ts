/** The gateway's ledger of one instance over a real store, with a clock that the test moves. */

import { parseConfig } from "../../agent/config.ts";
import { createAuditLog } from "../../agent/gateway/audit.ts";
import { makePriceOf } from "../../agent/gateway/spend/prices.ts";
import { costReport } from "../../agent/gateway/spend/report.ts";
import { createSpend } from "../../agent/gateway/spend/spend.ts";
import type { RunAbout, Spend } from "../../agent/gateway/spend/types.ts";
import type { SpendBegin, SpendBeginAnswer } from "../../agent/protocol.ts";
import type { CostReport } from "../../tools/cost-report.ts";
import { formatPolicy, type Policy, parsePolicy } from "../../tools/policy.ts";
import { movePolicyPin, pinFirstPolicy, readPolicy } from "../../tools/policy-pin.ts";
import type { Store } from "../../tools/store.ts";

/** Noon, so that nothing of a test meets midnight unless it wants to. */
export const noon = Date.parse("2026-11-23T12:00:00Z");

/** One dollar for a million tokens, whatever they are: money can be read off the tokens. */
export const dollarModel = { provider: "openai-compatible", model: "dollar" };
const unpricedModel = { provider: "openai-compatible", model: "secret-price" };

const models = parseConfig(
  {
    models: {
      personality: { provider: "openai-compatible", model: "dollar", price: { input: 1, output: 1 } },
      fallbacks: [{ provider: "openai-compatible", model: "own", price: { input: 0, output: 0 } }],
    },
  },
  "test",
).models;

export { unpricedModel };
export const freeModel = { provider: "openai-compatible", model: "own" };

/** Tokens that cost so many dollars with `dollarModel`, all of them output unless said otherwise. */
export function tokensFor(usd: number, kind: "input" | "output" = "output") {
  const usage = { inputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 0 };
  return { ...usage, [kind === "input" ? "inputTokens" : "outputTokens"]: Math.round(usd * 1_000_000) };
}

export async function pinBudgets(store: Store, budgets: Partial<Policy["budgets"]> = {}): Promise<void> {
  const text = policyText(budgets);
  const before = await readPolicy(store).catch(() => null);
  if (before) await movePolicyPin(store, { from: before.digest, commit: "b".repeat(40), text });
  else await pinFirstPolicy(store, { commit: "a".repeat(40), text });
}

function policyText(budgets: Partial<Policy["budgets"]>): string {
  const policy = {
    formatVersion: 1,
    approvers: ["1"],
    operations: {},
    budgets: { usdPerDay: 10, usdPerRun: 5, usdWithoutProgress: 5, reserveUsd: 0, ...budgets },
  };
  return formatPolicy(parsePolicy(JSON.stringify(policy), "test"));
}

export interface SpendDesk {
  spend: Spend;
  clock: { now: number };
  begin(request: string, options?: BeginOptions): Promise<SpendBeginAnswer | null>;
  end(request: string, usd: number | null): Promise<number | null>;
  /** Begins and ends a request that cost so much; throws when it is refused. */
  use(request: string, usd: number, options?: BeginOptions): Promise<void>;
  report(days?: number): Promise<CostReport>;
}

export interface BeginOptions {
  usd?: number;
  about?: RunAbout | null;
  model?: SpendBegin["model"];
  purpose?: SpendBegin["purpose"];
  estimate?: SpendBegin["estimate"];
}

export function answerTo(message: string, author: RunAbout["author"] = ada): RunAbout {
  return { message, conversation: `talk-${message}`, kind: "chat", author };
}
export const ada = { kind: "maintainer" as const, id: "1", name: "Ada" };
export const heartbeat = { kind: "schedule" as const, id: "heartbeat", name: "heartbeat" };

export function openDesk(
  store: Store,
  options: { instance?: string; clock?: { now: number }; log?: (line: string) => void } = {},
): SpendDesk {
  const { instance = "i-000000000001", clock = { now: noon } } = options;
  // The store's own clock is the machine's: here both are the test's.
  const timed: Store = { ...store, now: async () => clock.now };
  const name = instance.endsWith("2") ? "CLAWDINATOR-2" : "CLAWDINATOR-1";
  const spend = createSpend({
    store: timed,
    audit: createAuditLog(timed),
    policy: () => readPolicy(timed),
    instance,
    name,
    priceOf: makePriceOf(models),
    log: (_level, event) => options.log?.(event),
    clock: () => clock.now,
  });
  spend.onMind(4711);
  const desk: SpendDesk = {
    spend,
    clock,
    begin(request, { usd = 0.1, about = answerTo("m1"), model = dollarModel, purpose = "personality", estimate } = {}) {
      const run = about === null ? null : `${about.message}.1`;
      return spend.begin({ request, run, purpose, model, estimate: estimate ?? tokensFor(usd) }, about);
    },
    end: (request, usd) => spend.end({ request, usage: usd === null ? null : tokensFor(usd) }),
    async use(request, usd, begun = {}) {
      const answer = await desk.begin(request, { usd, ...begun });
      if (answer?.status !== "allowed") throw new Error(`${request} was refused: ${JSON.stringify(answer)}`);
      await desk.end(request, usd);
    },
    report: (days = 1) => costReport({ spend, policy: () => readPolicy(timed), days }),
  };
  return desk;
}
