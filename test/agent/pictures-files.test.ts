import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { pictures, picturesDirectory } from "../../agent/pictures/catalogue.ts";
import { firstFrame } from "../../agent/pictures/still.ts";
import { render, stalePictures } from "../../docs/pictures/render.ts";
import { scenes } from "../../docs/pictures/scenes/index.ts";
import { moods, occasions } from "../../tools/picture-occasions.ts";

const largestBytes = 120 * 1024;
const largestTogether = 1.5 * 1024 * 1024;
const file = (name: string) => readFileSync(join(picturesDirectory, name));

test("there are at least 24 pictures with their own ids and words, two or more for each occasion, one for each mood", () => {
  const all = pictures();
  expect(all.length).toBeGreaterThanOrEqual(24);
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  expect(new Set(all.map(({ alt }) => alt)).size).toBe(all.length);
  for (const occasion of occasions)
    expect([occasion, all.filter((one) => one.occasions.includes(occasion)).length >= 2]).toEqual([occasion, true]);
  for (const mood of moods) expect([mood, all.some((one) => one.moods.includes(mood))]).toEqual([mood, true]);
});

test("every picture decodes as an animation that repeats for ever, and is small", async () => {
  let together = 0;
  for (const { file: name, sha256 } of pictures()) {
    const bytes = file(name);
    const { format, pages = 1, width, pageHeight, loop, hasAlpha } = await sharp(bytes, { animated: true }).metadata();
    expect({ name, format, width, pageHeight, loop, hasAlpha }).toEqual({
      name,
      format: "webp",
      width: 200,
      pageHeight: 200,
      loop: 0,
      hasAlpha: true,
    });
    expect(pages).toBeGreaterThanOrEqual(12);
    expect(pages).toBeLessThanOrEqual(24);
    expect(bytes.length).toBeLessThanOrEqual(largestBytes);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
    together += bytes.length;
  }
  expect(together).toBeLessThanOrEqual(largestTogether);
  expect(readdirSync(picturesDirectory).sort()).toEqual([...pictures().map((one) => one.file), "index.json"].sort());
});

test("every picture moves, and no two are alike", async () => {
  const firsts = new Set<string>();
  for (const { file: name } of pictures()) {
    const frame = async (page: number) => (await sharp(file(name), { page }).raw().toBuffer()).toString("base64");
    const first = await frame(0);
    expect(await frame(7)).not.toBe(first);
    firsts.add(first);
  }
  expect(firsts.size).toBe(pictures().length);
});

test("files, index and logo are what the scenes draw, and drawing again gives the same picture", async () => {
  expect(await stalePictures()).toEqual([]);
  const scene = scenes.find(({ id }) => id === "archive");
  if (!scene) throw new Error("the scene is gone");
  const pixels = (bytes: Buffer) => sharp(bytes, { animated: true }).raw().toBuffer();
  const [again, kept] = await Promise.all([pixels(await render(scene)), pixels(file("archive.webp"))]);
  expect(again.length).toBe(kept.length);
  // Another version of the renderer may round otherwise, but not draw something else.
  let difference = 0;
  for (const [index, value] of again.entries()) difference += Math.abs(value - (kept[index] ?? 0));
  expect(difference / kept.length).toBeLessThan(2);
});

test("the first frame of a picture is a still picture of its own", async () => {
  for (const name of ["wave.webp", "asleep.webp"]) {
    const still = firstFrame(file(name));
    if (still === null) throw new Error("no frame");
    expect((await sharp(still, { animated: true }).metadata()).pages ?? 1).toBe(1);
    const [one, other] = await Promise.all([
      sharp(still).raw().toBuffer(),
      sharp(file(name), { page: 0 }).raw().toBuffer(),
    ]);
    expect(one.equals(other)).toBe(true);
  }
  expect(firstFrame(Buffer.from("not a picture"))).toBeNull();
});
