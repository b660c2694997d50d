/**
 * One of the threads that read the image: finds blocks of zeros, hashes the others, and hands over those to be sent.
 * Blocks lie in slots of shared memory; without a free slot it waits, so memory stays bounded however slow the network.
 */
import { hash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { blockBytes, blockState, blocksIn, hashBytes } from "./blocks.ts";
import { control, type ScanFound, type ScanInput } from "./scan.ts";

/** Blocks taken at once (8 MiB), so that each thread reads forward and the kernel reads ahead. */
const rangeBlocks = 16;
/** A lost wake-up costs this much, no more. */
const waitMs = 500;

/** Null for a thread that only loads this file. */
const input = workerData as ScanInput;
const slotCount = workerData === null ? 0 : input.slots.byteLength / blockBytes;
const zeros = Buffer.alloc(blockBytes);
const views = Array.from({ length: slotCount }, (_, slot) => Buffer.from(input.slots, slot * blockBytes, blockBytes));

function takeSlot(): number | null {
  for (;;) {
    const signal = Atomics.load(input.control, control.freed);
    if (Atomics.load(input.control, control.stop) !== 0) return null;
    for (let slot = 0; slot < slotCount; slot++)
      if (Atomics.compareExchange(input.taken, slot, 0, 1) === 0) return slot;
    Atomics.wait(input.control, control.freed, signal, waitMs);
  }
}

/** The file's end is filled up with zeros. */
function readBlock(file: number, index: number, into: Buffer): void {
  const offset = index * blockBytes;
  const wanted = Math.min(blockBytes, input.fileBytes - offset);
  let done = 0;
  while (done < wanted) {
    const read = readSync(file, into, done, wanted - done, offset + done);
    if (read === 0) throw new Error(`the file ends at byte ${offset + done}, before its length of ${input.fileBytes}`);
    done += read;
  }
  if (wanted < blockBytes) into.fill(0, wanted);
}

/** Whether the parent reads the same there, so that nothing need be sent; `hashed` is null for zeros. */
function isInherited(index: number, hashed: Buffer | null): boolean {
  const { parent } = input;
  const hasData = parent !== null && index < parent.count && parent.states[index] === blockState.data;
  if (hashed === null || !hasData) return hashed === null && !hasData;
  return hashed.equals(parent.hashes.subarray(index * hashBytes, (index + 1) * hashBytes));
}

function scan(): void {
  const { table } = input;
  const count = blocksIn(input.fileBytes);
  const found = (message: ScanFound): void => parentPort?.postMessage(message);
  const file = openSync(input.path, "r");
  let slot: number | null = null;
  try {
    for (;;) {
      const start = Atomics.add(input.control, control.next, rangeBlocks);
      if (start >= count) break;
      for (let index = start; index < Math.min(start + rangeBlocks, count); index++) {
        if (table.states[index] === blockState.sentBefore) continue;
        slot ??= takeSlot();
        if (slot === null) return;
        const view = views[slot] as Buffer;
        readBlock(file, index, view);
        if (view.compare(zeros) === 0) {
          table.states[index] = blockState.zero;
          if (isInherited(index, null)) Atomics.add(input.control, control.settled, 1);
          else found({ index, slot: null });
          continue;
        }
        const hashed = hash("sha256", view, "buffer");
        table.hashes.set(hashed, index * hashBytes);
        table.states[index] = blockState.data;
        if (isInherited(index, hashed)) {
          Atomics.add(input.control, control.settled, 1);
          continue;
        }
        found({ index, slot });
        slot = null;
      }
    }
  } finally {
    closeSync(file);
    if (slot !== null) Atomics.store(input.taken, slot, 0);
  }
}

if (workerData !== null) {
  scan();
  parentPort?.postMessage("end");
}
