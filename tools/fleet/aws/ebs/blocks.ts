/** Block arithmetic and the tables of one image's blocks, in memory that the scanning threads share. */

/** EBS reads and writes snapshots in blocks of this size, no other. */
export const blockBytes = 512 * 1024;
export const gibibyte = 1024 ** 3;
export const hashBytes = 32;

/** SHA-256 of a block of zeros, hexadecimal. */
export const zeroHashHex = "07854d2fef297a06ba81685e660c332de36d5d18d546927d30daad6d7fda1541";

/** What is known of a block of the image. */
export const blockState = {
  unseen: 0,
  zero: 1,
  data: 2,
  /** Sent by an earlier attempt, so it is not read again; its hash is in the table. */
  sentBefore: 3,
} as const;

export interface BlockTable {
  count: number;
  /** One `blockState` a block. */
  states: Uint8Array<SharedArrayBuffer>;
  /** SHA-256 of each block that is not zero. */
  hashes: Uint8Array<SharedArrayBuffer>;
}

export function createBlockTable(count: number): BlockTable {
  return {
    count,
    states: new Uint8Array(new SharedArrayBuffer(count)),
    hashes: new Uint8Array(new SharedArrayBuffer(count * hashBytes)),
  };
}

export function hashOf(table: BlockTable, index: number): Buffer {
  return Buffer.from(table.hashes.buffer, index * hashBytes, hashBytes);
}

export function setBlock(table: BlockTable, index: number, hash: Uint8Array): void {
  table.hashes.set(hash, index * hashBytes);
  table.states[index] = isZeroHash(hash) ? blockState.zero : blockState.data;
}

function isZeroHash(hash: Uint8Array): boolean {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString("hex") === zeroHashHex;
}

export function blocksIn(bytes: number): number {
  return Math.ceil(bytes / blockBytes);
}
