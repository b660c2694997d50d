/**
 * Three texts to one: changes to different places are both taken, contradicting ones are both kept and marked. Only the
 * content decides, never time or machine, so every host comes to the same text.
 */
import { diff3Merge } from "node-diff3";
import type { MemoryRevision } from "./types.ts";

/**
 * Steps that comparing one part may take, at most; what would take more is first divided at lines that stand once in each
 * of the three texts. A hundred million take about a tenth of a second.
 */
const maxSteps = 100_000_000;
/** Steps for all parts of one text together. */
const maxAllSteps = 400_000_000;
/** Dividing again finds lines that only stand once in their part; hostile texts could ask for that without end. */
const maxDivisions = 6;
/** A name in a mark is for people; longer ones are cut. */
const maxAuthorCharacters = 100;

const conflictLine = /^<!-- conflict: .* -->$/;
const orLine = /^<!-- conflict or: .* -->$/;
const endLine = "<!-- end of conflict -->";

/** How a mark names a revision. */
export function conflictLabel({ author, revision }: Pick<MemoryRevision, "author" | "revision">): string {
  const cleaned = author
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ")
    .replace(/-(?=-)/g, "- ")
    .slice(0, maxAuthorCharacters)
    .trim();
  return `${cleaned === "" ? "somebody" : cleaned}, revision ${revision}`;
}

/** Says whether a text holds the marks of a conflict, in their order. */
export function isConflicted(text: string): boolean {
  if (!text.includes(endLine)) return false;
  let expected = 0;
  for (const line of text.split("\n")) {
    if (expected === 0 ? conflictLine.test(line) : expected === 1 ? orLine.test(line) : line === endLine) expected++;
    if (expected === 3) return true;
  }
  return false;
}

export interface ConflictLabels {
  left: string;
  right: string;
}

type Lines = readonly string[];

interface Three {
  base: Lines;
  left: Lines;
  right: Lines;
}

interface Work {
  labels: ConflictLabels;
  steps: number;
}

/** Merges two texts that came from one base. */
export function mergeTexts(base: string, left: string, right: string, labels: ConflictLabels): string {
  if (left === right || right === base) return left;
  if (left === base) return right;
  const three = { base: unitsOf(base), left: unitsOf(left), right: unitsOf(right) };
  return mergeLines(three, { labels, steps: 0 }, 0).join("\n");
}

/**
 * A text's lines, with each conflict that is already marked as one of them: its marks are not compared with those of
 * another conflict, so that they stay paired however often a text is merged before somebody solves it.
 */
function unitsOf(text: string): string[] {
  const lines = text.split("\n");
  if (!text.includes(endLine)) return lines;
  const units: string[] = [];
  /** Where conflicts begin that have not ended, and whether their second side has begun. */
  const open: { unit: number; hasOr: boolean }[] = [];
  for (const line of lines) {
    units.push(line);
    const last = open.at(-1);
    if (conflictLine.test(line)) open.push({ unit: units.length - 1, hasOr: false });
    else if (orLine.test(line) && last) last.hasOr = true;
    else if (line === endLine && open.pop() && last?.hasOr) units.push(units.splice(last.unit).join("\n"));
  }
  return units;
}

function mergeLines(three: Three, work: Work, depth: number): Lines {
  const { base, left, right } = three;
  const start = commonStart(base, left, right);
  const end = commonEnd(base, left, right, start);
  const cut = (lines: Lines): Lines => lines.slice(start, lines.length - end);
  const middle = mergeMiddle({ base: cut(base), left: cut(left), right: cut(right) }, work, depth);
  return base.slice(0, start).concat(middle, base.slice(base.length - end));
}

function commonStart(base: Lines, left: Lines, right: Lines): number {
  let count = 0;
  while (count < base.length && base[count] === left[count] && base[count] === right[count]) count++;
  return count;
}

function commonEnd(base: Lines, left: Lines, right: Lines, start: number): number {
  const most = Math.min(base.length, left.length, right.length) - start;
  let count = 0;
  while (count < most) {
    const line = base[base.length - 1 - count];
    if (line !== left[left.length - 1 - count] || line !== right[right.length - 1 - count]) break;
    count++;
  }
  return count;
}

