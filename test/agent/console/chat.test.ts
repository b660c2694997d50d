import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { approvePlan, hasChromium, launchBrowser, openPage, openView, sendMessage } from "../../support/browser.ts";
import { ConsoleFake } from "../../support/console-fake.ts";
import { doneEvent } from "../../support/console-samples.ts";
import { openConsole, sentMessage } from "../../support/console-session.ts";

describe.skipIf(!hasChromium)("console in a browser: login and chat", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  test("the login link logs in and leaves neither token nor readable cookie behind", async () => {
    const { fake, page } = await openConsole(browser);
    expect(page.url()).toBe(`${fake.url}/#/chat`);
    expect(fake.posts[0]).toEqual({ path: "/api/login", body: { token: fake.token } });
    expect(await page.evaluate("document.cookie")).toBe("");
    expect(await page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")).not.toContain(fake.token);
    await page.reload();
    await page.getByText("What shall I pinch?").waitFor();
  });

  test("without a session it asks for a token, says how to get one, and refuses a wrong one in words", async () => {
    const fake = await new ConsoleFake().start();
    onTestFinished(() => fake.close());
    const page = await openPage(browser);
    await page.goto(`${fake.url}/#/fleet`);
    await page.getByText("clawdinator maintainers login").waitFor();
    await page.getByLabel("Token").fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("That token is nobody's.").waitFor();
    await page.getByLabel("Token").fill(fake.token);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Fleet", exact: true }).waitFor();
    await page.getByRole("button", { name: "log out" }).click();
    await page.getByLabel("Token").waitFor();
    await page.context().close();
  });

  test("shows an answer as it streams, laid out, with safe links", async () => {
    const { fake, page } = await openConsole(browser);
    await sendMessage(page, "slow");
    const message = await sentMessage(fake, "slow");
    fake.emit(message, { type: "text", text: "Half of" });
    await page.getByText("Half of").waitFor();
    fake.emit(message, { type: "text", text: " it, and **all**: [guide](https://example.org/)\n\n```\ncode\n```" });
    fake.emit(message, doneEvent(""));
    await page.locator(".answer strong", { hasText: "all" }).waitFor();
    expect(await page.locator(".answer pre").textContent()).toBe("code");
    const link = page.getByRole("link", { name: "guide" });
    expect(await link.getAttribute("href")).toBe("https://example.org/");
    expect(await link.getAttribute("rel")).toBe("noopener noreferrer");
    await page.locator('.answer[aria-busy="false"]').waitFor();
    await page.locator(".conversation-title", { hasText: "slow" }).first().waitFor();
  });

  test("finds conversations by what was said in them, and lists all of them again when the box is empty", async () => {
    const { fake, page } = await openConsole(browser);
    for (const text of ["about drains", "about images"]) {
      await page.locator(".conversations").getByRole("button", { name: "New conversation" }).click();
      await sendMessage(page, text);
      fake.emit(await sentMessage(fake, text), doneEvent("Done."));
      await page.locator(".conversations .conversation-title", { hasText: text }).waitFor();
    }
    const box = page.locator(".conversations").getByLabel("Search conversations");
    await box.fill("drains");
    await page.locator(".conversations .conversation-match", { hasText: "Ada: about drains" }).waitFor();
    expect(await page.locator(".conversations .conversation").count()).toBe(1);
    await page.locator(".conversations .conversation").click();
    await page.locator(".messages").getByText("about drains").waitFor();
    await box.fill("nowhere");
    await page.locator(".conversations").getByText("No conversation holds that.").waitFor();
    await box.fill("");
    await page.locator(".conversations .conversation-title", { hasText: "about images" }).waitFor();
    await page.context().close();
  });

  test("a proposal shows its plan in the conversation and turns into the operation's progress", async () => {
    const { fake, page } = await openConsole(browser);
    await page.getByRole("button", { name: "spawn a sibling" }).click();
    const card = page.getByRole("article", { name: /^Plan: Launch CLAWDINATOR-2/ });
    await card.getByText("waiting for a decision").waitFor();
    expect(await card.locator(".changes tbody th").allTextContents()).toEqual([
      "nix/instances.json › CLAWDINATOR-2",
      "name CLAWDINATOR-2",
    ]);
    const approval = [...fake.approvals.values()][0];
    await card.getByText(approval?.digest ?? "no approval").waitFor();
    await page.locator(".nav .badge-hot", { hasText: "1" }).waitFor();
    await approvePlan(page);
    await card.getByText("checking out 4f1c9a7e20").waitFor();
    expect(fake.posts.at(-1)?.body).toEqual({ decision: "approve", digest: approval?.digest });
    for (let step = 0; step < 6; step += 1) fake.advance(`op-${approval?.id}`);
    await card.locator(".step-succeeded").nth(5).waitFor();
    await card.locator(".pill", { hasText: "succeeded" }).waitFor();
    await page.locator(".nav .badge").waitFor({ state: "detached" });
  });

  test("a reload in the middle of an answer goes on with it, without a second message", async () => {
    const { fake, page } = await openConsole(browser);
    await sendMessage(page, "slow");
    const message = await sentMessage(fake, "slow");
    fake.emit(message, { type: "text", text: "first " });
    await page.getByText("first").waitFor();
    await page.reload();
    await page.getByText("first").waitFor();
    fake.emit(message, { type: "text", text: "second" }, doneEvent("first second"));
    await page.getByText("first second").waitFor();
    expect(await page.locator(".answer .prose").allTextContents()).toEqual(["first second"]);
    expect(fake.runs.size).toBe(1);
    await page.reload();
    await page.getByText("first second").waitFor();
    expect(await page.locator(".answer .prose").count()).toBe(1);
  });

  test("a lost connection is taken up again with the same message", async () => {
    const { fake, page } = await openConsole(browser);
    await sendMessage(page, "slow");
    const message = await sentMessage(fake, "slow");
    fake.emit(message, { type: "text", text: "before" });
    await page.getByText("before").waitFor();
    fake.cutStreams();
    await page.locator(".waiting", { hasText: "reconnecting…" }).waitFor();
    fake.emit(message, { type: "text", text: " and after" }, doneEvent("before and after"));
    await page.getByText("before and after").waitFor();
    const sent = fake.posts.filter((post) => post.path === "/api/chat").map((post) => post.body.message);
    expect(sent).toEqual([message, message]);
  });

  test("a run that begins again voids what was shown of it", async () => {
    const { fake, page } = await openConsole(browser);
    await sendMessage(page, "slow");
    const message = await sentMessage(fake, "slow");
    fake.emit(message, { type: "text", text: "doomed" });
    await page.getByText("doomed").waitFor();
    fake.emit(message, { type: "restart", reason: "handover" }, { type: "text", text: "better" }, doneEvent("better"));
    await page.getByText("better").waitFor();
    expect(await page.getByText("doomed").count()).toBe(0);
  });

  test("the chat is found again as it was left; a new conversation is asked for", async () => {
    const { page } = await openConsole(browser);
    await sendMessage(page, "status");
    await page.locator('.answer[aria-busy="false"]').waitFor();
    const address = page.url();
    await openView(page, "Fleet");
    await page.reload();
    await openView(page, "Chat");
    await page.locator(".bubble", { hasText: "status" }).waitFor();
    expect(page.url()).toBe(address);
    await page.getByRole("button", { name: "New conversation" }).click();
    await page.getByText("What shall I pinch?").waitFor();
    await openView(page, "Fleet");
    await openView(page, "Chat");
    await page.getByText("What shall I pinch?").waitFor();
  });

  test("a message sent from the command line appears, with its answer", async () => {
    const { fake, page } = await openConsole(browser);
    await sendMessage(page, "status");
    await page.locator('.answer[aria-busy="false"]').waitFor();
    const conversation = fake.runs.values().next().value?.conversation ?? "";
    fake.receive({ conversation, message: "cli-1", text: "from the shell", channel: "cli" });
    fake.emit("cli-1", { type: "text", text: "heard you" });
    await page.getByText("from the shell").waitFor();
    await page.getByText("heard you").waitFor();
    fake.emit("cli-1", { type: "text", text: ", done" }, doneEvent("heard you, done"));
    await page.getByText("heard you, done").waitFor();
    expect(await page.getByText("heard you").count()).toBe(1);
  });

  test("Enter sends, Shift+Enter starts a line, ArrowUp recalls the last message", async () => {
    const { fake, page } = await openConsole(browser);
    await page.getByLabel("Message").click();
    await page.keyboard.type("one");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("two");
    await page.keyboard.press("Enter");
    await sentMessage(fake, "one\ntwo");
    expect(await page.getByLabel("Message").inputValue()).toBe("");
    await page.keyboard.press("ArrowUp");
    expect(await page.getByLabel("Message").inputValue()).toBe("one\ntwo");
  });

  test("markup in messages, answers and plans stays text", async () => {
    const { fake, page } = await openConsole(browser);
    const attack = '<img src=x onerror="document.title=1"><script>document.title=1</script>[x](javascript:alert(1))';
    await sendMessage(page, attack);
    const message = await sentMessage(fake, attack);
    fake.emit(message, { type: "text", text: `${attack}\n\n\`\`\`\n${attack}\n\`\`\`` }, doneEvent(""));
    await page.locator(".answer pre").waitFor();
    expect(await page.locator(".bubble").textContent()).toBe(attack);
    expect(await page.locator(".answer p", { hasText: "onerror" }).textContent()).toBe(attack);
    expect(await page.locator(".messages img, .messages script, .messages a").count()).toBe(0);
    expect(await page.title()).toBe("Chat · CLAWDINATOR-1");
  });
});
