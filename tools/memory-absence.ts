/** Why a document cannot be read: it never was, it was deleted, or it has another name now. */
import type { Memory } from "../memory/index.ts";
import { ToolError } from "./errors.ts";

export type Absence =
  | { kind: "never" }
  /** `at` is 0 where nothing tells when. */
  | { kind: "deleted"; at: number }
  | { kind: "renamed"; to: string };

/** Of a document that `read` did not find. */
export async function absenceOf(memory: Memory, document: string): Promise<Absence> {
  const [last] = await memory.history(document);
  if (last === undefined) return { kind: "never" };
  return last.movedTo === undefined ? { kind: "deleted", at: last.at } : { kind: "renamed", to: last.movedTo };
}

/** For a model. Names and dates only: what the document held may be public text. */
export async function missingDocument(memory: Memory, document: string): Promise<ToolError> {
  const absence = await absenceOf(memory, document);
  if (absence.kind === "renamed") {
    return new ToolError(`${document} was renamed to ${absence.to}`, {
      code: "document_renamed",
      hint: `use ${absence.to}`,
    });
  }
  if (absence.kind === "deleted") {
    return new ToolError(`${document} was deleted${dayOf(absence.at)}`, {
      code: "document_deleted",
      hint: "its history keeps its texts, and a maintainer can restore one; do not write it again unasked",
    });
  }
  return new ToolError(`there is no document ${document}`, {
    code: "document_missing",
    hint: "list the documents by reading memory without a name, or search for a word",
  });
}

/** ` on 2026-01-31`, or nothing where nothing tells when. */
export function dayOf(at: number): string {
  return at === 0 ? "" : ` on ${new Date(at).toISOString().slice(0, 10)}`;
}
