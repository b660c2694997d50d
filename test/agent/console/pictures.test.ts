import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { consoleRoutes } from "../../../agent/console/serve.ts";
import { hasChromium, launchBrowser, sendMessage } from "../../support/browser.ts";
import { doneEvent } from "../../support/console-samples.ts";
import { openConsole, sentMessage } from "../../support/console-session.ts";

test("serves pictures and their first frames by id alone, to be kept, and nothing else", async () => {
  const get = (path: string, headers = {}) => consoleRoutes().request(path, { headers });
  const moving = await get("/pictures/wave");
  expect(moving.headers.get("content-type")).toBe("image/webp");
  expect(moving.headers.get("cache-control")).toContain("immutable");
  const still = await get("/pictures/wave/still");
  expect((await still.arrayBuffer()).byteLength).toBeLessThan((await moving.arrayBuffer()).byteLength / 4);
  const again = await get("/pictures/wave", { "if-none-match": moving.headers.get("etag") });
  expect(again.status).toBe(304);
  for (const path of [
    "/pictures/nothing",
    "/pictures/index.json",
    "/pictures/..%2f..%2fpackage.json",
    "/pictures/wave.webp",
  ])
    expect([path, (await get(path)).status]).toEqual([path, 404]);
});

describe.skipIf(!hasChromium)("console in a browser: pictures", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  test("shows a picture below the text, at a fixed size, still for who wants less motion", async () => {
    const { fake, page } = await openConsole(browser);
    await sendMessage(page, "gif");
    const message = await sentMessage(fake, "gif");
    fake.emit(message, { type: "text", text: "There you are." });
    fake.emit(message, { type: "picture", picture: "wave", alt: "The lobster waves" });
    fake.emit(message, doneEvent("There you are."));
    const image = page.getByRole("img", { name: "The lobster waves" });
    await image.waitFor();
    const state = (): Promise<{ address: string; width: number; loading: string }> =>
      image.evaluate(async (element) => {
        const picture = element as unknown as {
          decode(): Promise<void>;
          currentSrc: string;
          naturalWidth: number;
          loading: string;
        };
        await picture.decode();
        return { address: picture.currentSrc, width: picture.naturalWidth, loading: picture.loading };
      });
    expect(await state()).toEqual({ address: `${fake.url}/pictures/wave/still`, width: 200, loading: "lazy" });
    expect(await image.boundingBox()).toMatchObject({ width: 200, height: 200 });
    await page.emulateMedia({ reducedMotion: "no-preference" });
    await expect.poll(async () => (await state()).address).toBe(`${fake.url}/pictures/wave`);
    const parts = await page
      .locator(".answer")
      .last()
      .locator("claw-text, .posted-picture")
      .evaluateAll((all) => all.map((one) => one.tagName));
    expect(parts).toEqual(["CLAW-TEXT", "PICTURE"]);
  });
});
