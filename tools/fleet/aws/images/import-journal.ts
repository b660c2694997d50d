/** What an import has begun, on local disk: written before the cloud is asked, removed when nothing of it is left over. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { sha256 } from "../../../json.ts";
import { readFileIfThere, writeFileDurably } from "../../local/files.ts";
import { importWays } from "../../services.ts";
import { checkImageId } from "./image-records.ts";

const entrySchema = z.object({
  formatVersion: z.literal(1),
  token: z.string(),
  way: z.enum(importWays),
  /** Fixed at the first attempt: the same client token with another parent is refused. */
  parent: z.string().nullable(),
  /** VM Import was, or was about to be, called. */
  isTaskRequested: z.boolean(),
});
export type ImportEntry = z.output<typeof entrySchema>;

export interface ImportJournal {
  read(): Promise<ImportEntry | null>;
  write(entry: Omit<ImportEntry, "formatVersion" | "token">): Promise<void>;
  remove(): Promise<void>;
}

/** Of one image and one step's token. */
export function openImportJournal(directory: string, id: string, token: string): ImportJournal {
  const path = join(directory, `${checkImageId(id)}-${sha256(token).slice(0, 16)}.json`);
  return {
    async read() {
      const text = await readFileIfThere(path);
      try {
        const entry = entrySchema.parse(JSON.parse(text ?? "null"));
        return entry.token === token ? entry : null;
      } catch {
        return null;
      }
    },
    async write(entry) {
      await mkdir(directory, { recursive: true });
      await writeFileDurably(path, `${JSON.stringify({ formatVersion: 1, token, ...entry })}\n`);
    },
    remove: () => rm(path, { force: true }),
  };
}
