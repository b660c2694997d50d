import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, horizontalOverflow, launchBrowser, openView, sendMessage } from "../../support/browser.ts";
import type { ConsoleFake } from "../../support/console-fake.ts";
import { bootingInstance, sampleApproval, sampleOperation, sampleRevision } from "../../support/console-samples.ts";
import { openConsole } from "../../support/console-session.ts";

const viewNames = ["Approvals", "Fleet", "Operations", "Audit"] as const;

function failedOperation() {
  const steps = sampleOperation({ id: "x" }).steps.map((step, index) => {
    const startedAt = Date.now() - 60_000;
    if (index > 1) return step;
    return {
      ...step,
      state: index ? ("failed" as const) : ("compensated" as const),
      startedAt,
      endedAt: startedAt + 1500,
      attempts: 2,
    };
  });
  const error = {
    message: "The candidate did not prove itself.",
    hint: "Mend the commit.",
    log: ["mind: SyntaxError", "exit 1"],
  };
  return sampleOperation({
    id: "op-1",
    state: "compensated",
    endedAt: Date.now(),
    steps,
    error,
    conversation: "console-1",
  });
}

function fill(fake: ConsoleFake): void {
  fake.addApproval(sampleApproval({ id: "a" }));
  fake.setOperation(failedOperation());
  fake.setFleet({ ...fake.fleet, instances: [...fake.fleet.instances, bootingInstance()] });
}

/** WCAG contrast of an element's text against the nearest solid ground behind it. */
async function contrast(page: Page, selector: string): Promise<number> {
  return page.evaluate(`(() => {
    const pixel = (color) => {
      const context = new OffscreenCanvas(1, 1).getContext("2d");
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data];
    };
    const luminance = ([r, g, b]) => {
      const [x, y, z] = [r, g, b].map((v) => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const element = document.querySelector(${JSON.stringify(selector)});
    let behind = element;
    while (pixel(getComputedStyle(behind).backgroundColor)[3] < 255) behind = behind.parentElement;
    const values = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map((c) => luminance(pixel(c)));
    return (Math.max(...values) + 0.05) / (Math.min(...values) + 0.05);
  })()`);
}

