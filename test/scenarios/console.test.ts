/** A person with a browser does the main job: log in, ask, approve, watch, reject, reload in the middle. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import {
  approvePlan,
  hasChromium,
  horizontalOverflow,
  launchBrowser,
  loginByLink,
  openPage,
  openView,
  rejectPlan,
  sendMessage,
} from "../support/browser.ts";
import { startFleet } from "../support/fleet.ts";

/** CONSOLE_SCREENSHOTS names a directory to keep pictures in, for whoever wants to look. */
async function picture(page: Page, name: string): Promise<void> {
  const directory = process.env.CONSOLE_SCREENSHOTS;
  if (!directory) return;
  mkdirSync(directory, { recursive: true });
  await page.screenshot({ path: join(directory, `${name}.png`) });
}

test.skipIf(!hasChromium)(
  "a sibling is asked for, approved and watched in the console; another is rejected",
  { timeout: 120_000 },
  async () => {
    const fleet = await startFleet();
    const browser = await launchBrowser();
    onTestFinished(() => browser.close());
    const page = await openPage(browser);

    await loginByLink(page, `${fleet.url()}/#login=${fleet.token()}`);
    expect(page.url()).not.toContain(fleet.token());
    await picture(page, "1-empty-chat");

    await sendMessage(page, "spawn a sibling");
    const card = page.locator(".plan-actions").last();
    await card.waitFor();
    await expect.poll(() => page.getByText("CLAWDINATOR-2").count(), { timeout: 10_000 }).toBeGreaterThan(0);
    await picture(page, "2-plan");

    await approvePlan(page);
    // Reload in the middle: the page comes back to the same conversation with the same operation.
    await page.reload();
    await page.locator(".connection-live").waitFor();
    await picture(page, "3-after-reload");
    await expect.poll(() => page.getByText(/succeeded/i).count(), { timeout: 60_000 }).toBeGreaterThan(0);
    await picture(page, "4-done");

    await openView(page, "Fleet");
    await page.getByText("CLAWDINATOR-2").first().waitFor();
    await expect
      .poll(() => page.getByText("ready", { exact: true }).count(), { timeout: 20_000 })
      .toBeGreaterThanOrEqual(2);
    await picture(page, "5-fleet");

    await openView(page, "Chat");
    await sendMessage(page, "spawn a sibling");
    await page.getByText("CLAWDINATOR-3").first().waitFor();
    await rejectPlan(page, "two are enough");
    await expect.poll(() => page.getByText(/two are enough|rejected/i).count(), { timeout: 10_000 }).toBeGreaterThan(0);
    await picture(page, "6-rejected");

    await openView(page, "Approvals");
    await picture(page, "7-approvals");
    await openView(page, "Operations");
    await page
      .getByText(/launch CLAWDINATOR-2/)
      .first()
      .click();
    await page.getByText("give_name").first().waitFor();
    await picture(page, "8-operation");
    await openView(page, "Audit");
    await page.getByText("approval.executed").first().waitFor();
    await picture(page, "9-audit");

    const { approvals } = await fleet.json<{ approvals: { state: string; reason: string | null }[] }>(
      "approvals",
      "list",
    );
    expect(approvals.map(({ state }) => state).sort()).toEqual(["executed", "rejected"]);
    expect(approvals.find(({ state }) => state === "rejected")?.reason).toBe("two are enough");
    expect(page.problems).toEqual([]);

    const phone = await openPage(browser, { width: 360, height: 740, colorScheme: "dark" });
    await loginByLink(phone, `${fleet.url()}/#login=${fleet.token()}`);
    await openView(phone, "Fleet");
    await phone.getByText("CLAWDINATOR-2").first().waitFor();
    expect(await horizontalOverflow(phone)).toBe(0);
    await picture(phone, "10-phone-dark");
  },
);
