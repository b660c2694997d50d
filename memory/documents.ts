/** What may be a document: its name, its size, and that it is text. */
import { MemoryError } from "./errors.ts";

/** Enough for any document a person would read; larger things belong in a file store. */
export const maxDocumentBytes = 1024 * 1024;

const maxDepth = 5;
const maxNameCharacters = 200;
const segmentPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Why a name cannot be a document's, or null when it can. */
export function documentNameProblem(document: string): string | null {
  if (document.length === 0 || document.length > maxNameCharacters) {
    return `a name has 1 to ${maxNameCharacters} characters`;
  }
  if (document.startsWith("/")) return "a name is relative";
  const segments = document.split("/");
  if (segments.length > maxDepth) return `a name has at most ${maxDepth} parts`;
  if (!document.endsWith(".md")) return "a name ends in .md";
  if (segments.slice(0, -1).some((segment) => segment.endsWith(".md"))) return "a folder's name does not end in .md";
  if (!segments.every((segment) => segmentPattern.test(segment))) {
    return "each part is letters, digits, `.`, `_` and `-`, and begins with a letter or digit";
  }
  return null;
}

/** Long names are cut in messages. */
const shownNameCharacters = 80;

/** Throws a MemoryError that says what is wrong with the name. */
export function checkDocumentName(document: string): void {
  const problem = documentNameProblem(document);
  if (problem === null) return;
  const name = document.length > shownNameCharacters ? `${document.slice(0, shownNameCharacters)}…` : document;
  throw new MemoryError(`${JSON.stringify(name)} cannot be a document: ${problem}`, {
    code: "document_name",
    hint: "use a name such as ops.md or daily/2026-01-31.md",
  });
}

/** Throws a MemoryError when the text is too large or could not be stored as text. */
export function checkText(document: string, text: string, before = 0): void {
  const bytes = before + Buffer.byteLength(text);
  if (bytes > maxDocumentBytes) {
    throw new MemoryError(`${document} would have ${bytes} bytes; a document has at most ${maxDocumentBytes}`, {
      code: "document_too_large",
      hint: "split it into several documents and link them from index.md",
    });
  }
  const problem = text.includes("\u0000") ? "a NUL character" : text.isWellFormed() ? null : "half a character";
  if (problem !== null) {
    throw new MemoryError(`the text for ${document} holds ${problem}`, {
      code: "document_not_text",
      hint: "memory holds Markdown text only",
    });
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a file, or null when it is none: invalid UTF-8, or a NUL character. */
export function textOfFile(file: Buffer): string | null {
  if (file.includes(0)) return null;
  try {
    return utf8.decode(file);
  } catch {
    return null;
  }
}
