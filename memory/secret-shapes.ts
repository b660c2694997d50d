/**
 * Credentials that can be told by their shape: the one list for whoever refuses or hides them. Every pattern is bounded,
 * so that a hostile text of a megabyte costs no more than any other.
 */

interface Shape {
  kind: string;
  /** Global, for `replaceAll` and `matchAll`. */
  pattern: RegExp;
}

/** Prefixes as their makers document them; the rest of each is random. */
const shapes: readonly Shape[] = [
  { kind: "a private key", pattern: /-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----/g },
  { kind: "a private key", pattern: /\bAGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{30,}/g },
  { kind: "a GitHub token", pattern: /\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})/g },
  { kind: "a GitLab token", pattern: /\bgl(?:pat|oas|dt|rt|ptt|cbt|soat|agent|ft)-[A-Za-z0-9_-]{20,}/g },
  { kind: "an AWS access key id", pattern: /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b/g },
  { kind: "a CLAWDINATOR token", pattern: /\bclawd_(?:(?=[a-z_-]{0,20}[A-Z0-9])[A-Za-z0-9_-]{16,}|[a-z]{16,})/g },
  // A digit or a capital letter tells a key from words that are joined by `-`.
  {
    kind: "a model provider's API key",
    pattern: /\bsk-(?:(?=[a-z_-]{0,20}[A-Z0-9]|(?:ant|proj|or|svcacct|admin)-)[A-Za-z0-9_-]{16,}|[a-z]{16,})/g,
  },
  { kind: "a model provider's API key", pattern: /\b(?:gsk_|xai-|r8_|hf_|pplx-|fw_)[A-Za-z0-9]{30,}/g },
  { kind: "a Google API key", pattern: /\bAIza[A-Za-z0-9_-]{35}/g },
  { kind: "a Google token", pattern: /\b(?:GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,})/g },
  { kind: "a Slack token", pattern: /\b(?:xox[abceoprs]|xapp)-[A-Za-z0-9-]{10,}/g },
  { kind: "a Slack webhook's address", pattern: /\bhooks\.slack\.com\/services\/T[A-Za-z0-9/]{20,}/g },
  // Base64 of the numeric user id, which begins with a digit, of a time stamp, and a signature.
  { kind: "a Discord token", pattern: /\b[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}/g },
  {
    kind: "a Discord webhook's address",
    pattern: /\bdiscord(?:app)?\.com\/api\/(?:v\d{1,2}\/)?webhooks\/\d{15,20}\/[A-Za-z0-9_-]{30,}/g,
  },
  { kind: "a Telegram bot's token", pattern: /\b\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])/g },
  { kind: "a Stripe key", pattern: /\b(?:[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{16,}/g },
  { kind: "a package registry's token", pattern: /\b(?:npm_[A-Za-z0-9]{36}|pypi-Ag[A-Za-z0-9_-]{40,})/g },
  { kind: "a Docker token", pattern: /\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}/g },
  { kind: "a SendGrid key", pattern: /\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,}/g },
  { kind: "a Vault token", pattern: /\bhv[sbr]\.[A-Za-z0-9_-]{20,}/g },
  {
    kind: "a service's token",
    pattern:
      /\b(?:tskey-[a-z]{2,10}-|lin_api_|sntrys_|gl(?:sa|c)_|do[opr]_v1_|dapi(?=[0-9a-f]{32}\b))[A-Za-z0-9_-]{16,}/g,
  },
  {
    kind: "a signed web token",
    pattern: /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}/g,
  },
];

/** The kind and place of the first credential in a text that has a known shape, or null. */
export function findShape(text: string): { kind: string; index: number } | null {
  let first: { kind: string; index: number } | null = null;
  for (const { kind, pattern } of shapes) {
    pattern.lastIndex = 0;
    const match = pattern.exec(text);
    if (match && (first === null || match.index < first.index)) first = { kind, index: match.index };
  }
  return first;
}

/** Heading and body; the body may be a JSON string's part. */
const privateKeyBlock =
  /-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----(?:[^"]{0,8192}?-----END [A-Z0-9 ]{1,40}-----|[A-Za-z0-9+/=\s\\]*)/g;

/** A text with `[secret]`, or what is given, in the place of whatever has a credential's shape. */
export function hideShapes(text: string, replacement = "[secret]"): string {
  let hidden = text.replaceAll(privateKeyBlock, () => replacement);
  for (const { pattern } of shapes) hidden = hidden.replaceAll(pattern, () => replacement);
  return hidden;
}
