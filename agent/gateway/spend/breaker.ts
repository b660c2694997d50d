/**
 * The breaker, one record for the fleet: `spend/breaker`. An entry stops one answer, whoever asks by itself (a job, an
 * instance), or everything that an instance spends, until the day ends or a maintainer resets it.
 */
import { z } from "zod";
import type { CostBreaker } from "../../../tools/cost-report.ts";
import type { Json } from "../../../tools/json.ts";
import { type Store, update } from "../../../tools/store.ts";

const key = "spend/breaker";
/** Entries of yesterday and before are of no use; this many of one day are more than anyone reads. */
const mostEntries = 200;

const recordSchema = z.object({
  formatVersion: z.literal(1),
  entries: z.array(
    z.object({
      id: z.string(),
      scope: z.enum(["answer", "job", "instance"]),
      subject: z.string(),
      label: z.string(),
      code: z.string(),
      reason: z.string(),
      openedAt: z.number(),
      until: z.number(),
    }),
  ),
  /** When a maintainer last reset it; what was counted before that is forgotten. */
  resetAt: z.number(),
  resetBy: z.string().nullable(),
});

export interface BreakerState {
  entries: CostBreaker[];
  resetAt: number;
}

export interface Breaker {
  /** As last read, or as this process left it. */
  state(): BreakerState;
  /** The open entry that concerns any of these subjects. */
  find(subjects: { scope: CostBreaker["scope"]; subject: string }[], now: number): CostBreaker | null;
  read(): Promise<void>;
  /** Holds here at once; resolves when it is stored. An entry of the same id is there once. */
  open(entries: CostBreaker[]): Promise<void>;
  /** Closes every entry; returns those that were open. */
  reset(by: string, now: number): Promise<CostBreaker[]>;
}

export function createBreaker(store: Store): Breaker {
  let state: BreakerState = { entries: [], resetAt: 0 };
  /** Opened here and not yet known to be stored: a read that began before must not lose them. */
  const unstored = new Map<string, CostBreaker>();

  const take = (value: Json | null): void => {
    if (value === null) return;
    const { entries, resetAt } = recordSchema.parse(value);
    const known = new Set(entries.map(({ id }) => id));
    state = { resetAt, entries: [...entries, ...[...unstored.values()].filter(({ id }) => !known.has(id))] };
  };

  return {
    state: () => state,

    find(subjects, now) {
      const concerns = (entry: CostBreaker): boolean =>
        entry.until > now && subjects.some(({ scope, subject }) => entry.scope === scope && entry.subject === subject);
      return state.entries.find(concerns) ?? null;
    },

    async read() {
      store.refresh?.(key);
      take((await store.get(key))?.value ?? null);
    },

    async open(opened) {
      for (const entry of opened) unstored.set(entry.id, entry);
      const known = new Set(state.entries.map(({ id }) => id));
      state = { ...state, entries: [...state.entries, ...opened.filter(({ id }) => !known.has(id))] };
      const { value } = await update<Json>(store, key, (current) => {
        const record = current === null ? null : recordSchema.parse(current);
        const before = record?.entries ?? [];
        const there = new Set(before.map(({ id }) => id));
        const fresh = opened.filter(({ id }) => !there.has(id));
        if (fresh.length === 0) return undefined;
        const oldest = Math.min(...opened.map(({ openedAt }) => openedAt));
        const entries = [...before.filter(({ until }) => until > oldest), ...fresh].slice(-mostEntries);
        return {
          formatVersion: 1,
          entries: entries as unknown as Json[],
          resetAt: record?.resetAt ?? 0,
          resetBy: record?.resetBy ?? null,
        };
      });
      for (const { id } of opened) unstored.delete(id);
      take(value);
    },

    async reset(by, now) {
      let closed: CostBreaker[] = [];
      unstored.clear();
      const { value } = await update<Json>(store, key, (current) => {
        const record = current === null ? null : recordSchema.parse(current);
        closed = (record?.entries ?? []).filter(({ until }) => until > now);
        return { formatVersion: 1, entries: [], resetAt: now, resetBy: by };
      });
      take(value);
      return closed;
    },
  };
}
