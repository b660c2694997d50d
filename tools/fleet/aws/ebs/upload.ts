/**
 * Makes an EBS snapshot from a raw disk image by writing its blocks directly. Holes and blocks of zeros are not sent;
 * with a parent, neither is what the parent has. Killed at any point, the same call goes on where it stopped.
 */
import { join } from "node:path";
import { ToolError } from "../../../errors.ts";
import { sha256 } from "../../../json.ts";
import { acquireProcessLock } from "../../../process-lock.ts";
import type { AwsClients } from "../clients.ts";
import { type Tags, tokenTag } from "../tags.ts";
import { begin } from "./begin.ts";
import { type BlockTable, blockBytes, blockState, blocksIn, createBlockTable, gibibyte, setBlock } from "./blocks.ts";
import { type FileIdentity, identifyImage, isSameFile } from "./image-file.ts";
import type { Journal } from "./journal.ts";
import { type ParentContent, readParent, writeRecord } from "./parent.ts";
import { startProgress } from "./progress.ts";
import { createBlockPut } from "./put-block.ts";
import { createRateController } from "./rate.ts";
import { compileScan, startScan } from "./scan.ts";
import { createSender } from "./send.ts";
import { completeSnapshot, deleteUnfinished, startSnapshot } from "./snapshot.ts";
import { verifySnapshot } from "./verify.ts";

/** Blocks on their way at once, at most. */
const mostConcurrent = 40;
/** Blocks in memory: on their way, waiting to be sent again, and read ahead. */
const slots = 48;
/** Reads of a parent's blocks at once. */
const parallelReads = 32;
/** Clocks may differ by this much; AWS accepts no request with more. */
const clockToleranceMs = 5 * 60_000;

export interface UploadProgress {
  /** Blocks that are sent, or need not be. */
  blocksDone: number;
  blocksTotal: number;
  bytesSent: number;
  mibPerSecond: number;
  secondsLeft: number | null;
}

export interface UploadOptions {
  /** Raw disk image. */
  file: string;
  /** Snapshot whose content is the base; only what differs is sent. */
  parent: string | null;
  clients: Pick<AwsClients, "ebs" | "ec2" | "region">;
  /** Client token (hexadecimal, at most 64 characters): the same at every attempt of one upload. */
  token: string;
  description: string;
  tags: Tags;
  /** Directory of block journals, on local disk. */
  journalDirectory: string;
  onProgress(progress: UploadProgress): void;
  signal: AbortSignal;
  /**
   * Whether snapshots with this token are looked up where no journal is here; default true. Needless where the token
   * comes from this very file, which no other machine has.
   */
  lookUp?: boolean;
}

export interface UploadResult {
  snapshot: string;
  /** Blocks of the snapshot that were sent, by this and earlier attempts. */
  blocks: number;
  /** Sent by this attempt. */
  bytesSent: number;
  seconds: number;
  /** Blocks of the whole image, holes included. */
  blocksTotal: number;
  resumed: boolean;
  parent: string | null;
  /** Blocks that were read back; 0 where the service gave none. */
  verifiedBlocks: number;
}

/** Has all that an upload loads late compiled, so that the next start finds it so. */
export async function compileUploader(): Promise<void> {
  await Promise.all([compileScan(), import("./client.ts"), import("@aws-sdk/client-ebs")]);
}

/** Returns when the snapshot is completed and a sample of it was read back. */
export async function uploadSnapshot(options: UploadOptions): Promise<UploadResult> {
  const file = identifyImage(options.file);
  const lock = acquireProcessLock(join(options.journalDirectory, `${options.token}.lock`));
  if (!lock) {
    throw new ToolError(`${options.file} is being uploaded by another process`, {
      code: "upload_running",
      hint: "wait for it to end, then run this again",
    });
  }
  try {
    return await upload(options, file);
  } finally {
    lock.release();
  }
}

async function upload(options: UploadOptions, file: FileIdentity): Promise<UploadResult> {
  const { clients, parent, signal } = options;
  const startedAt = performance.now();
  const { journal, resumed, finished } = await begin(options, file);
  const result = (more: {
    snapshot: string;
    blocks: number;
    bytesSent: number;
    verifiedBlocks: number;
  }): UploadResult => ({
    ...more,
    seconds: (performance.now() - startedAt) / 1000,
    blocksTotal: blocksIn(file.bytes),
    resumed,
    parent,
  });
  if (finished) {
    await journal.close();
    return result({ ...finished, bytesSent: 0, verifiedBlocks: 0 });
  }
  try {
    const base = parent === null ? null : await readParentOf(options, parent);
    const volumeGiB = Math.max(Math.ceil(file.bytes / gibibyte), base?.volumeGiB ?? 1);
    const table = createBlockTable(Math.max(blocksIn(file.bytes), base?.table.count ?? 0));
    const { snapshot, bytesSent, isCompleted } = await fill({ options, file, journal, table, base, volumeGiB });
    if (isCompleted) {
      await journal.finish();
      return result({ snapshot, blocks: 0, bytesSent, verifiedBlocks: 0 });
    }
    await journal.update({ state: "completing" });
    const ebs = await clients.ebs();
    await completeSnapshot({
      ebs,
      ec2: clients.ec2,
      snapshot,
      blocks: journal.blocks,
      maybeSealed: journal.wasCompleting,
      signal,
    });
    const verifiedBlocks = await verifySnapshot({ ebs, snapshot, table, sent: journal.blocks, signal });
    await writeRecord({
      directory: options.journalDirectory,
      snapshot,
      region: clients.region,
      volumeGiB,
      table,
      present: [...(base?.present ?? []), ...journal.blocks.keys()],
    });
    const blocks = journal.blocks.size;
    await journal.finish();
    return result({ snapshot, blocks, bytesSent, verifiedBlocks });
  } finally {
    await journal.close();
  }
}

