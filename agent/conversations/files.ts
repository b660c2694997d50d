/** A conversation's files, read line by line without holding them. */
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ConversationEntry, conversationEntrySchema, conversationIdSchema } from "../protocol.ts";

export interface ConversationFiles {
  conversation: string;
  /** Oldest epoch first. */
  paths: string[];
  /** Milliseconds since 1970 of the last change. */
  updatedAt: number;
}

const epochPattern = /^(0|[1-9][0-9]{0,14})\.jsonl$/;
const chunkBytes = 256 * 1024;
/** Directories that are looked at together: enough to keep a network file system busy. */
const together = 32;

/** Every conversation, the last changed first. */
export async function listFiles(directory: string): Promise<ConversationFiles[]> {
  const names = (await readdir(directory).catch(noneIfMissing)).filter(
    (name) => conversationIdSchema.safeParse(name).success,
  );
  const found: ConversationFiles[] = [];
  for (let start = 0; start < names.length; start += together) {
    const some = await Promise.all(names.slice(start, start + together).map((name) => filesOf(directory, name)));
    for (const files of some) if (files !== null) found.push(files);
  }
  return found.sort((a, b) => b.updatedAt - a.updatedAt || (a.conversation < b.conversation ? -1 : 1));
}

/** Null where nothing was ever said. */
async function filesOf(directory: string, conversation: string): Promise<ConversationFiles | null> {
  const folder = join(directory, conversation);
  const epochs = await listEpochs(folder);
  if (epochs.length === 0) return null;
  const paths = epochs.map((epoch) => join(folder, `${epoch}.jsonl`));
  const stats = await Promise.all(paths.map((path) => stat(path)));
  return { conversation, paths, updatedAt: Math.round(Math.max(...stats.map(({ mtimeMs }) => mtimeMs))) };
}

export async function listEpochs(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(noneIfMissing);
  return names
    .flatMap((name) => {
      const match = epochPattern.exec(name);
      return match ? [Number(match[1])] : [];
    })
    .sort((a, b) => a - b);
}

/** Whole lines in pieces of about a quarter of a megabyte; the last one without its line break, too. */
export async function* readLines(path: string): AsyncGenerator<string> {
  const file = await open(path, "r");
  try {
    let rest: Buffer[] = [];
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes);
      if (bytesRead === 0) break;
      const bytes = buffer.subarray(0, bytesRead);
      const end = bytes.lastIndexOf(0x0a) + 1;
      if (end === 0) {
        rest.push(bytes);
        continue;
      }
      yield Buffer.concat([...rest, bytes.subarray(0, end)]).toString("utf8");
      rest = end < bytes.length ? [bytes.subarray(end)] : [];
    }
    if (rest.length > 0) yield Buffer.concat(rest).toString("utf8");
  } finally {
    await file.close();
  }
}

/** Null for a line that is no entry. */
export function parseLine(line: string): ConversationEntry | null {
  try {
    return conversationEntrySchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

function noneIfMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
  throw error;
}
