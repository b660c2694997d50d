/** What changed from one text to another, line by line, for people. */
import { diffComm } from "node-diff3";

export interface LineDifference {
  added: number;
  removed: number;
  /** Too much differs to be compared line by line: all of the one is removed, all of the other added. */
  isWhole: boolean;
  hunks: DifferenceHunk[];
}

/** Changed lines with up to three unchanged ones around them. */
export interface DifferenceHunk {
  /** First line of the hunk in either text, from 1. */
  fromLine: number;
  toLine: number;
  lines: DifferenceLine[];
}

export interface DifferenceLine {
  kind: "same" | "added" | "removed";
  text: string;
}

const contextLines = 3;

/** Comparing takes time with the product of the lines that differ; this many take well below a second. */
const maxComparisons = 4_000_000;

/** A text's end without a line break is told as one more line: `(no line break at the end)`. */
export function differenceOf(from: string, to: string): LineDifference {
  const [before, after] = [linesOf(from), linesOf(to)];
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  const most = Math.min(before.length, after.length) - head;
  while (tail < most && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const left = before.slice(head, before.length - tail);
  const right = after.slice(head, after.length - tail);
  const isWhole = left.length * right.length > maxComparisons;
  const lines: DifferenceLine[] = [
    ...lineOf("same", before.slice(0, head)),
    ...(isWhole ? [...lineOf("removed", left), ...lineOf("added", right)] : compared(left, right)),
    ...lineOf("same", before.slice(before.length - tail)),
  ];
  const countOf = (kind: DifferenceLine["kind"]): number => lines.filter((line) => line.kind === kind).length;
  return { added: countOf("added"), removed: countOf("removed"), isWhole, hunks: hunksOf(lines) };
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  else lines.push("(no line break at the end)");
  return lines;
}

function compared(left: string[], right: string[]): DifferenceLine[] {
  return diffComm(left, right).flatMap((part) =>
    "common" in part
      ? lineOf("same", part.common ?? [])
      : [...lineOf("removed", part.buffer1 ?? []), ...lineOf("added", part.buffer2 ?? [])],
  );
}

function lineOf(kind: DifferenceLine["kind"], texts: readonly string[]): DifferenceLine[] {
  return texts.map((text) => ({ kind, text }));
}

function hunksOf(lines: DifferenceLine[]): DifferenceHunk[] {
  const hunks: DifferenceHunk[] = [];
  let hunk: DifferenceHunk | null = null;
  let lastChange = Number.NEGATIVE_INFINITY;
  let [fromLine, toLine] = [1, 1];
  const nextChange = nextChanges(lines);
  for (const [index, line] of lines.entries()) {
    const isNear = index - lastChange <= contextLines || (nextChange[index] ?? Infinity) - index <= contextLines;
    if (!isNear) hunk = null;
    else {
      if (hunk === null) {
        hunk = { fromLine, toLine, lines: [] };
        hunks.push(hunk);
      }
      hunk.lines.push(line);
    }
    if (line.kind !== "same") lastChange = index;
    if (line.kind !== "added") fromLine++;
    if (line.kind !== "removed") toLine++;
  }
  return hunks;
}

/** For each line the place of the next changed one, itself included. */
function nextChanges(lines: DifferenceLine[]): number[] {
  const places = new Array<number>(lines.length);
  let next = Number.POSITIVE_INFINITY;
  for (let index = lines.length - 1; index >= 0; index--) {
    if (lines[index]?.kind !== "same") next = index;
    places[index] = next;
  }
  return places;
}
