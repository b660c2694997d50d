import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { approvePlan, hasChromium, launchBrowser, openView, rejectPlan } from "../../support/browser.ts";
import { sampleApproval, samplePlan } from "../../support/console-samples.ts";
import { openConsole } from "../../support/console-session.ts";

/** Presses Tab until the element with that role and name has the focus. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  const focused =
    "(document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '').trim()";
  for (let presses = 0; presses < 60; presses += 1) {
    if (name.test(await page.evaluate(focused))) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`no way with Tab to ${name}`);
}

describe.skipIf(!hasChromium)("console in a browser: approvals", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  test("lists what waits first, and shows a plan with everything that its digest covers", async () => {
    const publicSources = Array.from({ length: 7 }, (_, index) => `memory ${index}.md`);
    const plan = samplePlan({ proposer: { ...samplePlan().proposer, influencedByPublicText: true, publicSources } });
    const { fake, page } = await openConsole(browser, {
      prepare: (fake) => {
        fake.addApproval(
          sampleApproval({ id: "old", state: "rejected", plan: samplePlan({ summary: "Retire CLAWDINATOR-9" }) }),
        );
        fake.addApproval(sampleApproval({ id: "new", plan }));
      },
    });
    await openView(page, "Approvals");
    await page.locator(".row").nth(1).waitFor();
    expect(await page.locator(".row-title").allTextContents()).toEqual([plan.summary, "Retire CLAWDINATOR-9"]);
    await page.locator(".row").first().click();
    const card = page.getByRole("article");
    await card.getByText("Influenced by public text.").first().waitFor();
    const sources = card.getByRole("list", { name: "Public text" }).getByRole("listitem");
    expect(await sources.allTextContents()).toEqual([...publicSources.slice(0, 5), "and 2 more"]);
    const text = (await card.textContent()) ?? "";
    for (const part of [
      plan.summary,
      ...plan.warnings,
      "Ada",
      "free",
      "name never held",
      "needs 1 vote",
      "expires in 23 h",
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain(fake.approvals.get("new")?.digest);
    expect(await card.getByLabel("Facts as JSON").textContent()).toContain('"exists": false');
  });

  test("a plan that a model made without public text says so, more softly; a typed one says nothing", async () => {
    const shaped = { ...samplePlan().proposer, influencedByPublicText: true };
    const { fake, page } = await openConsole(browser, {
      prepare: (fake) => {
        fake.addApproval(sampleApproval({ id: "model", plan: samplePlan({ proposer: shaped }) }));
        fake.addApproval(sampleApproval({ id: "typed" }));
      },
    });
    await page.goto(`${fake.url}/#/approvals/model`);
    const card = page.getByRole("article");
    await card.getByText("A model proposed this, nobody typed it as a command.").waitFor();
    expect(await card.textContent()).not.toContain("Influenced by public text");
    await page.goto(`${fake.url}/#/approvals/typed`);
    await card.getByText("needs 1 vote").waitFor();
    await card.getByText("A model proposed this").waitFor({ state: "detached" });
    expect(await page.locator(".callout-bad").count()).toBe(0);
  });

  test("asks again with summary, short digest and cost before it approves", async () => {
    const { fake, page } = await openConsole(browser, {
      prepare: (fake) => fake.addApproval(sampleApproval({ id: "a" })),
    });
    await page.goto(`${fake.url}/#/approvals/a`);
    await page.getByRole("button", { name: "Approve" }).click();
    const dialog = page.getByRole("dialog");
    const { digest = "", summary = "" } = fake.approvals.get("a") ?? {};
    for (const part of [summary, "free"]) await dialog.getByText(part).waitFor();
    await dialog.getByText(digest.slice(0, 12), { exact: true }).waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    expect(fake.posts.some((post) => post.path.startsWith("/api/approvals"))).toBe(false);
    await approvePlan(page);
    await page.getByRole("region", { name: "Operation" }).waitFor();
    await page.getByRole("link", { name: "Follow the operation" }).click();
    await page.locator(".step-running", { hasText: "build image" }).waitFor();
  });

  test("rejects with a reason that goes on record", async () => {
    const { fake, page } = await openConsole(browser, {
      prepare: (fake) => fake.addApproval(sampleApproval({ id: "a" })),
    });
    await page.goto(`${fake.url}/#/approvals/a`);
    await page.getByRole("button", { name: "Reject" }).waitFor();
    await rejectPlan(page, "not today");
    await page.getByText("rejected by Ada: not today").waitFor();
    const digest = fake.approvals.get("a")?.digest;
    expect(fake.posts.at(-1)).toEqual({
      path: "/api/approvals/a",
      body: { decision: "reject", digest, reason: "not today" },
    });
    expect(await page.getByRole("button", { name: "Approve" }).count()).toBe(0);
  });

  test("a plan that another one replaced says so and leads there", async () => {
    const { fake, page } = await openConsole(browser, {
      prepare: (fake) => fake.addApproval(sampleApproval({ id: "a" })),
    });
    await page.goto(`${fake.url}/#/approvals/a`);
    await page.getByRole("button", { name: "Approve" }).waitFor();
    const plan = samplePlan({ summary: "Launch CLAWDINATOR-3 instead" });
    fake.approvals.set("b", sampleApproval({ id: "b", plan }));
    const replaced = { state: "superseded", reason: "CLAWDINATOR-2 is taken", supersededBy: "b" } as const;
    fake.approvals.set("a", sampleApproval({ id: "a", ...replaced }));
    await approvePlan(page);
    await page.getByRole("alert").getByText("The fleet changed since this plan was made.").waitFor();
    await page.getByText("CLAWDINATOR-2 is taken").waitFor();
    await page.getByRole("link", { name: "Go to the new plan" }).click();
    await page.getByRole("heading", { name: "Launch CLAWDINATOR-3 instead" }).waitFor();
    expect(page.url()).toBe(`${fake.url}/#/approvals/b`);
  });

  test("a second decision is answered with who decided", async () => {
    const { fake, page } = await openConsole(browser, {
      prepare: (fake) => fake.addApproval(sampleApproval({ id: "a" })),
    });
    await page.goto(`${fake.url}/#/approvals/a`);
    await page.getByRole("button", { name: "Approve" }).waitFor();
    fake.approvals.set("a", sampleApproval({ id: "a", state: "rejected", reason: "rejected by Bo" }));
    await approvePlan(page);
    await page.getByText("already rejected by Ada").waitFor();
    await page.getByText("rejected by Bo", { exact: true }).waitFor();
  });

  test("one's own vote is not asked for twice where two are needed", async () => {
    const at = Date.now();
    const vote = {
      maintainer: "m-ada",
      name: "Ada",
      surface: "cli",
      decision: "approve",
      counts: true,
      note: null,
      at,
    } as const;
    const { fake, page } = await openConsole(browser, {
      prepare: (fake) => fake.addApproval(sampleApproval({ id: "a", quorum: 2, votes: [vote] })),
    });
    await page.goto(`${fake.url}/#/approvals/a`);
    await page.getByText("You approved. 1 more needed.").waitFor();
    expect(await page.getByRole("button", { name: "Approve" }).count()).toBe(0);
  });

  test("the keyboard alone suffices: skip link, message, plan, approval", async () => {
    const { fake, page } = await openConsole(browser);
    await page.keyboard.press("Shift+Tab");
    await page.evaluate("document.activeElement.blur()");
    await tabTo(page, /^Skip to content$/);
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    await tabTo(page, /^spawn a sibling$/);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Approve" }).waitFor();
    await page.locator('.answer[aria-busy="false"]').waitFor();
    await page.evaluate("document.activeElement.blur()");
    await tabTo(page, /^Approvals\s*1/);
    await page.keyboard.press("Enter");
    await page.locator(".row").waitFor();
    await tabTo(page, /^Launch CLAWDINATOR-2/);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Approve" }).waitFor();
    await tabTo(page, /^Approve$/);
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    expect(await page.evaluate("document.activeElement.textContent.trim()")).toBe("Cancel");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await expect.poll(() => [...fake.approvals.values()][0]?.state).toBe("approved");
    await page.getByRole("region", { name: "Operation" }).waitFor();
  });

  test("markup in a plan stays text", async () => {
    const attack = '<img src=x onerror="document.title=1">';
    const plan = samplePlan({
      summary: attack,
      warnings: [attack],
      facts: { [attack]: attack },
      changes: [{ what: attack, before: attack, after: { [attack]: attack } }],
      targets: [{ name: attack, instance: attack, epoch: 1 }],
      cost: { onceUsd: 0, monthlyUsd: 0, note: attack },
      proposer: { ...samplePlan().proposer, influencedByPublicText: true, publicSources: [attack] },
    });
    const { fake, page } = await openConsole(browser, {
      prepare: (fake) => fake.addApproval(sampleApproval({ id: "a", plan })),
    });
    await page.goto(`${fake.url}/#/approvals/a`);
    await page.getByRole("heading", { name: attack }).waitFor();
    expect(await page.getByRole("list", { name: "Public text" }).textContent()).toContain(attack);
    expect(await page.locator("main img").count()).toBe(0);
    expect(await page.title()).toBe("(1) Approvals · CLAWDINATOR-1");
  });
});
