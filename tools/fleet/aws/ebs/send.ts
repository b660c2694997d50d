/** Puts blocks into a snapshot, many at once, each until it is there. */
import { setTimeout as sleep } from "node:timers/promises";
import { ProviderError } from "../../../errors.ts";
import { asAwsError, awsErrorCode, isNotFound } from "../errors.ts";
import { type BlockTable, blockBytes, hashOf, zeroHashHex } from "./blocks.ts";
import type { PutBlock } from "./put-block.ts";
import type { RateController } from "./rate.ts";
import { outcomeOf, patienceMs, pauseMs, visibilityMs } from "./retry.ts";
import type { Scan, ScanFound } from "./scan.ts";
import { signatureCodes } from "./sign.ts";

/** A block that the service finds damaged may have been damaged on the way; one that stays so is a fault. */
const damagedAttempts = 3;
const damage = new Set(["ValidationException", "XAmzContentSHA256Mismatch", "BadDigest", ...signatureCodes]);

export interface Sender {
  /** Takes the block; resolves when the next one may come, not when it is sent. */
  send(block: ScanFound): Promise<void>;
  /** Resolves when all blocks are there; rejects with the first failure. */
  end(): Promise<void>;
}

export function createSender(options: {
  put(block: PutBlock): Promise<void>;
  snapshot: string;
  /** When the snapshot was started; it may not be known everywhere yet. Milliseconds of `performance.now()`. */
  startedAt: number;
  scan: Scan;
  table: BlockTable;
  rate: RateController;
  onSent(index: number, hash: Buffer): void;
  signal: AbortSignal;
}): Sender {
  const { snapshot, scan, table, rate, onSent } = options;
  const zeroHash = Buffer.from(zeroHashHex, "hex");
  const zeros = Buffer.alloc(blockBytes);
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  /** Blocks on their way are not waited for once all is over; the client's end takes them along. */
  const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  const underway = new Set<Promise<void>>();
  let failure: unknown = null;
  let lastSuccess = performance.now();

  /** Throws what cannot be helped; otherwise the next attempt may follow after a pause. */
  const judge = (error: unknown, attempt: number, index: number): "throttled" | "failed" => {
    const outcome = outcomeOf(error);
    const stalledMs = performance.now() - lastSuccess;
    if (outcome !== null && stalledMs < patienceMs) return outcome;
    if (isNotFound(error) && performance.now() - options.startedAt < visibilityMs) return "failed";
    const isDamaged = damage.has(awsErrorCode(error));
    if (isDamaged && attempt < damagedAttempts) return "failed";
    if (outcome !== null)
      throw new ProviderError(
        `no block reached ${snapshot} for ${Math.round(stalledMs / 1000)} s; the last answer: ${error instanceof Error ? error.message : String(error)} (${awsErrorCode(error)})`,
        {
          code: "upload_stalled",
          hint: "check the network and the AWS health page, then run it again: it goes on where it stopped",
          cause: error,
        },
      );
    throw asAwsError(error, `sending block ${index} to ${snapshot}`);
  };

  const put = async ({ index, slot }: ScanFound): Promise<void> => {
    const hash = slot === null ? zeroHash : hashOf(table, index);
    const block = { index, data: slot === null ? zeros : scan.data(slot), hash };
    for (let attempt = 1; ; attempt++) {
      try {
        await options.put(block);
        rate.leave("ok");
        lastSuccess = performance.now();
        break;
      } catch (error) {
        // Whoever waits for a place must get it, whatever happens next.
        rate.leave(outcomeOf(error) ?? "failed");
        if (signal.aborted) return;
        judge(error, attempt, index);
      }
      await sleep(pauseMs(attempt), undefined, { signal });
      await rate.enter(signal);
    }
    // What arrives after the end is not in the journal and will be sent again.
    if (signal.aborted) return;
    onSent(index, hash);
    if (slot !== null) scan.free(slot);
  };

  const fail = (error: unknown): void => {
    failure ??= error;
    stop.abort();
    // Whoever waits for the next block must not wait for slots that nobody will free.
    void scan.stop();
  };

  return {
    async send(block) {
      await rate.enter(signal);
      if (signal.aborted) {
        rate.leave("failed");
        throw failure ?? options.signal.reason;
      }
      const task: Promise<void> = put(block)
        .catch(fail)
        .finally(() => underway.delete(task));
      underway.add(task);
    },
    async end() {
      while (underway.size > 0 && !signal.aborted) await Promise.race([Promise.all(underway), aborted]);
      options.signal.throwIfAborted();
      if (failure) throw failure;
    },
  };
}
