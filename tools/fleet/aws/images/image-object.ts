/** The raw disk image as an object in the fleet's bucket, for VM Import: sent in parts, resumed after a kill. */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { CompletedPart, S3Client } from "@aws-sdk/client-s3";
import type { AwsClients } from "../clients.ts";
import { asAwsError, aws, isNotFound } from "../errors.ts";

/** Not much is lost with one that fails; 10,000 parts, S3's limit, hold 80 GiB. */
const partBytes = 8 * 1024 ** 2;
/** With parts of 8 MiB this is what is held in memory at a time: 32 MiB. */
const partsAtOnce = 4;
/** For one part where all of them share 2 Mbit/s. */
const partTimeoutMs = 150_000;

export interface ImageObject {
  bucket: string;
  key: string;
  /** Says whose it is: nothing is deleted that does not carry this fleet's. */
  fleet: string;
}

export interface ObjectContent {
  file: string;
  bytes: number;
  closure: string;
}

/** Where the raw image of an image id lies. */
export function imageObject(settings: { bucket: string; fleet: string }, id: string): ImageObject {
  return { bucket: settings.bucket, key: `images/${id}.raw`, fleet: settings.fleet };
}

/**
 * Puts the file there, unless an object of the same closure and size is. Parts that an earlier attempt sent are compared
 * by checksum and not sent again.
 */
export async function putImageObject(options: {
  clients: Pick<AwsClients, "s3">;
  object: ImageObject;
  content: ObjectContent;
  progress(text: string): void;
  signal: AbortSignal;
}): Promise<{ reused: boolean }> {
  const { object, content, signal } = options;
  const { bucket: Bucket, key: Key } = object;
  const client = await options.clients.s3();
  const present = await headOf(client, object);
  if (present?.bytes === content.bytes && present.closure === content.closure) return { reused: true };

  await aws(`sending s3://${Bucket}/${Key}`, async () => {
    const s3 = await import("@aws-sdk/client-s3");
    const upload = await openUpload(client, object, content);
    const total = Math.max(1, Math.ceil(content.bytes / partBytes));
    const parts: CompletedPart[] = new Array(total);
    const handle = await open(content.file, "r");
    let next = 0;
    let sent = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < total; index = next++) {
        signal.throwIfAborted();
        const body = await readPart(handle, index, content.bytes);
        const PartNumber = index + 1;
        const known = upload.parts.get(PartNumber);
        if (known?.ETag?.replaceAll('"', "") === createHash("md5").update(body).digest("hex")) {
          parts[index] = known;
        } else {
          const request = { Bucket, Key, UploadId: upload.id, PartNumber, Body: body };
          const answer = await client.send(new s3.UploadPartCommand(request), {
            abortSignal: signal,
            requestTimeout: partTimeoutMs,
          });
          parts[index] = { PartNumber, ETag: answer.ETag, ChecksumCRC32: answer.ChecksumCRC32 };
        }
        sent++;
        options.progress(`sent ${Math.floor((100 * sent) / total)} % of ${Math.ceil(content.bytes / 1e6)} MB to S3`);
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(partsAtOnce, total) }, worker));
    } finally {
      // Workers that still run after another failed find nothing more to do.
      next = total;
      await handle.close();
    }
    const MultipartUpload = { Parts: parts };
    await client.send(new s3.CompleteMultipartUploadCommand({ Bucket, Key, UploadId: upload.id, MultipartUpload }));
  });
  return { reused: false };
}

/** Deletes the object, where it is this fleet's, and every unfinished upload to its key. Idempotent. */
export async function removeImageObject(clients: Pick<AwsClients, "s3">, object: ImageObject): Promise<void> {
  const { bucket: Bucket, key: Key } = object;
  const client = await clients.s3();
  await aws(`removing s3://${Bucket}/${Key}`, async () => {
    const { AbortMultipartUploadCommand, DeleteObjectCommand } = await import("@aws-sdk/client-s3");
    for (const UploadId of await unfinished(client, object)) {
      try {
        await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
    const present = await headOf(client, object);
    if (present?.fleet === object.fleet) await client.send(new DeleteObjectCommand({ Bucket, Key }));
  });
}

export async function imageObjectExists(clients: Pick<AwsClients, "s3">, object: ImageObject): Promise<boolean> {
  return (await headOf(await clients.s3(), object)) !== null;
}

async function headOf(
  client: S3Client,
  object: ImageObject,
): Promise<{ bytes: number; closure: string; fleet: string } | null> {
  const { HeadObjectCommand } = await import("@aws-sdk/client-s3");
  try {
    const head = await client.send(new HeadObjectCommand({ Bucket: object.bucket, Key: object.key }));
    const { closure = "", fleet = "" } = head.Metadata ?? {};
    return { bytes: head.ContentLength ?? -1, closure, fleet };
  } catch (error) {
    if (isGone(error)) return null;
    throw asAwsError(error, `looking at s3://${object.bucket}/${object.key}`);
  }
}

/** A HEAD's error has no body, so S3 can only say "NotFound". */
function isGone(error: unknown): boolean {
  return isNotFound(error) || (error as { name?: string }).name === "NoSuchUpload";
}

async function openUpload(
  client: S3Client,
  object: ImageObject,
  content: ObjectContent,
): Promise<{ id: string; parts: Map<number, CompletedPart> }> {
  const s3 = await import("@aws-sdk/client-s3");
  const { bucket: Bucket, key: Key } = object;
  const [begun] = await unfinished(client, object);
  if (begun !== undefined) {
    const parts = new Map<number, CompletedPart>();
    for (let marker = 0, isMore = true; isMore; ) {
      const query = { Bucket, Key, UploadId: begun, ...(marker > 0 ? { PartNumberMarker: String(marker) } : {}) };
      const { Parts = [], IsTruncated, NextPartNumberMarker } = await client.send(new s3.ListPartsCommand(query));
      for (const { PartNumber = 0, ETag, ChecksumCRC32 } of Parts) {
        parts.set(PartNumber, { PartNumber, ETag, ChecksumCRC32 });
      }
      const next = Number(NextPartNumberMarker ?? 0);
      // A page that leads no further ends it, whatever it says of more.
      isMore = IsTruncated === true && next > marker;
      marker = next;
    }
    return { id: begun, parts };
  }
  const Metadata = { fleet: object.fleet, closure: content.closure };
  const { UploadId = "" } = await client.send(new s3.CreateMultipartUploadCommand({ Bucket, Key, Metadata }));
  return { id: UploadId, parts: new Map() };
}

/** Unfinished uploads to exactly this key, oldest first. */
async function unfinished(client: S3Client, object: ImageObject): Promise<string[]> {
  const { ListMultipartUploadsCommand } = await import("@aws-sdk/client-s3");
  const answer = await client.send(new ListMultipartUploadsCommand({ Bucket: object.bucket, Prefix: object.key }));
  return (answer.Uploads ?? []).flatMap(({ Key, UploadId }) => (Key === object.key && UploadId ? [UploadId] : []));
}

async function readPart(handle: FileHandle, index: number, total: number): Promise<Buffer> {
  const start = index * partBytes;
  const buffer = Buffer.alloc(Math.min(partBytes, total - start));
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, start + filled);
    if (bytesRead === 0) throw new Error("the file became shorter while it was sent");
    filled += bytesRead;
  }
  return buffer;
}
