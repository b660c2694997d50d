/** Reading a snapshot: which blocks it has, and what is in them. */
import { createHash } from "node:crypto";
import type { Block, EBSClient } from "@aws-sdk/client-ebs";
import { persist } from "./retry.ts";

/** The most that one answer may hold. */
const pageBlocks = 10_000;

/** Every block of a snapshot, parents included, with the tokens to read them. `visibility`: wait for a fresh one, ms. */
export async function listBlocks(options: {
  ebs: EBSClient;
  snapshot: string;
  signal: AbortSignal;
  visibility: number;
}): Promise<{ blocks: Block[]; volumeGiB: number }> {
  const { ebs, snapshot, signal, visibility } = options;
  const { ListSnapshotBlocksCommand } = await import("@aws-sdk/client-ebs");
  const blocks: Block[] = [];
  let volumeGiB = 0;
  let token: string | undefined;
  do {
    const page = await persist(`listing the blocks of ${snapshot}`, { signal, visibility }, () =>
      ebs.send(
        new ListSnapshotBlocksCommand({
          SnapshotId: snapshot,
          MaxResults: pageBlocks,
          ...(token && { NextToken: token }),
        }),
        { abortSignal: signal },
      ),
    );
    blocks.push(...(page.Blocks ?? []));
    volumeGiB = page.VolumeSize ?? volumeGiB;
    token = page.NextToken;
  } while (token);
  return { blocks, volumeGiB };
}

/** SHA-256 of what the service gives for the block; its own checksum of it is not taken on trust. */
export async function readBlockHash(options: {
  ebs: EBSClient;
  snapshot: string;
  block: Block;
  signal: AbortSignal;
  visibility?: number;
}): Promise<Buffer> {
  const { ebs, snapshot, block, signal, visibility = 0 } = options;
  const { GetSnapshotBlockCommand } = await import("@aws-sdk/client-ebs");
  const what = `reading block ${block.BlockIndex} of ${snapshot}`;
  return persist(what, { signal, visibility }, async () => {
    const answer = await ebs.send(
      new GetSnapshotBlockCommand({ SnapshotId: snapshot, BlockIndex: block.BlockIndex, BlockToken: block.BlockToken }),
      { abortSignal: signal },
    );
    const hash = createHash("sha256");
    for await (const part of (answer.BlockData ?? []) as AsyncIterable<Uint8Array>) hash.update(part);
    return hash.digest();
  });
}
