/** The pictures that there are: `workspace/pictures/index.json`, written by `npm run pictures`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { moods, occasions } from "../../tools/picture-occasions.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const pictureSchema = z.strictObject({
  /** Also the last part of its address, `/pictures/<id>`. */
  id: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
  file: z.string().regex(/^[a-z][a-z0-9-]{0,39}\.webp$/),
  alt: z.string().min(10).max(200),
  moods: z.array(z.enum(moods)).min(1),
  occasions: z.array(z.enum(occasions)).min(1),
  /** Fits a moment that is not for jokes. */
  serious: z.boolean(),
  /** Of the file. */
  sha256,
  /** Of the SVG frames that it was rendered from. */
  drawnFrom: sha256,
});
export type Picture = z.output<typeof pictureSchema>;

export const pictureIndexSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** Width and height in pixels, the same for all. */
  size: z.number().int(),
  pictures: z.array(pictureSchema).min(1),
});
export type PictureIndex = z.output<typeof pictureIndexSchema>;

/** Part of the program, not of an instance's own workspace. */
export const picturesDirectory = join(import.meta.dirname, "..", "..", "workspace", "pictures");

let known: readonly Picture[] | null = null;

/** Read at first use. Throws when the program's own index is missing or broken. */
export function pictures(): readonly Picture[] {
  known ??= pictureIndexSchema.parse(JSON.parse(readFileSync(join(picturesDirectory, "index.json"), "utf8"))).pictures;
  return known;
}
