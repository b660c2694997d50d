/**
 * One record for each UTC day and instance, `spend/<yyyy-mm-dd>/<instance>`: what its requests used, in sums that stay
 * small, and the requests that run now. Pure functions over it.
 */
import { z } from "zod";
import { purposeSchema, type Usage, usageSchema } from "../../protocol.ts";

/** A mind that names ever new models or people must not make the record grow: what is beyond is summed under one name. */
const mostLines = 300;
/** Of a day's answers the dearest and the newest are kept, so many of each. */
const runsKept = 40;
/** Ends that are told again after a restart are known by their ids. */
const endedKept = 200;
const refusalsKept = 200;

const personSchema = z.object({
  kind: z.enum(["maintainer", "instance", "schedule"]),
  id: z.string(),
  name: z.string(),
});
export type Person = z.output<typeof personSchema>;

const conversationKindSchema = z.enum(["chat", "schedule", "notice", "none"]);
export type ConversationKind = z.output<typeof conversationKindSchema>;

const priceSourceSchema = z.enum(["configured", "list", "assumed", "free", "unknown"]);

/** What a charge is booked under. */
const entrySchema = z.object({
  provider: z.string(),
  model: z.string(),
  purpose: purposeSchema,
  person: personSchema,
  conversation: conversationKindSchema,
  price: priceSourceSchema,
});
export type Entry = z.output<typeof entrySchema>;

const lineSchema = entrySchema.extend({
  requests: z.number(),
  estimatedRequests: z.number(),
  inputTokens: z.number(),
  cacheReadTokens: z.number(),
  cacheWriteTokens: z.number(),
  outputTokens: z.number(),
  usd: z.number(),
});

const openSchema = entrySchema.extend({
  request: z.string(),
  /** The message that is answered; null for what belongs to none. */
  message: z.string().nullable(),
  /** The mind that makes it: another one will never tell its end. */
  pid: z.number(),
  at: z.number(),
  estimate: usageSchema,
  usd: z.number(),
});
export type OpenRequest = z.output<typeof openSchema>;

const runSchema = z.object({
  message: z.string(),
  conversationId: z.string().nullable(),
  person: personSchema,
  startedAt: z.number(),
  lastAt: z.number(),
  requests: z.number(),
  usd: z.number(),
  /** Spent since it last got anywhere. */
  idleUsd: z.number(),
  outcome: z.string().nullable(),
});
export type RunRecord = z.output<typeof runSchema>;

const refusalSchema = z.object({
  message: z.string(),
  code: z.string(),
  text: z.string(),
  hint: z.string(),
  until: z.number().nullable(),
  at: z.number(),
  /** The policy that it was judged by: another one may judge otherwise. */
  policy: z.string(),
});

export const dayRecordSchema = z.object({
  formatVersion: z.literal(1),
  day: z.string(),
  instance: z.string(),
  name: z.string(),
  lines: z.array(lineSchema),
  runs: z.array(runSchema),
  open: z.array(openSchema),
  ended: z.array(z.object({ request: z.string(), usd: z.number() })),
  refusals: z.array(refusalSchema),
  refused: z.record(z.string(), z.number()),
  /** Answers in a row that spent something and were not finished. */
  inARow: z.object({ answers: z.number(), usd: z.number() }),
  /** When the breaker was last reset, as far as this instance has taken it up. */
  resetAt: z.number(),
});
export type DayRecord = z.output<typeof dayRecordSchema>;

export function emptyDay(day: string, who: { instance: string; name: string }): DayRecord {
  return {
    formatVersion: 1,
    day,
    instance: who.instance,
    name: who.name,
    lines: [],
    runs: [],
    open: [],
    ended: [],
    refusals: [],
    refused: {},
    inARow: { answers: 0, usd: 0 },
    resetAt: 0,
  };
}

/** Books what a request used. */
export function charge(
  record: DayRecord,
  entry: Entry,
  { usage, usd, isEstimated }: { usage: Usage; usd: number; isEstimated: boolean },
): void {
  const line = lineOf(record, entry);
  line.requests += 1;
  line.estimatedRequests += isEstimated ? 1 : 0;
  line.inputTokens += usage.inputTokens;
  line.cacheReadTokens += usage.cacheReadTokens;
  line.cacheWriteTokens += usage.cacheWriteTokens;
  line.outputTokens += usage.outputTokens;
  line.usd += usd;
}

function lineOf(record: DayRecord, entry: Entry): z.output<typeof lineSchema> {
  const isSame = (other: Entry): boolean =>
    other.model === entry.model &&
    other.provider === entry.provider &&
    other.purpose === entry.purpose &&
    other.conversation === entry.conversation &&
    other.price === entry.price &&
    other.person.kind === entry.person.kind &&
    other.person.id === entry.person.id;
  const known = record.lines.find(isSame);
  if (known) return known;
  if (record.lines.length >= mostLines && entry.model !== "others") {
    return lineOf(record, {
      ...entry,
      provider: "others",
      model: "others",
      person: { kind: "instance", id: record.instance, name: record.name },
    });
  }
  const { provider, model, purpose, person, conversation, price } = entry;
  const counts = { requests: 0, estimatedRequests: 0, inputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 };
  const line = { provider, model, purpose, person, conversation, price, ...counts, outputTokens: 0, usd: 0 };
  record.lines.push(line);
  return line;
}

/** The record of a message's answer, made when there is none. */
export function runOf(
  record: DayRecord,
  about: { message: string; conversationId: string | null; person: Person },
  now: number,
): RunRecord {
  const known = record.runs.find(({ message }) => message === about.message);
  if (known) return known;
  const run: RunRecord = { ...about, startedAt: now, lastAt: now, requests: 0, usd: 0, idleUsd: 0, outcome: null };
  record.runs.push(run);
  if (record.runs.length > runsKept * 3) record.runs = keptRuns(record.runs);
  return run;
}

function keptRuns(runs: RunRecord[]): RunRecord[] {
  const newest = runs.toSorted((a, b) => b.lastAt - a.lastAt).slice(0, runsKept);
  const dearest = runs.toSorted((a, b) => b.usd - a.usd).slice(0, runsKept);
  const kept = new Set([...newest, ...dearest]);
  return runs.filter((run) => kept.has(run));
}

/** As it is stored: without what is beyond its bounds. */
export function boundedRecord(record: DayRecord): DayRecord {
  return {
    ...record,
    runs: keptRuns(record.runs),
    ended: record.ended.slice(-endedKept),
    refusals: record.refusals.slice(-refusalsKept),
  };
}

export function chargedUsd(record: DayRecord): number {
  return record.lines.reduce((sum, line) => sum + line.usd, 0);
}

export function openUsd(record: DayRecord): number {
  return record.open.reduce((sum, open) => sum + open.usd, 0);
}

/** `yyyy-mm-dd`, UTC. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

const dayMs = 86_400_000;

/** Older days are one record each, with the same sums. Longer than anything that is asked about single answers. */
export const dayKeptMs = 120 * dayMs;

/** The next midnight, UTC. */
export function dayEnd(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) + dayMs;
}

/** So many days up to and with this one, oldest first. */
export function lastDays(day: string, days: number): string[] {
  const end = Date.parse(`${day}T00:00:00Z`);
  return Array.from({ length: days }, (_, index) => dayOf(end - (days - 1 - index) * dayMs));
}

export function dayKey(day: string, instance: string): string {
  return `spend/${day}/${instance}`;
}
