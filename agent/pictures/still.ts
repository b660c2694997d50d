/** The first frame of an animated WebP as a picture that does not move. */

const headerBytes = 12;
/** Of an ANMF chunk, before the frame's own chunks: place, size, duration and flags. */
const frameHeaderBytes = 16;
const animationFlag = 0b10;

interface Chunk {
  name: string;
  body: Buffer;
}

/** Null when the file is no animated WebP. Needs no decoder: the frame's own chunks become the file's. */
export function firstFrame(file: Buffer): Buffer | null {
  if (file.toString("latin1", 0, 4) !== "RIFF" || file.toString("latin1", 8, 12) !== "WEBP") return null;
  const chunks = chunksOf(file.subarray(headerBytes));
  const extended = chunks.find(({ name }) => name === "VP8X");
  const frame = chunks.find(({ name }) => name === "ANMF");
  if (!extended || !frame) return null;
  const header = Buffer.from(extended.body);
  header[0] = (header[0] ?? 0) & ~animationFlag;
  const parts = [{ name: "VP8X", body: header }, ...chunksOf(frame.body.subarray(frameHeaderBytes))].map(write);
  const body = Buffer.concat([Buffer.from("WEBP", "latin1"), ...parts]);
  return write({ name: "RIFF", body });
}

function chunksOf(bytes: Buffer): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32LE(at + 4);
    chunks.push({ name: bytes.toString("latin1", at, at + 4), body: bytes.subarray(at + 8, at + 8 + size) });
    at += 8 + size + (size % 2);
  }
  return chunks;
}

function write({ name, body }: Chunk): Buffer {
  const header = Buffer.alloc(8);
  header.write(name, "latin1");
  header.writeUInt32LE(body.length, 4);
  return Buffer.concat([header, body, Buffer.alloc(body.length % 2)]);
}
