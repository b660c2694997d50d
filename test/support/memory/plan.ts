/**
 * What the writers of a storm do, and how their lines look: every written line names the one attempt that wrote it and
 * proves itself whole, so that whatever stands in a document can be traced to a writer's journal.
 */
import { createHash } from "node:crypto";

export const documents = {
  /** Only ever appended to: each acknowledged line stands in it exactly once. */
  log: "log.md",
  /** Each writer has a section of its own, and some lines are appended: nothing overlaps, so nothing may be lost. */
  owned: "shared/owned.md",
  /** A few topics that everybody changes: what was written stays until somebody who saw it replaces it. */
  topics: "shared/topics.md",
} as const;

export type StormDocument = (typeof documents)[keyof typeof documents];
export const allDocuments: readonly StormDocument[] = Object.values(documents);

export const topicCount = 4;
const linePattern = /^(- |value: |topic \d+: )(w\d+\.\d+\.\d+) ([0-9a-f]{8})$/;

/** Lines that no writer writes: headings, and the marks around a conflict. */
const scaffolding = /^$|^# |^## w\d+$|^<!-- (conflict: |conflict or: |end of conflict -->)/;

/** The operation `number` of a writer: the same after each restart. */
export function operationAt(number: number): { kind: "append" | "own" | "topic"; document: StormDocument } {
  const kind = number % 20;
  if (kind === 7) return { kind: "topic", document: documents.topics };
  if (kind === 3 || kind === 13) return { kind: "own", document: documents.owned };
  if (kind === 17) return { kind: "append", document: documents.owned };
  return { kind: "append", document: documents.log };
}

/** One attempt of one operation; no two attempts have the same. */
export function tokenOf(writer: string, number: number, attempt: number): string {
  return `${writer}.${number}.${attempt}`;
}

export function writerName(index: number): string {
  return `w${String(index).padStart(2, "0")}`;
}

export function signedLine(prefix: string, token: string): string {
  return `${prefix}${token} ${proofOf(prefix, token)}`;
}

export function initialText(document: StormDocument, writers: number): string {
  if (document === documents.log) return "# Log\n";
  if (document === documents.topics) {
    const topics = Array.from({ length: topicCount }, (_, topic) =>
      signedLine(`topic ${topic}: `, tokenOf("w99", 0, topic)),
    );
    return `# Topics\n\n${topics.join("\n\n\n")}\n`;
  }
  const sections = Array.from({ length: writers }, (_, index) => {
    const name = writerName(index);
    return `## ${name}\n\n${signedLine("value: ", tokenOf(name, 0, 0))}\n`;
  });
  return `# Owned\n\n${sections.join("\n")}\n# Notes\n`;
}

export interface SignedLine {
  prefix: string;
  token: string;
  /** Between the marks of a conflict. */
  isInConflict: boolean;
  text: string;
}

/** The signed lines of a text. Throws on a line that nobody wrote: something was torn. */
export function readLines(text: string): SignedLine[] {
  const lines: SignedLine[] = [];
  let isInConflict = false;
  for (const line of text.split("\n")) {
    const match = linePattern.exec(line);
    if (match) {
      const [, prefix = "", token = "", proof] = match;
      if (proof !== proofOf(prefix, token)) throw new Error(`a damaged line: ${JSON.stringify(line)}`);
      lines.push({ prefix, token, isInConflict, text: line });
    } else if (!scaffolding.test(line)) throw new Error(`a line that nobody wrote: ${JSON.stringify(line)}`);
    else if (line.startsWith("<!-- conflict: ")) isInConflict = true;
    else if (line.startsWith("<!-- end of conflict")) isInConflict = false;
  }
  return lines;
}

function proofOf(prefix: string, token: string): string {
  return createHash("sha256")
    .update(prefix + token)
    .digest("hex")
    .slice(0, 8);
}
