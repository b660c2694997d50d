/**
 * Conversations as append-only JSONL: `<conversations>/<conversation>/<epoch>.jsonl`, one entry a line, on disk before
 * anything that builds on it is shown. The mind writes; the gateway only reads.
 */
import { type FileHandle, mkdir, open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../tools/errors.ts";
import { type ConversationEntry, conversationEntrySchema, conversationIdSchema } from "./protocol.ts";

export interface ConversationPlace {
  /** The directory that holds all conversations. */
  directory: string;
  conversation: string;
}

export interface ConversationSummary {
  conversation: string;
  /** Milliseconds since 1970 of the last change. */
  at: number;
}

export interface ConversationWriter {
  /** Everything stored so far, of all epochs in order; grows with each append. */
  entries: readonly ConversationEntry[];
  /** Resolves when the entry is on disk. Appends are written in the order of the calls. */
  append(entry: ConversationEntry): Promise<void>;
  close(): Promise<void>;
}

const epochPattern = /^(0|[1-9][0-9]{0,14})\.jsonl$/;

/** Entries of all epochs in order; none for an unknown conversation. Throws ConfigError that names a corrupt line. */
export async function readConversation(place: ConversationPlace): Promise<ConversationEntry[]> {
  const folder = folderOf(place);
  const entries: ConversationEntry[] = [];
  for (const epoch of await listEpochs(folder)) {
    const path = join(folder, `${epoch}.jsonl`);
    entries.push(...parseFile(path, await readFile(path)).entries);
  }
  return entries;
}

/** Every conversation, the last changed first. */
export async function listConversations(directory: string): Promise<ConversationSummary[]> {
  const names = await readdir(directory).catch(noneIfMissing);
  const summaries: ConversationSummary[] = [];
  for (const conversation of names.filter((name) => conversationIdSchema.safeParse(name).success)) {
    const folder = join(directory, conversation);
    let at: number | null = null;
    for (const epoch of await listEpochs(folder)) {
      at = Math.max(at ?? 0, Math.round((await stat(join(folder, `${epoch}.jsonl`))).mtimeMs));
    }
    if (at !== null) summaries.push({ conversation, at });
  }
  return summaries.sort((a, b) => b.at - a.at || (a.conversation < b.conversation ? -1 : 1));
}

/**
 * Opens a conversation for writing in an epoch. A last line that a crash tore is moved to a `.torn` file beside it; a
 * corrupt line elsewhere throws ConfigError and leaves every file as it is.
 */
export async function openConversation(place: ConversationPlace & { epoch: number }): Promise<ConversationWriter> {
  const folder = folderOf(place);
  const entries = await readConversation(place);
  await makeFolder(place.directory, folder);
  const path = join(folder, `${place.epoch}.jsonl`);
  const file = await open(path, "a+", 0o600);
  try {
    await repair(path, file);
    await syncFolder(folder);
  } catch (error) {
    await file.close();
    throw error;
  }
  let last: Promise<unknown> = Promise.resolve();
  return {
    entries,
    append(entry) {
      const written = last.then(async () => {
        await writeAll(file, Buffer.from(`${JSON.stringify(entry)}\n`));
        await file.sync();
        entries.push(entry);
      });
      last = written.catch(() => undefined);
      return written;
    },
    async close() {
      await last;
      await file.close();
    },
  };
}

function folderOf(place: ConversationPlace): string {
  return join(place.directory, conversationIdSchema.parse(place.conversation));
}

async function listEpochs(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(noneIfMissing);
  return names
    .flatMap((name) => {
      const match = epochPattern.exec(name);
      return match ? [Number(match[1])] : [];
    })
    .sort((a, b) => a - b);
}

function noneIfMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
  throw error;
}

interface ParsedFile {
  entries: ConversationEntry[];
  /** Bytes of complete lines. */
  wholeBytes: number;
  /** `complete`: an entry that only lacks its line break. `torn`: part of one. */
  tail: "none" | "complete" | "torn";
}

function parseFile(path: string, bytes: Buffer): ParsedFile {
  const wholeBytes = bytes.lastIndexOf(0x0a) + 1;
  const lines = bytes.subarray(0, wholeBytes).toString("utf8").split("\n").slice(0, -1);
  const entries = lines.map((line, index) => {
    const entry = parseLine(line);
    if (entry !== null) return entry;
    throw new ConfigError(`the conversation file ${path} is corrupt in line ${index + 1}; nothing was changed`, {
      code: "conversation_corrupt",
      hint: "mend or remove that line (a newer version may have written it), or start a new conversation",
    });
  });
  if (wholeBytes === bytes.length) return { entries, wholeBytes, tail: "none" };
  const last = parseLine(bytes.subarray(wholeBytes).toString("utf8"));
  if (last !== null) entries.push(last);
  return { entries, wholeBytes, tail: last === null ? "torn" : "complete" };
}

function parseLine(line: string): ConversationEntry | null {
  try {
    return conversationEntrySchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** Makes the file end with a complete line. Torn bytes are on disk elsewhere before they are cut off here. */
async function repair(path: string, file: FileHandle): Promise<void> {
  const bytes = await readFile(path);
  const { wholeBytes, tail } = parseFile(path, bytes);
  if (tail === "complete") await writeAll(file, Buffer.from("\n"));
  if (tail === "torn") {
    const kept = await open(`${path}.torn`, "a", 0o600);
    try {
      await writeAll(kept, Buffer.concat([bytes.subarray(wholeBytes), Buffer.from("\n")]));
      await kept.sync();
    } finally {
      await kept.close();
    }
    await file.truncate(wholeBytes);
  }
  if (tail !== "none") await file.sync();
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await file.write(bytes, written, bytes.length - written)).bytesWritten;
  }
}

async function makeFolder(directory: string, folder: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(directory);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
