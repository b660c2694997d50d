/**
 * The store on S3: one object a key, changed only by conditional writes, an object's ETag being its version. How it
 * stays exact when answers are lost: s3-body.ts. Its clock: s3-clock.ts. How processes hear of changes: s3-marker.ts.
 */
import { createHash } from "node:crypto";
import type { S3Client } from "@aws-sdk/client-s3";
import { ProviderError } from "../../../tools/errors.ts";
import { type AwsClients, createAwsClients } from "../../../tools/fleet/aws/clients.ts";
import type { Json } from "../../../tools/json.ts";
import type { PutCondition, PutOptions, PutResult, Store, StoreEntry } from "../../../tools/store.ts";
import {
  type Body,
  createNonce,
  extendHistory,
  formatBody,
  isTombstoneSize,
  mayHaveDropped,
  memoryMs,
  parseBody,
} from "./s3-body.ts";
import { createS3Clock } from "./s3-clock.ts";
import { compareBytewise, decodeKey, encodeKey } from "./s3-keys.ts";
import { createS3Marker } from "./s3-marker.ts";
import { createS3Objects } from "./s3-objects.ts";

/** How soon a change elsewhere is heard of. A look costs $0.00000043: see docs/cost.md. */
const defaultPollMs = 5_000;

/** Each refused attempt means that another writer succeeded. */
const writeAttempts = 50;

/** States whose history is remembered, so that a write by version needs no reading before it. */
const knownStates = 10_000;

/** Old tombstones are cleared away by so many requests at a time, beside everything else. */
const clearersAtOnce = 8;

/** A store that also tells others' changes apart from its own process's; what a read cache needs. */
export interface S3Store extends Store {
  /** Calls back when another process may have changed something. */
  watchOthers(onChange: () => void): () => void;
}

export interface S3StoreOptions {
  bucket: string;
  /** Ends with a slash. */
  prefix: string;
  /** Where the clients come from; without them they are made for `region` and closed with the store. */
  clients?: Pick<AwsClients, "s3">;
  region?: string;
  environment?: NodeJS.ProcessEnv;
  pollMs?: number;
  /** For tests. */
  monotonic?: () => number;
  wall?: () => number;
}

/** One state of one key as it stands in S3. */
interface State extends Body {
  etag: string;
}

