/** The disk image as a file: whether it can be uploaded, and whether it is still the same one. */
import { type BigIntStats, statSync } from "node:fs";
import { ToolError } from "../../../errors.ts";

/** Tells a file from every other, and from itself after a change. */
export interface FileIdentity {
  bytes: number;
  /** Nanoseconds, as text: they do not fit a number. */
  modified: string;
  inode: string;
  device: string;
}

/** Looks at the image; a directory, an empty or a missing file is refused with what to do. */
export function identifyImage(path: string): FileIdentity {
  let stat: BigIntStats;
  try {
    stat = statSync(path, { bigint: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new ToolError(`cannot read the image ${path}: ${code === "ENOENT" ? "there is no such file" : code}`, {
      code: "image_unreadable",
      hint: "give the path of a raw disk image, such as the one that `clawdinator image build` prints",
      cause: error,
    });
  }
  if (!stat.isFile()) {
    throw new ToolError(`${path} is ${stat.isDirectory() ? "a directory" : "not a regular file"}, not a disk image`, {
      code: "image_not_a_file",
      hint: "give the raw image itself, such as DIRECTORY/nixos.img",
    });
  }
  if (stat.size === 0n) {
    throw new ToolError(`the image ${path} is empty`, {
      code: "image_empty",
      hint: "build it again: an interrupted build can leave an empty file",
    });
  }
  return {
    bytes: Number(stat.size),
    modified: String(stat.mtimeNs),
    inode: String(stat.ino),
    device: String(stat.dev),
  };
}

export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return (
    one.bytes === other.bytes &&
    one.modified === other.modified &&
    one.inode === other.inode &&
    one.device === other.device
  );
}
