/**
 * The readable Markdown file beside the revisions. It ends with one comment line that names the revisions it shows and
 * the hash of its body, so that an edit by hand can be told from our own rendering.
 */
import { setTimeout as delay } from "node:timers/promises";
import { textOfFile } from "./documents.ts";
import { isMissing, type MemoryFiles, steady } from "./files.ts";
import { maxRevisionBytes, sha256 } from "./revisions.ts";

/** A person's editor is done when the file holds the same for this long, by a clock that only counts. */
const settledMs = 60;
const longestSettleMs = 1_000;

export type View =
  | { state: "absent" }
  /** Exactly as it was rendered from these revisions. */
  | { state: "rendered"; body: string; shown: string[]; file: Buffer }
  /** A person changed the text that these revisions gave. */
  | { state: "edited"; body: string; shown: string[]; file: Buffer }
  /** A person wrote the file without our comment line. */
  | { state: "foreign"; body: string; file: Buffer }
  /** It keeps changing: somebody is saving it right now. */
  | { state: "busy" }
  /** It cannot be a document: too large, or no text. */
  | { state: "unusable"; problem: string };

/** A view's comment line: at the end as we put it, or above what a person added to the file. */
const trailerPattern = /^<!-- hive revisions=(\S*) sha256=([0-9a-f]{64}) -->$/;
const trailerStart = "<!-- hive revisions=";

export function renderView(body: string, shown: string[]): string {
  return `${body}${body === "" || body.endsWith("\n") ? "" : "\n"}${trailerStart}${shown.join(",")} sha256=${sha256(body)} -->\n`;
}

function parseView(file: Buffer): View {
  const text = textOfFile(file);
  if (text === null)
    return { state: "unusable", problem: "it is no text (a NUL character, or bytes that are not UTF-8)" };
  const trailer = findTrailer(text);
  // An editor that saves in place empties the file first, and somebody who wants a document gone removes it.
  if (text === "") return { state: "absent" };
  if (trailer === null) return { state: "foreign", body: text, file };
  const above = text.slice(0, trailer.from);
  const below = text.slice(trailer.to);
  // A body without a final line break got one before the comment line.
  const bodies = below === "" ? [above, above.replace(/\n$/, "")] : [];
  const body = bodies.find((candidate) => sha256(candidate) === trailer.hash);
  const { shown } = trailer;
  return body === undefined
    ? { state: "edited", body: above + below, shown, file }
    : { state: "rendered", body, shown, file };
}

/** The last line that is a comment line of ours. */
function findTrailer(text: string): { from: number; to: number; shown: string[]; hash: string } | null {
  for (
    let from = text.lastIndexOf(trailerStart);
    from >= 0;
    from = from === 0 ? -1 : text.lastIndexOf(trailerStart, from - 1)
  ) {
    const end = text.indexOf("\n", from);
    const match = trailerPattern.exec(text.slice(from, end < 0 ? text.length : end).replace(/\r$/, ""));
    if (match === null || (from > 0 && text[from - 1] !== "\n")) continue;
    const shown = (match[1] ?? "").split(",").filter((revision) => revision !== "");
    return { from, to: end < 0 ? text.length : end + 1, shown, hash: match[2] ?? "" };
  }
  return null;
}

/** Reads a view; what a person is just saving is waited for. */
export async function readView(files: MemoryFiles, path: string): Promise<View> {
  const started = performance.now();
  let before = await readOnce(files, path);
  for (;;) {
    if (before === null) return { state: "absent" };
    if (!Buffer.isBuffer(before)) return before;
    const view = parseView(before);
    if (view.state === "rendered") return view;
    await delay(settledMs);
    const now = await readOnce(files, path);
    if (Buffer.isBuffer(now) && now.equals(before)) return view;
    if (performance.now() - started > longestSettleMs) return { state: "busy" };
    before = now;
  }
}

async function readOnce(files: MemoryFiles, path: string): Promise<Buffer | null | View> {
  try {
    return await steady(() => files.read(path, maxRevisionBytes));
  } catch (error) {
    if (isMissing(error)) return null;
    if ((error as NodeJS.ErrnoException).code === "EFBIG") return { state: "unusable", problem: "it is too large" };
    throw error;
  }
}
