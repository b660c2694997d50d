/** What the store keeps of a job: `schedule/<job>` for a singleton, `schedule/<job>/<name>` for one of each name. */
import { z } from "zod";
import { ConfigError } from "../../../tools/errors.ts";
import type { Json } from "../../../tools/json.ts";
import { type Store, update } from "../../../tools/store.ts";
import type { Job, JobOutcome } from "../../schedule.ts";

/** Of each job. */
export const outcomesKept = 20;

const triggerSchema = z.enum(["time", "catch-up", "person"]);

const runSchema = z.object({
  /** The message's id, and the key of the proposal. */
  id: z.string(),
  /** The scheduled time. */
  at: z.number(),
  trigger: triggerSchema,
  /** The name that started it. */
  by: z.string(),
  /** The name that answers a prompt: the owner of its conversation. */
  to: z.string(),
  startedAt: z.number(),
  /** What it does was fixed when it began, whatever the file says since. */
  work: z.union([
    z.object({ prompt: z.string() }),
    z.object({ operation: z.string(), input: z.record(z.string(), z.json()) }),
  ]),
  /** People have seen how the run before it ended; what one that failed would have told is still news. */
  wasTold: z.boolean(),
  /** The maintainer who asked for it now. */
  person: z.object({ id: z.string(), name: z.string(), by: z.string().optional() }).nullable(),
});
export type JobRun = z.output<typeof runSchema>;

const recordSchema = z.object({
  formatVersion: z.literal(1),
  /** The newest scheduled time that was dealt with, one way or another. */
  handled: z.number(),
  paused: z.object({ by: z.string(), at: z.number() }).nullable(),
  current: runSchema.nullable(),
  outcomes: z.array(
    z.object({
      at: z.number(),
      trigger: triggerSchema,
      result: z.enum(["answered", "silent", "succeeded", "skipped", "refused", "failed", "interrupted", "lost"]),
      detail: z.string(),
      endedAt: z.number(),
      approval: z.string().optional(),
    }),
  ),
});
export type JobRecord = z.output<typeof recordSchema>;

/** Of a job that is seen for the first time: what lies before is none of its times. */
export function newRecord(now: number): JobRecord {
  return { formatVersion: 1, handled: now, paused: null, current: null, outcomes: [] };
}

export function recordKey(job: Pick<Job, "id" | "singleton">, name: string): string {
  return job.singleton ? `schedule/${job.id}` : `schedule/${job.id}/${name}`;
}

/** Null when there is none. Throws ConfigError for one that cannot be understood, which is left as it is. */
export async function readRecord(store: Store, key: string): Promise<JobRecord | null> {
  const entry = await store.get(key);
  return entry ? parse(key, entry.value) : null;
}

/**
 * Read, change, write if nobody else did. `change` is pure and returns undefined to leave the record; the result says
 * whether this very call changed it.
 */
export async function changeRecord(
  store: Store,
  key: string,
  change: (record: JobRecord | null) => JobRecord | undefined,
): Promise<{ changed: boolean; record: JobRecord | null }> {
  const { changed, value } = await update<Json>(
    store,
    key,
    (current) => change(current === null ? null : parse(key, current)) as Json | undefined,
  );
  return { changed, record: value === null ? null : parse(key, value) };
}

export function withOutcome(record: JobRecord, outcome: JobOutcome): JobRecord {
  return { ...record, outcomes: [outcome, ...record.outcomes].slice(0, outcomesKept) };
}

function parse(key: string, value: Json): JobRecord {
  const parsed = recordSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ConfigError(`the record ${key} cannot be understood: ${parsed.error.issues[0]?.message ?? "wrong form"}`, {
    code: "unknown_record",
    hint: "a newer version may have written it: update this instance",
  });
}
