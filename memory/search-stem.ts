/**
 * Stems of English words by Porter's algorithm of 1980, which SQLite's `porter` tokenizer applies too: the index finds
 * passages by it, and ranking finds the words in them again.
 */

/** Longest suffix first, so that the first that fits is the one. */
const secondStep = table(
  "ational=ate tional=tion enci=ence anci=ance izer=ize logi=log bli=ble alli=al entli=ent eli=e ousli=ous ization=ize " +
    "ation=ate ator=ate alism=al iveness=ive fulness=ful ousness=ous aliti=al iviti=ive biliti=ble",
);
const thirdStep = table("icate=ic ative= alize=al iciti=ic ical=ic ful= ness=");
const fourthStep = table(
  "al= ance= ence= er= ic= able= ible= ant= ement= ment= ent= ion= ou= ism= ate= iti= ous= ive= ize=",
);
/** SQLite leaves shorter and longer ones as they are. */
const leastLetters = 3;
const mostLetters = 64;
/** Words of a language repeat; enough of them for any text. */
const mostRemembered = 20_000;
const remembered = new Map<string, string>();

/** The stem of a word in small letters; anything but ASCII letters comes back as it is. */
export function stem(word: string): string {
  if (word.length < leastLetters || word.length > mostLetters || !/^[a-z]+$/.test(word)) return word;
  const known = remembered.get(word);
  if (known !== undefined) return known;
  if (remembered.size >= mostRemembered) remembered.clear();
  const result = lastStep(
    replaceSuffix(replaceSuffix(replaceSuffix(firstStep(word), secondStep, 0), thirdStep, 0), fourthStep, 1),
  );
  remembered.set(word, result);
  return result;
}

function table(text: string): [suffix: string, by: string][] {
  const pairs = text.split(" ").map((pair) => pair.split("=") as [string, string]);
  return pairs.sort(([a], [b]) => b.length - a.length);
}

/** `v` for a vowel and `c` for a consonant; `y` is a vowel after a consonant. */
function shape(word: string): string {
  let result = "";
  for (const letter of word) {
    result += "aeiou".includes(letter) || (letter === "y" && result.endsWith("c")) ? "v" : "c";
  }
  return result;
}

/** How often a run of vowels is followed by a consonant. */
function measure(word: string): number {
  return shape(word).split(/v+c/).length - 1;
}

function endsShort(word: string): boolean {
  return shape(word).endsWith("cvc") && !/[wxy]$/.test(word);
}

function firstStep(word: string): string {
  let result = word;
  if (/(?:ss|i)es$/.test(result)) result = result.slice(0, -2);
  else if (/[^s]s$/.test(result)) result = result.slice(0, -1);
  const ending = /(?:eed|ed|ing)$/.exec(result)?.[0];
  const before = ending === undefined ? result : result.slice(0, -ending.length);
  if (ending === "eed") {
    if (measure(before) > 0) result = result.slice(0, -1);
  } else if (ending !== undefined && shape(before).includes("v")) {
    result = before;
    if (/(?:at|bl|iz)$/.test(result)) result += "e";
    else if (/([^aeiou])\1$/.test(result) && !/[lsz]$/.test(result)) result = result.slice(0, -1);
    else if (measure(result) === 1 && endsShort(result)) result += "e";
  }
  return result.endsWith("y") && shape(result.slice(0, -1)).includes("v") ? `${result.slice(0, -1)}i` : result;
}

/** Replaces the longest suffix of the table, where what stands before it has more than `least` measures. */
function replaceSuffix(word: string, suffixes: [suffix: string, by: string][], least: number): string {
  const found = suffixes.find(([suffix]) => word.length > suffix.length && word.endsWith(suffix));
  if (!found) return word;
  const [suffix, by] = found;
  const before = word.slice(0, -suffix.length);
  if (measure(before) <= least || (suffix === "ion" && !/[st]$/.test(before))) return word;
  return before + by;
}

function lastStep(word: string): string {
  let result = word;
  if (result.endsWith("e")) {
    const before = result.slice(0, -1);
    const measured = measure(before);
    if (measured > 1 || (measured === 1 && !endsShort(before))) result = before;
  }
  return measure(result) > 1 && result.endsWith("ll") ? result.slice(0, -1) : result;
}
