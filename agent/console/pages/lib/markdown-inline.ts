/**
 * Marks within a line of Markdown: code, bold, emphasis, links and pictures. What it does not know stays the text it was.
 * Each mark is looked for once from left to right, so that hostile text costs no more than its length.
 */
export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong"; content: Inline[] }
  | { kind: "emphasis"; content: Inline[] }
  | { kind: "link"; content: Inline[]; href: string };

export interface InlineOptions {
  /** Where a link of the text leads; null: it is no link. Default: absolute web addresses only. */
  linkOf?: (target: string) => string | null;
}

/** Marks within marks go no deeper than anyone writes them. */
const deepestMarks = 3;
const longestTarget = 2000;
const longestCodeMark = 8;
const mark = /[\\`*_[]|!\[|https?:\/\//g;
const address = /https?:\/\/[^\s<>"'`)\]]*[^\s<>"'`)\].,;:!?]/y;

/** `text` has no line breaks, or they count as spaces. */
export function parseInline(text: string, options: InlineOptions = {}, depth = 0): Inline[] {
  const parts: Inline[] = [];
  const find = finder(text);
  let plain = "";
  let end = 0;
  for (let match = matchFrom(mark, text, 0); match; match = matchFrom(mark, text, end)) {
    plain += text.slice(end, match.index);
    const read = readMark({ text, at: match.index, find, options, depth });
    end = match.index + read.length;
    if (read.part === null) {
      plain += read.plain;
      continue;
    }
    if (plain) parts.push({ kind: "text", text: plain });
    plain = "";
    parts.push(read.part);
  }
  plain += text.slice(end);
  if (plain) parts.push({ kind: "text", text: plain });
  return parts;
}

/** Only http and https, only absolute: `javascript:` and friends never become a link. */
export function webAddress(text: string): string | null {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  return new URL(text).href;
}

interface Place {
  text: string;
  at: number;
  find: (needle: string, from: number) => number;
  options: InlineOptions;
  depth: number;
}

type Read = { length: number; part: Inline } | { length: number; part: null; plain: string };

function readMark(place: Place): Read {
  const { text, at, options } = place;
  const character = text[at] ?? "";
  if (character === "\\") {
    const next = text[at + 1] ?? "";
    return /[!-/:-@[-`{-~]/.test(next) ? asText(next, 2) : asText("\\", 1);
  }
  if (character === "`") return readCode(place);
  if (character === "*" || character === "_") return readEmphasis(place, character);
  if (character === "[") return readLink(place, at) ?? asText("[", 1);
  // Nothing is loaded from elsewhere: a picture is a link to it.
  if (character === "!") return readLink(place, at + 1) ?? asText("![", 2);
  const bare = matchFrom(address, text, at)?.[0] ?? "";
  const href = (options.linkOf ?? webAddress)(bare);
  if (!href) return asText(character, 1);
  return { length: bare.length, part: { kind: "link", content: [{ kind: "text", text: bare }], href } };
}

function readCode({ text, at, find }: Place): Read {
  let width = 1;
  while (text[at + width] === "`") width += 1;
  const fence = "`".repeat(Math.min(width, longestCodeMark + 1));
  if (width > longestCodeMark) return asText(text.slice(at, at + width), width);
  let close = find(fence, at + width);
  // A longer run of backticks is no end of a shorter one.
  while (close !== -1 && text[close + width] === "`") {
    while (text[close] === "`") close += 1;
    close = text.indexOf(fence, close);
  }
  if (close === -1) return asText(fence, width);
  const inner = text.slice(at + width, close);
  const isPadded = inner.startsWith(" ") && inner.endsWith(" ") && inner.trim() !== "";
  return { length: close + width - at, part: { kind: "code", text: isPadded ? inner.slice(1, -1) : inner } };
}

function readEmphasis({ text, at, find, options, depth }: Place, character: string): Read {
  const isDouble = text[at + 1] === character;
  const sign = isDouble ? character + character : character;
  const from = at + sign.length;
  const close = find(sign, from + 1);
  const isOpening = depth < deepestMarks && /\S/.test(text[from] ?? " ") && text[from] !== character;
  const isWithinWord = (character === "_" || !isDouble) && isLetter(text[at - 1]);
  if (!isOpening || isWithinWord || close === -1 || /\s/.test(text[close - 1] ?? " ")) return asText(sign, sign.length);
  if (!isDouble && (text[close + 1] === character || isLetter(text[close + 1]))) return asText(sign, sign.length);
  const content = parseInline(text.slice(from, close), options, depth + 1);
  const length = close + sign.length - at;
  return { length, part: isDouble ? { kind: "strong", content } : { kind: "emphasis", content } };
}

function readLink({ text, at, find, options, depth }: Place, open: number): Read | null {
  const close = find("]", open + 1);
  const nested = find("[", open + 1);
  if (close === -1 || close === open + 1 || text[close + 1] !== "(" || (nested !== -1 && nested < close)) return null;
  const end = find(")", close + 2);
  if (end === -1 || end - close > longestTarget || depth >= deepestMarks) return null;
  const [target = ""] = text
    .slice(close + 2, end)
    .trim()
    .split(/\s+"/, 1);
  const href = /\s/.test(target) ? null : (options.linkOf ?? webAddress)(target);
  if (href === null) return null;
  // A link within a link's words leads nowhere of its own.
  const content = parseInline(text.slice(open + 1, close), { linkOf: () => null }, deepestMarks - 1);
  return { length: end + 1 - at, part: { kind: "link", content, href } };
}

function asText(plain: string, length: number): Read {
  return { length, part: null, plain };
}

function isLetter(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}]/u.test(character);
}

function matchFrom(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  pattern.lastIndex = from;
  return pattern.exec(text);
}

/** `indexOf` that remembers what it found, for a search that only moves forward. */
function finder(text: string): (needle: string, from: number) => number {
  const found = new Map<string, number>();
  return (needle, from) => {
    const known = found.get(needle);
    if (known !== undefined && (known === -1 || known >= from)) return known;
    const at = text.indexOf(needle, from);
    found.set(needle, at);
    return at;
  };
}
