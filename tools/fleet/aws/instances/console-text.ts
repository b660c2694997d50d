/** A machine's console as it may be shown: printable, and without what looks like a credential. */

import { hideShapes } from "../../../../memory/secret-shapes.ts";

const hidden = "[hidden]";

/** Terminal colours, cursor movements and window titles. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these sequences begin with a control character.
const escapeSequence = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-_])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are removed; tab and line break stay.
const controlCharacter = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** The whole block; to the end of the text where its end is cut off. */
const privateKey = /-----BEGIN [A-Z0-9 ]*-----[\s\S]*?(?:-----END [A-Z0-9 ]*-----|$(?![\s\S]))/g;
/** `aws_secret_access_key = …`, `token: …`, `PASSWORD=…`: the value goes, the name stays. */
const namedSecret =
  /\b([A-Za-z0-9_-]*(?:secret[_-]?(?:access[_-]?)?key|api[_-]?key|password|passwd|token|authorization)["']?\s*[:=]\s*)(?:Bearer\s+|Basic\s+)?["']?[^\s"',;]{6,}/gi;

/** The last `lines` lines of a console's bytes. */
export function cleanConsole(raw: string, lines: number): string[] {
  const plain = raw.replaceAll(escapeSequence, "").replaceAll("\r\n", "\n").replaceAll("\r", "\n");
  const shown = plain.replaceAll(controlCharacter, "").replaceAll(privateKey, hidden);
  const text = hideShapes(shown, hidden).replaceAll(namedSecret, `$1${hidden}`);
  const all = text.split("\n").map((line) => line.trimEnd());
  while (all.at(-1) === "") all.pop();
  return lines > 0 ? all.slice(-lines) : [];
}
