/**
 * A reading of Markdown into data: paragraphs, headings, lists, tables, quotes, fenced code and rules. It makes no HTML;
 * what it does not know stays the text it was.
 */
import { type Inline, type InlineOptions, parseInline } from "./markdown-inline.ts";

export type Block =
  | { kind: "paragraph"; lines: Inline[][] }
  | { kind: "heading"; level: number; content: Inline[] }
  | { kind: "list"; ordered: boolean; start: number; items: ListItem[] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "code"; text: string }
  | { kind: "rule" };

export interface ListItem {
  /** Of a task list; null for any other item. */
  isDone: boolean | null;
  blocks: Block[];
}

export interface MarkdownOptions extends InlineOptions {
  /** A line break within a paragraph is a space, as in files whose lines are wrapped; default: it is kept, as in chat. */
  isFlowing?: boolean;
}

/** Blocks within blocks go no deeper than anyone writes them. */
const deepestBlocks = 6;
/** A page of more lines than this would only keep the browser busy; what is left is shown as it is. */
const mostLines = 10_000;
/** Nobody sets marks in a line of this length; it is shown as it is. */
const longestLine = 20_000;
/** Of marks and cells; once they are used up, lines are shown as they are. */
const mostPieces = 20_000;

const listItem = /^(\s*)(?:([-*+•])|(\d{1,9})[.)])(?:\s+(.*))?$/;
const heading = /^(#{1,6})\s+(.*)$/;
const fence = /^\s*(`{3,}|~{3,})/;
const rule = /^ {0,3}([-*_])(?: *\1){2,} *$/;
const quote = /^ {0,3}>/;
const tableRow = /^\s*\|.*\|\s*$/;
const tableRule = /^\s*\|(?:\s*:?-+:?\s*\|)+\s*$/;

/** What a reading works with: the options, and how many pieces the page may still have. */
type Reading = MarkdownOptions & { pieces: { left: number } };

/** Blocks in order. An open fence runs to the end, so that code shows as code while it still streams in. */
export function parseMarkdown(text: string, options: MarkdownOptions = {}): Block[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const blocks = parseLines(lines.slice(0, mostLines), { ...options, pieces: { left: mostPieces } }, 0);
  return lines.length > mostLines ? [...blocks, { kind: "code", text: lines.slice(mostLines).join("\n") }] : blocks;
}

function parseLines(lines: string[], reading: Reading, depth: number): Block[] {
  const blocks: Block[] = [];
  for (let index = 0; index < lines.length; ) {
    const kind = kindOf(lines[index] ?? "");
    const stop = endOf(kind, lines, index, reading);
    const own = lines.slice(index, stop);
    if (depth >= deepestBlocks && kind !== "blank") blocks.push({ kind: "code", text: own.join("\n") });
    else if (kind !== "blank") blocks.push(blockOf(kind, own, reading, depth));
    index = stop;
  }
  return blocks;
}

type Kind = "blank" | "fence" | "heading" | "rule" | "quote" | "ordered" | "bulleted" | "table" | "paragraph";

function kindOf(line: string): Kind {
  if (line.trim() === "") return "blank";
  if (line.length > longestLine) return "paragraph";
  if (fence.test(line)) return "fence";
  if (heading.test(line)) return "heading";
  if (rule.test(line)) return "rule";
  if (quote.test(line)) return "quote";
  if (tableRow.test(line)) return "table";
  const item = listItem.exec(line);
  if (item) return item[3] === undefined ? "bulleted" : "ordered";
  return "paragraph";
}

/** Index of the first line behind the block that begins at `index`. */
function endOf(kind: Kind, lines: string[], index: number, reading: Reading): number {
  let stop = index + 1;
  if (kind === "blank" || kind === "heading" || kind === "rule") return stop;
  if (kind === "fence") {
    const opening = fence.exec(lines[index] ?? "")?.[1] ?? "";
    const closes = (line: string): boolean => {
      const found = fence.exec(line)?.[1] ?? "";
      return found.startsWith(opening);
    };
    while (stop < lines.length && !closes(lines[stop] ?? "")) stop += 1;
    return stop + 1;
  }
  if (kind === "ordered" || kind === "bulleted") return endOfList(kind, lines, index, reading);
  while (stop < lines.length && kindOf(lines[stop] ?? "") === kind) stop += 1;
  return stop;
}

/** A list goes on with items of its kind, with indented lines, and over empty lines between these. */
function endOfList(kind: Kind, lines: string[], index: number, { isFlowing }: Reading): number {
  let stop = index + 1;
  let end = stop;
  let wasBlank = false;
  for (; stop < lines.length; stop += 1) {
    const line = lines[stop] ?? "";
    const lineKind = kindOf(line);
    const isWrapped = isFlowing === true && lineKind === "paragraph" && !wasBlank;
    const belongs = lineKind === kind || isWrapped || (lineKind !== "blank" && /^(?:\t| {2})/.test(line));
    if (lineKind !== "blank" && !belongs) break;
    wasBlank = lineKind === "blank";
    if (!wasBlank) end = stop + 1;
  }
  return end;
}

function blockOf(kind: Kind, lines: string[], reading: Reading, depth: number): Block {
  const [first = ""] = lines;
  if (kind === "fence") return codeBlock(lines);
  if (kind === "rule") return { kind: "rule" };
  if (kind === "heading") {
    const [, signs = "", content = ""] = heading.exec(first) ?? [];
    return { kind: "heading", level: signs.length, content: inline(content.replace(/\s#+\s*$/, ""), reading) };
  }
  if (kind === "quote") {
    const inner = lines.map((line) => line.replace(/^ {0,3}> ?/, ""));
    return { kind: "quote", blocks: parseLines(inner, reading, depth + 1) };
  }
  if (kind === "table") return tableOf(lines, reading);
  if (kind === "ordered" || kind === "bulleted") return listOf(kind === "ordered", lines, reading, depth);
  return { kind: "paragraph", lines: paragraphLines(lines, reading).map((line) => inline(line, reading)) };
}

function codeBlock(lines: string[]): Block {
  const opening = fence.exec(lines[0] ?? "")?.[1] ?? "";
  const isClosed = lines.length > 1 && (fence.exec(lines.at(-1) ?? "")?.[1] ?? "").startsWith(opening);
  return { kind: "code", text: lines.slice(1, isClosed ? -1 : lines.length).join("\n") };
}

/** Rows under a rule are a table; others keep their columns as code. */
function tableOf(lines: string[], reading: Reading): Block {
  const [head = "", under = "", ...rows] = lines;
  if (!tableRule.test(under) || reading.pieces.left <= 0) return { kind: "code", text: lines.join("\n") };
  const cells = (line: string): Inline[][] =>
    line
      .trim()
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => inline(cell.trim(), reading));
  return { kind: "table", head: cells(head), rows: rows.map(cells) };
}

function listOf(ordered: boolean, lines: string[], reading: Reading, depth: number): Block {
  const base = /^\s*/.exec(lines[0] ?? "")?.[0].length ?? 0;
  const items: string[][] = [];
  for (const line of lines) {
    const item = listItem.exec(line);
    // An item that stands further in belongs to the one above it.
    if (item && (item[1] ?? "").length <= base + 1) items.push([item[4] ?? ""]);
    else items.at(-1)?.push(line.replace(/^(?:\t| {1,4})/, ""));
  }
  const start = Number(listItem.exec(lines[0] ?? "")?.[3] ?? 1);
  return { kind: "list", ordered, start, items: items.map((own) => itemOf(own, reading, depth)) };
}

function itemOf([first = "", ...others]: string[], reading: Reading, depth: number): ListItem {
  const task = /^\[([ xX])\]\s+(.*)$/.exec(first);
  const lines = task ? [task[2] ?? "", ...others] : [first, ...others];
  return { isDone: task ? task[1] !== " " : null, blocks: parseLines(lines, reading, depth + 1) };
}

/** Where lines flow, two spaces or a backslash at a line's end still break it. */
function paragraphLines(lines: string[], { isFlowing }: Reading): string[] {
  if (!isFlowing) return lines;
  const text = lines.map((line) => {
    const isBroken = line.endsWith("  ") || line.endsWith("\\");
    return isBroken ? `${line.replace(/\\$/, "").trim()}\n` : `${line.trim()} `;
  });
  return text.join("").trim().split("\n");
}

function inline(text: string, reading: Reading): Inline[] {
  if (text.length > longestLine || reading.pieces.left <= 0) return [{ kind: "text", text }];
  const parts = parseInline(text, reading);
  reading.pieces.left -= parts.length;
  return parts;
}
