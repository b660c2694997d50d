/** A real Chromium, and what a person does with the console in it. */
import { type Browser, chromium, type Page } from "playwright-core";
import { findChromium } from "./chromium.ts";

const switches = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Tests that need it are skipped without it; `npm test` then says what to install. */
export const hasChromium = findChromium() !== null;

/** Throws when there is no Chromium. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath)
    throw new Error("no Chromium on this machine: apt-get install chromium, or set CHROMIUM to its path");
  return chromium.launch({ executablePath, headless: true, args: switches });
}

/** A page of its own session. Anything the page logs as an error, or a refusal by its own security policy, is kept. */
export async function openPage(
  browser: Browser,
  options: { width?: number; height?: number; colorScheme?: "light" | "dark" } = {},
): Promise<Page & { problems: string[] }> {
  const { width = 1280, height = 860, colorScheme = "light" } = options;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
  const page = Object.assign(await context.newPage(), { problems: [] as string[] });
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("console", (message) => {
    // The browser logs each refused request; those are what the tests provoke.
    const text = message.text();
    if (message.type() === "error" && !text.startsWith("Failed to load resource")) page.problems.push(text);
  });
  return page;
}

/** Opens the link that is printed at start and waits until the page is live. */
export async function loginByLink(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.locator(".connection-live").waitFor();
}

/** Goes to a view through the navigation. */
export async function openView(
  page: Page,
  name: "Chat" | "Approvals" | "Fleet" | "Operations" | "Memory" | "Schedule" | "Cost" | "Audit",
): Promise<void> {
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name }).click();
}

/** Types a message and sends it. */
export async function sendMessage(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.keyboard.press("Enter");
}

/** Approves the newest plan card on the page, through its dialog. */
export async function approvePlan(page: Page): Promise<void> {
  await page.locator(".plan-actions").last().getByRole("button", { name: "Approve" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
}

/** Rejects the newest plan card on the page, through its dialog. */
export async function rejectPlan(page: Page, reason: string): Promise<void> {
  await page.locator(".plan-actions").last().getByRole("button", { name: "Reject" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill(reason);
  await dialog.getByRole("button", { name: "Reject" }).click();
}

/** How far the page is wider than its window: 0 when nothing sticks out. */
export async function horizontalOverflow(page: Page): Promise<number> {
  return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
}
