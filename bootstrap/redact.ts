/** Keeps secrets out of everything that is said or written: the values that are known, and what looks like one. */
import { withoutCredentials } from "../tools/fleet/git.ts";

const shapes = [
  /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----[\s\S]*?(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|$)/g,
  /\bclawd_[0-9]+_[A-Za-z0-9_-]{20,}/g,
  /\bsk-[A-Za-z0-9_-]{16,}/g,
  /\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\b[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}/g,
];

/** Shorter ones would be found in ordinary words. */
const shortestKnown = 6;

export interface Redactor {
  /** From now on this value, and each of its lines, is never shown. */
  hide(value: string): void;
  redact(text: string): string;
}

export function createRedactor(): Redactor {
  const known = new Set<string>();
  return {
    hide(value) {
      for (const one of [value, value.trim(), ...value.split("\n").map((line) => line.trim())]) {
        if (one.length >= shortestKnown) known.add(one);
      }
    },
    redact(text) {
      let result = withoutCredentials(text);
      // Longest first, so that no rest of a long one stays behind.
      for (const value of [...known].sort((a, b) => b.length - a.length)) result = result.replaceAll(value, "[secret]");
      for (const shape of shapes) result = result.replaceAll(shape, "[secret]");
      return result;
    },
  };
}
