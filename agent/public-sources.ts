/**
 * Names of the places that public text came from, such as `memory notes.md` or an address. Whoever wrote the text may
 * have chosen the name too, so it is made short and harmless before anyone stores or shows it.
 */

/** Sources that are kept of one run. */
const maxSources = 20;

const maxCharacters = 200;
const unnamed = "an unnamed source";
/** Takes the last place where there are more than `maxSources`. */
const others = "and others";

/**
 * One visible line, at most 200 characters: no control characters, no marks that reverse the direction of writing, and no
 * backticks, so that it can be set as code in Markdown and is never a link there. Never empty.
 */
export function cleanSource(source: string): string {
  const line = source
    .replace(/[\s\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/\p{C}/gu, "")
    .replaceAll("`", "'")
    .trim();
  const characters = [...line];
  if (characters.length === 0) return unnamed;
  return characters.length > maxCharacters ? `${characters.slice(0, maxCharacters - 1).join("")}…` : line;
}

/** Both together, each once, those that were known first: with `more`, or something known, it is never empty. */
export function mergeSources(known: readonly string[], more: readonly string[]): string[] {
  const merged = new Set(known);
  for (const source of more) {
    const name = cleanSource(source);
    if (merged.has(name)) continue;
    if (merged.size >= maxSources) {
      const kept = [...merged].filter((one) => one !== others).slice(0, maxSources - 1);
      return [...kept, others];
    }
    merged.add(name);
  }
  return [...merged];
}

/** The first few of them for a sentence in Markdown: `` `a`, `b` and 3 more ``. */
export function nameSources(sources: readonly string[], most = 3): string {
  const shown = sources.slice(0, most).map((source) => `\`${cleanSource(source)}\``);
  const rest = sources.length - shown.length;
  return rest > 0 ? `${shown.join(", ")} and ${rest} more` : shown.join(", ");
}
