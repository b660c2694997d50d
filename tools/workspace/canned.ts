/** Canned responses: wording that maintainers agreed on, with places for what differs from case to case. */
import { z } from "zod";
import { ToolError } from "../errors.ts";
import type { WorkspaceFiles } from "./files.ts";
import { readFrontMatter } from "./front-matter.ts";

/** Fewer would be the same again too soon. */
const leastLines = 4;
const longestValue = 500;

export const responseNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "a response's name is small letters, digits and -, such as stale-pr");

const responseSchema = z.strictObject({
  name: responseNameSchema.describe("the file's name without .md"),
  description: z.string().min(10).max(300).describe("what it says and when"),
  occasion: z
    .string()
    .regex(/^[a-z-]+$/)
    .describe("what happens, by which a picture may be chosen"),
  lines: z
    .array(
      z
        .string()
        .min(1)
        .max(300)
        .regex(/^[^\n]*$/, "one line each"),
    )
    .min(leastLines),
});

export interface CannedResponse extends z.output<typeof responseSchema> {
  /** What follows one of the lines in the full form. */
  body: string;
}

/** Names of all responses, sorted; a broken one is among them. */
export async function responseNames(files: WorkspaceFiles): Promise<string[]> {
  const names = (await files.list("canned")).filter((file) => file.endsWith(".md")).map((file) => file.slice(0, -3));
  const there = await Promise.all(names.map(async (name) => (await files.read(`canned/${name}.md`)) !== null));
  return names.filter((name, index) => there[index] && responseNameSchema.safeParse(name).success);
}

/** Throws ToolError, naming those that there are, for one that is not there, and for a broken one. */
export async function readResponse(files: WorkspaceFiles, name: string): Promise<CannedResponse> {
  const file = `canned/${name}.md`;
  const text = await files.read(file);
  if (text === null) {
    throw new ToolError(`there is no canned response “${name}”`, {
      code: "unknown_response",
      hint: `there are: ${(await responseNames(files)).join(", ") || "none"}`,
    });
  }
  const { head, body } = await readFrontMatter(text, { file, schema: responseSchema });
  return { ...head, body };
}

const place = /\{([a-z]+)\}/g;

/** What must be given for these texts. */
export function placesOf(...texts: string[]): string[] {
  return [...new Set(texts.flatMap((text) => [...text.matchAll(place)].map((match) => match[1] ?? "")))].sort();
}

/** Throws ToolError naming every value that is missing. */
export function fillPlaces(text: string, { name, values }: { name: string; values: Record<string, string> }): string {
  const given = (key: string): string | undefined => (Object.hasOwn(values, key) ? values[key] : undefined);
  const missing = placesOf(text).filter((key) => (given(key) ?? "").trim() === "");
  if (missing.length > 0) {
    throw new ToolError(`the response “${name}” needs values for: ${missing.join(", ")}`, {
      code: "missing_values",
      hint: `give each in \`values\`, such as {"${missing[0]}": "…"}`,
    });
  }
  return text.replace(place, (_whole, key: string) => asPlainText(given(key) ?? ""));
}

/**
 * A value as text that mentions nobody, links to no thread and formats nothing, on GitHub and Discord. Values may come
 * from strangers, and a bot's post must not call people or channels for them.
 */
export function asPlainText(value: string): string {
  const oneLine = value
    // Controls, and marks that change the direction of text or hide in it.
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/\p{Cf}/gu, "")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, longestValue);
  return oneLine.replace(/[\\`*_~|<>[\]()!{}]/g, "\\$&").replace(/[@#]/g, "$&\u200b");
}
