/** Markdown that begins with YAML between two lines of `---`. */
import type { z } from "zod";
import { ToolError } from "../errors.ts";

/** What a schema makes of the front matter, and the text after it. Throws ToolError naming the file and what is wrong. */
export async function readFrontMatter<Schema extends z.ZodType>(
  text: string,
  { file, schema }: { file: string; schema: Schema },
): Promise<{ head: z.output<Schema>; body: string }> {
  const match = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n([\s\S]*))?$/.exec(text);
  if (!match) throw broken(file, "it does not begin with YAML between two lines of ---");
  // YAML is wanted only where a model reads it.
  const { parse } = await import("yaml");
  let raw: unknown;
  try {
    raw = parse(match[1] ?? "", { maxAliasCount: 0, logLevel: "silent" });
  } catch (cause) {
    throw broken(file, (cause as Error).message.split("\n")[0] ?? "not YAML", cause);
  }
  const head = schema.safeParse(raw);
  if (!head.success) {
    const issues = head.error.issues.map(({ path, message }) => `${path.join(".") || "front matter"}: ${message}`);
    throw broken(file, issues.join("; "));
  }
  const body = (match[2] ?? "").trim();
  if (body === "") throw broken(file, "there is no text after the front matter");
  return { head: head.data, body };
}

function broken(file: string, why: string, cause?: unknown): ToolError {
  return new ToolError(`${file} cannot be used: ${why}`, {
    code: "workspace_file_broken",
    hint: "mend that file in the workspace, or delete it there",
    cause,
  });
}
