/** What an upload must remember to go on after a crash: which snapshot it fills, and which blocks are there. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeFileDurably } from "../../local/files.ts";
import {
  type BlockLog,
  encodeHeader,
  encodeRecord,
  openRecordWriter,
  type RecordWriter,
  readBlockLog,
} from "./block-log.ts";
import { type FileIdentity, isSameFile } from "./image-file.ts";

export interface JournalHeader {
  token: string;
  /** What StartSnapshot is given; differs from `token` when a snapshot of an earlier attempt had to be given up. */
  clientToken: string;
  region: string;
  parent: string | null;
  /** Null until the service has named it. */
  snapshot: string | null;
  file: FileIdentity;
  /** When the upload was begun, milliseconds since 1970. */
  startedAt: number;
  /** `completing`: every block is there and CompleteSnapshot may have been called. `verified`: nothing is left to do. */
  state: "filling" | "completing" | "verified";
  /** How many blocks were put, once all is done and the list of them is dropped. */
  blocks: number | null;
}

function isJournalHeader(line: Record<string, unknown>): boolean {
  const { clientToken, startedAt, state, file } = line;
  const isFile = typeof file === "object" && file !== null && "bytes" in file && "modified" in file;
  return typeof clientToken === "string" && typeof startedAt === "number" && typeof state === "string" && isFile;
}

export interface Journal {
  header: JournalHeader;
  /** Hash of each block that was put into the snapshot. */
  blocks: Map<number, Buffer>;
  /** Replaces the first line, whole or not at all. */
  update(change: Partial<JournalHeader>): Promise<void>;
  add(index: number, hash: Uint8Array): void;
  flush(): Promise<void>;
  /** An earlier attempt may have sealed the snapshot. */
  wasCompleting: boolean;
  /** Keeps only that it is done. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

export function journalPath(directory: string, token: string): string {
  return join(directory, `${token}.journal`);
}

/** The journal of an earlier attempt; `fits` tells whether it is about the very same file. */
export async function findJournal(
  path: string,
  expected: { file: FileIdentity; parent: string | null; region: string },
): Promise<{ log: BlockLog<JournalHeader>; fits: boolean } | null> {
  const log = await readBlockLog<JournalHeader>(path, isJournalHeader);
  if (!log) return null;
  const { file, parent, region } = log.header;
  return { log, fits: isSameFile(file, expected.file) && parent === expected.parent && region === expected.region };
}

/** Begins or goes on with a journal; it is on disk when this returns. */
export async function openJournal(
  path: string,
  header: JournalHeader,
  blocks: Map<number, Buffer> = new Map(),
): Promise<Journal> {
  await mkdir(dirname(path), { recursive: true });
  let current = header;
  let writer: RecordWriter | null = null;

  const rewrite = async (): Promise<void> => {
    await writer?.close();
    const content = Buffer.concat([
      Buffer.from(encodeHeader(current)),
      ...[...blocks].map(([index, hash]) => encodeRecord(index, hash)),
    ]);
    await writeFileDurably(path, content);
    writer = await openRecordWriter(path, content.length);
  };
  await rewrite();
  return {
    get header() {
      return current;
    },
    blocks,
    wasCompleting: header.state === "completing",
    async finish() {
      current = { ...current, state: "verified", blocks: blocks.size };
      blocks.clear();
      await rewrite();
    },
    async update(change) {
      current = { ...current, ...change };
      await rewrite();
    },
    add(index, hash) {
      const kept = Buffer.from(hash);
      blocks.set(index, kept);
      writer?.add(index, kept);
    },
    flush: async () => writer?.flush(),
    close: async () => writer?.close(),
  };
}
