/** How far an upload is, told a few times a second. */
import type { UploadProgress } from "./upload.ts";

const intervalMs = 250;
/** The rate is that of the last few seconds. */
const windowMs = 5_000;
const mebibyte = 1024 * 1024;

export interface ProgressMeter {
  stop(): void;
}

/** Calls `report` until it is stopped, and once more then. */
export function startProgress(options: {
  blocksTotal: number;
  blocksDone(): number;
  bytesSent(): number;
  report(progress: UploadProgress): void;
}): ProgressMeter {
  const { blocksTotal, report } = options;
  const samples = [{ at: performance.now(), bytes: options.bytesSent(), blocks: options.blocksDone() }];
  const tell = (): void => {
    const now = { at: performance.now(), bytes: options.bytesSent(), blocks: options.blocksDone() };
    samples.push(now);
    while (samples.length > 2 && now.at - (samples[0]?.at ?? 0) > windowMs) samples.shift();
    const first = samples[0] ?? now;
    const seconds = (now.at - first.at) / 1000;
    const blocksPerSecond = seconds > 0 ? (now.blocks - first.blocks) / seconds : 0;
    report({
      blocksDone: now.blocks,
      blocksTotal,
      bytesSent: now.bytes,
      mibPerSecond: seconds > 0 ? (now.bytes - first.bytes) / mebibyte / seconds : 0,
      secondsLeft: blocksPerSecond > 0 ? Math.max(0, blocksTotal - now.blocks) / blocksPerSecond : null,
    });
  };
  const timer = setInterval(tell, intervalMs);
  return {
    stop() {
      clearInterval(timer);
      tell();
    },
  };
}
