/**
 * Finds the passages that are worth ranking. SQLite's BM25 costs about a microsecond for each passage that holds a
 * word, so each question looks at a bounded number: all passages with rare words, and of common ones the newest.
 */
import type { DatabaseSync } from "node:sqlite";
import type { QueryWord } from "./search-query.ts";

/** Columns in their order: a document's name and headings say more than its text, the parts of names less. */
const weights = "4.0, 3.0, 1.0, 0.5";
/** Passages that one expression may look at. */
const mostLookedAt = 1_200;
/** The same for common words, whose counting alone takes as long. */
const mostOfCommon = 800;
/** The best of one expression, and of all together, that are ranked in the end. */
const mostOfExpression = 80;
const mostCandidates = 120;
/** Shorter beginnings stand in too many words. */
const leastPrefix = 2;
/** Expressions of two common words; each more costs a pass over both. */
const mostPairs = 2;
/** Counts are good for as long as less than one passage in so many has changed. */
const changedShare = 50;

export interface Candidates {
  /** Ids of passages. */
  ids: number[];
  /** How many passages hold each word of the query, in its order. */
  counts: number[];
  /** All passages. */
  total: number;
  /** The last word was also taken as the beginning of a word. */
  isPrefix: boolean;
}

/** Takes the best of so many passages that an expression finds, the newest of them; with 0 the newest, unranked. */
type Look = (expression: string, most: number) => void;

export interface CandidateFinder {
  find(words: QueryWord[], wanted: number): Candidates;
  /** So many passages were changed. */
  changed(count: number): void;
}

export function createCandidateFinder(database: DatabaseSync): CandidateFinder {
  const select = database.prepare(
    `SELECT id FROM (SELECT rowid AS id, bm25(words, ${weights}) AS rank FROM words WHERE words MATCH ?
       ORDER BY rowid DESC LIMIT ?) ORDER BY rank LIMIT ${mostOfExpression}`,
  );
  const newest = database.prepare(
    `SELECT rowid AS id FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ${mostOfExpression + 1}`,
  );
  const count = database.prepare("SELECT count(*) AS count FROM words WHERE words MATCH ?");
  const countAll = database.prepare("SELECT count(*) AS count FROM passages");
  let known = new Map<string, number>();
  let total = 0;
  let changes = 0;

  function forgetOldCounts(): void {
    if (total > 0 && changes * changedShare <= total) return;
    known = new Map();
    changes = 0;
    total = Number(countAll.get()?.count ?? 0);
  }

  function countOf(expression: string): number {
    const found = known.get(expression) ?? Number(count.get(expression)?.count ?? 0);
    known.set(expression, found);
    return found;
  }

  function find(words: QueryWord[], wanted: number): Candidates {
    forgetOldCounts();
    const ids = new Set<number>();
    const look: Look = (expression, most) => {
      if (ids.size >= mostCandidates) return;
      const few = newest.all(expression);
      const rows = few.length <= mostOfExpression || most === 0 ? few : select.all(expression, most);
      for (const row of rows) ids.add(Number(row.id));
    };
    const exact = words.map(({ word }) => quoted(word));
    const counts = exact.map(countOf);
    const result = (isPrefix: boolean) => ({ ids: [...ids], counts, total, isPrefix });
    const isAll = counts.every((one) => one > 0);
    if (isAll) {
      const all = exact.join(" AND ");
      look(all, mostOfCommon);
      if (ids.size >= mostOfExpression) look(`{name heading} : (${all})`, mostOfCommon);
    }
    const last = words.at(-1);
    const isPrefix = ids.size < wanted && last !== undefined && last.word.length >= leastPrefix;
    if (isPrefix) {
      const begun = `${quoted(last.word)} *`;
      if (words.length > 1 && counts.slice(0, -1).every((one) => one > 0)) {
        look([...exact.slice(0, -1), begun].join(" AND "), mostOfCommon);
      }
      if ((counts.at(-1) ?? 0) < wanted && countOf(begun) <= mostLookedAt) look(begun, mostLookedAt);
    }
    if (ids.size < wanted) lookForAny(words, exact, counts, look);
    return result(isPrefix);
  }

  /** Rare words first, then what may stand for them, as far as the bound goes; of the rest, two together. */
  function lookForAny(words: QueryWord[], exact: string[], counts: number[], look: Look): void {
    let left = mostLookedAt;
    const take = (terms: { term: string; count: number }[]): string[] => {
      const taken = terms.filter(({ count }) => count > 0).sort((a, b) => a.count - b.count);
      const fits = taken.filter(({ count }) => {
        left -= count;
        return left >= 0;
      });
      if (fits.length > 0) look(fits.map(({ term }) => term).join(" OR "), mostLookedAt);
      return taken.slice(fits.length).map(({ term }) => term);
    };
    const common = take(exact.map((term, index) => ({ term, count: counts[index] ?? 0 })));
    const pairs = common.flatMap((one, index) => common.slice(index + 1).map((other) => `${one} AND ${other}`));
    for (const pair of pairs.slice(0, mostPairs)) look(pair, 0);
    if (common.length === 1 && pairs.length === 0) look(common[0] as string, mostOfCommon);
    const others = [...new Set(words.flatMap(({ synonyms }) => synonyms))].map(quoted);
    if (left > 0) take(others.map((term) => ({ term, count: countOf(term) })));
  }

  return {
    find,
    changed(count) {
      changes += count;
    },
  };
}

/** A string in FTS5's language: whatever is in it is a word. */
function quoted(word: string): string {
  return `"${word.replaceAll('"', '""')}"`;
}
