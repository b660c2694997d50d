/**
 * How keys become object names. Whatever characters a key has, the name consists of letters, digits, `_`, `-`, `/` and
 * `!XX` for any other byte of its UTF-8: nothing that a path, an XML answer or a proxy could change. Each character is
 * translated by itself, so a key's prefix becomes its name's prefix.
 */

const plain = /^[A-Za-z0-9_/-]$/;

export function encodeKey(key: string): string {
  let name = "";
  for (const character of key) name += plain.test(character) ? character : escapeBytes(character);
  return name;
}

function escapeBytes(character: string): string {
  return [...Buffer.from(character)].map((byte) => `!${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

/** Null for a name that no key has: somebody else put that object there. */
export function decodeKey(name: string): string | null {
  if (!/^(?:[A-Za-z0-9_/-]|![0-9A-F]{2})*$/.test(name)) return null;
  return decodeURIComponentOrNull(name.replaceAll("!", "%"));
}

function decodeURIComponentOrNull(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** The order of the contract: by the bytes of UTF-8. */
export function compareBytewise(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
