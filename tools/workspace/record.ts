/** `.seeded.json`: which files of a workspace came from the program, so that people's edits can be told from them. */
import { join } from "node:path";
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { readFileIfThere } from "../fleet/local/files.ts";

export const recordFile = ".seeded.json";

const hash = z.string().regex(/^[0-9a-f]{64}$/);

const entrySchema = z.object({
  /** SHA-256 of each text that the program put there, newest last. */
  hashes: z.array(hash),
  /** SHA-256 of the template, before values were filled in, that the file follows. */
  template: hash,
  /** The file was there after seeding: if it is gone, somebody deleted it. */
  placed: z.boolean(),
  /** SHA-256 of each generated part that the program put into the file, newest last. */
  parts: z.array(hash).default([]),
  /** A newer template was seen while the file had this edited text. */
  noted: z.object({ template: hash, file: hash }).optional(),
});
export type RecordEntry = z.output<typeof entrySchema>;

const recordSchema = z.object({ formatVersion: z.literal(1), files: z.record(z.string(), entrySchema) });
export type SeedRecord = z.output<typeof recordSchema>;

/** An empty record where there is none; throws ConfigError for one that cannot be understood. */
export async function readRecord(directory: string): Promise<SeedRecord> {
  const path = join(directory, recordFile);
  const text = await readFileIfThere(path);
  if (text === null) return { formatVersion: 1, files: {} };
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new ConfigError(`${path} is not a record of format version 1: ${why}`, {
      code: "workspace_record_invalid",
      hint: "if a newer version of the program wrote it, run that one; else remove it: files that differ from the program's are then taken for edited ones, and deleted ones come back",
      cause,
    });
  }
}
