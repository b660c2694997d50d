import { z } from "zod";
import { ToolError } from "./errors.ts";
import { provenanceOf, writtenBefore } from "./memory-provenance.ts";
import { conflictNote, rememberSeen, seenOf } from "./memory-seen.ts";
import { defineReadTool } from "./tool.ts";

export const memoryWrite = defineReadTool({
  name: "memory_write",
  description:
    "Writes a document of the shared memory as a whole, new or replacing what you read of it in this conversation; what " +
    "others write meanwhile is merged. Use memory_edit for a small change and memory_append for an addition. Earlier " +
    "texts stay in its history. Secrets are refused.",
  input: z.strictObject({
    document: z.string().describe("name such as ops.md or daily/2026-01-31.md"),
    text: z.string().describe("the whole new text, Markdown"),
  }),
  async run(context, { document, text }) {
    const before = await writtenBefore(context, document);
    const written = before ?? (await write());
    rememberSeen(context, document, [written.revision]);
    const { revision, author, source, trust } = written;
    return {
      text: `Wrote ${document}, revision ${revision}.${await conflictNote(context.memory, document)}`,
      data: { document, revision, author, source, trust },
    };

    async function write() {
      const base = seenOf(context, document);
      if (base === null && (await context.memory.read(document)) !== null) {
        throw new ToolError(`${document} exists, and this conversation has not read it as it is now`, {
          code: "not_read",
          hint: "read it first and write it with what it holds; to add something, use memory_append",
        });
      }
      return context.memory.write(document, text, provenanceOf(context), base === null ? {} : { base });
    }
  },
});