function mergeMiddle(three: Three, work: Work, depth: number): Lines {
  const { base, left, right } = three;
  if (isSame(left, right) || isSame(right, base)) return left;
  if (isSame(left, base)) return right;
  const steps = stepsOf(base, left) + stepsOf(base, right);
  if (steps <= maxSteps && work.steps + steps <= maxAllSteps) {
    work.steps += steps;
    return compare(three, work.labels);
  }
  const anchors = depth < maxDivisions ? findAnchors(base, left, right) : [];
  if (anchors.length === 0) return conflict(left, right, work.labels);
  const parts: Lines[] = [];
  let from = { base: 0, left: 0, right: 0 };
  for (const to of [...anchors, { base: base.length, left: left.length, right: right.length }]) {
    const part = {
      base: base.slice(from.base, to.base),
      left: left.slice(from.left, to.left),
      right: right.slice(from.right, to.right),
    };
    parts.push(mergeLines(part, work, depth + 1), base.slice(to.base, to.base + 1));
    from = { base: to.base + 1, left: to.left + 1, right: to.right + 1 };
  }
  return parts.flat();
}

/** Each pair of equal lines may be looked for along the whole of the shorter text. */
function stepsOf(one: Lines, other: Lines): number {
  const counts = new Map<string, number>();
  for (const line of one) counts.set(line, (counts.get(line) ?? 0) + 1);
  let pairs = 0;
  for (const line of other) pairs += counts.get(line) ?? 0;
  return (pairs + one.length + other.length) * Math.min(one.length, other.length);
}

function compare({ base, left, right }: Three, labels: ConflictLabels): Lines {
  const regions = diff3Merge([...left], [...base], [...right], { excludeFalseConflicts: true });
  return regions.flatMap(
    (region) => region.ok ?? (region.conflict ? conflict(region.conflict.a, region.conflict.b, labels) : []),
  );
}

function conflict(left: Lines, right: Lines, labels: ConflictLabels): Lines {
  return [`<!-- conflict: ${labels.left} -->`, ...left, `<!-- conflict or: ${labels.right} -->`, ...right, endLine];
}

function isSame(one: Lines, other: Lines): boolean {
  return one.length === other.length && one.every((line, n) => line === other[n]);
}

interface Anchor {
  base: number;
  left: number;
  right: number;
}

/** Places of lines that stand exactly once in each text and in the same order in all three. */
function findAnchors(base: Lines, left: Lines, right: Lines): Anchor[] {
  const [inLeft, inRight] = [uniqueLines(left), uniqueLines(right)];
  const candidates: Anchor[] = [];
  for (const [line, at] of uniqueLines(base)) {
    const [atLeft, atRight] = [inLeft.get(line), inRight.get(line)];
    if (atLeft !== undefined && atRight !== undefined) candidates.push({ base: at, left: atLeft, right: atRight });
  }
  candidates.sort((a, b) => a.base - b.base);
  return longestRising(longestRising(candidates, "left"), "right");
}

function uniqueLines(lines: Lines): Map<string, number> {
  const places = new Map<string, number>();
  for (const [at, line] of lines.entries()) places.set(line, places.has(line) ? -1 : at);
  for (const [line, at] of places) if (at < 0) places.delete(line);
  return places;
}

/** The longest part of the anchors, in their order, that rises on one side. */
function longestRising(anchors: Anchor[], side: "left" | "right"): Anchor[] {
  const value = (row: number): number => anchors[row]?.[side] ?? -1;
  /** For each length, the anchor that ends such a part with the smallest value. */
  const ends: number[] = [];
  const before: number[] = [];
  for (const row of anchors.keys()) {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value(ends[middle] as number) < value(row)) low = middle + 1;
      else high = middle;
    }
    before[row] = low > 0 ? (ends[low - 1] as number) : -1;
    ends[low] = row;
  }
  const result: Anchor[] = [];
  for (let row = ends.at(-1) ?? -1; row >= 0; row = before[row] as number) result.push(anchors[row] as Anchor);
  return result.reverse();
}
