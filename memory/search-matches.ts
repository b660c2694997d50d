/** From candidates to the matches that a search gives: ranked, with a snippet, not too many of one document. */
import type { DatabaseSync } from "node:sqlite";
import type { CandidateFinder } from "./search-candidates.ts";
import { plain, type QueryWord } from "./search-query.ts";
import { createRanker } from "./search-rank.ts";
import { cutSnippet } from "./search-snippet.ts";
import type { MemoryMatch, MemoryTrust } from "./types.ts";

/** Each further passage of the same document counts less, so that one long document does not fill the answer. */
const repeatShare = 0.75;
const mostOfOneDocument = 3;
/** The whole question standing there word by word. */
const phraseShare = 1.3;

export function findMatches(
  database: DatabaseSync,
  finder: CandidateFinder,
  { query, words, limit }: { query: string; words: QueryWord[]; limit: number },
): MemoryMatch[] {
  const candidates = finder.find(words, limit);
  if (candidates.ids.length === 0) return [];
  const ranker = createRanker(words, candidates);
  const phrase = words.length > 1 ? plain(query).trim() : null;
  const rows = database
    .prepare(
      `SELECT documents.document AS name, revision, author, source, trust, line, heading, text, parts
         FROM passages JOIN documents ON documents.id = passages.document
         WHERE passages.id IN (SELECT value FROM json_each(?))`,
    )
    .all(JSON.stringify(candidates.ids));
  const scored = rows.map((row) => {
    const text = String(row.text);
    const name = String(row.name);
    const base = ranker.score({ name, heading: String(row.heading), text, parts: String(row.parts) });
    const isPhrase = phrase !== null && plain(text).includes(phrase);
    return { row, name, text, score: isPhrase ? base * phraseShare : base };
  });
  scored.sort((a, b) => b.score - a.score || compare(a.name, b.name) || Number(a.row.line) - Number(b.row.line));
  const seen = new Map<string, number>();
  const kept = scored.flatMap((one) => {
    const before = seen.get(one.name) ?? 0;
    seen.set(one.name, before + 1);
    return before >= mostOfOneDocument ? [] : [{ ...one, score: one.score * repeatShare ** before }];
  });
  kept.sort((a, b) => b.score - a.score || compare(a.name, b.name) || Number(a.row.line) - Number(b.row.line));
  return kept.slice(0, limit).map(({ row, name, text, score }) => {
    const { snippet, line } = cutSnippet(text, ranker.hits(text));
    return {
      document: name,
      snippet,
      line: Number(row.line) + line,
      score,
      trust: String(row.trust) as MemoryTrust,
      author: String(row.author),
      source: String(row.source),
      revision: String(row.revision),
    };
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
