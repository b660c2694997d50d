/** Ranks passages by their words (BM25 over name, headings and text) and by how many of the question's words they hold. */
import type { Candidates } from "./search-candidates.ts";
import { plain, type QueryWord } from "./search-query.ts";
import { stem } from "./search-stem.ts";

export interface RankedText {
  name: string;
  heading: string;
  text: string;
  /** Parts of composed names in the text. */
  parts: string;
}

/** Where a word of the query stands in a text. */
export interface Hit {
  at: number;
  length: number;
  /** Index of the word in the query. */
  word: number;
}

/** BM25's usual constants: how soon more of the same word adds nothing, and how much a long text is held against it. */
const saturation = 1.5;
const lengthShare = 0.3;
/** Characters of a usual passage. */
const usualCharacters = 1_000;
const nameWeight = 2.5;
const headingWeight = 2;
const partWeight = 1;
/** The first words of a passage mostly say what it is about. */
const leadWeight = 1;
const leadCharacters = 120;
const synonymWeight = 0.5;
const beginningWeight = 0.7;
/** A passage with all words of the question is worth more than one that repeats some of them. */
const coverShare = 0.25;
/** Enough to see where they are closest together. */
const mostHits = 200;

export interface Ranker {
  score(text: RankedText): number;
  hits(text: string): Hit[];
}

/** The ranker of one query: the rarer a word, the more it counts. */
export function createRanker(words: QueryWord[], { counts, total, isPrefix }: Candidates): Ranker {
  const rarity = words.map((_, index) => {
    const count = counts[index] ?? 0;
    return Math.log(1 + (total - count + 0.5) / (count + 0.5));
  });
  const allRarity = rarity.reduce((sum, one) => sum + one, 0);
  /** Stem → word of the query and what finding it is worth. */
  const wanted = new Map<string, { word: number; worth: number }[]>();
  const want = (root: string, word: number, worth: number) =>
    wanted.set(root, [...(wanted.get(root) ?? []), { word, worth }]);
  for (const [index, word] of words.entries()) {
    want(word.stem, index, 1);
    for (const synonym of word.synonyms) want(synonym, index, synonymWeight);
  }
  const last = words.at(-1);
  const beginning = isPrefix && last ? last.word : null;
  // Porter changes at most a word's end, so that its stem's beginning finds all its forms.
  const beginnings = [...wanted.keys()].map((root) => root.slice(0, Math.max(2, root.length - 1)));
  if (beginning !== null) beginnings.push(beginning);
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${beginnings.join("|")})[\\p{L}\\p{N}\\p{M}]*`, "gu");

  function look(text: string, found: (word: number, worth: number, at: number, length: number) => void): void {
    if (text === "") return;
    for (const match of plain(text).matchAll(pattern)) {
      const [word] = match;
      const meant = wanted.get(stem(word));
      for (const { word: index, worth } of meant ?? []) found(index, worth, match.index, word.length);
      if (meant === undefined && beginning !== null && word.startsWith(beginning)) {
        found(words.length - 1, beginningWeight, match.index, word.length);
      }
    }
  }

  return {
    score({ name, heading, text, parts }) {
      const weight = new Array<number>(words.length).fill(0);
      const best = new Array<number>(words.length).fill(0);
      const count = (field: string, fieldWeight: number) =>
        look(field, (word, worth) => {
          weight[word] = (weight[word] ?? 0) + worth * fieldWeight;
          best[word] = Math.max(best[word] ?? 0, worth);
        });
      count(name, nameWeight);
      count(heading, headingWeight);
      count(text, 1);
      count(text.slice(0, leadCharacters), leadWeight);
      count(parts, partWeight);
      const long = saturation * (1 - lengthShare + (lengthShare * text.length) / usualCharacters);
      let score = 0;
      let covered = 0;
      for (const [index, rare] of rarity.entries()) {
        const here = weight[index] ?? 0;
        score += (rare * here * (saturation + 1)) / (here + long);
        covered += rare * (best[index] ?? 0);
      }
      return allRarity === 0 ? 0 : score * (1 - coverShare + (coverShare * covered) / allRarity);
    },
    hits(text) {
      const hits: Hit[] = [];
      look(text, (word, worth, at, length) => {
        if (worth > 0 && hits.length < mostHits) hits.push({ at, length, word });
      });
      return hits;
    },
  };
}
