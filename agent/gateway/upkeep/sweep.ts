/**
 * One walk over the records below a prefix: what is past is deleted, in exactly the state in which it was judged. It may
 * be killed anywhere, repeated, and done by two at once: each delete stands alone.
 */
import { describeError } from "../../../tools/errors.ts";
import type { Json } from "../../../tools/json.ts";
import type { Store } from "../../../tools/store.ts";
import type { Log } from "../../log.ts";

/** So many reads and deletes, then others have their turn: SQLite's are done in this very thread. */
const stepsInARow = 25;

export interface Limits {
  /** Values read for each kind in one walk; the next one goes on there. On S3 each read costs. */
  reads: number;
  /** Records removed of each kind in one walk. */
  removed: number;
}

export const limitsOf: Readonly<Record<"cheap" | "costly", Limits>> = {
  cheap: { reads: 50_000, removed: 20_000 },
  costly: { reads: 5_000, removed: 5_000 },
};

export interface SweepContext {
  store: Store;
  /** By the store's clock. */
  now: number;
  limits: Limits;
  /** Lets others work. */
  rest(): Promise<void>;
  signal: AbortSignal;
  log: Log;
}

/** `stamp`: it does not tell its age, so it is written anew with what tells it from now on. */
export type Judgement = "keep" | "remove" | { stamp: Json };

export interface Kind {
  /** What its records are called, in the audit log and in the documents. */
  name: string;
  prefix: string;
  /** From the key alone, before anything is read: false for what surely stays. */
  mayBePast?(key: string): boolean;
  judge(value: Json, key: string): Judgement;
}

/** Counts steps, and rests after some; throws when the walk is to end. */
export function createPace({ rest, signal }: Pick<SweepContext, "rest" | "signal">): () => Promise<void> {
  let steps = 0;
  return async () => {
    signal.throwIfAborted();
    if (++steps % stepsInARow === 0) await rest();
  };
}

/** The record, or null: gone, or damaged, which is said and must not keep others from their turn. */
export async function readOne(
  { store, log }: Pick<SweepContext, "store" | "log">,
  key: string,
): Promise<{ value: Json; version: string } | null> {
  try {
    return await store.get(key);
  } catch (error) {
    if ((error as { code?: string }).code !== "store_corrupt") throw error;
    log("warn", "a record cannot be read and stays", { key, error: describeError(error).message });
    return null;
  }
}

/** Walks from behind `after` once around. `after` of the result is null when everything was seen. */
export async function sweep(
  kind: Kind,
  context: SweepContext,
  after: string | null = null,
): Promise<{ removed: number; after: string | null }> {
  const { store, limits } = context;
  const pace = createPace(context);
  store.refresh?.(kind.prefix);
  const keys = (await store.list(kind.prefix)).map(({ key }) => key).filter((key) => kind.mayBePast?.(key) ?? true);
  const ordered = after === null ? keys : [...keys.filter((key) => key > after), ...keys.filter((key) => key <= after)];
  let [reads, removed] = [0, 0];
  let last = after;
  for (const key of ordered) {
    if (reads >= limits.reads || removed >= limits.removed) return { removed, after: last };
    last = key;
    await pace();
    reads++;
    const entry = await readOne(context, key);
    const judgement = entry ? kind.judge(entry.value, key) : "keep";
    if (!entry || judgement === "keep") continue;
    const ifVersion = { ifVersion: entry.version };
    if (judgement !== "remove") await store.put(key, judgement.stamp, ifVersion, { quiet: true });
    else if (await store.delete(key, ifVersion)) removed++;
  }
  return { removed, after: null };
}
