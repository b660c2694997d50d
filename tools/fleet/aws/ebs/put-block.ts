/**
 * PutSnapshotBlock without the SDK's serializer and middleware, which cost more processor time than sending does. The
 * first put goes the SDK's way; those after it take over its endpoint and headers and its client's credentials.
 */
import type { EBSClient, PutSnapshotBlockCommand } from "@aws-sdk/client-ebs";
import { blockBytes } from "./blocks.ts";
import type { Answer, BlockRequest, BlockRequestHandler } from "./request-handler.ts";
import { createSigner, type Signer, signatureCodes } from "./sign.ts";

export interface PutBlock {
  index: number;
  data: Buffer;
  /** SHA-256 of the data. */
  hash: Buffer;
}

/** What the puts of one snapshot have in common. */
interface Pattern {
  isSecure: boolean;
  host: string;
  port: number | null;
  /** The block's index follows. */
  path: string;
  headers: Record<string, string>;
  sign: Signer;
}

/** Puts one block, in one attempt; what it throws has `name` and `$metadata` as the SDK's errors have them. */
export function createBlockPut(options: {
  ebs: EBSClient;
  snapshot: string;
  commands: { PutSnapshotBlockCommand: typeof PutSnapshotBlockCommand };
}): (block: PutBlock) => Promise<void> {
  const { ebs, snapshot, commands } = options;
  const handler = ebs.config.requestHandler as Partial<BlockRequestHandler>;
  let pattern: Pattern | null = null;

  const putWithSdk = async ({ index, data, hash }: PutBlock): Promise<void> => {
    const command = new commands.PutSnapshotBlockCommand({
      SnapshotId: snapshot,
      BlockIndex: index,
      BlockData: data,
      DataLength: blockBytes,
      Checksum: hash.toString("base64"),
      ChecksumAlgorithm: "SHA256",
    });
    await ebs.send(command);
    const { example } = handler;
    if (example) pattern = patternOf(example, snapshot);
  };

  return async (block) => {
    if (!pattern || !handler.putBlock) return putWithSdk(block);
    const { isSecure, host, port, path, sign } = pattern;
    const { hash } = block;
    const target = `${path}${block.index}`;
    const signed = sign({
      method: "PUT",
      path: target,
      headers: { ...pattern.headers, "x-amz-checksum": hash.toString("base64") },
      payloadHash: hash.toString("hex"),
      credentials: await ebs.config.credentials(),
      date: new Date(Date.now() + ebs.config.systemClockOffset),
    });
    const answer = await handler.putBlock({ isSecure, host, port, path: target, headers: signed, body: block.data });
    if (answer.statusCode < 300) return;
    const error = errorOf(answer);
    // The SDK knows how to correct a clock; what it sends then is the new pattern.
    if (signatureCodes.has(error.name)) pattern = null;
    throw error;
  };
}

/** Null where the request is not of the plain form that can be signed here; the SDK then sends all blocks. */
function patternOf({ path: target, headers, ...place }: Omit<BlockRequest, "body">, snapshot: string): Pattern | null {
  const path = target.replace(/[0-9]+$/, "");
  const isPlain = /^(\/[\w~-][\w.~-]*)+\/$/.test(path) && path.endsWith(`/snapshots/${snapshot}/blocks/`);
  const sign = createSigner(headers);
  if (!isPlain || !sign) return null;
  // These tell one call of the SDK from the next.
  const { "amz-sdk-invocation-id": _call, "amz-sdk-request": _attempt, ...rest } = headers;
  return { isSecure: place.isSecure, host: place.host, port: place.port, path, headers: rest, sign };
}

/** The service names the error in a header or in the body, as `Name`, `prefix#Name` or `Name:more`. */
function errorOf({ statusCode, headers, body }: Answer): Error {
  const content = parse(body);
  const named = headers["x-amzn-errortype"] ?? content.code ?? content.Code ?? content.__type ?? "Unknown";
  const name = String(named).split(/[,:]/)[0]?.split("#").at(-1) || "Unknown";
  const requestId = headers["x-amzn-requestid"] ?? headers["x-amz-request-id"];
  const error = new Error(String(content.message ?? content.Message ?? `HTTP status ${statusCode}`));
  return Object.assign(error, { name, $metadata: { httpStatusCode: statusCode, requestId, attempts: 1 } });
}

function parse(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // A proxy's page, or nothing; the status tells enough.
    return {};
  }
}
