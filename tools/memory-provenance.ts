import type { MemoryRevision, Provenance } from "../memory/index.ts";
import type { ReadContext, ToolResult, Trust } from "./tool.ts";

/** Who writes to memory in a run, from what, and how far that can be trusted. */
export function provenanceOf(context: ReadContext): Provenance {
  const source = context.call === undefined ? context.conversation : `${context.conversation}#${context.call}`;
  return { author: context.author.name, source, trust: context.trust };
}

/** What this very call wrote when it was made before: a call that may have run is made again, and writes once. */
export async function writtenBefore(context: ReadContext, document: string): Promise<MemoryRevision | null> {
  if (context.call === undefined) return null;
  const { author, source } = provenanceOf(context);
  const history = await context.memory.history(document);
  return history.find((revision) => revision.source === source && revision.author === author) ?? null;
}

const order: Trust[] = ["public", "self", "maintainer"];

/** The least trusted of several texts; `maintainer` when there are none. */
export function lowestTrustOf(texts: { trust: Trust }[]): Trust {
  return order.find((trust) => texts.some((text) => text.trust === trust)) ?? "maintainer";
}

/** Where a document's public text came from first is named up to so often. */
const maxOrigins = 3;

/** The trust of a result that holds text of these documents, and which of them are public. */
export function provenanceOfResult(
  documents: { document: string; trust: Trust }[],
): Required<Pick<ToolResult, "trust">> & Pick<ToolResult, "source"> {
  const trust = lowestTrustOf(documents);
  if (trust !== "public") return { trust };
  const names = new Set(documents.filter((one) => one.trust === "public").map((one) => one.document));
  return { trust, source: `memory ${[...names].join(", ")}` };
}

/** `memory notes.md (from ADDRESS)`: a public document and where its revisions say that their text came from. */
export function sourceOfDocument(document: string, history: MemoryRevision[]): string {
  const origins = new Set(history.filter(({ trust }) => trust === "public").map(({ source }) => source));
  const named = [...origins].slice(0, maxOrigins).join(", ");
  return named === "" ? `memory ${document}` : `memory ${document} (from ${named})`;
}
