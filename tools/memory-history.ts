import { z } from "zod";
import { missingDocument } from "./memory-absence.ts";
import { provenanceOfResult } from "./memory-provenance.ts";
import { defineReadTool } from "./tool.ts";

const maxRevisions = 50;

export const memoryHistory = defineReadTool({
  name: "memory_history",
  description:
    "Lists the revisions of a document of the shared memory, newest first: when, who, from what, how large. Also of a " +
    "document that was deleted or renamed.",
  input: z.strictObject({ document: z.string().describe("name such as ops.md") }),
  async run(context, input) {
    const history = await context.memory.history(input.document);
    if (history.length === 0) throw await missingDocument(context.memory, input.document);
    const shown = history.slice(0, maxRevisions);
    const lines = shown.map(({ at, kind, author, source, trust, bytes, revision, movedTo, movedFrom }) =>
      [
        at === 0 ? "–" : new Date(at).toISOString(),
        kind + (movedTo ? ` (renamed to ${movedTo})` : "") + (movedFrom ? ` (renamed from ${movedFrom})` : ""),
        `${author} (${trust})`,
        source,
        `${bytes} bytes`,
        revision,
      ].join("  "),
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
