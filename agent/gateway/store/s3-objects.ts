/**
 * Small objects in one bucket below one prefix: the calls that the store is made of. What a condition refuses comes back
 * as a value, anything else is thrown; dropped connections, throttles and 5xx are repeated by the SDK alone. Each answer
 * shows its `Date` to the clock.
 */
import { Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";
import { asAwsError, awsErrorCode } from "../../../tools/fleet/aws/errors.ts";
import type { S3Clock } from "./s3-clock.ts";
import { createTurns } from "./s3-turns.ts";

/** S3 answers 409 when two conditional writes meet: neither condition was judged, and asking again is right. */
const conflictAttempts = 12;
const conflictPauseMs = 25;

export interface ReadObject {
  body: string;
  etag: string;
  /** Since it was written, by S3's own two dates. */
  ageMs: number;
}

export interface ListedObject {
  name: string;
  etag: string;
  bytes: number;
  ageMs: number;
}

export type WriteCondition = { ifAbsent: true } | { ifEtag: string };

export interface S3Objects {
  read(name: string): Promise<ReadObject | null>;
  /** `unchanged` when it still has that ETag. */
  readIfChanged(name: string, etag: string | null): Promise<ReadObject | null | "unchanged">;
  /** The new ETag; null when the condition did not hold, or seemed not to because an earlier attempt was carried out. */
  write(name: string, body: string, condition: WriteCondition | null): Promise<string | null>;
  /** Removes exactly that state; false when something else, or nothing, stands there. */
  remove(name: string, etag: string): Promise<boolean>;
  /** In S3's order. */
  list(prefix: string): Promise<ListedObject[]>;
}

type Handler = (request: unknown) => Promise<{ response: unknown }>;
interface ObservableCommand {
  middlewareStack: {
    add(middleware: (next: Handler) => Handler, options: { step: "deserialize"; priority: "low"; name: string }): void;
  };
}

export function createS3Objects(options: {
  client(): Promise<S3Client>;
  bucket: string;
  clock: S3Clock;
  monotonic: () => number;
}): S3Objects {
  const { bucket, clock, monotonic } = options;
  const inTurn = createTurns();

  /**
   * Innermost, within the SDK's retries: sees every attempt by itself, and takes the whole answer in, so that one that
   * breaks off in the middle is an attempt that failed.
   */
  const observe =
    (next: Handler): Handler =>
    async (request) => {
      const sentAt = monotonic();
      const result = await next(request);
      const response = result.response as { headers?: Record<string, string>; body?: unknown };
      const dateMs = Date.parse(response.headers?.date ?? "");
      if (!Number.isNaN(dateMs)) clock.observe({ dateMs, sentAt, receivedAt: monotonic() });
      if (response.body instanceof Readable) {
        const chunks: Buffer[] = [];
        for await (const chunk of response.body) chunks.push(chunk as Buffer);
        response.body = Readable.from(chunks.length > 0 ? [Buffer.concat(chunks)] : [], { objectMode: false });
      }
      return result;
    };

  const prepared = <Command extends object>(command: Command): Command => {
    const { middlewareStack } = command as unknown as ObservableCommand;
    middlewareStack.add(observe, { step: "deserialize", priority: "low", name: "clawdinatorDate" });
    return command;
  };

  const ageOf = (modified: Date | undefined): number =>
    modified === undefined ? 0 : Math.max(0, (clock.read() ?? 0) - modified.getTime());

  const readIfChanged: S3Objects["readIfChanged"] = async (name, etag) => {
    const { GetObjectCommand: Get } = await import("@aws-sdk/client-s3");
    try {
      const input = { Bucket: bucket, Key: name, ...(etag === null ? {} : { IfNoneMatch: etag }) };
      const client = await options.client();
      return await inTurn(async () => {
        const output = await client.send(prepared(new Get(input)));
        const body = (await output.Body?.transformToString("utf8")) ?? "";
        return { body, etag: output.ETag ?? "", ageMs: ageOf(output.LastModified) };
      });
    } catch (error) {
      const status = statusOf(error);
      if (status === 304 && etag !== null) return "unchanged";
      if (isAbsent(error)) return null;
      throw asAwsError(error, `reading s3://${bucket}/${name}`);
    }
  };

  /** `call` until S3 has judged its condition; null when that did not hold. */
  const judged = async <T>(what: string, call: () => Promise<T>): Promise<T | null> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await inTurn(call);
      } catch (error) {
        if (statusOf(error) === 412 || isAbsent(error)) return null;
        if (statusOf(error) !== 409 || attempt === conflictAttempts) throw asAwsError(error, what);
        await new Promise((resolve) => setTimeout(resolve, conflictPauseMs * attempt * (0.5 + Math.random())));
      }
    }
  };

  return {
    read: (name) => readIfChanged(name, null) as Promise<ReadObject | null>,
    readIfChanged,

    async write(name, body, condition) {
      const { PutObjectCommand } = await import("@aws-sdk/client-s3");
      const client = await options.client();
      return judged(`writing s3://${bucket}/${name}`, async () => {
        const output = await client.send(
          prepared(
            new PutObjectCommand({
              Bucket: bucket,
              Key: name,
              Body: body,
              ContentType: "application/json",
              ...(condition === null
                ? {}
                : "ifAbsent" in condition
                  ? { IfNoneMatch: "*" }
                  : { IfMatch: condition.ifEtag }),
            }),
          ),
        );
        return output.ETag ?? "";
      });
    },

    async remove(name, etag) {
      const { DeleteObjectCommand } = await import("@aws-sdk/client-s3");
      const client = await options.client();
      const removed = await judged(`deleting s3://${bucket}/${name}`, async () => {
        await client.send(prepared(new DeleteObjectCommand({ Bucket: bucket, Key: name, IfMatch: etag })));
        return true;
      });
      return removed ?? false;
    },

    async list(prefix) {
      const { ListObjectsV2Command } = await import("@aws-sdk/client-s3");
      const client = await options.client();
      const found: ListedObject[] = [];
      let next: string | undefined;
      try {
        do {
          const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: next });
          const page = await inTurn(() => client.send(prepared(command)));
          for (const one of page.Contents ?? []) {
            const { Key: name = "", ETag: etag = "", Size: bytes = 0, LastModified } = one;
            found.push({ name, etag, bytes, ageMs: ageOf(LastModified) });
          }
          next = page.NextContinuationToken;
        } while (next !== undefined);
      } catch (error) {
        throw asAwsError(error, `listing s3://${bucket}/${prefix}`);
      }
      return found;
    },
  };
}

function statusOf(error: unknown): number {
  return (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode ?? 0;
}

/** The key is not there. A bucket that is not there is a mistake in the settings. */
function isAbsent(error: unknown): boolean {
  return statusOf(error) === 404 && awsErrorCode(error) !== "NoSuchBucket";
}
