import { z } from "zod";
import { ToolError } from "./errors.ts";
import { sourceOfDocument } from "./memory-provenance.ts";
import { defineReadTool } from "./tool.ts";

/** Lines in one answer; more would crowd out the conversation. */
const maxLines = 400;

export const memoryRead = defineReadTool({
  name: "memory_read",
  description:
    "Reads one document of the shared memory, or lists all documents when none is named. " +
    "Use it before editing, and to look up what was decided. Long documents come in parts.",
  input: z.strictObject({
    document: z.string().optional().describe("name such as ops.md or daily/2026-01-31.md; leave out to list all"),
    fromLine: z.number().int().min(1).optional().describe("first line to show, for the next part of a long document"),
  }),
  async run(context, input) {
    if (input.document === undefined) {
      const documents = await context.memory.list();
      const lines = documents.map(({ document, bytes, at }) => `${document}  ${bytes} bytes  ${day(at)}`);
      const text =
        lines.length === 0
          ? "The memory is empty."
          : `${lines.length === 1 ? "1 document" : `${lines.length} documents`}:\n${lines.join("\n")}`;
      return { text, data: { documents } };
    }
    const found = await context.memory.read(input.document);
    if (found === null) {
      throw new ToolError(`there is no document ${input.document}`, {
        code: "document_missing",
        hint: "list the documents by reading memory without a name, or search for a word",
      });
    }
    const lines = found.text.split("\n");
    const from = (input.fromLine ?? 1) - 1;
    const part = lines.slice(from, from + maxLines).join("\n");
    const rest =
      from + maxLines < lines.length ? `\n(line ${from + maxLines + 1} of ${lines.length}: use fromLine)` : "";
    const source =
      found.trust === "public"
        ? sourceOfDocument(found.document, await context.memory.history(found.document))
        : undefined;
    return { text: part + rest, data: { ...found }, trust: found.trust, source };
  },
});

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
