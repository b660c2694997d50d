/** Links to the newest daily notes in `index.md`, kept up by code. */

/** Between these lines; what a person writes there stays. */
const begin = "<!-- daily notes, newest first: kept up by the fleet -->";
const end = "<!-- end of daily notes -->";
const heading = "## Daily notes";

/** The index is read at the start of every conversation, so it names the newest only. */
const linkedNotes = 14;

/** Nothing but a date can come into the index by a document's name. */
const notePattern = /^daily\/(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))\.md$/;
const linkPattern = /\bdaily\/(\d{4}-\d{2}-\d{2})\.md\b/;

/**
 * The text with the links as they should be, or null where nothing is to do. Lines that a person changed stay as they
 * are; a plain link goes when its note is gone or no longer among the newest. Without the two marks the links are added
 * at the end, unless `isRefused`: a person has taken them out.
 */
export function withDailyNotes(
  text: string,
  { documents, isRefused }: { documents: readonly string[]; isRefused: boolean },
): string | null {
  const dates = documents.flatMap((document) => notePattern.exec(document)?.[1] ?? []);
  const newest = [...new Set(dates)].sort().reverse().slice(0, linkedNotes);
  const lines = text.split("\n");
  const first = lines.indexOf(begin);
  const last = lines.indexOf(end, first);
  if (first === -1 || last === -1) {
    // A mark alone is a person's work in progress.
    if (isRefused || newest.length === 0 || first !== -1 || lines.includes(end)) return null;
    const before = text.trimEnd();
    return `${before}${before === "" ? "" : "\n\n"}${heading}\n\n${[begin, ...newest.map(linkTo), end].join("\n")}\n`;
  }
  const next = [...lines.slice(0, first + 1), ...block(lines.slice(first + 1, last), newest), ...lines.slice(last)];
  const changed = next.join("\n");
  return changed === text ? null : changed;
}

function block(lines: readonly string[], newest: readonly string[]): string[] {
  const own: string[] = [];
  const links = new Map<string, string[]>(newest.map((date) => [date, []]));
  for (const line of lines) {
    const date = linkPattern.exec(line)?.[1];
    if (date === undefined) own.push(line);
    else if (links.has(date)) links.get(date)?.push(line);
    else if (line !== linkTo(date)) links.set(date, [line]);
  }
  const sorted = [...links].sort(([a], [b]) => (a < b ? 1 : -1));
  return [...own, ...sorted.flatMap(([date, found]) => (found.length > 0 ? [...new Set(found)] : [linkTo(date)]))];
}

function linkTo(date: string): string {
  return `- [${date}](daily/${date}.md)`;
}
