/**
 * `npm run screenshots`: takes the pictures of docs/screenshots/ in a real browser, from a real fleet; the page of costs from
 * a month of made-up figures, because nobody spends that for a picture.
 */
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { MemoryChange } from "../agent/memory-api.ts";
import { approvePlan, launchBrowser, loginByLink, openPage, openView, sendMessage } from "./support/browser.ts";
import { ConsoleFake } from "./support/console-fake.ts";
import { makeFleet, type TestFleet } from "./support/fleet.ts";

const pictures = join(import.meta.dirname, "..", "docs", "screenshots");
const size = { width: 1280, height: 800 };

/** What is to be undone at the end, last one first. */
const endings: (() => void | Promise<void>)[] = [];

async function take(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(pictures, `${name}.png`) });
  process.stdout.write(`docs/screenshots/${name}.png\n`);
}

/** Days, and a document that two people changed at the same time. */
async function writeMemory(fleet: TestFleet): Promise<void> {
  const person = async (name: string) => (await fleet.json<{ token: string }>("maintainers", "add", name)).token;
  const [ada, grace] = [await person("Ada"), await person("Grace")];
  const put = async (token: string, document: string, body: { text: string; base?: string[] }): Promise<string[]> => {
    const answer = await fleet.fetch(`/api/memory/${document}`, { method: "PUT", body, token });
    return ((await answer.json()) as MemoryChange).document?.shown ?? [];
  };
  const releases = (day: string) =>
    `# Releases\n\nHow a version leaves the house.\n\n- Cut the branch on ${day}\n\nThen:\n\n1. Tag it, and let CI build the image\n2. Replace one instance, and watch it for an hour\n`;
  const base = await put(ada, "releases.md", { text: releases("Wednesday") });
  await put(ada, "releases.md", { text: releases("**Thursday**, before noon"), base });
  await put(grace, "releases.md", { text: releases("**Friday**, after the digest"), base });
  const text = "- 08:00 all quiet\n- 14:30 pruned two images\n";
  for (const day of ["21", "22", "23"]) await put(ada, `daily/2026-11-${day}.md`, { text });
}

async function main(): Promise<void> {
  const fleet = makeFleet({ atEnd: (work) => endings.push(work) });
  const browser = await launchBrowser();
  endings.push(() => browser.close());
  await fleet.start();
  const login = `${fleet.url()}/#login=${fleet.token()}`;
  const page = await openPage(browser, size);
  await loginByLink(page, login);
  await sendMessage(page, "spawn a sibling");
  await page.locator(".plan-actions").last().waitFor();
  await take(page, "plan");
  await approvePlan(page);
  await page.getByText("CLAWDINATOR-2 launched").waitFor({ timeout: 60_000 });
  await take(page, "console");
  await writeMemory(fleet);
  await page.goto(`${fleet.url()}/#/memory/releases.md`);
  await page.getByRole("group", { name: /^Conflict between/ }).waitFor();
  await page.locator(".memory-row").first().waitFor();
  await take(page, "memory");
  const dark = await openPage(browser, { ...size, colorScheme: "dark" });
  await loginByLink(dark, login);
  await openView(dark, "Fleet");
  await dark.getByText("2 of 2 instances ready").waitFor();
  await take(dark, "fleet");

  const month = await new ConsoleFake().start();
  endings.push(() => month.close());
  const cost = await openPage(browser, size);
  await loginByLink(cost, month.loginUrl);
  await openView(cost, "Cost");
  await cost.locator(".chart-drawing .series-1").first().waitFor();
  await take(cost, "cost");
}

try {
  await main();
} finally {
  for (const end of endings.reverse()) await end();
}
process.exit(0);
