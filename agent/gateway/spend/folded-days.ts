/**
 * Days that are long over: `spend-folded/<yyyy-mm-dd>` holds what the single records of that day summed up to, by
 * instance. The answers and refusals of a day so long ago are not kept.
 */
import { z } from "zod";
import type { Store } from "../../../tools/store.ts";
import { type DayRecord, dayKeptMs, dayOf, dayRecordSchema } from "./day-record.ts";

export const foldedSchema = z.object({
  formatVersion: z.literal(1),
  day: z.string(),
  records: z.array(dayRecordSchema),
});
type FoldedDay = z.output<typeof foldedSchema>;

export function foldedKey(day: string): string {
  return `spend-folded/${day}`;
}

/** Of several records of one instance the last one counts: it was written later. */
export function foldedDay(day: string, records: readonly DayRecord[]): FoldedDay {
  const byInstance = new Map<string, DayRecord>();
  for (const record of records) byInstance.set(record.instance, { ...record, runs: [], ended: [], refusals: [] });
  const sorted = [...byInstance.values()].sort((a, b) => (a.instance < b.instance ? -1 : 1));
  return { formatVersion: 1, day, records: sorted };
}

/** Records of those of the days that may be folded; asks the store for nothing when none is so old. */
export async function readFolded(
  store: Store,
  { days, now }: { days: readonly string[]; now: number },
): Promise<{ records: DayRecord[]; unreadable: string[] }> {
  const oldest = dayOf(now - dayKeptMs);
  const entries = await Promise.all(days.filter((day) => day < oldest).map((day) => store.get(foldedKey(day))));
  const unreadable: string[] = [];
  const records = entries.flatMap((entry) => {
    if (!entry) return [];
    const parsed = foldedSchema.safeParse(entry.value);
    if (!parsed.success) unreadable.push(entry.key);
    return parsed.success ? parsed.data.records : [];
  });
  return { records, unreadable };
}
