/**
 * Text from elsewhere, made harmless for Discord: nothing in it formats, links, mentions, breaks out of its line or
 * turns the direction of writing, so that it can neither ping anybody nor pass for a part of a card.
 */

/** One visible line: white space is single spaces; control, direction and invisible characters are gone. */
export function oneLine(text: string, most = 1_000): string {
  // What is far beyond the room need not be looked at; white space in it may shrink to nothing.
  const line = text
    .slice(0, most * 8 + 200)
    .replace(/[\s\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/[\p{C}\u115F\u1160\u3164\uFFA0\u2800]/gu, "")
    .trim();
  return shortened(line, most);
}

/** At most so many characters, the last one an ellipsis where something was cut; never half a surrogate pair. */
function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  let cut = text.slice(0, Math.max(0, most - 1));
  if (/[\uD800-\uDBFF]$/.test(cut)) cut = cut.slice(0, -1);
  return `${cut}…`;
}

/** Literal words in Discord's Markdown: at most `most` characters with every escape. */
export function plain(text: string, most = 300): string {
  const line = oneLine(text, most);
  let escaped = "";
  let index = 0;
  for (const character of line) {
    const next = needsEscape(character, index === 0) ? `\\${character}` : character;
    const isLast = index + character.length >= line.length;
    if (escaped.length + next.length > most - (isLast ? 0 : 1)) return `${escaped}…`;
    escaped += next;
    index += character.length;
  }
  // "1." would begin a list.
  return escaped.replace(/^([0-9]+)\./, "$1\\.");
}

function needsEscape(character: string, isFirst: boolean): boolean {
  return /[\\`*_~|<>[\]()#:@]/.test(character) || (isFirst && /[-+]/.test(character));
}

/** Inline code; nothing is interpreted inside, and a backtick cannot end it. */
export function code(text: string, most = 200): string {
  return `\`${oneLine(text, most).replaceAll("`", "'") || " "}\``;
}

/** A moment as every reader sees it in their own time zone; `R`: "in 3 hours". Milliseconds since 1970. */
export function moment(at: number, style: "R" | "f" = "R"): string {
  return `<t:${Math.floor(at / 1000)}:${style}>`;
}

/** As many of the parts as fit into `most` characters, with `rest` in the place of those that are left out. */
export function fitting(
  parts: readonly string[],
  options: { most: number; rest(left: number): string; between?: string },
): { text: string; left: number } {
  const { most, rest, between = "\n" } = options;
  const all = parts.join(between);
  if (all.length <= most) return { text: all, left: 0 };
  let text = "";
  let count = 0;
  for (const part of parts) {
    const next = text === "" ? part : text + between + part;
    if (next.length + between.length + rest(parts.length - count - 1).length > most) break;
    text = next;
    count++;
  }
  const left = parts.length - count;
  return { text: text === "" ? rest(left) : text + between + rest(left), left };
}
