/** Values that their name calls secret, such as `DB_PASSWORD=…`, and passwords in addresses. */

/** `password: value`, `"apiKey": "value"`, `--token=value`; the last group is the value. */
const namedValue =
  /(password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key|signing[_-]?key|account[_-]?key|shared[_-]?key|authorization)["'`]{0,2}\s{0,3}(?::=|[:=])\s{0,3}(?:(?:Bearer|Basic|Token)\s{1,3})?["'`]{0,2}([^\s"'`,;<>(){}[\]|]{6,})/gi;

/** Of the name, before the word that calls it secret. */
const longestPrefix = 20;

/** Tokens of this kind mark a place in a list, or make a call repeatable. */
const harmlessPrefix = /(?:client|next|page|continuation|idempotency|cursor|sync|cancel(?:lation)?|step|csrf)[_.-]?$/i;

const placeholder =
  /\$|%[A-Z_]|\.{3}|…|\*{3}|x{4}|^(?:your|my|the|some|an?)[-_]|example|placeholder|changeme|change-me|redacted|hidden|masked|removed|secret]|^null$|^none$|^undefined$|^true$|^false$/i;

/** Parts of an id or a file name: letters, perhaps with a few digits behind, or digits alone. */
const wordPart = /^(?:[A-Za-z]{1,30}\d{0,4}|\d{1,14})$/;

const passwordInAddress = /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@"'`<>]{1,100}:([^\s/@"'`<>]{3,200})@[A-Za-z0-9[]/gi;

/** Secrets in addresses: `?access_token=…`. A shape or a digest says nothing here, the name does. */
const secretParameter =
  /[?&#;](?:access_token|auth_token|token|api_?key|secret|client_secret|password|sig|signature|x-amz-signature|x-amz-security-token|x-amz-credential)=([^\s&#"'`<>)]{16,})/gi;

/** What a line gives away, or null. */
export function findNamedValue(line: string): string | null {
  for (const match of line.matchAll(namedValue)) {
    const [, name = "", value = ""] = match;
    const prefix = line.slice(Math.max(0, match.index - longestPrefix), match.index);
    if (isSecretValue({ prefix, name: name.toLowerCase(), value })) {
      return /passw|passphrase|pwd/i.test(name) ? "a password" : "a secret value";
    }
  }
  for (const [, value = ""] of line.matchAll(passwordInAddress)) {
    if (!placeholder.test(value) && !/^(?:password|passwd|pass|secret|token|key|port)$/i.test(value))
      return "an address with a password";
  }
  for (const [, value = ""] of line.matchAll(secretParameter)) {
    if (!placeholder.test(value) && hasLetter(value) && hasDigit(value)) return "an address with a key";
  }
  return null;
}

function isSecretValue({ prefix, name, value }: { prefix: string; name: string; value: string }): boolean {
  if (placeholder.test(value) || harmlessPrefix.test(prefix) || isAddressOrPath(value)) return false;
  const isPassword = /^pass|^pwd/.test(name);
  if (isPassword)
    return (
      value.length >= 8 && hasLetter(value) && (hasDigit(value) || /[^A-Za-z0-9._-]/.test(value)) && !isDate(value)
    );
  if (value.length < 12 || !hasLetter(value) || !hasDigit(value)) return false;
  return !value.split(/[-_.:/@+=%]/).every((part) => part === "" || wordPart.test(part));
}

function isAddressOrPath(value: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(value) || /^(?:\.{0,2}|~)\//.test(value) || /^arn:/.test(value);
}

function isDate(value: string): boolean {
  return /^\d{4}-\d{2}-\d{2}/.test(value);
}

function hasLetter(value: string): boolean {
  return /[A-Za-z]/.test(value);
}

function hasDigit(value: string): boolean {
  return /\d/.test(value);
}
