/** Markdown as Discord shows it: blocks that may follow each other in one message or in several. */
import { invisible, withHonestLinks, withoutMentions, withoutUnseen } from "./split-harmless.ts";

export interface Block {
  kind: "text" | "code";
  /** Of code: what colours it; empty for none. */
  language: string;
  lines: string[];
  /** An empty line stood before it. */
  isApart: boolean;
}

const fence = /^[ \t>]*(?:[-*+] +|[0-9]+[.)] +)?(`{3,}|~{3,})[ \t]*([^`]*)$/;

/** Reads text from anywhere. An open code block ends with the text. */
export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let current: Block | null = null;
  let closing: RegExp | null = null;
  let isApart = false;
  const begin = (kind: Block["kind"], language: string): Block => {
    const block = { kind, language, lines: [], isApart };
    blocks.push(block);
    isApart = false;
    return block;
  };
  for (const line of withoutUnseen(text).split("\n")) {
    if (closing) {
      if (closing.test(line)) {
        current = null;
        closing = null;
      } else current?.lines.push(withoutFence(line));
      continue;
    }
    const opening = fence.exec(line);
    if (opening) {
      const mark = opening[1] ?? "```";
      closing = new RegExp(`^[ \\t>]*${mark[0]}{${mark.length},}[ \\t]*$`);
      current = begin("code", languageOf(opening[2] ?? ""));
    } else if (line.trim() === "") {
      current = null;
      isApart = blocks.length > 0;
    } else {
      current ??= begin("text", "");
      current.lines.push(line);
    }
  }
  return blocks.flatMap((block) => (block.kind === "code" ? withSomeLines(block) : readable(block)));
}

function languageOf(words: string): string {
  return /^[A-Za-z0-9+#._-]{1,20}(?=\s|$)/.exec(words.trim())?.[0] ?? "";
}

/** Discord ends a code block at the first three backticks, wherever they stand. */
function withoutFence(line: string): string {
  return line.replace(/`(?=``)/g, `\`${invisible}`);
}

function withSomeLines(block: Block): Block[] {
  return block.lines.some((line) => line.trim() !== "") ? [block] : [];
}

/** Text with what Discord has no form for put into words; a table among it becomes a block of its own. */
function readable(block: Block): Block[] {
  const blocks: Block[] = [];
  let rest = block.lines;
  let { isApart } = block;
  while (rest.length > 0) {
    const start = rest.findIndex((line, index) => isTableHead(line, rest[index + 1]));
    const plain = start < 0 ? rest : rest.slice(0, start);
    if (plain.length > 0) blocks.push({ ...block, lines: plain.map(readableLine), isApart });
    if (start < 0) break;
    const after = rest.slice(start + 2);
    const length = after.findIndex((line) => !line.includes("|"));
    const rows = length < 0 ? after : after.slice(0, length);
    blocks.push({ kind: "code", language: "", lines: tableLines([rest[start] ?? "", ...rows]), isApart });
    rest = after.slice(rows.length);
    isApart = false;
  }
  return blocks;
}

function readableLine(line: string): string {
  const shown = line
    .replace(/^ {0,3}#{4,6} +(.*?) *#*$/, "**$1**")
    .replace(/^ {0,3}(?:-{3,}|\*{3,}|_{3,}|(?:[-*_] ){2,}[-*_]) *$/, "⎯⎯⎯⎯⎯⎯⎯⎯")
    .replace(/^(\s*[-*+] )\[( |x|X)\] /, (_, item: string, mark: string) => `${item}${mark === " " ? "☐" : "☑"} `);
  // Three backticks inside a line would open a code block that nothing closes.
  const isOpen = (shown.match(/```/g)?.length ?? 0) % 2 === 1;
  return withoutMentions(withHonestLinks(isOpen ? withoutFence(shown) : shown));
}

function isTableHead(line: string, next: string | undefined): boolean {
  return line.includes("|") && next !== undefined && /^ *\|?(?: *:?-+:? *\|)+(?: *:?-+:? *)?$/.test(next);
}

/** Wider than a phone shows in one line; longer cells go on, the columns after them move. */
const widestColumn = 40;

/** Columns under each other, as letters of one width show them. */
function tableLines(rows: string[]): string[] {
  const cells = rows.map(cellsOf);
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.min(widestColumn, Math.max(...cells.map((row) => row[column]?.length ?? 0))),
  );
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return [lines[0] ?? "", widths.map((width) => "─".repeat(width)).join("  "), ...lines.slice(1)].map(withoutFence);
}

function cellsOf(row: string): string[] {
  const inner = row
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) =>
    cell
      .trim()
      .replace(/\\\|/g, "|")
      .replace(/\*\*|`/g, ""),
  );
}
