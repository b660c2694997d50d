/** Reads an image in threads of its own and gives the blocks that must be sent, in bounded memory. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { ToolError } from "../../../errors.ts";
import { type BlockTable, blockBytes } from "./blocks.ts";

/** Places in `ScanInput.control`. */
export const control = {
  /** First block that no thread has taken. */
  next: 0,
  /** Counts freed slots; threads without one wait for it to change. */
  freed: 1,
  stop: 2,
  /** Blocks that need not be sent. */
  settled: 3,
} as const;

export interface ScanInput {
  path: string;
  fileBytes: number;
  table: BlockTable;
  /** The parent snapshot's blocks; null without a parent. */
  parent: BlockTable | null;
  slots: SharedArrayBuffer;
  /** 1 for each slot in use. */
  taken: Int32Array<SharedArrayBuffer>;
  control: Int32Array<SharedArrayBuffer>;
}

/** A block to send; without a slot it is a block of zeros. */
export interface ScanFound {
  index: number;
  slot: number | null;
}

export interface Scan {
  /** The next block to send; null when the whole image is read. */
  next(): Promise<ScanFound | null>;
  data(slot: number): Buffer;
  /** Gives the slot back to the threads. */
  free(slot: number): void;
  /** Blocks read so far that need not be sent. */
  settled(): number;
  /** Ends the threads; whoever waits for a block gets an AbortError. */
  stop(): Promise<void>;
}

/** One thread reads faster than most networks take. Where it does not, a second one helps, if there is a core for it. */
const mostThreads = Math.min(2, availableParallelism());
/** So long must the network have waited for blocks in all. */
const helpAfterMs = 500;
/** A thread holds little: its code and one table of buffers. */
const threadMemory = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 };

function createWorker(input: ScanInput | null): Worker {
  return new Worker(new URL("./scan-worker.ts", import.meta.url), {
    workerData: input,
    resourceLimits: threadMemory,
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
}

/** Starts a thread that ends at once, so that its code is compiled and kept. */
export async function compileScan(): Promise<void> {
  const worker = createWorker(null);
  worker.on("error", () => {});
  await new Promise((resolve) => worker.once("exit", resolve));
}

export function startScan(options: {
  path: string;
  fileBytes: number;
  table: BlockTable;
  parent: BlockTable | null;
  slots: number;
}): Scan {
  const { path, fileBytes, table, parent } = options;
  const input: ScanInput = {
    path,
    fileBytes,
    table,
    parent,
    slots: new SharedArrayBuffer(options.slots * blockBytes),
    taken: new Int32Array(new SharedArrayBuffer(options.slots * 4)),
    control: new Int32Array(new SharedArrayBuffer(Object.keys(control).length * 4)),
  };
  const waiting: { resolve(found: ScanFound | null): void; reject(error: Error): void }[] = [];
  const found: ScanFound[] = [];
  let running = 0;
  let waitedMs = 0;
  let failure: Error | null = null;

  const settle = (): void => {
    while (waiting.length > 0) {
      const first = found.shift();
      if (first) waiting.shift()?.resolve(first);
      else if (failure) waiting.shift()?.reject(failure);
      else if (running === 0) waiting.shift()?.resolve(null);
      else return;
    }
  };
  const fail = (error: unknown): void => {
    failure ??= new ToolError(
      `cannot read the image ${path}: ${error instanceof Error ? error.message : String(error)}`,
      {
        code: "image_unreadable",
        hint: "the file must stay as it is until the upload has ended; check the disk, then run it again",
        cause: error,
      },
    );
    settle();
  };
  const workers: Worker[] = [];
  const startThread = (): void => {
    running++;
    const worker = createWorker(input);
    worker.on("message", (message: ScanFound | "end") => {
      if (message === "end") running--;
      else found.push(message);
      settle();
    });
    worker.on("error", fail);
    workers.push(worker);
  };
  const noteWait = (ms: number): void => {
    waitedMs += ms;
    if (waitedMs > helpAfterMs && running > 0 && workers.length < mostThreads && !failure) startThread();
  };
  startThread();

  return {
    next: () =>
      new Promise((resolve, reject) => {
        const start = performance.now();
        const take = (block: ScanFound | null): void => {
          noteWait(performance.now() - start);
          resolve(block);
        };
        waiting.push({ resolve: take, reject });
        settle();
      }),
    data: (slot) => Buffer.from(input.slots, slot * blockBytes, blockBytes),
    free(slot) {
      Atomics.store(input.taken, slot, 0);
      Atomics.add(input.control, control.freed, 1);
      Atomics.notify(input.control, control.freed);
    },
    settled: () => Atomics.load(input.control, control.settled),
    async stop() {
      failure ??= Object.assign(new Error("the upload was stopped"), { name: "AbortError" });
      settle();
      Atomics.store(input.control, control.stop, 1);
      Atomics.add(input.control, control.freed, 1);
      Atomics.notify(input.control, control.freed);
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
