/** A person with a browser does the main job: log in, ask, approve, watch, reject, reload in the middle, remember. */
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

/** Remembers every text that elements matching the selector ever show: what passes in a second is still seen. */
async function remember(page: Page, selector: string): Promise<() => Promise<string[]>> {
  const list = JSON.stringify(selector);
  await page.evaluate(`{
    const seen = (window.seen ??= new Set());
    const look = () => { for (const one of document.querySelectorAll(${list})) seen.add(one.textContent.trim()); };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    look();
  }`);
  return () => page.evaluate("[...window.seen]");
}

test.skipIf(!hasChromium)(
  "a sibling is asked for, approved and watched in the console; another is rejected",
  { timeout: 180_000 },
  async () => {
    const fleet = await startFleet();
    const browser = await launchBrowser();
    onTestFinished(() => browser.close());
    const page = await openPage(browser);
    page.setDefaultTimeout(60_000);
    const planOf = (name: string) => page.getByRole("article", { name: new RegExp(`^Plan: .*${name}`) });

    await loginByLink(page, `${fleet.url()}/#login=${fleet.token()}`);
    expect(page.url()).not.toContain(fleet.token());
    await picture(page, "1-empty-chat");

    await sendMessage(page, "spawn a sibling");
    const plan = planOf("CLAWDINATOR-2");
    await plan.getByText("waiting for a decision").waitFor();
    await page.locator('.answer[aria-busy="false"]').waitFor();
    expect(await page.locator(".answer .prose").count()).toBe(0);
    await picture(page, "2-plan");

    const watcher = await page.context().newPage();
    await watcher.goto(`${fleet.url()}/#/fleet`);
    await watcher.getByText("1 of 1 instance ready").waitFor();
    const statesSeen = await remember(watcher, '[aria-label="CLAWDINATOR-2"] .pill');
    const follower = await page.context().newPage();
    await follower.goto(page.url());
    await follower.locator(".plan-actions").waitFor();
    const progressSeen = await remember(follower, ".step-progress");

    await approvePlan(page);
    // Reload in the middle: the page comes back to the same conversation with the same operation.
    await page.reload();
    await page.locator(".connection-live").waitFor();
    await picture(page, "3-after-reload");
    await plan.getByText("succeeded", { exact: true }).waitFor();
    const notice = page.locator(".notice", { hasText: "CLAWDINATOR-2 launched" });
    await notice.waitFor();
    await follower.locator(".notice", { hasText: "CLAWDINATOR-2 launched" }).waitFor();
    await picture(page, "4-done");
    expect(await progressSeen()).toContainEqual(expect.stringMatching(/^i-\w+: /));
    await follower.close();

    await openView(page, "Fleet");
    await page.getByText("2 of 2 instances ready").waitFor();
    await picture(page, "5-fleet");
    await watcher.getByText("2 of 2 instances ready").waitFor();
    expect(await statesSeen()).toContainEqual(expect.stringMatching(/^(booting|candidate)$/));
    await watcher.close();

    // Back in the chat is back in the conversation, with all that was said in it.
    await openView(page, "Chat");
    await notice.waitFor();
    await sendMessage(page, "spawn a sibling");
    await planOf("CLAWDINATOR-3").getByText("waiting for a decision").waitFor();
    expect(await page.locator(".conversations .conversation").count()).toBe(1);
    await picture(page, "6-second-plan");
    await rejectPlan(page, "two are enough");
    await planOf("CLAWDINATOR-3").getByText("two are enough").waitFor();
    await picture(page, "7-rejected");

    await openView(page, "Approvals");
    await page.locator(".row").nth(1).waitFor();
    await picture(page, "8-approvals");
    await openView(page, "Operations");
    await page.locator(".row", { hasText: "launch CLAWDINATOR-2" }).click();
    await page.locator(".step-succeeded", { hasText: "await ready" }).waitFor();
    await picture(page, "9-operation");
    await openView(page, "Memory");
    await page
      .getByRole("complementary")
      .getByRole("link", { name: /^ops\.md/ })
      .click();
    await page.getByRole("link", { name: "Edit" }).click();
    const ops = page.getByRole("textbox", { name: "Text" });
    await ops.fill(`${await ops.inputValue()}\n- A second sibling was not needed.\n`);
    await page.keyboard.press("Control+s");
    await page.locator(".document-body").getByText("A second sibling was not needed.").waitFor();
    await picture(page, "10-memory");
    const remembered = await fleet.json<{ text: string; trust: string }>("memory", "read", "ops.md");
    expect(remembered.text).toMatch(/A second sibling was not needed\.\n$/);
    expect(remembered.trust).toBe("maintainer");
    await openView(page, "Audit");
    await page.getByText("approval.executed").first().waitFor();
    await page.getByText("memory/ops.md").waitFor();
    await picture(page, "11-audit");

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
    await phone.getByRole("article", { name: "CLAWDINATOR-2" }).waitFor();
    expect(await horizontalOverflow(phone)).toBe(0);
    await picture(phone, "12-phone-dark");
    expect(phone.problems).toEqual([]);
  },
);
