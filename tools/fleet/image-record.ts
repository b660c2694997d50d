/** Reading the record that a provider keeps of an image it has built. */
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { readFileIfThere } from "./local/files.ts";

const versionSchema = z.object({ formatVersion: z.number() });

/**
 * The record in the file; null where there is none, or it is damaged or another image's, so that the image is built anew.
 * Throws ConfigError for a format that this program does not know. `holds`: what the file stands for, to be removed by hand.
 */
export async function readImageRecord<Record extends { id: string }>(
  path: string,
  { id, schema, holds }: { id: string; schema: z.ZodType<Record>; holds: "file" | "image" },
): Promise<Record | null> {
  const text = await readFileIfThere(path);
  if (text === null) return null;
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return null;
  }
  const version = versionSchema.safeParse(raw);
  if (version.success && version.data.formatVersion !== 1) {
    throw new ConfigError(`${path} has format version ${version.data.formatVersion}; this program knows 1`, {
      code: "format_unknown",
      hint: `run the version of the program that wrote it, or remove that ${holds}`,
    });
  }
  const record = schema.safeParse(raw);
  return record.success && record.data.id === id ? record.data : null;
}
