/** Disk images that were built on this machine: a record of each, and a root that keeps its output in the store. */
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ToolError } from "../../../errors.ts";
import { readImageRecord } from "../../image-record.ts";
import { writeFileDurably } from "../../local/files.ts";

export const imageIdPattern = /^img-[0-9a-f]{12}$/;

const recordSchema = z.object({
  formatVersion: z.literal(1),
  id: z.string().regex(imageIdPattern),
  revision: z.string(),
  digest: z.string(),
  derivation: z.string(),
  /** `ImageTarget.recipe`. */
  recipe: z.string(),
  /** What of the store it is made of. */
  storePaths: z.array(z.string()).nonempty(),
  /** The raw disk image, as a path on this machine's disk. */
  path: z.string(),
  bytes: z.number().int().positive(),
  closure: z.string(),
  builtAt: z.number(),
  /** As EC2 names it: x86_64 or arm64. */
  architecture: z.string(),
  bootMode: z.string(),
});
export type ImageRecord = z.output<typeof recordSchema>;

export interface ImageRecords {
  /** Null where it was never built here, or its file is gone. Throws ConfigError for a newer format. */
  read(id: string): Promise<ImageRecord | null>;
  write(record: ImageRecord): Promise<void>;
  list(): Promise<ImageRecord[]>;
  /** Lets go of the output, so that it may be collected. Idempotent. */
  remove(id: string): Promise<void>;
  /** Symbolic link that nix makes to the output, and counts as a root. */
  rootOf(id: string): string;
}

/** `directory` must be on local disk. */
export function openImageRecords(directory: string): ImageRecords {
  const pathOf = (id: string): string => join(directory, `${checkImageId(id)}.json`);
  const rootOf = (id: string): string => join(directory, `${checkImageId(id)}.root`);

  async function read(id: string): Promise<ImageRecord | null> {
    const record = await readImageRecord(pathOf(id), { id, schema: recordSchema, holds: "file" });
    if (record === null) return null;
    const file = await stat(record.path).catch(() => null);
    return file?.isFile() && file.size === record.bytes ? record : null;
  }

  return {
    read,
    rootOf,
    async write(record) {
      await mkdir(directory, { recursive: true });
      await writeFileDurably(pathOf(record.id), `${JSON.stringify(record, null, 2)}\n`);
    },
    async list() {
      const names = await readdir(directory).catch(() => []);
      const ids = names.map((name) => name.replace(/\.json$/, "")).filter((id) => imageIdPattern.test(id));
      const records = await Promise.all(ids.map((id) => read(id)));
      return records.filter((record) => record !== null);
    },
    async remove(id) {
      // The root first: a record without it is found, and removed, by the next attempt.
      await rm(rootOf(id), { force: true });
      await rm(pathOf(id), { force: true });
    },
  };
}

/** Throws ToolError when the id could name something else. */
export function checkImageId(id: string): string {
  if (imageIdPattern.test(id)) return id;
  throw new ToolError(`"${id}" is not an image id`, {
    code: "image_id_invalid",
    hint: "see `image list` for the ids",
  });
}
