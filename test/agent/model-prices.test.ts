import { expect, test } from "vitest";
import { parseConfig } from "../../agent/config.ts";
import { makePriceOf } from "../../agent/gateway/spend/prices.ts";
import { listPrice, modelPrices, modelPricesDate, usageUsd } from "../../agent/model-prices.ts";

const usage = {
  inputTokens: 1_000_000,
  cacheReadTokens: 1_000_000,
  cacheWriteTokens: 1_000_000,
  outputTokens: 1_000_000,
};

test("the table is dated, and in it nothing is free and the cache is never dearer than twice the input", () => {
  expect(modelPricesDate).toMatch(/^20\d\d-\d\d-\d\d$/);
  for (const table of Object.values(modelPrices)) {
    for (const [model, price] of table) {
      expect(Math.min(price.input, price.cacheRead, price.cacheWrite, price.output), model).toBeGreaterThan(0);
      expect(price.cacheRead, model).toBeLessThanOrEqual(price.input);
      expect(price.cacheWrite, model).toBeLessThanOrEqual(price.input * 1.25);
    }
  }
});

test.each([
  ["anthropic", "claude-opus-5-5", { input: 4, output: 20, assumed: false }],
  ["anthropic", "claude-haiku-4-5-20251001", { input: 1, output: 5, assumed: false }],
  ["openai", "gpt-5.5-2026-04-23", { input: 5, output: 30, assumed: false }],
  ["anthropic", "claude-opus-9", { input: 4, output: 20, assumed: true }],
  ["anthropic", "claude-mythos-5-2", { input: 10, output: 50, assumed: true }],
  ["openai", "gpt-9-luna", { input: 0.1, output: 0.5, assumed: true }],
  ["openai", "a-new-name", { input: 10, output: 50, assumed: true }],
  ["anthropic", "a-new-name", { input: 10, output: 50, assumed: true }],
])("%s %s costs what is known of it, and is never free", (provider, model, price) => {
  expect(listPrice(provider, model)).toMatchObject(price);
});

test("each kind of token has its price, and a long request costs more", () => {
  const opus = listPrice("anthropic", "claude-opus-5-5");
  const haiku = listPrice("anthropic", "claude-haiku-5-5");
  if (!opus || !haiku) throw new Error("not in the table");
  expect(usageUsd(opus, usage)).toBeCloseTo(4 + 0.2 + 5 + 20);
  const short = { inputTokens: 50_000, cacheReadTokens: 40_000, cacheWriteTokens: 0, outputTokens: 1_000 };
  expect(usageUsd(haiku, { ...short, cacheReadTokens: 60_000 })).toBeCloseTo(
    5 * usageUsd({ ...haiku, long: { tokens: 1e9, input: 1, output: 1 } }, { ...short, cacheReadTokens: 60_000 }),
  );
});

test("the configuration's price goes before the table's; 0 is free, but not with Anthropic or OpenAI", () => {
  const zero = { input: 0, output: 0 };
  const { models } = parseConfig(
    {
      models: {
        personality: { provider: "anthropic", model: "claude-opus-5-5", price: zero },
        coding: { provider: "openai", model: "gpt-6-sol", price: { input: 7, output: 9 } },
        summaries: { provider: "openai-compatible", model: "llama", price: zero, baseUrl: "http://127.0.0.1:1/v1" },
        fallbacks: [{ provider: "openai-compatible", model: "gpt-6-luna", baseUrl: "https://api.openai.com/v1" }],
      },
    },
    "test",
  );
  const priceOf = makePriceOf(models);
  expect(priceOf({ provider: "anthropic", model: "claude-opus-5-5" })).toMatchObject({
    source: "list",
    price: { input: 4 },
  });
  expect(priceOf({ provider: "openai", model: "gpt-6-sol" })).toMatchObject({
    source: "configured",
    price: { cacheRead: 7 },
  });
  expect(priceOf({ provider: "openai-compatible", model: "llama" }).source).toBe("free");
  expect(priceOf({ provider: "openai-compatible", model: "gpt-6-luna" }).source).toBe("list");
  expect(priceOf({ provider: "openai-compatible", model: "somebody-else's" })).toEqual({
    source: "unknown",
    price: null,
  });
  expect(priceOf({ provider: "interpreter", model: "interpreter" }).source).toBe("free");
});
