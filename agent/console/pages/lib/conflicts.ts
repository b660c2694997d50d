/**
 * Passages of a document that two authors wrote at the same time. The memory keeps both and marks them with three comment
 * lines; within a side there may be another such passage.
 */
export interface Side {
  /** More than one where their texts had been merged before. */
  authors: { author: string; revision: string }[];
  text: string;
}

export interface Conflict {
  kind: "conflict";
  /** Where it stands among the text's lines, from 0; `end` is the first line behind it. */
  start: number;
  end: number;
  left: Side;
  right: Side;
}

export type Passage = { kind: "text"; text: string } | Conflict;

const begin = /^<!-- conflict: (.*) -->$/;
const middle = /^<!-- conflict or: (.*) -->$/;
const end = /^<!-- end of conflict -->$/;

/** The text in order. Marker lines that do not belong together stay the text that they are. */
export function splitConflicts(text: string): Passage[] {
  const lines = text.split("\n");
  const passages: Passage[] = [];
  let plainFrom = 0;
  for (const { start, between, stop } of outermost(lines)) {
    if (start > plainFrom) passages.push({ kind: "text", text: lines.slice(plainFrom, start).join("\n") });
    const left = sideOf(begin, lines, start, between);
    const right = sideOf(middle, lines, between, stop);
    passages.push({ kind: "conflict", start, end: stop + 1, left, right });
    plainFrom = stop + 1;
  }
  const rest = lines.slice(plainFrom).join("\n");
  if (rest !== "" || passages.length === 0) passages.push({ kind: "text", text: rest });
  return passages;
}

export function conflictsIn(text: string): Conflict[] {
  return splitConflicts(text).filter((passage) => passage.kind === "conflict");
}

/** The text with one side in the place of a conflict, or both, one after the other. */
export function solveConflict(text: string, conflict: Conflict, choice: "left" | "right" | "both"): string {
  const lines = text.split("\n");
  const sides = { left: [conflict.left], right: [conflict.right], both: [conflict.left, conflict.right] }[choice];
  const kept = sides.filter((side) => side.text !== "").flatMap((side) => side.text.split("\n"));
  return [...lines.slice(0, conflict.start), ...kept, ...lines.slice(conflict.end)].join("\n");
}

/** Line indexes of the markers of each conflict that is in no other one. */
function outermost(lines: string[]): { start: number; between: number; stop: number }[] {
  const open: { start: number; between: number }[] = [];
  const found: { start: number; between: number; stop: number }[] = [];
  for (const [index, line] of lines.entries()) {
    if (begin.test(line)) open.push({ start: index, between: -1 });
    else if (middle.test(line)) {
      const last = open.at(-1);
      if (last?.between === -1) last.between = index;
    } else if (end.test(line)) {
      const last = open.pop();
      if (!last || last.between === -1) continue;
      while ((found.at(-1)?.start ?? -1) > last.start) found.pop();
      found.push({ ...last, stop: index });
    }
  }
  return found;
}

function sideOf(marker: RegExp, lines: string[], from: number, to: number): Side {
  const label = marker.exec(lines[from] ?? "")?.[1] ?? "";
  const authors = [...label.matchAll(/(.+?), revision ([^\s;]+)(?:; |$)/g)].map(([, author = "", revision = ""]) => ({
    author,
    revision,
  }));
  return { authors, text: lines.slice(from + 1, to).join("\n") };
}

/** `Ada`, `Ada and Grace`. */
export function authorsOf({ authors }: Side): string {
  return authors.map(({ author }) => author).join(" and ") || "somebody";
}
