/** Writing in the hive mind's page, in real browsers over a real memory: alone, at the same time as others, and back again. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Memory } from "../../../memory/index.ts";
import { hasChromium, launchBrowser } from "../../support/browser.ts";
import { byAda, byBot, byStranger, goTo, lookAgain, openMemoryConsole } from "../../support/console-memory.ts";

const lines = "# Ops\n\n- one\n- two\n- three\n- four\n- five\n";
const fill = (memory: Memory) => memory.write("ops.md", lines, byAda);
const textOf = async (memory: Memory, document = "ops.md") => (await memory.read(document))?.text;
const field = (page: Page) => page.getByRole("textbox", { name: "Text" });

/** Opens the editor and waits for the text. */
async function edit(page: Page, document = "ops.md"): Promise<void> {
  await goTo(page, `#/memory/${document}/edit`, "Edit");
  await field(page).waitFor();
}

/** Who types before that types into nothing. */
async function focused(page: Page, selector: string): Promise<void> {
  await expect.poll(() => page.evaluate(`document.activeElement.matches(${JSON.stringify(selector)})`)).toBe(true);
}

async function save(page: Page): Promise<void> {
  await page.keyboard.press("Control+s");
  await page.locator("claw-memory-document .provenance").waitFor();
}

describe.skipIf(!hasChromium)("writing in the memory with a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  test("a document is written, renamed, deleted and restored without touching the mouse", async () => {
    const { page, sibling } = await openMemoryConsole(browser);
    const press = async (role: "link" | "button", name: string): Promise<void> => {
      const target = page.getByRole(role, { name, exact: true });
      await target.focus();
      expect(await target.evaluate((one) => one.matches(":focus-visible") && one.tabIndex === 0)).toBe(true);
      await page.keyboard.press("Enter");
    };
    await goTo(page, "#/memory", "Memory");
    await press("link", "New document");
    await page.getByRole("heading", { name: "New document" }).waitFor();
    // From the heading on, Tab leads through the form in its order.
    await focused(page, "h1");
    await page.keyboard.press("Tab");
    await page.keyboard.type("github/labels");
    for (let step = 0; step < 3; step++) await page.keyboard.press("Tab");
    await page.keyboard.type("# Labels\n\n- bug");
    await save(page);
    await page.getByText("github/labels.md is saved.").waitFor();
    expect(await textOf(sibling, "github/labels.md")).toBe("# Labels\n\n- bug");

    await press("button", "Rename");
    await focused(page, "input, textarea");
    await page.keyboard.type("labels");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "labels.md", level: 1 }).waitFor();
    expect((await sibling.list()).map(({ document }) => document)).toEqual(["labels.md"]);
    await goTo(page, "#/memory/github/labels.md", "labels.md");
    await page.getByText("This document has another name now").waitFor();
    await press("link", "labels.md");
    await page.locator(".document-body").getByText("bug").waitFor();

    await press("button", "Delete");
    await expect.poll(() => page.evaluate("document.activeElement.textContent.trim()")).toBe("Cancel");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Memory", level: 1 }).waitFor();
    expect(await sibling.read("labels.md")).toBeNull();

    await page.locator("summary", { hasText: "Deleted" }).focus();
    await page.keyboard.press("Enter");
    await page
      .locator(".memory-deleted")
      .getByRole("link", { name: /^labels\.md/ })
      .focus();
    await page.keyboard.press("Enter");
    await page.getByText("This document is deleted.").waitFor();
    await page.getByRole("link", { name: /Renamed from github\/labels\.md by Ada/ }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "the history of github/labels.md" }).waitFor();
    await press("button", "Restore this text");
    await page.getByRole("dialog").getByRole("button", { name: "Restore" }).focus();
    await page.keyboard.press("Enter");
    await page.locator(".document-body").getByText("bug").waitFor();
    expect(await textOf(sibling, "labels.md")).toBe("# Labels\n\n- bug");
  });

  test("two people who change other lines both keep their change; the later one is told", async () => {
    const { page, openAnother, sibling } = await openMemoryConsole(browser, { fill });
    const other = await openAnother("Grace");
    await Promise.all([edit(page), edit(other)]);
    await field(page).fill(lines.replace("- one", "- ONE"));
    await field(other).fill(lines.replace("- five", "- FIVE"));
    await save(page);
    await save(other);
    await other.getByText("Saved and merged.").waitFor();
    await other.locator(".document-body").getByText("ONE").waitFor();
    expect(await textOf(sibling)).toBe("# Ops\n\n- ONE\n- two\n- three\n- four\n- FIVE\n");
    expect((await sibling.history("ops.md")).map(({ author }) => author)).toContain("Grace");
  });

  test("two people who change the same line see both versions at once, and one of them solves it", async () => {
    const { page, openAnother, sibling } = await openMemoryConsole(browser, { fill });
    const other = await openAnother("Grace");
    await Promise.all([edit(page), edit(other)]);
    await field(page).fill(lines.replace("- three", "- drei"));
    await field(other).fill(lines.replace("- three", "- trois"));
    await save(page);
    await save(other);
    await other.getByRole("alert").getByText("Somebody else changed the same lines meanwhile.").waitFor();
    const conflict = other.getByRole("group", { name: /^Conflict between (Ada and Grace|Grace and Ada)$/ });
    await conflict
      .getByRole("region", { name: /by Ada$/ })
      .getByText("drei")
      .waitFor();
    const mine = conflict.getByRole("region", { name: /by Grace$/ });
    await mine.getByText("trois").waitFor();
    // One of them solves it in the reading view; the other has two versions in the editor, and keeps both.
    await mine.getByRole("button", { name: /^Keep [AB]$/ }).click();
    await expect.poll(() => field(other).inputValue()).toBe(lines.replace("- three", "- trois"));
    await edit(page);
    await page.getByRole("button", { name: "Keep both, A above B" }).click();
    const both = /^- (drei|trois)\n- (?!\1)(drei|trois)$/m;
    await expect.poll(() => field(page).inputValue()).toMatch(both);
    expect(page.url()).toMatch(/edit$/);
    await save(page);
    expect(await textOf(sibling)).toMatch(both);
    await save(other);
    await lookAgain(other);
    await other.getByRole("group", { name: /^Conflict between/ }).waitFor();
    await other.getByRole("button", { name: "Keep both, A above B" }).click();
    await save(other);
    await lookAgain(page);
    expect(await textOf(sibling)).not.toContain("<!-- conflict");
    await expect.poll(() => page.getByText("passage has two versions").count()).toBe(0);
  });

  test("what others change while one writes is shown beside the text and destroys none of it", async () => {
    const { page, sibling } = await openMemoryConsole(browser, { fill });
    await edit(page);
    await field(page).fill(`${lines}- mine\n`);
    await sibling.edit("ops.md", { before: "- one", after: "- sibling's" }, byBot);
    await page.getByText("CLAWDINATOR-2 changed this document meanwhile.").waitFor();
    await page.getByRole("button", { name: "Show their change" }).click();
    expect(await page.locator(".hunk-added, .hunk-removed").allTextContents()).toEqual([
      expect.stringMatching(/−removed: - one/),
      expect.stringMatching(/\+added: - sibling's/),
    ]);
    expect(await field(page).inputValue()).toBe(`${lines}- mine\n`);
    await sibling.remove("ops.md", byBot);
    await lookAgain(page);
    await page.getByText("Somebody deleted this document meanwhile.").waitFor();
    await save(page);
    expect(await textOf(sibling)).toContain("- mine");
  });

  test("a secret is refused by line and kind, and the text stays as it was typed", async () => {
    const { page, sibling } = await openMemoryConsole(browser, { fill });
    const secret = `ghp_${"aZ3".repeat(12)}`;
    await edit(page);
    await field(page).fill(`${lines}- token ${secret}\n`);
    await page.keyboard.press("Control+s");
    const alert = page.getByRole("alert");
    await alert.getByRole("button", { name: /^Line 8: a GitHub token/ }).click();
    expect(await alert.textContent()).not.toContain(secret);
    expect(await page.evaluate("getSelection().toString()")).toBe(`- token ${secret}`);
    expect(await field(page).inputValue()).toContain(secret);
    expect(await textOf(sibling)).toBe(lines);
    await page.keyboard.type("- token: in the vault");
    await save(page);
    expect(await textOf(sibling)).toBe(`${lines}- token: in the vault\n`);
  });

  test("nobody leaves unsaved text by mistake, and it outlives a lost session", async () => {
    const { page, fake, sibling } = await openMemoryConsole(browser, { fill });
    await edit(page);
    await field(page).fill("mine");
    await page.getByRole("link", { name: "Cancel" }).click();
    const dialog = page.getByRole("dialog", { name: "Leave without saving?" });
    await dialog.getByRole("button", { name: "Go on writing" }).click();
    expect(page.url()).toMatch(/#\/memory\/ops\.md\/edit$/);
    const isAsked = `window.dispatchEvent(new Event("beforeunload", { cancelable: true })) === false`;
    expect(await page.evaluate(isAsked)).toBe(true);
    await page.context().clearCookies();
    await page.keyboard.press("Control+s");
    await page.getByRole("button", { name: "Log in" }).waitFor();
    await page.getByLabel("Token").fill(fake.token);
    await page.keyboard.press("Enter");
    await page.getByText("This text is not saved yet.").waitFor();
    expect(await field(page).inputValue()).toBe("mine");
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Cost" }).click();
    await dialog.getByRole("button", { name: "Discard my changes" }).click();
    await page.getByRole("heading", { name: "Cost", level: 1 }).waitFor();
    await edit(page);
    expect(await field(page).inputValue()).toBe(lines);
    expect(await page.evaluate(isAsked)).toBe(false);
    expect(await textOf(sibling)).toBe(lines);
  });

  test("history says who changed what, and restores a text with the trust that it had", async () => {
    const { page, sibling } = await openMemoryConsole(browser, { fill });
    const [first] = await sibling.history("ops.md");
    await sibling.append("ops.md", "- six", byBot);
    await sibling.edit("ops.md", { before: "- one\n", after: "" }, byStranger);
    await goTo(page, "#/memory/ops.md/history", "History");
    const newest = page.getByRole("link", { name: /^Text written by CLAWDINATOR-2 just now trust: public newest/ });
    expect(await newest.getAttribute("aria-current")).toBe("true");
    await page.locator(".hunk-removed").getByText("- one").waitFor();
    await page.getByRole("link", { name: /^Lines added by CLAWDINATOR-2/ }).click();
    await page.locator(".hunk-added").getByText("- six").waitFor();
    expect(await page.locator(".difference-sum").textContent()).toMatch(/\+1 line\s+−0 lines/);
    await goTo(page, `#/memory/ops.md/history/${first?.revision}`, "History");
    await page.getByRole("button", { name: "Restore this text" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
    await page.getByText("ops.md is restored.").waitFor();
    expect(await textOf(sibling)).toBe(lines);
  });

  test("a person's change to public text stays public, unless they vouch for it", async () => {
    const { page, sibling } = await openMemoryConsole(browser, {
      fill: (memory) => memory.write("ops.md", "from outside\n", byStranger),
    });
    await edit(page);
    await field(page).fill("from outside, mended\n");
    await save(page);
    expect((await sibling.read("ops.md"))?.trust).toBe("public");
    await edit(page);
    await field(page).fill("mine\n");
    await page.getByRole("checkbox", { name: /I have checked the whole text/ }).check();
    await save(page);
    expect((await sibling.read("ops.md"))?.trust).toBe("maintainer");
  });
});
