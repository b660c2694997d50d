/** Facts that people state in IDENTITY.md and in the philosophy, taken out of their sentences. */

export interface IdentityFact {
  value: string;
  /** Where the value was written as a link. */
  link: string | null;
}

/** `- Key: value` lines by their key in small letters; of two with one key the first counts. */
export function identityFacts(text: string): Map<string, IdentityFact> {
  const facts = new Map<string, IdentityFact>();
  for (const line of text.split("\n")) {
    const match = /^[-*] +\*{0,2}([A-Za-z][A-Za-z ]{0,40}?)\*{0,2}:\*{0,2} +(\S.*)$/.exec(line.trim());
    if (!match) continue;
    const key = (match[1] ?? "").toLowerCase();
    const link = /^\[(.+)\]\((https?:\/\/[^\s)]+)\)$/.exec((match[2] ?? "").trim());
    if (!facts.has(key)) facts.set(key, { value: link?.[1] ?? (match[2] ?? "").trim(), link: link?.[2] ?? null });
  }
  return facts;
}

/** What each point of the philosophy is called: its bold beginning, without which its first words. */
export function philosophyPoints(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const match = /^[-*] +(?:\*\*(.+?)\*\*)?(.*)$/.exec(line);
    const title = match?.[1] ?? match?.[2] ?? "";
    const words = firstWords(title.replace(/[.:;,]+$/, ""), longestPoint);
    return words === "" ? [] : [words];
  });
}

/** Shorter than what anybody would call a quotation. */
const longestPoint = 6;

/** The first few words; an ellipsis says that there were more. */
export function firstWords(text: string, count: number): string {
  const words = text.trim().split(/\s+/);
  return words.length <= count ? words.join(" ") : `${words.slice(0, count).join(" ")} …`;
}
