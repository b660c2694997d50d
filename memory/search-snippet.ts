/** The part of a passage that shows best why it was found. */
import type { Hit } from "./search-rank.ts";

const snippetCharacters = 280;
/** Words before the first hit, so that it does not begin in the middle of a thought. */
const leadCharacters = 60;

/** The stretch with the most distinct words of the question, and the line of the passage that its first hit is in. */
export function cutSnippet(text: string, hits: Hit[]): { snippet: string; line: number } {
  const sorted = [...hits].sort((a, b) => a.at - b.at);
  const best = densest(sorted);
  const hitAt = best?.at ?? 0;
  const line = text.slice(0, hitAt).split("\n").length - 1;
  if (text.length <= snippetCharacters) return { snippet: text.trim(), line };
  const earliest = Math.max(0, Math.min(hitAt - leadCharacters, text.length - snippetCharacters));
  const start = earliest === 0 ? 0 : wordBoundary(text, earliest, hitAt);
  const end = wordEnd(text, start + snippetCharacters);
  const cut = text.slice(start, end).trim();
  return { snippet: `${start > 0 ? "…" : ""}${cut}${end < text.length ? "…" : ""}`, line };
}

function densest(hits: Hit[]): Hit | undefined {
  let best: { hit: Hit; distinct: number } | undefined;
  for (const [index, hit] of hits.entries()) {
    const within = hits.slice(index).filter(({ at }) => at <= hit.at + snippetCharacters - leadCharacters);
    const distinct = new Set(within.map(({ word }) => word)).size;
    if (best === undefined || distinct > best.distinct) best = { hit, distinct };
  }
  return best?.hit;
}

/** The first beginning of a word from here, but not beyond `last`. */
function wordBoundary(text: string, from: number, last: number): number {
  const space = text.slice(from, last).search(/\s/);
  return space < 0 ? from : from + space + 1;
}

function wordEnd(text: string, from: number): number {
  if (from >= text.length) return text.length;
  const space = text.slice(0, from).search(/\s\S*$/);
  return space < 0 ? from : space;
}
