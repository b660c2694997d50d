import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JobView, ScheduleView } from "../../../agent/schedule.ts";
import { hasChromium, horizontalOverflow, launchBrowser, openView } from "../../support/browser.ts";
import { openConsole } from "../../support/console-session.ts";

const hourMs = 3_600_000;

function job(rest: Partial<JobView> = {}): JobView {
  return {
    id: "heartbeat",
    description: "looks around once an hour",
    cron: "0 * * * *",
    timezone: "UTC",
    kind: "prompt",
    what: "Heartbeat: a timer wakes you.",
    enabled: true,
    singleton: true,
    silent: true,
    catchUpHours: 24,
    paused: null,
    nextAt: Date.now() + hourMs / 2,
    running: null,
    outcomes: [
      { at: Date.now(), trigger: "catch-up", result: "silent", detail: "nothing to say", endedAt: Date.now() },
      {
        at: 0,
        trigger: "time",
        result: "skipped",
        detail: "3 earlier times were missed",
        endedAt: Date.now() - hourMs,
      },
    ],
    conversation: "schedule-heartbeat",
    ...rest,
  };
}

function schedule(jobs: JobView[], rest: Partial<ScheduleView> = {}): ScheduleView {
  return { at: Date.now(), file: "/w/cron-jobs.json", problem: null, paused: false, jobs, ...rest };
}

describe.skipIf(!hasChromium)("console in a browser: schedule", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  test("shows when a job comes next and how it ended, and pauses, resumes and runs it", async () => {
    let now = schedule([job(), job({ id: "prune", kind: "operation", conversation: null, outcomes: [] })]);
    const { fake, page } = await openConsole(browser, { prepare: (one) => (one.schedule = () => now) });
    await openView(page, "Schedule");
    const card = page.getByRole("article", { name: "heartbeat" });
    await card.getByText(/^in (29|30) min/).waitFor();
    await card.getByText("all quiet").first().waitFor();
    await card.getByText("made up for").waitFor();
    await card.getByText("Runs before").click();
    await card.getByText("3 earlier times were missed").waitFor();
    expect(await card.getByRole("link", { name: "in its conversation" }).getAttribute("href")).toBe(
      "#/chat/schedule-heartbeat",
    );
    await page.getByRole("article", { name: "prune" }).getByText("it never ran").waitFor();

    now = schedule([job({ paused: { by: "Ada", at: Date.now() }, nextAt: null })]);
    await card.getByRole("button", { name: "Pause heartbeat" }).click();
    await card.getByText(/^paused by Ada/).waitFor();
    const running = {
      id: "r",
      at: 0,
      trigger: "person" as const,
      by: "CLAWDINATOR-1",
      startedAt: Date.now(),
      approval: null,
    };
    now = schedule([job({ running })]);
    await card.getByRole("button", { name: "Run now heartbeat" }).click();
    await card.getByText(/^runs since \d+ s$/).waitFor();
    expect(await card.getByRole("button", { name: "Run now heartbeat" }).isDisabled()).toBe(true);
    expect(fake.posts.filter(({ path }) => path.startsWith("/api/schedule"))).toEqual([
      { path: "/api/schedule/heartbeat", body: { action: "pause" } },
      { path: "/api/schedule/heartbeat", body: { action: "run" } },
    ]);
  });

  test("says what is wrong with the file, beside the jobs that go on", async () => {
    const problem = "/w/cron-jobs.json has a problem:\n  job x, cron: “* * *” is not five fields";
    const { page } = await openConsole(browser, {
      prepare: (one) => (one.schedule = () => schedule([job()], { problem })),
    });
    await openView(page, "Schedule");
    await page.getByRole("alert").getByText("job x, cron: “* * *” is not five fields").waitFor();
    await page.getByRole("article", { name: "heartbeat" }).waitFor();
  });

  test("a schedule without jobs says where they would be", async () => {
    const { page } = await openConsole(browser, { prepare: (one) => (one.schedule = () => schedule([])) });
    await openView(page, "Schedule");
    await page.getByText("Nothing is scheduled").waitFor();
    await page.getByText("/w/cron-jobs.json").waitFor();
  });

  test.each([
    ["light", 360],
    ["dark", 360],
    ["light", 1280],
    ["dark", 1280],
  ] as const)("fits its window: %s, %i pixels", async (colorScheme, width) => {
    const long = job({
      id: "a-job-whose-name-is-as-long-as-it-may-be",
      description: "x".repeat(200),
      what: "y".repeat(500),
    });
    const jobs = [job(), long, job({ id: "off", enabled: false, nextAt: null, outcomes: [] })];
    const problem = `/${"a-long-directory/".repeat(12)}cron-jobs.json has a problem`;
    const { page } = await openConsole(browser, {
      width,
      colorScheme,
      prepare: (one) => (one.schedule = () => schedule(jobs, { problem })),
    });
    await openView(page, "Schedule");
    for (const fold of await page.locator("details.fold summary").all()) await fold.click();
    expect(await horizontalOverflow(page)).toBe(0);
    if (process.env.SCHEDULE_PICTURES) {
      await page.screenshot({
        path: `${process.env.SCHEDULE_PICTURES}/schedule-${colorScheme}-${width}.png`,
        fullPage: true,
      });
    }
  });
});
