/**
 * The readable Markdown file beside the revisions. It ends with one comment line that names the revisions it shows and
 * the hash of its body, so that an edit by hand can be told from our own rendering.
 */
import { randomBytes } from "node:crypto";
import { link, lstat, mkdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isMissing, readOrNull, temporaryPrefix, writeWhole } from "./files.ts";
import { sha256 } from "./revisions.ts";

const trailerPattern = /(?:^|\n)<!-- hive revisions=(\S*) sha256=([0-9a-f]{64}) -->\n?$/;

/** An editor that writes in place is done when the file has not changed for this long. */
const settledMs = 60;
const longestSettleMs = 1_000;

export type View =
  | { state: "absent" }
  /** Exactly as we rendered it from these revisions. */
  | { state: "rendered"; body: string; shown: string[]; file: string }
  /** A person changed the text that these revisions gave. */
  | { state: "edited"; body: string; shown: string[]; file: string }
  /** A person wrote the file without our comment line. */
  | { state: "foreign"; body: string; file: string };

export function renderView(body: string, shown: string[]): string {
  return `${body}${body === "" || body.endsWith("\n") ? "" : "\n"}<!-- hive revisions=${shown.join(",")} sha256=${sha256(body)} -->\n`;
}

function parseView(file: string): View {
  const match = trailerPattern.exec(file);
  if (!match) return { state: "foreign", body: file, file };
  const shown = (match[1] ?? "").split(",").filter((revision) => revision !== "");
  const upToTrailer = file.slice(0, match.index + (file[match.index] === "\n" ? 1 : 0));
  // A body without a final line break got one before the comment line.
  const bodies = [upToTrailer, upToTrailer.replace(/\n$/, "")];
  const body = bodies.find((candidate) => sha256(candidate) === match[2]);
  return body === undefined
    ? { state: "edited", body: upToTrailer, shown, file }
    : { state: "rendered", body, shown, file };
}

/** Reads the view; one that a person is just saving is waited for. Anything but a regular file counts as absent. */
export async function readView(path: string): Promise<View> {
  const deadline = Date.now() + longestSettleMs;
  for (;;) {
    const file = await readRegular(path);
    if (file === null) return { state: "absent" };
    const view = parseView(file.text);
    const age = Date.now() - file.changedAt;
    if (view.state === "rendered" || age < 0 || age > settledMs || Date.now() > deadline) return view;
    await delay(settledMs);
  }
}

async function readRegular(path: string): Promise<{ text: string; changedAt: number } | null> {
  try {
    const stat = await lstat(path);
    if (!stat.isFile()) return null;
    const text = await readOrNull(path);
    return text === null ? null : { text, changedAt: stat.mtimeMs };
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/**
 * Puts a new view in place. Returns what stood there if a person changed it in the meantime, so that the caller can
 * take that in.
 */
export async function replaceView(path: string, file: string, expected: View): Promise<View | null> {
  await mkdir(dirname(path), { recursive: true });
  const kept = join(dirname(path), `${temporaryPrefix}${process.pid}-${randomBytes(6).toString("hex")}`);
  const hasKept = await link(path, kept).then(
    () => true,
    () => false,
  );
  await writeWhole(path, file);
  if (!hasKept) return null;
  const replaced = await readRegular(kept);
  await unlink(kept).catch(() => undefined);
  if (replaced === null || (expected.state !== "absent" && replaced.text === expected.file)) return null;
  const view = parseView(replaced.text);
  return view.state === "rendered" ? null : view;
}
