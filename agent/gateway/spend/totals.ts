/** What was spent since this process began, for metrics. */
import type { ModelIdentity, Usage } from "../../protocol.ts";

export interface SpendTotals {
  usage: Map<string, { model: string; purpose: string; usage: Usage; usd: number }>;
  refusals: Map<string, number>;
}

/** A mind that names ever new models must not make the metrics grow. */
const mostKinds = 200;

const usageParts = ["inputTokens", "cacheReadTokens", "cacheWriteTokens", "outputTokens"] as const;
const noUsage: Usage = { inputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 0 };

export function emptyTotals(): SpendTotals {
  return { usage: new Map(), refusals: new Map() };
}

export function countUsage(
  totals: SpendTotals,
  { model, purpose }: { model: ModelIdentity; purpose: string },
  { usage, usd }: { usage: Usage; usd: number },
): void {
  const key = `${model.provider} ${model.model} ${purpose}`;
  const known = totals.usage.get(key);
  if (!known && totals.usage.size >= mostKinds) return;
  const sum = known ?? { model: model.model, purpose, usage: { ...noUsage }, usd: 0 };
  totals.usage.set(key, sum);
  for (const part of usageParts) sum.usage[part] += usage[part];
  sum.usd += usd;
}
