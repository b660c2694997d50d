/** What all instances spent: the records of the others, read now and then and never for each request. */
import type { Json } from "../../../tools/json.ts";
import type { Store } from "../../../tools/store.ts";
import { chargedUsd, type DayRecord, dayRecordSchema, openUsd } from "./day-record.ts";
import { readFolded } from "./folded-days.ts";

/** Reading is cheap on a disk; on S3 a listing costs, so it is asked for less often. */
const freshMs = { cheap: 3_000, costly: 15_000 };
/** Past this an answer waits for the reading. */
const staleMs = { cheap: 3_000, costly: 60_000 };

export interface FleetDays {
  /**
   * US dollars that others spent and reserved on this day, and how many they are, as far as known; and what this
   * instance had spent and reserved when that was read.
   */
  others(day: string): { usd: number; instances: number; ownUsd: number };
  /** What another instance has spent for an answer that came over to this one. */
  othersRunUsd(day: string, message: string): number;
  /** Reads when that is due. */
  keepFresh(day: string, ownUsd: () => number): Promise<void>;
  /** Reads now: the result is not older than this call. */
  read(day: string, ownUsd: () => number): Promise<void>;
  /** Every record of these days, this instance's own too as far as they are stored; those that cannot be read are named. */
  records(days: string[]): Promise<{ records: DayRecord[]; unreadable: string[] }>;
}

export function createFleetDays(store: Store, instance: string, clock: () => number = Date.now): FleetDays {
  const kind = store.listing ?? "cheap";
  let known: { day: string; at: number; ownUsd: number; records: DayRecord[] } | null = null;
  let reading: Promise<void> | null = null;
  /** What was read, by key: most days are over and do not change any more. */
  const past = new Map<string, { version: string; record: DayRecord }>();

  async function readDay(day: string, ownUsd: () => number): Promise<void> {
    const at = performance.now();
    const own = ownUsd();
    store.refresh?.(`spend/${day}/`);
    const listed = await store.list(`spend/${day}/`);
    const { records } = await readRecords(listed.filter(({ key }) => !key.endsWith(`/${instance}`)));
    known = { day, at, ownUsd: own, records };
  }

  async function readRecords(
    keys: { key: string; version: string }[],
  ): Promise<{ records: DayRecord[]; unreadable: string[] }> {
    const unreadable: string[] = [];
    const found = await Promise.all(
      keys.map(async ({ key, version }) => {
        const remembered = past.get(key);
        if (remembered?.version === version) return remembered.record;
        const entry = await store.get(key);
        const record = parseRecord(entry?.value ?? null);
        if (record && entry) past.set(key, { version: entry.version, record });
        else unreadable.push(key);
        return record;
      }),
    );
    if (past.size > 2_000) past.clear();
    return { records: found.filter((record) => record !== null), unreadable };
  }

  const read = (day: string, ownUsd: () => number): Promise<void> => {
    const next = (reading ?? Promise.resolve()).catch(() => {}).then(() => readDay(day, ownUsd));
    reading = next;
    void next
      .catch(() => {})
      .finally(() => {
        if (reading === next) reading = null;
      });
    return next;
  };

  return {
    read,

    others(day) {
      const records = known?.day === day ? known.records : [];
      return {
        instances: records.length,
        ownUsd: known?.day === day ? known.ownUsd : 0,
        usd: records.reduce((sum, one) => sum + chargedUsd(one) + openUsd(one), 0),
      };
    },

    othersRunUsd(day, message) {
      const records = known?.day === day ? known.records : [];
      return records.reduce((sum, { runs }) => sum + (runs.find((run) => run.message === message)?.usd ?? 0), 0);
    },

    async keepFresh(day, ownUsd) {
      const ageMs = known?.day === day ? performance.now() - known.at : Number.POSITIVE_INFINITY;
      if (ageMs < freshMs[kind]) return;
      if (ageMs > staleMs[kind]) await (reading ?? read(day, ownUsd));
      else if (!reading) void read(day, ownUsd).catch(() => {});
    },

    async records(days) {
      const wanted = new Set(days);
      // One listing for each month: on S3 that is one request, where one for each day would be thirty.
      const months = [...new Set(days.map((day) => day.slice(0, 7)))];
      for (const month of months) store.refresh?.(`spend/${month}`);
      const listed = (await Promise.all(months.map((month) => store.list(`spend/${month}`)))).flat();
      const single = await readRecords(listed.filter(({ key }) => wanted.has(key.split("/")[1] ?? "")));
      const folded = await readFolded(store, { days, now: clock() });
      // A day may be half folded: then its single records stand in both, and these count.
      const idOf = ({ day, instance: of }: DayRecord): string => `${day}/${of}`;
      const known = new Set(single.records.map(idOf));
      return {
        records: [...single.records, ...folded.records.filter((record) => !known.has(idOf(record)))],
        unreadable: [...single.unreadable, ...folded.unreadable],
      };
    },
  };
}

function parseRecord(value: Json): DayRecord | null {
  const parsed = dayRecordSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}
