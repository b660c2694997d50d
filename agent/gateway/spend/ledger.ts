/**
 * This instance's ledger: today's record in memory, written behind. Only this gateway writes it. What is under way is in
 * the store, or on its way there, before a model can have answered; ends are gathered for a moment.
 */
import { describeError } from "../../../tools/errors.ts";
import type { Json } from "../../../tools/json.ts";
import type { Store, Version } from "../../../tools/store.ts";
import type { Log } from "../../log.ts";
import type { Usage } from "../../protocol.ts";
import {
  boundedRecord,
  charge,
  type DayRecord,
  dayEnd,
  dayKey,
  dayOf,
  dayRecordSchema,
  emptyDay,
  lastDays,
  type OpenRequest,
  runOf,
} from "./day-record.ts";

/** From the first change to the write: a model takes longer to answer, and what comes together is written together. */
const gatherMs = 10;
/** Between two writes; on a store that charges for them a little more is at stake than on a disk. */
const pauseMs = { cheap: 250, costly: 1_000 };
/** No request to a model takes this long: its mind forgot to tell its end. */
const longestRequestMs = 3_600_000;

export interface Ledger {
  /** Reads what a former process left. Until it has resolved, nothing else may be called. */
  load(): Promise<void>;
  /** Today's record. At midnight it becomes the next day's, with the requests that are under way. */
  today(): DayRecord;
  now(): number;
  /** Something of the record was changed. */
  changed(): void;
  /** Resolves when everything up to now is stored; throws when it cannot be. */
  flush(): Promise<void>;
  /** Whether today's record is in the store, in whatever state: others see that this instance spends. */
  isStored(): boolean;
  /** Whether the last write failed: nothing is spent that cannot be written down. */
  isBroken(): boolean;
  /** Ends a request; null usage: nothing was used. Returns its cost, also when it is told again; null when unknown. */
  settle(request: string, end: { usage: Usage | null; usd: number }): number | null;
  /** Charges by their estimates the requests that nobody will end. */
  chargeForgotten(isForgotten: (open: OpenRequest) => boolean): void;
  costOf(request: string): number | null;
  stop(): Promise<void>;
}

