import { z } from "zod";
import { provenanceOf } from "./memory-provenance.ts";
import { defineReadTool } from "./tool.ts";

export const memoryWrite = defineReadTool({
  name: "memory_write",
  description:
    "Writes a document of the shared memory as a whole, new or replacing what it held. Use memory_edit for a small " +
    "change and memory_append for an addition. Earlier texts stay in its history. Secrets are refused.",
  input: z.strictObject({
    document: z.string().describe("name such as ops.md or daily/2026-01-31.md"),
    text: z.string().describe("the whole new text, Markdown"),
  }),
  async run(context, input) {
    const written = await context.memory.write(input.document, input.text, provenanceOf(context));
    return { text: `Wrote ${written.document}, revision ${written.revision}.`, data: { ...written } };
  },
});
