/**
 * What an object of the store holds. Each write has a nonce, so that no two states have the same ETag, and names the
 * nonces of the writes just before it. When an answer is lost and the repeated write is refused, the writer finds in
 * what stands there whether its own write was carried out, even when others have written since.
 *
 * A deleted key leaves a tombstone with the same history for a while. Values have an even number of bytes and
 * tombstones an odd one, so a listing, which tells sizes and nothing of the content, knows them apart.
 */
import { randomBytes } from "node:crypto";
import { ConfigError } from "../../../tools/errors.ts";
import type { Json } from "../../../tools/json.ts";

const formatVersion = 1;

/** How long a write is remembered: longer than the SDK repeats one (six attempts of 20 s, with pauses). */
export const memoryMs = 600_000;

/** More writes of one key within that time happen only where very many fight over it; then the oldest are dropped. */
const longestHistory = 200;

/** Nonces of the writes that led to a state, oldest first; its own is the last. */
export type History = readonly string[];

export interface Body {
  history: History;
  /** Undefined: deleted. */
  value: Json | undefined;
}

/** Milliseconds since 1970 in base 36, and 56 random bits. */
export function createNonce(nowMs: number): string {
  return `${Math.floor(nowMs).toString(36)}.${randomBytes(7).toString("base64url")}`;
}

function timeOf(nonce: string): number {
  return Number.parseInt(nonce.slice(0, nonce.indexOf(".")), 36);
}

/** What came before, as far as somebody may still ask for it, and this write. */
export function extendHistory(history: History, nonce: string): History {
  const oldest = timeOf(nonce) - memoryMs;
  return [...history.filter((one) => timeOf(one) > oldest).slice(1 - longestHistory), nonce];
}

/** Whether so many have written since `nonce` that it may have been dropped. */
export function mayHaveDropped(history: History, nonce: string): boolean {
  return history.length >= longestHistory && timeOf(history[0] ?? "") >= timeOf(nonce);
}

export function formatBody({ history, value }: Body): string {
  const isTombstone = value === undefined;
  const text = JSON.stringify({ formatVersion, history, ...(isTombstone ? { deleted: true } : { value }) });
  const isOdd = Buffer.byteLength(text) % 2 === 1;
  return isOdd === isTombstone ? text : `${text} `;
}

export function isTombstoneSize(bytes: number): boolean {
  return bytes % 2 === 1;
}

/** Throws ConfigError for what this version of the store did not write. */
export function parseBody(text: string, where: string): Body {
  const found = parseJson(text) as { formatVersion?: unknown; history?: unknown; deleted?: true; value?: Json } | null;
  if (typeof found?.formatVersion === "number" && found.formatVersion > formatVersion) {
    throw new ConfigError(
      `${where} has format ${found.formatVersion}, and this version knows formats up to ${formatVersion}`,
      {
        code: "newer_format",
        hint: "a newer version wrote it: start that version, or use another `aws.storePrefix`",
      },
    );
  }
  if (
    found?.formatVersion !== formatVersion ||
    !Array.isArray(found.history) ||
    (!found.deleted && !("value" in found))
  ) {
    throw new ConfigError(`${where} is not a record of the store`, {
      code: "store_corrupt",
      hint: "keep a copy and restore an earlier version of that object; the other records can still be read",
    });
  }
  return { history: found.history.map(String), value: found.deleted ? undefined : found.value };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
