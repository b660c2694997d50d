/** The figures of a soak as rows of the table in docs/reliability.md. */
import type { SoakKind, SoakResult } from "./kinds.ts";

interface Row {
  kind: SoakKind;
  text: string;
}

const opening = "<!-- measured:kills -->";
const closing = "<!-- /measured -->";
const heading = [
  "| Operation | Points killed at | Survived | Median run, s | Longest run, s |",
  "|---|---|---|---|---|",
];

/** One row for each kind, in the order in which they ran. */
export function rowsOf(results: SoakResult[]): Row[] {
  const kinds = [...new Set(results.map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const own = results.filter((result) => result.kind === kind);
    const seconds = own.map((result) => result.seconds).sort((a, b) => a - b);
    const survived = own.filter(({ failure }) => failure === null).length;
    const [median, longest] = [seconds[Math.floor(seconds.length / 2)] ?? 0, seconds.at(-1) ?? 0];
    const points = own.length === own[0]?.of ? `${own.length}` : `${own.length} of ${own[0]?.of}`;
    return { kind, text: `| ${kind} | ${points} | ${survived} | ${median.toFixed(1)} | ${longest.toFixed(1)} |` };
  });
}

/** The page with these rows put in; rows of other kinds stay. Throws when the page has no such block. */
export function replaceRows(page: string, rows: Row[]): string {
  const [start, end] = [page.indexOf(opening), page.indexOf(closing)];
  if (start < 0 || end < start) throw new Error(`the page has no ${opening} … ${closing}`);
  const old = page
    .slice(start, end)
    .split("\n")
    .filter((line) => /^\| [a-z]/.test(line));
  const kept = old.filter((line) => !rows.some(({ kind }) => line.startsWith(`| ${kind} |`)));
  const body = [...heading, ...kept, ...rows.map(({ text }) => text)].join("\n");
  return `${page.slice(0, start)}${opening}\n\n${body}\n\n${page.slice(end)}`;
}
