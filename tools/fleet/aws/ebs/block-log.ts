/**
 * The file format of what is known of a snapshot's blocks: one line of JSON, then records of 40 bytes (block index,
 * SHA-256, CRC-32 of both). Records are appended; a torn last one is dropped. Used for the journal of an upload and for
 * the list of blocks of a completed snapshot.
 */
import { type FileHandle, open, readFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { isMissing } from "../../../../memory/files.ts";
import { ConfigError } from "../../../errors.ts";
import { hashBytes } from "./blocks.ts";

const recordBytes = 4 + hashBytes + 4;
const formatName = "clawdinator-blocks";
const formatVersion = 1;

export interface BlockLog<Header> {
  header: Header;
  /** Hash by block index; of two records of a block the later one. */
  blocks: Map<number, Buffer>;
  /** Bytes of the file that are whole. */
  wholeBytes: number;
}

/**
 * Null when there is no such file or its first line is not one of ours, which `isHeader` decides. Throws on another
 * version of the format.
 */
export async function readBlockLog<Header>(
  path: string,
  isHeader: (line: Record<string, unknown>) => boolean,
): Promise<BlockLog<Header> | null> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  const end = bytes.indexOf(0x0a);
  const line = parseObject(bytes.toString("utf8", 0, Math.max(end, 0)));
  if (end < 0 || line?.format !== formatName) return null;
  if (line.version !== formatVersion) {
    throw new ConfigError(`${path} was written by another version of the program (format ${line.version})`, {
      code: "journal_version",
      hint: "let that version finish the upload, or delete the file to begin anew",
    });
  }
  if (!isHeader(line)) return null;
  const blocks = new Map<number, Buffer>();
  let at = end + 1;
  for (; at + recordBytes <= bytes.length; at += recordBytes) {
    const content = bytes.subarray(at, at + recordBytes - 4);
    if (crc32(content) !== bytes.readUInt32LE(at + recordBytes - 4)) break;
    blocks.set(content.readUInt32LE(0), Buffer.from(content.subarray(4)));
  }
  return { header: line as Header, blocks, wholeBytes: at };
}

export function encodeHeader(header: object): string {
  return `${JSON.stringify({ format: formatName, version: formatVersion, ...header })}\n`;
}

export function encodeRecord(index: number, hash: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(recordBytes);
  record.writeUInt32LE(index, 0);
  record.set(hash, 4);
  record.writeUInt32LE(crc32(record.subarray(0, recordBytes - 4)), recordBytes - 4);
  return record;
}

export interface RecordWriter {
  /** Queues the record; it is on disk soon. */
  add(index: number, hash: Uint8Array): void;
  /** Resolves when all that was added is on disk. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Long enough to share one fsync among many blocks; what a crash loses is sent again. */
const batchMs = 150;

/** Appends after `wholeBytes`, so that a torn tail is overwritten. */
export async function openRecordWriter(path: string, wholeBytes: number): Promise<RecordWriter> {
  const file: FileHandle = await open(path, "r+");
  await file.truncate(wholeBytes);
  let position = wholeBytes;
  let queue: Buffer[] = [];
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();
  let failure: unknown = null;

  const write = async (): Promise<void> => {
    if (queue.length === 0) return;
    const batch = Buffer.concat(queue);
    queue = [];
    await file.write(batch, 0, batch.length, position);
    position += batch.length;
    await file.datasync();
  };
  const start = (): Promise<void> => {
    timer = null;
    writing = writing.then(write).catch((error: unknown) => {
      failure ??= error;
    });
    return writing;
  };
  return {
    add(index, hash) {
      queue.push(encodeRecord(index, hash));
      timer ??= setTimeout(() => void start(), batchMs);
    },
    async flush() {
      if (timer) clearTimeout(timer);
      await start();
      if (failure) throw failure;
    },
    async close() {
      if (timer) clearTimeout(timer);
      await start();
      await file.close();
    },
  };
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}
