/** Reads back a sample of a completed snapshot, so that what is registered is known to be what was meant. */
import type { Block, EBSClient } from "@aws-sdk/client-ebs";
import { ProviderError } from "../../../errors.ts";
import { isNotFound } from "../errors.ts";
import { type BlockTable, blockState, hashOf, zeroHashHex } from "./blocks.ts";
import { listBlocks, readBlockHash } from "./read-back.ts";
import { visibilityMs } from "./retry.ts";

/** Of the blocks that were sent, and of those that come from the parent. */
const sampleBlocks = 8;
/** Each holds a block or two in memory. */
const parallelReads = 4;

/**
 * Throws when a block is missing or differs; deletes nothing. Returns how many blocks were read: 0 where the service
 * lists the blocks but gives none of them back.
 */
export async function verifySnapshot(options: {
  ebs: EBSClient;
  snapshot: string;
  /** What must be in it. */
  table: BlockTable;
  sent: ReadonlyMap<number, Buffer>;
  signal: AbortSignal;
}): Promise<number> {
  const { ebs, snapshot, table, sent, signal } = options;
  const { blocks } = await listBlocks({ ebs, snapshot, signal, visibility: visibilityMs });
  const listed = new Map(blocks.map((block) => [block.BlockIndex ?? -1, block]));
  for (let index = 0; index < table.count; index++)
    if (table.states[index] === blockState.data && !listed.has(index)) throw differs(snapshot, index, "is missing");

  const chosen = [
    ...pick(blocks.filter((block) => sent.has(block.BlockIndex ?? -1))),
    ...pick(blocks.filter((block) => !sent.has(block.BlockIndex ?? -1))),
  ];
  const read = async (block: Block, visibility: number): Promise<Buffer | null> => {
    try {
      return await readBlockHash({ ebs, snapshot, block, signal, visibility });
    } catch (error) {
      if (isNotFound((error as Error).cause) && visibility === 0) return null;
      throw error;
    }
  };
  const hashes: (Buffer | null)[] = [];
  for (let at = 0; at < chosen.length; at += parallelReads)
    hashes.push(...(await Promise.all(chosen.slice(at, at + parallelReads).map((block) => read(block, 0)))));
  if (hashes.every((hash) => hash === null)) return 0;
  for (const [at, block] of chosen.entries()) {
    const index = block.BlockIndex ?? -1;
    const hash = hashes[at] ?? (await read(block, visibilityMs));
    const isData = index < table.count && table.states[index] === blockState.data;
    const expected = isData ? hashOf(table, index) : Buffer.from(zeroHashHex, "hex");
    if (!hash?.equals(expected)) throw differs(snapshot, index, "is not what the image has there");
  }
  return chosen.length;
}

function pick(blocks: Block[]): Block[] {
  const rest = [...blocks];
  const chosen: Block[] = [];
  while (chosen.length < sampleBlocks && rest.length > 0)
    chosen.push(...rest.splice(Math.floor(Math.random() * rest.length), 1));
  return chosen;
}

function differs(snapshot: string, index: number, how: string): ProviderError {
  return new ProviderError(`${snapshot} was completed, but its block ${index} ${how}`, {
    code: "snapshot_differs",
    hint: `use no image of it; keep it to find out why, or delete it (aws ec2 delete-snapshot --snapshot-id ${snapshot}) and upload again`,
  });
}
