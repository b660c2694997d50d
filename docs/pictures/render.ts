/**
 * `npm run pictures`: draws every scene, writes animated WebP files with their index to workspace/pictures, and the logo.
 * `npm run pictures -- --check`: writes nothing; fails when a file is not what the scenes draw.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type PictureIndex, pictureIndexSchema } from "../../agent/pictures/catalogue.ts";
import { logo } from "./draw/logo.ts";
import { tile } from "./draw/tile.ts";
import type { Scene } from "./scene.ts";
import { scenes } from "./scenes/index.ts";

const root = join(import.meta.dirname, "..", "..");
const directory = join(root, "workspace", "pictures");
const logos = [join(root, "agent", "console", "pages", "logo.svg"), join(root, "docs", "logo.svg")];
/** As wide and high as the console shows them; with these frames and this quality all are below 1.5 MB together. */
const pixels = 200;
const defaultFrames = 14;
const defaultFrameMs = 100;
const quality = 42;

if (import.meta.main) process.exitCode = process.argv.includes("--check") ? await check() : await write();

/** The frames of a scene as SVG. */
export function frameSources(scene: Scene): string[] {
  const count = scene.frames ?? defaultFrames;
  return Array.from({ length: count }, (_, index) =>
    tile({ backdrop: scene.backdrop, pixels, content: scene.draw(index / count) }),
  );
}

/** An animated WebP that repeats for ever. */
export async function render(scene: Scene): Promise<Buffer> {
  const { default: sharp } = await import("sharp");
  const frames = await Promise.all(frameSources(scene).map((source) => sharp(Buffer.from(source)).png().toBuffer()));
  return sharp(frames, { join: { animated: true } })
    .webp({ quality, alphaQuality: 70, effort: 6, minSize: true, loop: 0, delay: frames.map(() => delayOf(scene)) })
    .toBuffer();
}

function delayOf(scene: Scene): number {
  return scene.frameMs ?? defaultFrameMs;
}

function entryOf(scene: Scene, file: Buffer): PictureIndex["pictures"][number] {
  return {
    id: scene.id,
    file: `${scene.id}.webp`,
    alt: scene.alt,
    moods: [...scene.moods],
    occasions: [...scene.occasions],
    serious: scene.serious ?? false,
    sha256: hash(file),
    drawnFrom: hash(frameSources(scene).join("\n")),
  };
}

async function write(): Promise<number> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const pictures: PictureIndex["pictures"] = [];
  let total = 0;
  for (const scene of scenes) {
    const file = await render(scene);
    await writeFile(join(directory, `${scene.id}.webp`), file);
    pictures.push(entryOf(scene, file));
    total += file.length;
  }
  const index = pictureIndexSchema.parse({ formatVersion: 1, size: pixels, pictures });
  await writeFile(join(directory, "index.json"), `${JSON.stringify(index, null, 2)}\n`);
  for (const path of logos) await writeFile(path, logo);
  process.stdout.write(`${scenes.length} pictures, ${Math.round(total / 1024)} KiB\n`);
  return 0;
}

async function check(): Promise<number> {
  const stale = await stalePictures();
  for (const line of stale) process.stderr.write(`${line}: run \`npm run pictures\`\n`);
  return stale.length === 0 ? 0 : 1;
}

/** What differs between the scenes and what lies in workspace/pictures; empty when nothing does. */
export async function stalePictures(): Promise<string[]> {
  const index = pictureIndexSchema.parse(JSON.parse(await readFile(join(directory, "index.json"), "utf8")));
  const stale: string[] = [];
  for (const scene of scenes) {
    const entry = index.pictures.find(({ id }) => id === scene.id);
    const file = await readFile(join(directory, `${scene.id}.webp`)).catch(() => null);
    const wanted = file && JSON.stringify(entryOf(scene, file));
    if (wanted !== JSON.stringify(entry)) stale.push(`workspace/pictures/${scene.id}.webp is not what its scene draws`);
  }
  for (const { id } of index.pictures) {
    if (!scenes.some((scene) => scene.id === id)) stale.push(`workspace/pictures/${id}.webp has no scene`);
  }
  for (const path of logos) if ((await readFile(path, "utf8")) !== logo) stale.push(`${path} is not what is drawn`);
  return stale;
}

function hash(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex");
}