export function createLedger(options: {
  store: Store;
  instance: string;
  name: string;
  log: Log;
  clock?: () => number;
}): Ledger {
  const { store, instance, log } = options;
  const wall = options.clock ?? Date.now;
  let record: DayRecord = emptyDay(dayOf(wall()), options);
  /** Records of days that are over and not yet stored as such. */
  const former: DayRecord[] = [];
  const versions = new Map<string, Version>();
  const ended = new Map<string, number>();
  let offsetMs = 0;
  let changes = 0;
  let written = 0;
  let broken = false;
  let timer: NodeJS.Timeout | null = null;
  let lastWriteAt = Number.NEGATIVE_INFINITY;
  let writing: Promise<void> = Promise.resolve();
  const betweenMs = pauseMs[store.listing ?? "cheap"];

  const now = (): number => wall() + offsetMs;

  const changed = (): void => {
    changes += 1;
    if (timer) return;
    const waitMs = Math.max(gatherMs, lastWriteAt + betweenMs - performance.now());
    timer = setTimeout(() => void flush().catch(() => {}), waitMs);
    timer.unref();
  };

  const remember = (request: string, usd: number): void => {
    ended.set(request, usd);
    record.ended.push({ request, usd });
    if (ended.size > 2_000) ended.delete(ended.keys().next().value ?? request);
    if (record.ended.length > 400) record.ended = record.ended.slice(-200);
  };

  const chargeEstimate = (target: DayRecord, open: OpenRequest): void => {
    charge(target, open, { usage: open.estimate, usd: open.usd, isEstimated: true });
    bookRun(target, open, open.usd);
    remember(open.request, open.usd);
  };

  const chargeForgotten: Ledger["chargeForgotten"] = (isForgotten) => {
    const forgotten = record.open.filter(isForgotten);
    if (forgotten.length === 0) return;
    record.open = record.open.filter((open) => !forgotten.includes(open));
    for (const open of forgotten) chargeEstimate(record, open);
    changed();
  };

  const today = (): DayRecord => {
    const at = now();
    // A clock that is set back does not bring a day back.
    if (at < dayEnd(record.day)) return record;
    const over = record;
    record = { ...emptyDay(dayOf(at), options), resetAt: over.resetAt };
    // What is under way goes on with the new day; what was forgotten before stays with the old one.
    const isOld = (open: OpenRequest): boolean => at - open.at > longestRequestMs;
    record.open = over.open.filter((open) => !isOld(open));
    const waiting = new Set(record.open.map(({ message }) => message));
    record.runs = over.runs.filter(({ message }) => waiting.has(message)).map((run) => ({ ...run }));
    for (const open of over.open.filter(isOld)) chargeEstimate(over, open);
    over.open = [];
    former.push(over);
    changed();
    return record;
  };

  async function write(day: DayRecord): Promise<void> {
    const key = dayKey(day.day, instance);
    const value = boundedRecord(day) as unknown as Json;
    const version = versions.get(day.day);
    const quiet = { quiet: true } as const;
    const result = await store.put(key, value, version ? { ifVersion: version } : { ifAbsent: true }, quiet);
    if (result.written) {
      versions.set(day.day, result.version);
      return;
    }
    // Only this gateway writes it: what stands there is an earlier write of ours whose answer was lost.
    if (result.current) versions.set(day.day, result.current.version);
    else versions.delete(day.day);
    const current = versions.get(day.day);
    const again = await store.put(key, value, current ? { ifVersion: current } : { ifAbsent: true }, quiet);
    if (!again.written) throw new Error(`somebody else writes ${key}`);
    versions.set(day.day, again.version);
  }

  async function flushOnce(): Promise<void> {
    if (timer) clearTimeout(timer);
    timer = null;
    if (written === changes) return;
    const until = changes;
    try {
      // The new day first: a request under way must be in one of them whenever this ends.
      await write(record);
      for (const over of former.splice(0)) {
        try {
          await write(over);
        } catch (error) {
          former.push(over);
          throw error;
        }
      }
      lastWriteAt = performance.now();
      written = until;
      broken = false;
      if (changes !== until) changed();
    } catch (error) {
      lastWriteAt = performance.now();
      if (!broken) log("error", "the ledger cannot be written", { error: describeError(error).message });
      broken = true;
      changed();
      throw error;
    }
  }

  const flush = (): Promise<void> => {
    const next = writing.then(flushOnce);
    writing = next.catch(() => {});
    return next;
  };

  return {
    now,
    today,
    changed,
    flush,
    isStored: () => versions.has(record.day),
    isBroken: () => broken,
    chargeForgotten,
    costOf: (request) => ended.get(request) ?? null,

    async load() {
      offsetMs = (await store.now()) - wall();
      if (Math.abs(offsetMs) < 1_000) offsetMs = 0;
      const day = dayOf(now());
      for (const each of lastDays(day, 2)) {
        store.refresh?.(dayKey(each, instance));
        const entry = await store.get(dayKey(each, instance));
        if (!entry) continue;
        versions.set(each, entry.version);
        const found = dayRecordSchema.parse(entry.value);
        for (const { request, usd } of found.ended) ended.set(request, usd);
        if (each === day) {
          const carried = record.open.filter((open) => !found.open.some(({ request }) => request === open.request));
          record = { ...found, name: options.name, open: [...found.open, ...carried] };
        } else if (found.open.length > 0) {
          record = { ...emptyDay(day, options), open: found.open.map((open) => ({ ...open })), resetAt: found.resetAt };
          former.push({ ...found, open: [] });
          changed();
        }
      }
      record.open = record.open.filter(({ request }) => !ended.has(request));
    },

    settle(request, { usage, usd }) {
      const day = today();
      const open = day.open.find((one) => one.request === request);
      if (!open) return ended.get(request) ?? null;
      day.open = day.open.filter((one) => one !== open);
      if (usage) {
        charge(day, open, { usage, usd, isEstimated: false });
        bookRun(day, open, usd);
      }
      remember(request, usage ? usd : 0);
      changed();
      return usage ? usd : 0;
    },

    async stop() {
      if (timer) clearTimeout(timer);
      await flush().catch(() => {});
      if (timer) clearTimeout(timer);
    },
  };

  function bookRun(day: DayRecord, open: OpenRequest, usd: number): void {
    if (open.message === null) return;
    const run = runOf(day, { message: open.message, conversationId: null, person: open.person }, open.at);
    run.requests += 1;
    run.usd += usd;
    run.idleUsd += usd;
    run.lastAt = now();
  }
}
