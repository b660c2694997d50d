/**
 * Credentials that have no known shape: a value that its name calls secret, and a token that looks drawn at random. What
 * merely looks so, such as digests, commit hashes and addresses, is told apart by how it is written and what stands
 * before it.
 */

/** Shorter ones are ids and names; most keys are longer. */
const leastCharacters = 24;
/** Letters and digits that are looked at together. */
const windowCharacters = 24;
/**
 * Share of neighbours that are not of the same kind (small letter, capital, digit). Drawn at random from 62 characters
 * it is 0.62 on average; in camelCase, paths and versions it is below 0.4.
 */
const leastChanges = 0.45;

/** Share of a camelCase name that is words; by chance it is about a quarter. */
const mostWords = 0.6;

/** Between the words of a path or a name. */
const candidatePattern = /[A-Za-z0-9+/_=-]{24,}/g;

/** Public by their nature: addresses, pictures, checksums, public keys, and the ids that services give to requests. */
const harmless: readonly RegExp[] = [
  /\bdata:[a-z]{1,20}\/[a-z0-9.+-]{1,40}(?:;[a-z0-9=-]{1,40}){0,3};base64,[A-Za-z0-9+/=]{1,}/gi,
  /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s"'`<>]{1,}/gi,
  /\b(?:sha(?:1|224|256|384|512)|md5|blake[23][a-z]?|h1|nar-?hash|integrity|checksum|digest|etag|fingerprint|version-?id|request-?id)["']{0,2}[-:= ]{1,3}["']{0,2}[A-Za-z0-9+/_=-]{20,}/gi,
  /\bAAAA(?:[BCE]3NzaC1|E2VjZHNh|GnNr)[A-Za-z0-9+/=]{20,}/g,
  // A binary cache's public key; its secret one is twice as long.
  /\b[a-z0-9][a-z0-9.-]{1,60}-\d{1,3}:[A-Za-z0-9+/]{43}=(?![A-Za-z0-9+/=])/gi,
  /\bpublic-?_?key["']{0,2}\s{0,3}[:=]\s{0,3}["']{0,2}[A-Za-z0-9+/_=-]{20,}/gi,
  /(?<![A-Za-z0-9])[A-Z]?(?:[0-9a-f]{32,}|[0-9A-F]{32,})(?![A-Za-z0-9])/g,
  /\b(?:req|msg|toolu|call|resp|chatcmpl|run|file|batch|item)[_-][A-Za-z0-9]{16,40}\b/g,
];

/** Blocks of base64 that are meant for everybody. */
const publicBlockBegin =
  /-----BEGIN (?:CERTIFICATE|CERTIFICATE REQUEST|(?:RSA |EC )?PUBLIC KEY|PGP (?:PUBLIC KEY BLOCK|SIGNATURE|MESSAGE)|SSH SIGNATURE|X509 CRL)-----/;
const publicBlockEnd = /-----END [A-Z0-9 ]{1,40}-----/;

/** Whether a token in this line looks drawn at random. */
export function hasRandomToken(line: string): boolean {
  if (line.length < leastCharacters) return false;
  let rest = line;
  for (const pattern of harmless) rest = rest.replaceAll(pattern, " ");
  for (const [candidate] of rest.matchAll(candidatePattern)) if (isRandom(candidate)) return true;
  return false;
}

/** For each line, whether it lies in a block that is public by its heading. */
export function publicBlockLines(lines: readonly string[]): Set<number> {
  const inside = new Set<number>();
  let begin: number | null = null;
  for (const [index, line] of lines.entries()) {
    if (publicBlockBegin.test(line)) begin = index;
    if (begin !== null) inside.add(index);
    if (begin !== null && publicBlockEnd.test(line)) begin = null;
  }
  return inside;
}

function isRandom(candidate: string): boolean {
  const characters = candidate.replaceAll(/[^A-Za-z0-9]/g, "");
  if (characters.length < leastCharacters - 2) return false;
  const separators = candidate.replace(/=+$/, "").length - characters.length;
  // Words of a path, or joined by hyphens: more of them than base64 has by chance.
  if (separators > Math.max(3, characters.length / 8)) return false;
  const words = characters.match(/[A-Z][a-z]{2,}/g)?.join("") ?? "";
  if (words.length >= characters.length * mostWords) return false;
  const kinds = [...characters].map(kindOf);
  const pairs = Math.min(windowCharacters, kinds.length) - 1;
  let changes = 0;
  for (let index = 1; index < kinds.length; index++) {
    if (kinds[index] !== kinds[index - 1]) changes++;
    if (index > pairs && kinds[index - pairs] !== kinds[index - pairs - 1]) changes--;
    if (index < pairs || changes / pairs < leastChanges) continue;
    if (new Set(kinds.slice(index - pairs, index + 1)).size === 3) return true;
  }
  return false;
}

function kindOf(character: string): 0 | 1 | 2 {
  if (character >= "a") return 0;
  return character >= "A" ? 1 : 2;
}
