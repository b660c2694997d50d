import { z } from "zod";
import { missingDocument } from "./memory-absence.ts";
import { provenanceOf, writtenBefore } from "./memory-provenance.ts";
import { conflictNote, rememberSeen } from "./memory-seen.ts";
import { defineReadTool } from "./tool.ts";

export const memoryEdit = defineReadTool({
  name: "memory_edit",
  description:
    "Replaces one passage in a document of the shared memory. The passage must occur exactly once; read the document " +
    "first and copy it exactly. Secrets are refused.",
  input: z.strictObject({
    document: z.string().describe("name such as ops.md"),
    before: z.string().min(1).describe("the exact passage to replace"),
    after: z.string().describe("what stands there afterwards"),
  }),
  async run(context, { document, before, after }) {
    const again = await writtenBefore(context, document);
    if (again === null && (await context.memory.read(document)) === null) {
      throw await missingDocument(context.memory, document);
    }
    const written = again ?? (await context.memory.edit(document, { before, after }, provenanceOf(context)));
    // It may cover what others wrote and this conversation has not read.
    rememberSeen(context, document);
    const { revision, author, source, trust } = written;
    return {
      text: `Edited ${document}, revision ${revision}.${await conflictNote(context.memory, document)}`,
      data: { document, revision, author, source, trust },
    };
  },
});
