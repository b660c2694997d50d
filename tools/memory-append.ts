import { z } from "zod";
import { provenanceOf, writtenBefore } from "./memory-provenance.ts";
import { rememberSeen, seenOf } from "./memory-seen.ts";
import { shorten } from "./shorten.ts";
import { defineReadTool } from "./tool.ts";

/** Of what was added, in the answer. */
const maxTold = 300;

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
    const { document } = input;
    const text = input.dated ? `- ${new Date().toISOString().slice(0, 10)}: ${oneLine(input.text)}` : input.text;
    const before = await writtenBefore(context, document);
    const written = before ?? (await context.memory.append(document, text, provenanceOf(context)));
    const seen = seenOf(context, document);
    if (seen !== null) rememberSeen(context, document, [...new Set([...seen, written.revision])]);
    return {
      text: `Added to ${document}: ${shorten(oneLine(input.text), maxTold)}`,
      data: { document, revision: written.revision },
    };
  },
});

function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}
