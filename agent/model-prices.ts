/**
 * What models cost: one dated table of list prices, in US dollars per million tokens. Prices move; the table says when it
 * was read, and `models.*.price` in the configuration goes before it.
 *
 * Sources: Anthropic's pages "Pricing" and "Models & pricing" (platform.claude.com/docs/en/about-claude/pricing),
 * OpenAI's page "Pricing" (developers.openai.com/api/docs/pricing), both as published by November 2026. Cache writes are
 * those that live for five minutes (Anthropic) or the shortest offered (OpenAI). Batch and priority prices are not used.
 */
import type { Usage } from "./protocol.ts";

/** The day on which the table was last compared with its sources. */
export const modelPricesDate = "2026-11-23";

export interface ModelPrice {
  input: number;
  cacheRead: number;
  cacheWrite: number;
  output: number;
  /** A request whose whole input is longer than `tokens` costs so many times as much, all of it. */
  long?: { tokens: number; input: number; output: number };
}

/** `assumed`: the model is not in the table and is counted as the newest that is known of its kind. */
export type KnownPrice = ModelPrice & { assumed: boolean };

type Row = [
  model: string,
  input: number,
  cacheRead: number,
  cacheWrite: number,
  output: number,
  long?: "long" | "haiku",
];

/** OpenAI: above 272,000 tokens of input. Haiku 5.5: above 100,000. */
const surcharges = {
  long: { tokens: 272_000, input: 2, output: 1.5 },
  haiku: { tokens: 100_000, input: 5, output: 5 },
};

// Newest first within a family: the first of a family stands for one that is not listed.
const anthropicRows: Row[] = [
  ["claude-fable-5-2", 8, 0.2, 10, 40],
  ["claude-fable-5-1", 10, 0.25, 12.5, 50],
  ["claude-fable-5", 10, 1, 12.5, 50],
  // Of Mythos 5.2 no price was found; Mythos has always cost what Fable of its number costs.
  ["claude-mythos-5-1", 10, 0.25, 12.5, 50],
  ["claude-mythos-5", 10, 1, 12.5, 50],
  ["claude-opus-5-5", 4, 0.2, 5, 20],
  ["claude-opus-5", 5, 0.5, 6.25, 25],
  ["claude-opus-4-8", 5, 0.5, 6.25, 25],
  ["claude-opus-4-7", 5, 0.5, 6.25, 25],
  ["claude-opus-4-6", 5, 0.5, 6.25, 25],
  ["claude-opus-4-5", 5, 0.5, 6.25, 25],
  ["claude-sonnet-5-5", 2, 0.1, 2.5, 10],
  ["claude-sonnet-5", 2, 0.2, 2.5, 10],
  ["claude-sonnet-4-6", 3, 0.3, 3.75, 15],
  ["claude-sonnet-4-5", 3, 0.3, 3.75, 15],
  ["claude-haiku-5-5", 0.1, 0.01, 0.125, 0.5, "haiku"],
  ["claude-haiku-4-5", 1, 0.1, 1.25, 5],
];