/** Opens it, with one request that shows whether the bucket can be read. Throws ProviderError when it cannot. */
export async function openS3Store(options: S3StoreOptions): Promise<S3Store> {
  const own = options.clients
    ? null
    : createAwsClients({ region: options.region ?? "eu-central-1", ...environmentOf(options) });
  const clients = options.clients ?? own;
  const store = createStore({
    ...options,
    client: () => (clients as Pick<AwsClients, "s3">).s3(),
    onClose: () => own?.close(),
  });
  try {
    await store.now();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

function environmentOf({ environment }: S3StoreOptions): { environment?: NodeJS.ProcessEnv } {
  return environment ? { environment } : {};
}

function createStore(options: S3StoreOptions & { client(): Promise<S3Client>; onClose(): void }): S3Store {
  const { bucket, prefix } = options;
  const monotonic = options.monotonic ?? (() => performance.now());
  const clock = createS3Clock({ monotonic, ...(options.wall ? { wall: options.wall } : {}) });
  const objects = createS3Objects({ client: options.client, bucket, clock, monotonic });
  // No key's name has a dot.
  const marker = createS3Marker({ objects, name: `${prefix}.changed`, pollMs: options.pollMs ?? defaultPollMs });
  const listeners = new Set<() => void>();
  const clearing = new Set<Promise<unknown>>();
  /** ETags of old tombstones, by name. */
  const toClear = new Map<string, string>();
  const known = new Map<string, Pick<State, "etag" | "history">>();
  const nameOf = (key: string): string => `${prefix}${encodeKey(key)}`;

  const remember = (key: string, state: Pick<State, "etag" | "history"> | null): void => {
    known.delete(key);
    if (!state) return;
    known.set(key, { etag: state.etag, history: state.history });
    if (known.size > knownStates) known.delete(known.keys().next().value ?? key);
  };

  /** Nobody asks for what an old tombstone tells any more. Removing it may fail: the next listing tries again. */
  const clear = (name: string, etag: string): void => {
    toClear.set(name, etag);
    if (clearing.size >= clearersAtOnce) return;
    const work: Promise<unknown> = clearAll().finally(() => clearing.delete(work));
    clearing.add(work);
  };

  const clearAll = async (): Promise<void> => {
    for (const [name, etag] of toClear) {
      toClear.delete(name);
      await objects.remove(name, etag).catch(() => {});
    }
  };

  const read = async (key: string): Promise<State | null> => {
    const name = nameOf(key);
    const found = await objects.read(name);
    const state = found && { etag: found.etag, ...parseBody(found.body, `s3://${bucket}/${name}`) };
    if (state?.value === undefined && found && found.ageMs > memoryMs) {
      clear(name, found.etag);
      remember(key, null);
      return null;
    }
    remember(key, state);
    return state;
  };

  const entryOf = (key: string, state: State | null): StoreEntry | null =>
    state?.value === undefined ? null : { key, value: state.value, version: state.etag };

  const tell = (): void => {
    for (const listener of listeners) listener();
  };

  /**
   * Replaces `expected` (null: nothing there) by `value` (undefined: a tombstone). `version` where that was done, by
   * whichever attempt; else what stands there.
   */
  const replace = async (
    key: string,
    value: Json | undefined,
    { expected, nonce }: { expected: Pick<State, "etag" | "history"> | null; nonce: string },
  ): Promise<{ version: string } | { found: State | null }> => {
    const history = extendHistory(expected?.history ?? [], nonce);
    const body = formatBody({ history, value });
    const etag = await objects.write(nameOf(key), body, expected ? { ifEtag: expected.etag } : { ifAbsent: true });
    if (etag !== null) {
      remember(key, { etag, history });
      return { version: etag };
    }
    // Refused; or carried out, its answer lost, and refused when it was sent again.
    const found = await read(key);
    if (found?.history.at(-1) === nonce) return { version: found.etag };
    // Others have written after it. The version was this one for a moment; it matches nothing any more.
    if (found?.history.includes(nonce)) return { version: `"${createHash("md5").update(body).digest("hex")}"` };
    if (found && mayHaveDropped(found.history, nonce)) throw unknownOutcome(key);
    return { found };
  };

  /** The state that a version names, as far as its history is needed; null when something else stands there. */
  const stateAt = async (
    key: string,
    version: string,
  ): Promise<{ state: Pick<State, "etag" | "history"> } | { found: State | null }> => {
    const remembered = known.get(key);
    if (remembered?.etag === version) return { state: remembered };
    const found = await read(key);
    return found?.etag === version && found.value !== undefined ? { state: found } : { found };
  };

  const write = async (
    key: string,
    value: Json | undefined,
    condition: PutCondition | undefined,
  ): Promise<{ version: string } | { found: State | null }> => {
    const nonce = createNonce(clock.read() ?? Date.now());
    let expected: Pick<State, "etag" | "history"> | null = null;
    if (condition && "ifVersion" in condition) {
      const at = await stateAt(key, condition.ifVersion);
      return "state" in at ? replace(key, value, { expected: at.state, nonce }) : at;
    }
    if (!condition) expected = known.get(key) ?? null;
    for (let attempt = 0; attempt < writeAttempts; attempt++) {
      const result = await replace(key, value, { expected, nonce });
      if ("version" in result) return result;
      // A create goes on only over a tombstone, a delete only over a value.
      const isThere = result.found?.value !== undefined;
      if (condition ? isThere : value === undefined && !isThere) return result;
      expected = result.found;
    }
    throw unknownOutcome(key);
  };

  const store: S3Store = {
    listing: "costly",

    async get(key) {
      return entryOf(key, await read(key));
    },

    async put(key, value, condition, { quiet }: PutOptions = {}): Promise<PutResult> {
      const result = await write(key, value, condition);
      if (!("version" in result)) return { written: false, current: entryOf(key, result.found) };
      if (!quiet) marker.touch();
      tell();
      return { written: true, version: result.version };
    },

    async list(below) {
      const listed = await objects.list(nameOf(below));
      const entries: { key: string; version: string }[] = [];
      for (const { name, etag, bytes, ageMs } of listed) {
        const key = decodeKey(name.slice(prefix.length));
        if (key === null) continue;
        if (!isTombstoneSize(bytes)) entries.push({ key, version: etag });
        else if (ageMs > memoryMs) clear(name, etag);
      }
      return entries.sort((a, b) => compareBytewise(a.key, b.key));
    },

    async delete(key, condition) {
      if (!condition && (await read(key))?.value === undefined) return false;
      const result = await write(key, undefined, condition);
      if (!("version" in result)) return false;
      marker.touch();
      tell();
      return true;
    },

    async now() {
      const time = clock.read();
      if (time !== null) return time;
      await marker.look();
      return clock.read() ?? Date.now();
    },

    clockErrorMs: () => clock.errorMs(),

    watch(onChange) {
      listeners.add(onChange);
      const stop = marker.watch(onChange);
      return () => {
        listeners.delete(onChange);
        stop();
      };
    },

    watchOthers: (onChange) => marker.watch(onChange),

    async close() {
      listeners.clear();
      await marker.close();
      toClear.clear();
      await Promise.all(clearing);
      options.onClose();
    },
  };
  return store;
}

function unknownOutcome(key: string): ProviderError {
  return new ProviderError(`cannot tell whether ${key} was written: too many others write it`, {
    code: "store_contended",
    hint: "look at what it is now, and try again",
  });
}
