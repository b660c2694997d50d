/** What is attached to a message: pictures of the set, and answers too long to be read in a channel. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pictures, picturesDirectory } from "../../../../pictures/catalogue.ts";
import type { PostFile } from "./post-record.ts";
import { withoutUnseen } from "./split-harmless.ts";

/** Bots may send files of 10 MiB where nobody paid for more (discord-api-docs, “Uploading files”). */
const longestFileBytes = 8_000_000;
/** Of `description` of an attachment (discord-api-docs, “Attachment object”). */
const longestDescription = 1_024;
/** Of one message. */
export const mostFiles = 10;

/** A picture of workspace/pictures with its alt text; null for one that the program does not have. */
export async function pictureFile({ picture, alt }: { picture: string; alt: string }): Promise<PostFile | null> {
  const known = pictures().find(({ id }) => id === picture);
  if (!known) return null;
  const description = withoutUnseen(alt || known.alt)
    .slice(0, longestDescription)
    .toWellFormed();
  const data = await readFile(join(picturesDirectory, known.file));
  return { name: known.file, data, contentType: "image/webp", description };
}

/** A text as a file that opens beside the message. */
export function textFile(text: string): PostFile {
  const data = Buffer.from(withoutUnseen(text), "utf8");
  return {
    name: "answer.md",
    data: data.length <= longestFileBytes ? data : Buffer.from(data.subarray(0, longestFileBytes).toString("utf8")),
    contentType: "text/markdown; charset=utf-8",
    description: "The whole answer",
  };
}
