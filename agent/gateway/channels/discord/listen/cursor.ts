/**
 * How far each channel has been heard, by name: `discord/cursors/<name>/<channel>`. It only goes forward, and only past
 * messages that are in the inbox or were not for this bot, so whoever holds the name next goes on from there.
 */
import type { Json } from "../../../../../tools/json.ts";
import { readAll, type Store, update } from "../../../../../tools/store.ts";
import { claimKeptMs } from "../../../inbox.ts";

/** A message more or less is heard twice after a crash, which is harmless. */
const writeEveryMs = { cheap: 1_000, costly: 10_000 };

/** A name that nobody has had for so long begins anew where the channels stand. */
export const cursorKeptMs = claimKeptMs;

export interface Cursor {
  channel: string;
  message: string;
  /** Of a thread: its channel. */
  parent: string | null;
}

export interface Cursors {
  /** Everything that is stored for the name. */
  all(): Promise<Cursor[]>;
  /** Null: the channel was never heard. */
  get(channel: string): Promise<string | null>;
  /** Heard up to and with this message; written soon. */
  heard(cursor: Cursor): void;
  forget(channel: string): Promise<void>;
  /** Writes what is not written yet. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

export function createCursors(options: { store: Store; name: string; onError(error: unknown): void }): Cursors {
  const { store } = options;
  const prefix = `discord/cursors/${options.name}/`;
  const known = new Map<string, string>();
  const dirty = new Map<string, Cursor>();
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();

  const write = async (cursor: Cursor): Promise<void> => {
    await update<Json>(
      store,
      prefix + cursor.channel,
      (current) => {
        const before = current as unknown as Cursor | null;
        if (before && !isLater(cursor.message, before.message)) return undefined;
        return { formatVersion: 1, ...cursor } as unknown as Json;
      },
      { quiet: true },
    );
  };

  const writeAll = async (): Promise<void> => {
    const cursors = [...dirty.values()];
    dirty.clear();
    for (const cursor of cursors) {
      await write(cursor).catch((error: unknown) => {
        // A later one may be there already, and says as much.
        if (!dirty.has(cursor.channel)) dirty.set(cursor.channel, cursor);
        options.onError(error);
      });
    }
  };

  const flush = (): Promise<void> => {
    if (timer) clearTimeout(timer);
    timer = null;
    writing = writing.then(writeAll);
    return writing;
  };

  return {
    async all() {
      return (await readAll(store, prefix)).map(({ value }) => value as unknown as Cursor);
    },

    async get(channel) {
      const waiting = known.get(channel);
      if (waiting !== undefined) return waiting;
      const stored = (await store.get(prefix + channel))?.value as unknown as Cursor | undefined;
      return stored?.message ?? null;
    },

    heard(cursor) {
      const before = known.get(cursor.channel);
      if (before !== undefined && !isLater(cursor.message, before)) return;
      known.set(cursor.channel, cursor.message);
      dirty.set(cursor.channel, cursor);
      timer ??= setTimeout(() => void flush(), writeEveryMs[store.listing ?? "cheap"]);
      timer.unref();
    },

    async forget(channel) {
      known.delete(channel);
      dirty.delete(channel);
      await store.delete(prefix + channel);
    },

    flush,

    async stop() {
      await flush();
      if (timer) clearTimeout(timer);
      timer = null;
      known.clear();
    },
  };
}

/** Ids count up with time. */
export function isLater(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length;
}
