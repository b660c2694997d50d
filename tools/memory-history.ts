import { z } from "zod";
import { ToolError } from "./errors.ts";
import { provenanceOfResult } from "./memory-provenance.ts";
import { defineReadTool } from "./tool.ts";

const maxRevisions = 50;

export const memoryHistory = defineReadTool({
  name: "memory_history",
  description: "Lists the revisions of a document of the shared memory, newest first: when, who, from what, how large.",
  input: z.strictObject({ document: z.string().describe("name such as ops.md") }),
  async run(context, input) {
    const history = await context.memory.history(input.document);
    if (history.length === 0) {
      throw new ToolError(`there is no document ${input.document}`, {
        code: "document_missing",
        hint: "list the documents by reading memory without a name",
      });
    }
    const shown = history.slice(0, maxRevisions);
    const lines = shown.map(
      ({ at, kind, author, source, bytes, revision }) =>
        `${at === 0 ? "by hand" : new Date(at).toISOString()}  ${kind}  ${author}  ${source}  ${bytes} bytes  ${revision}`,
    );
    const rest =
      history.length > maxRevisions ? `\n(${history.length - maxRevisions} older revisions are not shown)` : "";
    return {
      // What a revision says of its author and source is text from there too.
      ...provenanceOfResult(shown),
      text: lines.join("\n") + rest,
      data: { revisions: shown.map((revision) => ({ ...revision })) },
    };
  },
});
