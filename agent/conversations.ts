/**
 * Conversations as append-only JSONL: `<conversations>/<conversation>/<epoch>.jsonl`, one entry a line, on disk before
 * anything that builds on it is shown. The mind writes; the gateway only reads.
 */
import type { BigIntStats } from "node:fs";
import { type FileHandle, mkdir, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, ToolError } from "../tools/errors.ts";
import { listEpochs, parseLine } from "./conversations/files.ts";
import { type ConversationEntry, conversationIdSchema } from "./protocol.ts";

export interface ConversationPlace {
  /** The directory that holds all conversations. */
  directory: string;
  conversation: string;
}

export interface ConversationWriter {
  /** Everything stored so far, of all epochs in order; grows with each append. */
  entries: readonly ConversationEntry[];
  /** Bytes of all its files. */
  bytes(): number;
  /**
   * Resolves when the entry is on disk. Appends are written in the order of the calls. After one that failed nothing
   * more is written: the conversation has to be opened again.
   */
  append(entry: ConversationEntry): Promise<void>;
  /** Waits for what is being written and notes how the file stands, for `isCurrent`. */
  rest(): Promise<void>;
  /** Whether every file still is as it was read, and this epoch's as `rest` left it: nobody else has written. */
  isCurrent(): Promise<boolean>;
  close(): Promise<void>;
}

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

/**
 * Opens a conversation for writing in an epoch. A last line that a crash tore is moved to a `.torn` file beside it; a
 * corrupt line elsewhere throws ConfigError and leaves every file as it is.
 */
export async function openConversation(place: ConversationPlace & { epoch: number }): Promise<ConversationWriter> {
  const folder = folderOf(place);
  // Noted before they are read: what is written meanwhile shows as a difference later.
  const others = await stampsOf(folder, place.epoch);
  const entries = await readConversation(place);
  await makeFolder(place.directory, folder);
  const path = join(folder, `${place.epoch}.jsonl`);
  const file = await open(path, "a+", 0o600);
  let ownBytes: number;
  let ownStamp: string;
  try {
    await repair(path, file);
    await syncFolder(folder);
    const stats = await file.stat({ bigint: true });
    ownBytes = Number(stats.size);
    ownStamp = stampOf(stats);
  } catch (error) {
    await file.close();
    throw error;
  }
  let waiting: { entry: ConversationEntry; line: string }[] = [];
  let batch: Promise<void> | null = null;
  let last: Promise<void> = Promise.resolve();
  let hasFailed = false;

  /** Whatever waits when the disk is free again is written together and synced once. */
  async function writeWaiting(): Promise<void> {
    const taken = waiting;
    waiting = [];
    batch = null;
    if (hasFailed) throw writerFailed(path);
    const bytes = Buffer.from(taken.map(({ line }) => line).join(""));
    try {
      await writeAll(file, bytes);
      // The size is part of what fdatasync keeps.
      await file.datasync();
    } catch (error) {
      hasFailed = true;
      // Half a line must not stand in front of the next one. Whoever opens it again mends what this cannot.
      await file.truncate(ownBytes).then(
        () => file.datasync(),
        () => undefined,
      );
      throw error;
    }
    ownBytes += bytes.length;
    for (const { entry } of taken) entries.push(entry);
  }

  return {
    entries,
    bytes: () => others.bytes + ownBytes,
    append(entry) {
      waiting.push({ entry, line: `${JSON.stringify(entry)}\n` });
      batch ??= last.then(writeWaiting);
      last = batch.catch(() => undefined);
      return batch;
    },
    async rest() {
      await last;
      if (!hasFailed) ownStamp = stampOf(await file.stat({ bigint: true }));
    },
    async isCurrent() {
      if (hasFailed) return false;
      const now = await Promise.all([stampsOf(folder, place.epoch), stat(path, { bigint: true })]).catch(() => null);
      return now !== null && now[0].text === others.text && stampOf(now[1]) === ownStamp;
    },
    async close() {
      await last;
      await file.close();
    },
  };
}

function writerFailed(path: string): ToolError {
  return new ToolError(`${path} cannot be written: an earlier write failed`, {
    code: "conversation_unwritable",
    hint: "see the error before this one; the next message opens the conversation again",
  });
}

/** How the files of the other epochs stand. */
async function stampsOf(folder: string, exceptEpoch: number): Promise<{ text: string; bytes: number }> {
  const epochs = (await listEpochs(folder)).filter((epoch) => epoch !== exceptEpoch);
  const all = await Promise.all(epochs.map((epoch) => stat(join(folder, `${epoch}.jsonl`), { bigint: true })));
  const text = all.map((stats, index) => `${epochs[index]} ${stampOf(stats)}`).join("\n");
  return { text, bytes: all.reduce((sum, { size }) => sum + Number(size), 0) };
}

function stampOf({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs}`;
}

function folderOf(place: ConversationPlace): string {
  return join(place.directory, conversationIdSchema.parse(place.conversation));
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

/** Makes the file end with a complete line. Torn bytes are on disk elsewhere before they are cut off here. */
async function repair(path: string, file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  const last = size === 0 ? null : await file.read(Buffer.alloc(1), 0, 1, size - 1);
  // Every line was checked when it was read; only one without its line break needs another look.
  if (last === null || last.buffer[0] === 0x0a) return;
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
