import { open } from "node:fs/promises";
import { isMissing } from "./files.ts";

const blockBytes = 16 * 1024;

/** Never reads more than this from the end of a log, whatever the number of lines. */
const mostBytes = 1024 * 1024;

/** The last `count` lines of a file that may be large; empty when there is no such file. */
export async function readLastLines(path: string, count: number): Promise<string[]> {
  const handle = await open(path, "r").catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (!handle || count <= 0) {
    await handle?.close();
    return [];
  }
  try {
    const { size } = await handle.stat();
    let start = size;
    let bytes: Buffer = Buffer.alloc(0);
    // One line break more than lines wanted: the last line ends with one, and the first is then whole.
    while (start > 0 && size - start < mostBytes && breaksIn(bytes) <= count) {
      const length = Math.min(blockBytes, start);
      start -= length;
      const block = Buffer.alloc(length);
      await handle.read(block, 0, length, start);
      bytes = Buffer.concat([block, bytes]);
    }
    const lines = bytes.toString("utf8").split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines.slice(-count);
  } finally {
    await handle.close();
  }
}

function breaksIn(bytes: Buffer): number {
  return bytes.reduce((count, byte) => (byte === 0x0a ? count + 1 : count), 0);
}