async function readParentOf(options: UploadOptions, snapshot: string): Promise<ParentContent> {
  return readParent({
    ebs: await options.clients.ebs(),
    ec2: options.clients.ec2,
    snapshot,
    region: options.clients.region,
    directory: options.journalDirectory,
    parallel: parallelReads,
    signal: options.signal,
  });
}

/** Starts the snapshot if need be and puts every block that is not there yet. */
async function fill(given: {
  options: UploadOptions;
  file: FileIdentity;
  journal: Journal;
  table: BlockTable;
  base: ParentContent | null;
  volumeGiB: number;
}): Promise<{ snapshot: string; bytesSent: number; isCompleted: boolean }> {
  const { options, file, journal, table, base, volumeGiB } = given;
  const { signal } = options;
  for (const [index, hash] of journal.blocks) {
    setBlock(table, index, hash);
    table.states[index] = blockState.sentBefore;
  }
  const sentBefore = journal.blocks.size;
  let bytesSent = 0;
  // Reading begins while the SDK is still being loaded and the service asked for a snapshot.
  const scan = startScan({ path: options.file, fileBytes: file.bytes, table, parent: base?.table ?? null, slots });
  const abort = (): void => void scan.stop();
  signal.addEventListener("abort", abort, { once: true });
  const progress = startProgress({
    blocksTotal: blocksIn(file.bytes),
    blocksDone: () => Math.min(blocksIn(file.bytes), scan.settled() + journal.blocks.size),
    bytesSent: () => bytesSent,
    report: options.onProgress,
  });
  try {
    const ebs = await options.clients.ebs();
    const begunAt = performance.now();
    const { snapshot, isCompleted } = await nameSnapshot({ options, journal, volumeGiB });
    if (isCompleted) return { snapshot, bytesSent, isCompleted };
    const sender = createSender({
      put: createBlockPut({ ebs, snapshot, commands: await import("@aws-sdk/client-ebs") }),
      snapshot,
      startedAt: begunAt,
      scan,
      table,
      rate: createRateController({ most: mostConcurrent }),
      onSent(index, hash) {
        bytesSent += blockBytes;
        journal.add(index, hash);
      },
      signal,
    });
    try {
      for (let block = await scan.next(); block; block = await scan.next()) await sender.send(block);
      // What the parent has beyond the end of a shorter image would shine through.
      for (let index = blocksIn(file.bytes); index < (base?.table.count ?? 0); index++)
        if (base?.table.states[index] === blockState.data && !journal.blocks.has(index))
          await sender.send({ index, slot: null });
    } finally {
      await sender.end();
    }
    await journal.flush();
    if (!isSameFile(identifyImage(options.file), file)) {
      throw new ToolError(`the image ${options.file} changed while it was being uploaded`, {
        code: "image_changed",
        hint: "wait until nothing writes to it, then run it again: a new snapshot is begun",
      });
    }
    if (sentBefore > 0) for (const [index, hash] of journal.blocks) setBlock(table, index, hash);
    return { snapshot, bytesSent, isCompleted: false };
  } finally {
    progress.stop();
    signal.removeEventListener("abort", abort);
    await scan.stop();
  }
}

/** The snapshot of the journal, or a new one. One that was started long ago has blocks that no journal tells of. */
async function nameSnapshot(given: {
  options: UploadOptions;
  journal: Journal;
  volumeGiB: number;
}): Promise<{ snapshot: string; isCompleted: boolean }> {
  const { options, journal } = given;
  const { clients, parent, description, token, signal } = options;
  const { header } = journal;
  if (header.snapshot !== null) return { snapshot: header.snapshot, isCompleted: false };
  const ebs = await clients.ebs();
  const start = () =>
    startSnapshot({
      ebs,
      clientToken: journal.header.clientToken,
      volumeGiB: given.volumeGiB,
      parent,
      description,
      tags: { ...options.tags, [tokenTag]: token },
      signal,
    });
  let started = await start();
  if (!started.isCompleted && started.startedAt < header.startedAt - clockToleranceMs) {
    const stale = started.snapshot;
    await journal.update({ clientToken: sha256(`${token}:${stale}`) });
    await deleteUnfinished(clients.ec2, stale);
    started = await start();
  }
  await journal.update({ snapshot: started.snapshot });
  return started;
}