describe.skipIf(!hasChromium)("console in a browser: fleet, operations, audit and the frame", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  test("shows a sibling boot phase by phase until it is ready", async () => {
    const { fake, page } = await openConsole(browser);
    await openView(page, "Fleet");
    await page.getByText("1 of 1 instance ready").waitFor();
    const booting = bootingInstance();
    fake.setFleet({ ...fake.fleet, instances: [...fake.fleet.instances, booting] });
    const card = page.getByRole("article", { name: "CLAWDINATOR-2" });
    await card.locator(".phase-running", { hasText: /since \d+ s/ }).waitFor();
    await card.getByText("1 of 1 checks fail").waitFor();
    const phases = booting.phases.map((phase) => ({
      ...phase,
      state: "done" as const,
      endedAt: phase.startedAt + 250,
    }));
    const ready = {
      ...booting,
      state: "ready" as const,
      epoch: 1,
      phases,
      checks: [{ name: "mind", ok: true, detail: "answers" }],
    };
    fake.setFleet({ ...fake.fleet, instances: [fake.fleet.instances[0] ?? ready, ready] });
    await card.locator(".pill", { hasText: "ready" }).waitFor();
    await card.getByText("250 ms").first().waitFor();
    await page.getByText("2 of 2 instances ready").waitFor();
  });

  test("a lost instance does not look healthy, however well it was when it was last heard", async () => {
    const { fake, page } = await openConsole(browser);
    const [self] = fake.fleet.instances;
    const lost = { ...(self ?? bootingInstance()), name: "CLAWDINATOR-2", instance: "i-lost", state: "lost" as const };
    fake.setFleet({ ...fake.fleet, instances: [...fake.fleet.instances, lost] });
    await openView(page, "Fleet");
    const card = page.getByRole("article", { name: "CLAWDINATOR-2" });
    await card.locator(".pill-bad", { hasText: "lost" }).waitFor();
    await card.getByText(/^Last known: all \d+ checks passed$/).waitFor();
    expect(await card.locator(".stepper").count()).toBe(0);
    await page.getByText("1 of 2 instances ready").waitFor();
  });

  test("an address that an instance claims becomes a link only when it is a web address", async () => {
    const { fake, page } = await openConsole(browser);
    fake.setFleet({ ...fake.fleet, instances: [{ ...bootingInstance(), url: "javascript:alert(1)" }] });
    await openView(page, "Fleet");
    await page.getByText("port 18790").waitFor();
    expect(await page.locator("article a").count()).toBe(0);
  });

  test("says what drifted, and asks again on request", async () => {
    const { fake, page } = await openConsole(browser);
    await openView(page, "Fleet");
    await page.getByText("The fleet is what").waitFor();
    fake.drift = {
      at: Date.now(),
      items: [
        {
          kind: "wrong_revision",
          name: "CLAWDINATOR-1",
          desired: "9".repeat(40),
          actual: sampleRevision,
          detail: "pinned",
        },
      ],
    };
    await page.getByRole("button", { name: "Check again" }).click();
    await page.getByText("wanted 9999999999, is 4f1c9a7e20").waitFor();
  });

  test("an operation shows its steps, why it failed, and its last log lines", async () => {
    const { fake, page } = await openConsole(browser, { prepare: fill });
    await page.goto(`${fake.url}/#/operations/op-1`);
    await page.getByText("The candidate did not prove itself.").waitFor();
    await page.getByText("Mend the commit.").waitFor();
    expect(await page.getByLabel("Last log lines").textContent()).toBe("mind: SyntaxError\nexit 1");
    const first = (await page.locator(".step").first().textContent()) ?? "";
    for (const part of ["build image", "undone", "1.5 s", "attempt 2"]) expect(first).toContain(part);
    await page.getByRole("link", { name: "this conversation" }).waitFor();
  });

  test("a running operation can be cancelled", async () => {
    const { fake, page } = await openConsole(browser, {
      prepare: (fake) => fake.setOperation(sampleOperation({ id: "op-1" })),
    });
    await page.goto(`${fake.url}/#/operations/op-1`);
    await page.getByRole("button", { name: "Cancel" }).click();
    await expect.poll(() => fake.posts.at(-1)).toEqual({ path: "/api/operations/op-1", body: { action: "cancel" } });
  });

  test("the audit log grows by itself and can be filtered by several words", async () => {
    const { fake, page } = await openConsole(browser);
    await openView(page, "Audit");
    await page.getByText("4 in all").waitFor();
    const entry = {
      id: "n",
      at: Date.now(),
      action: "name.taken",
      actor: "CLAWDINATOR-2",
      surface: "gateway",
      subject: "CLAWDINATOR-2",
      detail: "epoch 1",
    };
    fake.broadcast({ type: "audit", entry });
    await page.getByText("5 in all").waitFor();
    expect(await page.locator("tbody tr").first().textContent()).toContain("CLAWDINATOR-2");
    await page.getByRole("searchbox").fill("NAME epoch");
    await page.getByText("2 found").waitFor();
    await page.getByRole("searchbox").fill("nonsense");
    await page.getByText("Nothing matches").waitFor();
  });

  test("pausing shows everywhere and can be undone", async () => {
    const { fake, page } = await openConsole(browser);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("Nothing new is started until someone resumes.").waitFor();
    expect(fake.paused).toBe(true);
    await page.locator(".banner").getByRole("button", { name: "Resume" }).click();
    await page.locator(".banner").waitFor({ state: "detached" });
    expect(fake.paused).toBe(false);
  });

  test("after a lost connection it reads again what it missed", async () => {
    const { fake, page } = await openConsole(browser);
    await openView(page, "Approvals");
    await page.getByText("Nothing waits for you").waitFor();
    fake.approvals.set("missed", sampleApproval({ id: "missed" }));
    fake.dropEvents();
    await page.locator(".row").waitFor();
    await page.locator(".connection-live").waitFor();
  });

  test("a failure is told with what to do, until it is dismissed", async () => {
    const { page } = await openConsole(browser);
    await page.route("**/api/pause", (route) =>
      route.fulfill({
        status: 503,
        json: { error: { code: "busy", message: "The store is busy.", hint: "Try again." } },
      }),
    );
    await page.getByRole("button", { name: "Pause" }).click();
    const alert = page.getByRole("alert");
    await alert.getByText("The store is busy.").waitFor();
    await alert.getByText("Try again.").waitFor();
    await alert.getByRole("button", { name: "Dismiss" }).click();
    await alert.waitFor({ state: "detached" });
  });

  test.each(["light", "dark"] as const)("fits a phone of 360 pixels and reads well, %s", async (colorScheme) => {
    const { fake, page } = await openConsole(browser, { width: 360, height: 740, colorScheme, prepare: fill });
    await sendMessage(page, "status");
    await page.locator('.answer[aria-busy="false"]').waitFor();
    await sendMessage(page, "spawn a sibling");
    await page.getByRole("button", { name: "Approve" }).waitFor();
    expect(await horizontalOverflow(page)).toBe(0);
    expect(await contrast(page, ".speaker time")).toBeGreaterThan(4.5);
    expect(await contrast(page, ".plan-actions .button-primary")).toBeGreaterThan(4.5);
    for (const name of viewNames) {
      await openView(page, name);
      await page.getByRole("heading", { name, exact: true }).waitFor();
      expect(await horizontalOverflow(page), name).toBe(0);
    }
    for (const path of ["approvals/a", "operations/op-1"]) {
      await page.goto(`${fake.url}/#/${path}`);
      await page.locator(".pill").first().waitFor();
      expect(await horizontalOverflow(page), path).toBe(0);
      expect(await contrast(page, ".pill")).toBeGreaterThan(4.5);
      expect(await contrast(page, "main .quiet")).toBeGreaterThan(4.5);
    }
  });

  test("a chosen theme overrides the system's and is remembered", async () => {
    const { page } = await openConsole(browser, { colorScheme: "light" });
    const ground = () => page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
    const light = await ground();
    await page.getByRole("button", { name: /^Theme: system/ }).click();
    await page.getByRole("button", { name: /^Theme: light/ }).click();
    await page.getByRole("button", { name: /^Theme: dark/ }).waitFor();
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    await page.getByRole("button", { name: /^Theme: dark/ }).waitFor();
    expect(await ground()).toBe(dark);
    await page.getByRole("button", { name: /^Theme: dark/ }).click();
    expect(await ground()).toBe(light);
  });
});
