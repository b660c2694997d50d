import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { axisOf, money, seriesOf, sumRows, total } from "../../../agent/console/pages/state/cost-sums.ts";
import { hasChromium, horizontalOverflow, launchBrowser, openView } from "../../support/browser.ts";
import { openBreaker, sampleCost } from "../../support/console-cost.ts";
import { openConsole } from "../../support/console-session.ts";

test("a chart's series are the dearest models, each day's sum stays whole, and free ones are left out", () => {
  const report = sampleCost(7);
  const line = report.lines[0];
  if (!line) throw new Error("the sample is empty");
  const many = ["a", "b", "c", "d"].map((model, index) => ({ ...line, provider: "x", model, usd: 0.01 * (index + 1) }));
  const series = seriesOf({ ...report, lines: [...report.lines, ...many, { ...line, model: "free", usd: 0 }] });
  expect(series).toHaveLength(6);
  expect(series.at(-1)?.label).toBe("others");
  expect(series.map(({ label }) => label)).not.toContain("free");
  const spent = total(report.lines.map(({ usd }) => usd)) + 0.1;
  expect(total(series.map(({ totalUsd }) => totalUsd))).toBeCloseTo(spent);
});

test("sums keep what is worth knowing about a price", () => {
  const rows = sumRows(sampleCost(7).lines, "model");
  expect(rows[0]?.label).toBe("claude-opus-5-5");
  expect(rows.find(({ label }) => label === "claude-sonnet-6")?.prices).toEqual(new Set(["assumed"]));
});

test("amounts and axes read well", () => {
  expect([0, 0.00001, 0.0031, 0.42, 12].map(money)).toEqual(["$0", "<$0.0001", "$0.0031", "$0.42", "$12.00"]);
  expect([4.2, 0.07, 11, 0].map((largest) => axisOf(largest).top)).toEqual([5, 0.08, 20, 0.0001]);
});

describe.skipIf(!hasChromium)("the page", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  const isDrawn = (page: Page) => page.locator(".chart-drawing .series-1").first().waitFor();

  test("shows today against the budget, a bar for each day, and the same figures as a table", async () => {
    const { page } = await openConsole(browser);
    await openView(page, "Cost");
    await isDrawn(page);
    const report = sampleCost(30);
    await page.getByRole("img", { name: /of \$10\.00 spent today/ }).waitFor();
    await page.getByRole("img", { name: /Cost of each day, by model/ }).waitFor();
    expect(await page.locator(".chart-drawing .series-1").count()).toBe(30);
    await page.getByText("The figures as a table").click();
    expect(await page.getByRole("group", { name: "Cost of each day, by model" }).getByRole("row").count()).toBe(31);
    await page.getByRole("button", { name: "7 days" }).click();
    await expect.poll(() => page.locator(".chart-drawing .series-1").count()).toBe(7);
    await page.getByRole("button", { name: "Person" }).click();
    await page.getByRole("row", { name: /schedule: heartbeat/ }).waitFor();
    expect(report.days).toHaveLength(30);
  });

  test("an open breaker says what and why, and is reset from here", async () => {
    const { fake, page } = await openConsole(browser, {
      prepare: (fake) => {
        fake.cost = (days) => sampleCost(days, openBreaker());
      },
    });
    await openView(page, "Cost");
    await page.getByText("this answer has cost $2.06").waitFor();
    await page.getByText("2 × budget_run").waitFor();
    await page.getByText("price assumed: claude-sonnet-6").waitFor();
    await page.getByRole("button", { name: "Reset the breaker" }).click();
    await page.locator(".pill", { hasText: "closed" }).waitFor();
    expect(fake.posts.map(({ path }) => path)).toContain("/api/cost/reset");
  });

  test("says that nothing was spent, and that nothing may be", async () => {
    const { page } = await openConsole(browser, {
      prepare: (fake) => {
        const budgets = { usdPerDay: 0, usdPerRun: 0, usdWithoutProgress: 0, reserveUsd: 0 };
        fake.cost = (days) => sampleCost(days, { lines: [], runs: [], budgets, today: { usd: 0, reservedUsd: 0 } });
      },
    });
    await openView(page, "Cost");
    await page.getByText("Nothing may be spent").waitFor();
    await page.getByText("Nothing was spent").waitFor();
  });

  test.each([
    { width: 360, colorScheme: "light" as const },
    { width: 360, colorScheme: "dark" as const },
    { width: 1280, colorScheme: "light" as const },
    { width: 1280, colorScheme: "dark" as const },
  ])("fits $width pixels, $colorScheme", async ({ width, colorScheme }) => {
    const { page } = await openConsole(browser, {
      width,
      height: width === 360 ? 2200 : 1500,
      colorScheme,
      prepare: (fake) => {
        if (colorScheme === "dark") fake.cost = (days) => sampleCost(days, openBreaker());
      },
    });
    await openView(page, "Cost");
    await isDrawn(page);
    expect(await horizontalOverflow(page)).toBe(0);
  });
});
