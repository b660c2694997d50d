import { z } from "zod";
import { provenanceOf } from "./memory-provenance.ts";
import { defineReadTool } from "./tool.ts";

export const memoryEdit = defineReadTool({
  name: "memory_edit",
  description:
    "Replaces one passage in a document of the shared memory. The passage must occur exactly once; read the document " +
    "first and copy it exactly.",
  input: z.strictObject({
    document: z.string().describe("name such as ops.md"),
    before: z.string().min(1).describe("the exact passage to replace"),
    after: z.string().describe("what stands there afterwards"),
  }),
  async run(context, input) {
    const change = { before: input.before, after: input.after };
    const written = await context.memory.edit(input.document, change, provenanceOf(context));
    return { text: `Edited ${written.document}, revision ${written.revision}.`, data: { ...written } };
  },
});
