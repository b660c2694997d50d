import { z } from "zod";
import { provenanceOf } from "./memory-provenance.ts";
import { defineReadTool } from "./tool.ts";

export const memoryAppend = defineReadTool({
  name: "memory_append",
  description:
    "Adds text to the end of a document of the shared memory; makes the document when there is none. Additions of " +
    "several siblings at once are all kept. Secrets are refused.",
  input: z.strictObject({
    document: z.string().describe("name such as notes.md"),
    text: z.string().min(1).describe("what to add, Markdown"),
    dated: z.boolean().optional().describe("add it as one list item that begins with today's date"),
  }),
  async run(context, input) {
    const provenance = provenanceOf(context);
    const history = context.call === undefined ? [] : await context.memory.history(input.document);
    const before = history.find(({ source, author }) => source === provenance.source && author === provenance.author);
    const text = input.dated ? `- ${new Date().toISOString().slice(0, 10)}: ${oneLine(input.text)}` : input.text;
    const written = before
      ? { document: input.document, revision: before.revision }
      : await context.memory.append(input.document, text, provenance);
    return {
      text: `Added to ${input.document}: ${oneLine(input.text)}`,
      data: { document: written.document, revision: written.revision },
    };
  },
});

function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}
