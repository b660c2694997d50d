/**
 * As much of S3 as the store uses, in this process: the real SDK signs, sends and parses, and its requests end here
 * instead of in a socket. So it works under a simulated clock, counts every request, and can do what no emulator does:
 * answer 409, or lose an answer at one exact place. Whether S3 is really like this the emulator's tests show.
 */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";

export interface MemoryRequest {
  method: "GET" | "PUT" | "DELETE" | "LIST";
  /** Object name; for LIST the prefix. */
  name: string;
}

/** What becomes of a request instead of its plain answer. */
export type MemoryFault = "drop" | "late_drop" | "conflict" | "throttle" | "cut";

export interface MemoryS3 {
  client(): Promise<S3Client>;
  requests: MemoryRequest[];
  objects: Map<string, { body: string; etag: string; at: number }>;
  /** Decides on each attempt; undefined lets it through. */
  fault?: ((request: MemoryRequest) => MemoryFault | undefined) | undefined;
  /** What happens elsewhere between a request with a fault and its repetition. */
  meanwhile?: (() => Promise<unknown>) | undefined;
  /** Milliseconds that S3's clock is ahead of this process's. */
  skewMs: number;
}

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

interface HttpRequest {
  method: string;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body?: unknown;
}

const pageSize = 1000;

export function createMemoryS3(): MemoryS3 {
  const objects: MemoryS3["objects"] = new Map();
  const memory: MemoryS3 = { client, requests: [], objects, skewMs: 0 };
  const now = (): number => Date.now() + memory.skewMs;

  const failure = (status: number, code: string): Answer => ({
    status,
    headers: { "content-type": "application/xml" },
    body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
  });

  const put = (name: string, body: string, headers: Record<string, string>): Answer => {
    const found = objects.get(name);
    if (headers["if-none-match"] === "*" && found) return failure(412, "PreconditionFailed");
    if (headers["if-match"] && !found) return failure(404, "NoSuchKey");
    if (headers["if-match"] && headers["if-match"] !== found?.etag) return failure(412, "PreconditionFailed");
    const etag = `"${createHash("md5").update(body).digest("hex")}"`;
    objects.set(name, { body, etag, at: Math.floor(now() / 1000) * 1000 });
    return { status: 200, headers: { etag } };
  };

  const remove = (name: string, headers: Record<string, string>): Answer => {
    const found = objects.get(name);
    if (headers["if-match"] && !found) return failure(404, "NoSuchKey");
    if (headers["if-match"] && headers["if-match"] !== found?.etag) return failure(412, "PreconditionFailed");
    objects.delete(name);
    return { status: 204 };
  };

  const get = (name: string, headers: Record<string, string>): Answer => {
    const found = objects.get(name);
    if (!found) return failure(404, "NoSuchKey");
    const more = { etag: found.etag, "last-modified": new Date(found.at).toUTCString() };
    if (headers["if-none-match"] === found.etag) return { status: 304, headers: more };
    return { status: 200, headers: more, body: found.body };
  };

  const list = (prefix: string, after: string): Answer => {
    const names = [...objects.keys()].filter((name) => name.startsWith(prefix) && name > after).sort();
    const page = names.slice(0, pageSize);
    const contents = page.map((name) => {
      const { etag, body, at } = objects.get(name) ?? { etag: "", body: "", at: 0 };
      const size = Buffer.byteLength(body);
      return `<Contents><Key>${name}</Key><LastModified>${new Date(at).toISOString()}</LastModified><ETag>${etag.replaceAll('"', "&quot;")}</ETag><Size>${size}</Size></Contents>`;
    });
    const isTruncated = names.length > page.length;
    const token = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
    const body = `<?xml version="1.0"?><ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${token}${contents.join("")}</ListBucketResult>`;
    return { status: 200, headers: { "content-type": "application/xml" }, body };
  };

  const answer = async (request: HttpRequest): Promise<Answer> => {
    const { headers } = request;
    const query = request.query ?? {};
    const isList = "list-type" in query;
    const path = decodeURIComponent(request.path).split("/").slice(2).join("/");
    const name = isList ? String(query.prefix ?? "") : path;
    const method = isList ? "LIST" : (request.method as MemoryRequest["method"]);
    const seen: MemoryRequest = { method, name };
    memory.requests.push(seen);
    const fault = memory.fault?.(seen);
    const { meanwhile } = memory;
    if (fault) memory.meanwhile = undefined;
    if (fault === "drop") {
      await meanwhile?.();
      throw reset();
    }
    if (fault === "conflict") return failure(409, "ConditionalRequestConflict");
    if (fault === "throttle") return failure(503, "SlowDown");
    const body =
      typeof request.body === "string" ? request.body : Buffer.from((request.body ?? "") as Uint8Array).toString();
    const result =
      method === "LIST"
        ? list(name, String(query["continuation-token"] ?? ""))
        : method === "PUT"
          ? put(name, body, headers)
          : method === "DELETE"
            ? remove(name, headers)
            : get(name, headers);
    if (fault === "late_drop") {
      await meanwhile?.();
      throw reset();
    }
    return fault === "cut" ? { ...result, body: `${result.body?.slice(0, 5)}\u0000cut` } : result;
  };

  let made: Promise<S3Client> | null = null;
  function client(): Promise<S3Client> {
    made ??= make();
    return made;
  }

  async function make(): Promise<S3Client> {
    const { S3Client: Client } = await import("@aws-sdk/client-s3");
    return new Client({
      region: "eu-central-1",
      forcePathStyle: true,
      maxAttempts: 6,
      credentials: { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "example" },
      requestHandler: {
        metadata: { handlerProtocol: "http/1.1" },
        destroy() {},
        async handle(request: unknown) {
          const plain = request as HttpRequest;
          const lower = Object.entries(plain.headers).map(([key, value]) => [key.toLowerCase(), value]);
          const { status, headers, body } = await answer({ ...plain, headers: Object.fromEntries(lower) });
          const date = new Date(now()).toUTCString();
          return {
            response: {
              statusCode: status,
              headers: { date, "content-length": String(Buffer.byteLength(body ?? "")), ...headers },
              body: body?.endsWith("\u0000cut")
                ? brokenOff(body)
                : Readable.from(body ? [Buffer.from(body)] : [], { objectMode: false }),
            },
          };
        },
      },
    } as unknown as S3ClientConfig);
  }

  return memory;
}

function reset(): Error {
  return Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
}

/** The connection ends in the middle of the answer. */
function brokenOff(body: string): Readable {
  return Readable.from(
    (async function* parts() {
      yield Buffer.from(body.slice(0, 5));
      throw reset();
    })(),
    { objectMode: false },
  );
}
