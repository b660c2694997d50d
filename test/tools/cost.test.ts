import { expect, test } from "vitest";
import { parseCommand } from "../../agent/commands.ts";
import { cost, costText } from "../../tools/cost.ts";
import { costGroups, sumCost, tokensText, untilText, usdText } from "../../tools/cost-report.ts";
import type { ReadContext } from "../../tools/tool.ts";
import { openBreaker, sampleCost } from "../support/console-cost.ts";

test("tells what was spent of what, what is left, and until when", () => {
  const report = { ...sampleCost(1), today: { usd: 6.5, reservedUsd: 0.5 }, at: Date.parse("2026-11-23T20:48:00Z") };
  const text = costText({ ...report, day: "2026-11-23", until: Date.parse("2026-11-24T00:00:00Z") }, "model");
  expect(text.split("\n").slice(0, 2)).toEqual([
    "Today (2026-11-23, UTC) the models cost $6.50 of $10.00, and $0.50 is reserved for requests under way.",
    "$3.00 is left until 2026-11-24T00:00:00Z (in 3.2 hours), $1.00 of it for what maintainers ask themselves.",
  ]);
  expect(text).toMatch(/^model +requests +input +of it cached +output +cost$/m);
  expect(text).toMatch(/^claude-opus-5-5 .*\$\d+\.\d\d$/m);
});

test("says that the breaker is open and how it is closed, and warns of prices", () => {
  const text = costText(sampleCost(1, openBreaker()), "model");
  expect(text).toContain("The breaker is open for heartbeat until");
  expect(text).toContain("`clawdinator cost reset` closes it");
  expect(text).toContain("Refused today: 2 × budget_run.");
  expect(text).toContain("price assumed: claude-sonnet-6");
});

test("a budget of 0 is said, and so is that no model was asked", () => {
  const budgets = { usdPerDay: 0, usdPerRun: 0, usdWithoutProgress: 0, reserveUsd: 0 };
  const text = costText(sampleCost(1, { budgets, lines: [], today: { usd: 0, reservedUsd: 0 } }), "model");
  expect(text).toContain("nothing may be spent");
  expect(text).toContain("No model was asked in that time.");
});

test.each(costGroups.filter((group) => group !== "run"))("sums by %s lose nothing", (group) => {
  const report = sampleCost(30);
  const total = report.lines.reduce((sum, line) => sum + line.usd, 0);
  expect(sumCost(report, group).reduce((sum, one) => sum + one.usd, 0)).toBeCloseTo(total);
});

test("the tool asks for the days that it is told, and gives the sums as data", async () => {
  const asked: number[] = [];
  const context = {
    async cost(days: number) {
      asked.push(days);
      return sampleCost(days);
    },
  } as unknown as ReadContext;
  const { data } = await cost.run(context, cost.input.parse({ days: 7, by: "person" }));
  expect(asked).toEqual([7]);
  expect(data).toMatchObject({ sums: expect.arrayContaining([expect.objectContaining({ key: "Ada" })]) });
  expect(() => cost.input.parse({ days: 0 })).toThrow();
  expect(() => cost.input.parse({ by: "weather" })).toThrow();
});

test.each([
  ["what did you cost today?", {}],
  ["What did you cost?", {}],
  ["how much did you spend this week?", { days: 7, by: "day" }],
  ["cost this week", { days: 7, by: "day" }],
  ["show me the cost of the last month", { days: 30, by: "day" }],
  ["how much of the budget is left?", {}],
])("“%s” is a command", (text, input) => {
  expect(parseCommand(text)).toEqual({ kind: "call", tool: "cost", input });
});

test("amounts read well", () => {
  expect([0, 0.00001, 0.0031, 0.42, 1234.5].map(usdText)).toEqual([
    "$0.00",
    "<$0.0001",
    "$0.0031",
    "$0.42",
    "$1234.50",
  ]);
  expect([12, 3_400, 12_000, 123_456, 1_200_000].map(tokensText)).toEqual(["12", "3.4k", "12k", "123k", "1.2M"]);
  expect(untilText(60_000 * 30, 0)).toBe("in 30 minutes");
});
