/** From what a person typed to the words that are looked for. Nothing in it is ever taken as an instruction to SQLite. */
import { stem } from "./search-stem.ts";
import { stopWords, synonymsOf } from "./search-words.ts";

export interface QueryWord {
  word: string;
  stem: string;
  /** Stems of words that may stand for it. */
  synonyms: string[];
}

/** A question has fewer; a pasted page shall not cost more than one. */
const mostWords = 24;
const mostQueryCharacters = 4_000;
const mostWordCharacters = 64;

/** Small letters without accents; each character keeps its place, so that positions are those of the original text. */
export function plain(text: string): string {
  return text.toLowerCase().length === text.length
    ? withoutAccents(text.toLowerCase())
    : withoutAccents(text.replace(/\P{ASCII}/gu, (letter) => sameLength(letter, letter.toLowerCase())).toLowerCase());
}

function withoutAccents(text: string): string {
  return text.replace(/\P{ASCII}/gu, (unit) => sameLength(unit, unit.normalize("NFD").slice(0, 1)));
}

function sameLength(before: string, after: string): string {
  return after.length === before.length ? after : before;
}

/** The distinct words of a query that say something, in their order. */
export function parseQuery(query: string): QueryWord[] {
  const all = (plain(query.slice(0, mostQueryCharacters)).match(/[\p{L}\p{N}\p{M}]+/gu) ?? []).map((word) =>
    word.slice(0, mostWordCharacters),
  );
  const telling = all.filter((word) => !stopWords.has(word) && (word.length > 1 || /[^a-z]/.test(word)));
  const chosen = new Map<string, QueryWord>();
  for (const word of telling.length > 0 ? telling : all) {
    const root = stem(word);
    if (chosen.has(root) || chosen.size >= mostWords) continue;
    chosen.set(root, { word, stem: root, synonyms: synonymsOf(root) });
  }
  return [...chosen.values()];
}
