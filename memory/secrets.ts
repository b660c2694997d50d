/** Shapes of credentials that must never be remembered. Finding one names its kind, never its value. */

const shapes: { kind: string; pattern: RegExp }[] = [
  { kind: "a private key", pattern: /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/ },
  { kind: "a GitHub token", pattern: /\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})/ },
  { kind: "an AWS access key id", pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/ },
  { kind: "a CLAWDINATOR token", pattern: /\bclawd_[A-Za-z0-9_-]{16,}/ },
  { kind: "a model provider's API key", pattern: /\bsk-[A-Za-z0-9_-]{20,}/ },
  { kind: "a Slack token", pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/ },
  // A Discord bot token: base64 of the numeric user id, of a time stamp, and a signature.
  { kind: "a Discord token", pattern: /\b[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}/ },
];

/** The kind and line of the first secret in a text, or null. */
export function findSecret(text: string): { kind: string; line: number } | null {
  for (const { kind, pattern } of shapes) {
    const match = pattern.exec(text);
    if (match) return { kind, line: text.slice(0, match.index).split("\n").length };
  }
  return null;
}
