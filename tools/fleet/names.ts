/**
 * Names as leases with epochs. `names/<name>` says who holds a name and until when by the store's clock; the epoch
 * rises by one with every new holder, and what a holder writes lies under `names/<name>/<epoch>/`, so that nothing a
 * former holder writes late is ever read.
 */
import { ToolError } from "../errors.ts";
import type { Json } from "../json.ts";
import { type Store, type StoreEntry, update } from "../store.ts";
import { compareNames, nameNumber } from "./name-order.ts";
import type { NameRecord } from "./services.ts";

const keyOf = (name: string): string => `names/${name}`;

export async function readName(store: Store, name: string): Promise<NameRecord | null> {
  return ((await store.get(keyOf(name)))?.value ?? null) as NameRecord | null;
}

/** Every name that ever was, in numeric order. */
export async function readNames(store: Store): Promise<NameRecord[]> {
  return readListedNames(store, await store.list("names/"));
}

/** The names among the keys below `names/`, in numeric order; what lies below a name is not read. */
export async function readListedNames(store: Store, listed: { key: string }[]): Promise<NameRecord[]> {
  const entries = await Promise.all(
    listed.filter(({ key }) => key.split("/").length === 2).map(({ key }) => store.get(key)),
  );
  return entries
    .flatMap((entry) => (entry ? [entry.value as unknown as NameRecord] : []))
    .sort((a, b) => compareNames(a.name, b.name));
}

/**
 * Gives a free name to an instance and returns the new epoch. Free means: released, never held, or held by `from`, whose
 * stop the caller has confirmed. Repeating it for the holder returns its epoch.
 */
export async function giveName(
  store: Store,
  options: { name: string; to: string; from: string | null; leaseMs: number },
): Promise<{ epoch: number }> {
  const now = await store.now();
  const { value } = await update<Json>(store, keyOf(options.name), (current) => {
    const record = current as unknown as NameRecord | null;
    if (record?.holder === options.to) return undefined;
    if (record && record.holder !== null && record.holder !== options.from) {
      throw new ToolError(`${options.name} is held by ${record.holder}, epoch ${record.epoch}`, {
        code: "name_held",
        hint: "look at `clawdinator fleet status`; a name is given only when its holder has released it or is stopped",
      });
    }
    const next: NameRecord = {
      formatVersion: 1,
      name: options.name,
      epoch: (record?.epoch ?? 0) + 1,
      holder: options.to,
      leaseUntil: now + options.leaseMs,
      port: record?.port ?? null,
    };
    return next as unknown as Json;
  });
  return { epoch: (value as unknown as NameRecord).epoch };
}

/**
 * Extends the holder's lease and returns the name as it is then; null when it is not this instance's (any more). `last`
 * is what the renewal before returned: while nobody else wrote, this one is a single write.
 */
export async function renewName(
  store: Store,
  options: {
    name: string;
    holder: string;
    epoch: number;
    leaseMs: number;
    port: number | null;
    last?: StoreEntry | null;
  },
): Promise<StoreEntry | null> {
  const key = keyOf(options.name);
  const leaseUntil = (await store.now()) + options.leaseMs;
  const renewed = (current: Json | null): Json | undefined => {
    const record = current as unknown as NameRecord | null;
    if (record?.holder !== options.holder || record.epoch !== options.epoch) return undefined;
    return { ...record, leaseUntil, port: options.port ?? record.port } as unknown as Json;
  };
  const next = options.last ? renewed(options.last.value) : undefined;
  if (options.last && next !== undefined) {
    // Nobody waits for a renewal; another port is news.
    const isNews = portOf(next) !== portOf(options.last.value);
    const result = await store.put(key, next, { ifVersion: options.last.version }, isNews ? {} : { quiet: true });
    if (result.written) return { key, value: next, version: result.version };
  }
  const { changed, value, version } = await update<Json>(store, key, renewed);
  return changed && version !== null ? { key, value, version } : null;
}

function portOf(value: Json): number | null {
  return (value as unknown as NameRecord).port;
}

/** Makes the name free; the caller is its holder, or has confirmed that the holder is stopped. Idempotent. */
export async function releaseName(store: Store, options: { name: string; holder: string }): Promise<void> {
  await update<Json>(store, keyOf(options.name), (current) => {
    const record = current as unknown as NameRecord | null;
    return record?.holder === options.holder
      ? ({ ...record, holder: null, leaseUntil: 0 } as unknown as Json)
      : undefined;
  });
}

/** The lowest CLAWDINATOR-n that nobody has and nobody is about to get. */
export function nextFreeName(taken: Iterable<string>): string {
  const numbers = new Set([...taken].map(nameNumber));
  let n = 1;
  while (numbers.has(n)) n++;
  return `CLAWDINATOR-${n}`;
}

/** Asks the holder of (name, epoch) to finish its runs and release the name. */
export async function requestDrain(
  store: Store,
  options: { name: string; epoch: number; operation: string },
): Promise<void> {
  const record = { formatVersion: 1, operation: options.operation, requestedAt: await store.now() };
  await store.put(drainKey(options), record, { ifAbsent: true });
}

export async function isDrainRequested(store: Store, options: { name: string; epoch: number }): Promise<boolean> {
  return (await store.get(drainKey(options))) !== null;
}

function drainKey(options: { name: string; epoch: number }): string {
  return `names/${options.name}/${options.epoch}/drain`;
}
