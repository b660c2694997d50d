import type { Hono } from "hono";
import type { Browser, Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";
import { loginByLink, openPage } from "./browser.ts";
import { ConsoleFake } from "./console-fake.ts";

/**
 * A fake gateway and a page that is logged in to it, both closed after the test, which fails when the page's scripts
 * failed or its security policy refused anything.
 */
export async function openConsole(
  browser: Browser,
  options: Parameters<typeof openPage>[1] & { prepare?: (fake: ConsoleFake) => void; furtherRoutes?: Hono } = {},
): Promise<{ fake: ConsoleFake; page: Page }> {
  const fake = new ConsoleFake();
  fake.furtherRoutes = options.furtherRoutes ?? null;
  await fake.start();
  options.prepare?.(fake);
  const page = await openPage(browser, options);
  onTestFinished(async () => {
    await page.context().close();
    await fake.close();
    expect(page.problems).toEqual([]);
  });
  await loginByLink(page, fake.loginUrl);
  return { fake, page };
}

/** The id of the message that the page sent last, once the gateway has it. */
export async function sentMessage(fake: ConsoleFake, text: string): Promise<string> {
  const find = () => [...fake.runs].find(([, run]) => run.text === text)?.[0] ?? "";
  await expect.poll(find).not.toBe("");
  return find();
}
