/**
 * What a parent snapshot contains, so that only differences are sent. This machine keeps a list of the blocks of each
 * snapshot it completed. For any other parent the blocks are read back, in parallel: that costs half of what sending
 * them would and keeps the new snapshot small. Where the role may not read, all is sent; the result is the same.
 */
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Block, EBSClient } from "@aws-sdk/client-ebs";
import { ToolError } from "../../../errors.ts";
import { writeFileDurably } from "../../local/files.ts";
import { awsErrorCode } from "../errors.ts";
import { encodeHeader, encodeRecord, readBlockLog } from "./block-log.ts";
import {
  type BlockTable,
  blockState,
  blocksIn,
  createBlockTable,
  gibibyte,
  hashOf,
  setBlock,
  zeroHashHex,
} from "./blocks.ts";
import { listBlocks, readBlockHash } from "./read-back.ts";
import { type Ec2, findSnapshot } from "./snapshot.ts";

interface RecordHeader {
  snapshot: string;
  region: string;
  volumeGiB: number;
  /** Blocks of the volume. */
  count: number;
}

function isRecordHeader({ volumeGiB, count }: Record<string, unknown>): boolean {
  return typeof volumeGiB === "number" && typeof count === "number";
}

/** Lists of older snapshots are deleted; without one, the parent is read back. */
const keptRecords = 50;

export interface ParentContent {
  volumeGiB: number;
  /** Blocks of the whole volume. One that may not be read counts as data that nothing equals. */
  table: BlockTable;
  /** Every block that the snapshot chain has, whatever is in it. */
  present: number[];
}

/** Learns what the parent has; throws when it does not exist or is not this account's to read. */
export async function readParent(options: {
  ebs: EBSClient;
  ec2: Ec2;
  snapshot: string;
  region: string;
  directory: string;
  parallel: number;
  signal: AbortSignal;
}): Promise<ParentContent> {
  const { ebs, snapshot, region, directory, signal } = options;
  const record = await readBlockLog<RecordHeader>(recordPath(directory, snapshot), isRecordHeader);
  if (record && record.header.snapshot === snapshot && record.header.region === region) {
    const table = createBlockTable(record.header.count);
    for (const [index, hash] of record.blocks) if (index < table.count) setBlock(table, index, hash);
    return { volumeGiB: record.header.volumeGiB, table, present: [...record.blocks.keys()] };
  }
  const found = await findSnapshot(options.ec2, snapshot, { visibility: 0, signal });
  if (found?.State !== "completed") {
    throw new ToolError(
      `the parent snapshot ${snapshot} ${found ? `is ${found.State}, not completed` : `does not exist in ${region}`}`,
      {
        code: "unknown_parent",
        hint: "see `aws ec2 describe-snapshots --owner-ids self`; leave --parent out to send the whole image",
      },
    );
  }
  const { blocks, volumeGiB } = await listBlocks({ ebs, snapshot, signal, visibility: 0 });
  const present = blocks.map((block) => block.BlockIndex ?? 0);
  const table = await readHashes({ ...options, blocks, count: blocksIn(volumeGiB * gibibyte) });
  if (!table) return { volumeGiB, table: unreadable(present, blocksIn(volumeGiB * gibibyte)), present };
  await writeRecord({ directory, snapshot, region, volumeGiB, table, present });
  return { volumeGiB, table, present };
}

/** No block has a hash of nothing but zero bytes. */
function unreadable(present: number[], count: number): BlockTable {
  const table = createBlockTable(count);
  for (const index of present) table.states[index] = blockState.data;
  return table;
}

/** Null where the role may list blocks, but not read them. */
async function readHashes(options: {
  ebs: EBSClient;
  snapshot: string;
  blocks: Block[];
  count: number;
  parallel: number;
  signal: AbortSignal;
}): Promise<BlockTable | null> {
  const { ebs, snapshot, blocks, signal } = options;
  const table = createBlockTable(options.count);
  let next = 0;
  const readSome = async (): Promise<void> => {
    for (let block = blocks[next++]; block; block = blocks[next++])
      setBlock(table, block.BlockIndex ?? 0, await readBlockHash({ ebs, snapshot, block, signal }));
  };
  try {
    await Promise.all(Array.from({ length: options.parallel }, readSome));
    return table;
  } catch (error) {
    next = blocks.length;
    if (/^AccessDenied/.test(awsErrorCode((error as Error).cause))) return null;
    throw error;
  }
}

/** Remembers the blocks of a snapshot that is completed, for later uploads on top of it. */
export async function writeRecord(options: {
  directory: string;
  snapshot: string;
  region: string;
  volumeGiB: number;
  table: BlockTable;
  /** Blocks that the snapshot chain has though they are zero. */
  present: Iterable<number>;
}): Promise<void> {
  const { directory, snapshot, region, volumeGiB, table } = options;
  const zero = Buffer.from(zeroHashHex, "hex");
  const explicit = new Set(options.present);
  const parts: Buffer[] = [Buffer.from(encodeHeader({ snapshot, region, volumeGiB, count: table.count }))];
  for (let index = 0; index < table.count; index++) {
    if (table.states[index] === blockState.data) parts.push(encodeRecord(index, hashOf(table, index)));
    else if (explicit.has(index)) parts.push(encodeRecord(index, zero));
  }
  await mkdir(directory, { recursive: true });
  await writeFileDurably(recordPath(directory, snapshot), Buffer.concat(parts));
  await deleteOldRecords(directory);
}

async function deleteOldRecords(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".blocks"));
  if (names.length <= keptRecords) return;
  const aged = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(directory, name)).catch(() => null))?.mtimeMs ?? 0 })),
  );
  aged.sort((one, other) => other.at - one.at);
  for (const { name } of aged.slice(keptRecords)) await rm(join(directory, name), { force: true });
}

function recordPath(directory: string, snapshot: string): string {
  return join(directory, `${snapshot}.blocks`);
}
