/**
 * A request that names nobody is taken by exactly one of the fleet: by `discord/unaddressed/<message id>`, created by
 * whoever comes first. So that not all try, the name that the channel's conversation belongs to goes first, then the
 * lowest name that is connected; each of the others waits a while longer, for one that was to take it and cannot.
 */
import { setTimeout as delay } from "node:timers/promises";
import { readHolder } from "../../../../../tools/fleet/heartbeats.ts";
import { compareNames } from "../../../../../tools/fleet/name-order.ts";
import { readName } from "../../../../../tools/fleet/names.ts";
import type { Json } from "../../../../../tools/json.ts";
import { readAll, type Store } from "../../../../../tools/store.ts";
import { claimKeptMs } from "../../../inbox.ts";
import { isLater } from "./cursor.ts";

/** For each name that goes before: long enough for a store that is slow and a connection that comes back. */
const turnMs = 3_000;

/** Whoever is connected says so at each connection; who is there is asked again after this long. */
const rememberMs = 2_000;

/** A message may come again from history for as long as its answer is known. */
export const takenKeptMs = claimKeptMs;

const connectedKey = (name: string): string => `discord/connected/${name}`;
const takenKey = (message: string): string => `discord/unaddressed/${message}`;

interface BotRecord {
  formatVersion: 1;
  name: string;
  user: string;
  epoch: number;
}

export interface Siblings {
  /** Says that this name's bot is connected, as which user. */
  announce(user: string, epoch: number): Promise<void>;
  /** User ids of the other names' bots, as far as they were ever connected. */
  others(): Promise<Set<string>>;
  /** How many of the others go before this name; 0 too for a message that it took; null: another one took it. */
  turn(options: { message: string; owner: string | null }): Promise<number | null>;
  /** Waits for its turn and takes the message; false when another one was first, or `signal` was aborted. */
  take(options: { message: string; turn: number; signal: AbortSignal }): Promise<boolean>;
  /** Forgets who took messages before this one. */
  forgetBefore(message: string): Promise<void>;
}

export function createSiblings(options: { store: Store; name: string; turnMs?: number }): Siblings {
  const { store, name } = options;
  let bots: { at: number; records: Promise<BotRecord[]> } | null = null;

  const readBots = (): Promise<BotRecord[]> => {
    if (!bots || performance.now() - bots.at > rememberMs) {
      const records = readAll(store, "discord/connected/").then((all) =>
        all.map(({ value }) => value as unknown as BotRecord),
      );
      bots = { at: performance.now(), records };
      records.catch(() => {
        bots = null;
      });
    }
    return bots.records;
  };

  /** Holds its name, is ready, and was connected as this holder. */
  const isThere = async ({ name: other, epoch }: BotRecord): Promise<boolean> => {
    const record = await readName(store, other);
    if (!record || record.holder === null || record.epoch !== epoch) return false;
    if ((await store.now()) > record.leaseUntil) return false;
    return (await readHolder(store, { name: other, epoch }))?.state === "ready";
  };

  const inOrder = async (owner: string | null): Promise<string[]> => {
    const records = await readBots();
    const there = await Promise.all(records.map(async (one) => ((await isThere(one)) ? [one.name] : [])));
    const names = [...new Set([...there.flat(), name])].sort(compareNames);
    return owner !== null && names.includes(owner) ? [owner, ...names.filter((one) => one !== owner)] : names;
  };

  const takenBy = async (message: string): Promise<string | null> => {
    const record = (await store.get(takenKey(message)))?.value as { name: string } | undefined;
    return record?.name ?? null;
  };

  return {
    async announce(user, epoch) {
      const record: BotRecord = { formatVersion: 1, name, user, epoch };
      const before = (await store.get(connectedKey(name)))?.value as unknown as BotRecord | undefined;
      if (before?.user === user && before.epoch === epoch) return;
      await store.put(connectedKey(name), record as unknown as Json);
      bots = null;
    },

    async others() {
      return new Set((await readBots()).filter((one) => one.name !== name).map(({ user }) => user));
    },

    async turn({ message, owner }) {
      const before = await takenBy(message);
      if (before !== null) return before === name ? 0 : null;
      return Math.max(0, (await inOrder(owner)).indexOf(name));
    },

    async take({ message, turn, signal }) {
      try {
        if (turn > 0) await delay(turn * (options.turnMs ?? turnMs), undefined, { signal, ref: false });
      } catch {
        return false;
      }
      const record = { formatVersion: 1, name, at: await store.now() };
      const result = await store.put(takenKey(message), record, { ifAbsent: true });
      return result.written || (result.current?.value as { name: string } | undefined)?.name === name;
    },

    async forgetBefore(message) {
      for (const { key } of await store.list("discord/unaddressed/")) {
        if (isLater(message, key.slice(key.lastIndexOf("/") + 1))) await store.delete(key);
      }
    },
  };
}
