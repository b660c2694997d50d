/**
 * Text into messages that Discord takes. It counts code points (discord-api-docs#1315); here UTF-16 units are counted,
 * of which there are never fewer, so every part is within the limit however it is counted.
 */
import { type Block, blocksOf } from "./split-blocks.ts";

export const longestContent = 2_000;

/** A part that is filled less than this takes the beginning of a block that does not fit; else the block moves on whole. */
const fullEnough = 0.4;

/**
 * Parts of at most `limit` characters that say the same as `text`, readable one by one: code blocks are closed and opened
 * again, links, inline code, emoji and quotes stay whole where they fit, and nothing mentions anybody. None is blank.
 */
export function splitText(text: string, limit = longestContent): string[] {
  const parts: string[] = [];
  let open = "";
  const flush = (): void => {
    if (open.trim() !== "") parts.push(open);
    open = "";
  };
  for (const block of blocksOf(text)) {
    const gap = block.isApart ? "\n\n" : "\n";
    const whole = rendered(block, block.lines);
    if (open !== "" && open.length + gap.length + whole.length <= limit) open += gap + whole;
    else if (open === "" && whole.length <= limit) open = whole;
    else {
      const isWorthSplitting = whole.length > limit || open.length < limit * fullEnough;
      if (!isWorthSplitting) {
        flush();
        open = whole;
        continue;
      }
      for (const piece of piecesOf(block, { limit, first: limit - (open === "" ? 0 : open.length + gap.length) })) {
        const before = open === "" ? "" : open + gap;
        if (before.length + piece.length > limit) {
          flush();
          open = piece;
        } else open = before + piece;
      }
    }
  }
  flush();
  return parts;
}

/** The beginning of a long text, as one message of at most `limit` characters. */
export function headOf(text: string, limit: number): string {
  // What is cut off is far behind the end of the first part.
  return splitText(text.slice(0, limit * 3).toWellFormed(), limit)[0] ?? "";
}

function rendered(block: Block, lines: readonly string[]): string {
  return block.kind === "text" ? lines.join("\n") : `\`\`\`${block.language}\n${lines.join("\n")}\n\`\`\``;
}

/** A block in pieces, the first at most `first` characters long where that gives it a line, the others `limit`. */
function piecesOf(block: Block, { limit, first }: { limit: number; first: number }): string[] {
  const frame = block.kind === "code" ? rendered(block, [""]).length : 0;
  const pieces: string[][] = [];
  let lines: string[] = [];
  let length = frame;
  let room = first;
  const flush = (): void => {
    if (lines.some((line) => line.trim() !== "")) pieces.push(lines);
    lines = [];
    length = frame;
    room = limit;
  };
  for (const line of block.lines) {
    const cost = line.length + 1;
    if (length + cost > room + 1 && lines.length > 0) flush();
    if (frame + cost <= limit + 1) {
      // It fits into a message; where only the room left is too small, it begins the next one.
      if (length + cost > room + 1) flush();
      lines.push(line);
      length += cost;
      continue;
    }
    flush();
    const cut = cutLine(line, { room: limit - frame, isCode: block.kind === "code" });
    for (const one of cut.slice(0, -1)) pieces.push([one]);
    lines = [cut.at(-1) ?? ""];
    length = frame + (lines[0]?.length ?? 0) + 1;
  }
  flush();
  return pieces.map((piece) => rendered(block, piece));
}

/** What must stay together: inline code, links, addresses, emoji of a server, bold words, words. */
const atoms =
  /(`+)(?!`)[^`\n]+?\1(?!`)|\[[^\]\n]{1,300}\]\([^)\s]+\)|<(?:a?:\w+:\d+|[#@][!&\u200b]?[!&]?\d+|https?:[^>\s]+|t:\d+(?::\w)?)>|https?:\/\/[^\s]+|\*\*[^*\n]{1,200}\*\*|\s+|[^\s`[<*]+|./gu;

/** A line that is too long for a message, cut between words where there are some. A quote goes on as a quote. */
function cutLine(line: string, { room, isCode }: { room: number; isCode: boolean }): string[] {
  const quote = isCode ? "" : (/^(?:> ?)+/.exec(line)?.[0] ?? "").slice(0, 20);
  const pieces: string[] = [];
  let open = "";
  const add = (atom: string): void => {
    if (open.length + atom.length > room) {
      pieces.push(open);
      open = quote;
      // Blanks at a cut are the cut.
      if (!isCode && atom.trim() === "") return;
    }
    open += atom;
  };
  for (const [atom] of line.matchAll(atoms)) {
    if (quote.length + atom.length <= room) add(atom);
    else for (const piece of cutAtom(atom, room - quote.length)) add(piece);
  }
  pieces.push(open);
  return pieces.filter((piece) => piece !== "" && piece !== quote);
}

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** One word, address or piece of inline code that is longer than a message. */
function cutAtom(atom: string, room: number): string[] {
  const tick = /^`+(?=[^`])/.exec(atom)?.[0] ?? "";
  const isInlineCode = tick !== "" && atom.endsWith(tick) && atom.length > tick.length * 2;
  const inner = isInlineCode ? atom.slice(tick.length, -tick.length) : atom;
  const most = room - (isInlineCode ? tick.length * 2 : 0);
  const pieces: string[] = [];
  let open = "";
  for (const { segment } of graphemes.segment(inner)) {
    // A letter under a heap of marks may be longer than a message by itself.
    for (const unit of segment.length > most ? segment : [segment]) {
      if (open.length + unit.length > most) {
        pieces.push(open);
        open = "";
      }
      open += unit;
    }
  }
  pieces.push(open);
  return isInlineCode ? pieces.map((piece) => `${tick}${piece}${tick}`) : pieces;
}
