/**
 * Old days of the ledger become one record a day, with the same sums: first that record is written, then the single
 * ones are deleted in the state in which it took them up. So it may die in between, and what comes late is taken up too.
 */
import { isDeepStrictEqual } from "node:util";
import type { Json } from "../../../tools/json.ts";
import { update } from "../../../tools/store.ts";
import { type DayRecord, dayKeptMs, dayOf, dayRecordSchema } from "../spend/day-record.ts";
import { foldedDay, foldedKey, foldedSchema } from "../spend/folded-days.ts";
import { createPace, readOne, type SweepContext } from "./sweep.ts";

/** Returns how many single records were removed. */
export async function foldSpend(context: SweepContext): Promise<number> {
  const { store, now, limits } = context;
  const pace = createPace(context);
  const oldest = dayOf(now - dayKeptMs);
  store.refresh?.("spend/");
  const byDay = new Map<string, string[]>();
  for (const { key } of await store.list("spend/")) {
    const day = /^spend\/([0-9]{4}-[0-9]{2}-[0-9]{2})\/./.exec(key)?.[1];
    if (day !== undefined && day < oldest) byDay.set(day, [...(byDay.get(day) ?? []), key]);
  }
  let removed = 0;
  for (const [day, keys] of byDay) {
    if (removed >= limits.removed) break;
    const found: { key: string; version: string; record: DayRecord }[] = [];
    for (const key of keys) {
      await pace();
      const entry = await readOne(context, key);
      const parsed = dayRecordSchema.safeParse(entry?.value);
      // What cannot be understood stays where its reader names it.
      if (entry && parsed.success) found.push({ key, version: entry.version, record: parsed.data });
    }
    if (
      found.length === 0 ||
      !(await fold(
        day,
        found.map(({ record }) => record),
      ))
    )
      continue;
    for (const { key, version } of found) {
      await pace();
      if (await store.delete(key, { ifVersion: version })) removed++;
    }
  }
  return removed;

  /** False when a record of another version stands there. */
  async function fold(day: string, records: DayRecord[]): Promise<boolean> {
    let isKnown = true;
    await update<Json>(store, foldedKey(day), (current) => {
      const parsed = current === null ? null : foldedSchema.safeParse(current);
      isKnown = parsed?.success ?? true;
      if (!isKnown) return undefined;
      const next = foldedDay(day, [...(parsed?.data?.records ?? []), ...records]) as unknown as Json;
      return isDeepStrictEqual(next, current) ? undefined : next;
    });
    return isKnown;
  }
}