// A model without a price for writing to the cache charges such tokens as input.
const openAiRows: Row[] = [
  ["gpt-6-astra", 10, 1, 12.5, 50, "long"],
  ["gpt-6.1-sol", 2, 0.1, 2.5, 10, "long"],
  ["gpt-6-sol", 2, 0.2, 2.5, 10, "long"],
  ["gpt-6.1-terra", 1, 0.05, 1.25, 5, "long"],
  ["gpt-6-luna", 0.1, 0.01, 0.125, 0.5, "long"],
  ["gpt-5.6-sol", 4, 0.4, 5, 20, "long"],
  ["gpt-5.6-terra", 2, 0.2, 2.5, 12, "long"],
  ["gpt-5.6-luna", 0.2, 0.02, 0.25, 1.2, "long"],
  ["gpt-5.5", 5, 0.5, 5, 30, "long"],
  ["gpt-5.5-pro", 30, 30, 30, 180, "long"],
  ["gpt-5.4", 2.5, 0.25, 2.5, 15, "long"],
  ["gpt-5.4-mini", 0.75, 0.075, 0.75, 4.5],
  ["gpt-5.4-nano", 0.2, 0.02, 0.2, 1.25],
  ["gpt-5.3-codex", 1.75, 0.175, 1.75, 14],
  ["gpt-5.2-codex", 1.75, 0.175, 1.75, 14],
  ["gpt-5.1-codex-max", 1.25, 0.125, 1.25, 10],
  ["gpt-5.1-codex", 1.25, 0.125, 1.25, 10],
  ["gpt-5-codex", 1.25, 0.125, 1.25, 10],
  ["gpt-5.2", 1.75, 0.175, 1.75, 14],
  ["gpt-5.2-pro", 21, 21, 21, 168],
  ["gpt-5.1", 1.25, 0.125, 1.25, 10],
  ["gpt-5", 1.25, 0.125, 1.25, 10],
  ["gpt-5-pro", 15, 15, 15, 120],
  ["gpt-5-mini", 0.25, 0.025, 0.25, 2],
  ["gpt-5-nano", 0.05, 0.005, 0.05, 0.4],
  ["gpt-4.1", 2, 0.5, 2, 8],
  ["gpt-4.1-mini", 0.4, 0.1, 0.4, 1.6],
  ["gpt-4.1-nano", 0.1, 0.025, 0.1, 0.4],
  ["gpt-4o", 2.5, 1.25, 2.5, 10],
  ["gpt-4o-mini", 0.15, 0.075, 0.15, 0.6],
  ["o3", 2, 0.5, 2, 8],
  ["o3-pro", 20, 20, 20, 80],
  ["o4-mini", 1.1, 0.275, 1.1, 4.4],
];

export const modelPrices: { [provider: string]: ReadonlyMap<string, ModelPrice> } = {
  anthropic: new Map(anthropicRows.map(priceOfRow)),
  openai: new Map(openAiRows.map(priceOfRow)),
};

function priceOfRow([model, input, cacheRead, cacheWrite, output, long]: Row): [string, ModelPrice] {
  return [model, { input, cacheRead, cacheWrite, output, ...(long ? { long: surcharges[long] } : {}) }];
}

/** Names by which a provider's models are of a kind; the first that the model's name holds decides. */
const families: { [provider: string]: string[] } = {
  anthropic: ["fable", "mythos", "opus", "sonnet", "haiku"],
  openai: ["-pro", "nano", "mini", "codex", "astra", "sol", "terra", "luna"],
};

/**
 * The list price of a provider's model, without the date or `latest` at its end; null for a provider that the table does
 * not know. A model that it does not list is never free: it costs what the newest of its family does, or, without a
 * family, what the dearest general one does.
 */
export function listPrice(provider: string, model: string): KnownPrice | null {
  const table = Object.hasOwn(modelPrices, provider) ? modelPrices[provider] : undefined;
  if (!table) return null;
  const plain = model.toLowerCase().replace(/-(?:latest|preview|20[0-9]{2}-?[0-9]{2}-?[0-9]{2})$/, "");
  const exact = table.get(model) ?? table.get(plain);
  if (exact) return { ...exact, assumed: false };
  const family = families[provider]?.find((name) => plain.includes(name));
  const relative = family ? [...table].find(([name]) => name.includes(family))?.[1] : undefined;
  const fallback = relative ?? table.get(provider === "openai" ? "gpt-6-astra" : "claude-fable-5");
  return fallback ? { ...fallback, assumed: true } : null;
}

/** US dollars for what one request used. */
export function usageUsd(price: ModelPrice, usage: Usage): number {
  const { inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens } = usage;
  const isLong = price.long !== undefined && inputTokens + cacheReadTokens + cacheWriteTokens > price.long.tokens;
  const input = inputTokens * price.input + cacheReadTokens * price.cacheRead + cacheWriteTokens * price.cacheWrite;
  const output = outputTokens * price.output;
  const factors = isLong && price.long ? price.long : { input: 1, output: 1 };
  return (input * factors.input + output * factors.output) / 1_000_000;
}

export function isFree(price: ModelPrice): boolean {
  return price.input === 0 && price.cacheRead === 0 && price.cacheWrite === 0 && price.output === 0;
}
