/** Cuts a document into the passages that a search finds: paragraphs under one heading, together up to a size. */

export interface Passage {
  /** Of the passage's first line in the document, from 1. */
  line: number;
  /** The headings above it, outermost first. */
  heading: string;
  text: string;
}

/** Paragraphs of one section are joined up to this: enough for what is said in several of them to be found together. */
const joinedCharacters = 1_200;
/** A longer paragraph is cut between lines, so that one line's words are found near each other. */
const mostCharacters = 4_000;
const headingPattern = /^(#{1,6})\s+(.*?)\s*#*\s*$/;
const fencePattern = /^\s*(?:```|~~~)/;

export function cutPassages(text: string): Passage[] {
  const passages: Passage[] = [];
  const headings: string[] = [];
  let open: Passage | null = null;
  let isFenced = false;
  /** A blank line was seen since the last line of the open passage. */
  let isParagraphOver = false;
  const close = () => {
    if (open) passages.push({ ...open, text: open.text.trimEnd() });
    open = null;
  };
  for (const { index, line } of shortLines(text)) {
    if (fencePattern.test(line)) isFenced = !isFenced;
    const heading = isFenced ? null : headingPattern.exec(line);
    if (heading) {
      close();
      headings.length = Math.min(headings.length, (heading[1]?.length ?? 1) - 1);
      headings[(heading[1]?.length ?? 1) - 1] = heading[2] ?? "";
    }
    const isBlank = line.trim() === "";
    if (open === null && isBlank) continue;
    const current: Passage | null = open;
    if (current !== null && !isBlank) {
      const isFull = current.text.length + line.length > (isParagraphOver ? joinedCharacters : mostCharacters);
      if (isFull) close();
    }
    if (open === null) open = { line: index + 1, heading: headings.filter(Boolean).join(" › "), text: line };
    else (open as Passage).text += `\n${line}`;
    isParagraphOver = isBlank;
  }
  close();
  return passages;
}

/** Lines with their number from 0; what is too long for a passage comes in pieces. */
function* shortLines(text: string): Generator<{ index: number; line: string }> {
  for (const [index, line] of text.split("\n").entries()) {
    if (line.length <= mostCharacters) yield { index, line };
    else
      for (let at = 0; at < line.length; at += mostCharacters)
        yield { index, line: line.slice(at, at + mostCharacters) };
  }
}
