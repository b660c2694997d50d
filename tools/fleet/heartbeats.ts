/** Where instances write what they are. */
import type { Json } from "../json.ts";
import type { PutOptions, Store } from "../store.ts";
import { type Heartbeat, heartbeatSchema } from "./model.ts";
import { readListedNames } from "./names.ts";
import type { NameRecord } from "./services.ts";

/** What former holders and candidates last said is kept this long, for whoever looks why one failed. */
export const heartbeatKeptMs = 30 * 24 * 3600 * 1000;

/** A holder's heartbeat lies under its epoch; a candidate has none yet. */
function heartbeatKey(heartbeat: { instance: string; name: string; epoch: number | null }): string {
  if (heartbeat.epoch === null) return `candidates/${heartbeat.instance}`;
  return `names/${heartbeat.name}/${heartbeat.epoch}/heartbeat`;
}

/** `quiet`: it says only that the instance is still there. */
export async function writeHeartbeat(store: Store, heartbeat: Heartbeat, options: PutOptions = {}): Promise<void> {
  await store.put(heartbeatKey(heartbeat), heartbeat as unknown as Json, undefined, options);
}

/** A candidate's heartbeat; null before its first. */
export async function readCandidate(store: Store, instance: string): Promise<Heartbeat | null> {
  return parseHeartbeat((await store.get(`candidates/${instance}`))?.value);
}

export async function readHolder(store: Store, options: { name: string; epoch: number }): Promise<Heartbeat | null> {
  return parseHeartbeat((await store.get(`names/${options.name}/${options.epoch}/heartbeat`))?.value);
}

export async function forgetCandidate(store: Store, instance: string): Promise<void> {
  await store.delete(`candidates/${instance}`);
}

/** A heartbeat written by another version may hold more, and may be unreadable; that is not an error of the reader. */
function parseHeartbeat(value: Json | undefined): Heartbeat | null {
  const parsed = heartbeatSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

/** What the fleet's state is judged from. */
export interface FleetFacts {
  names: NameRecord[];
  /** Of holders under their epoch, by name. */
  holders: ReadonlyMap<string, Heartbeat>;
  /** By instance; those that hold a name by now may still be among them. */
  candidates: ReadonlyMap<string, Heartbeat>;
}

/** Reads everything: two listings, and what they list that is in force. */
export async function readFacts(store: Store): Promise<FleetFacts> {
  const [below, listedCandidates] = await Promise.all([store.list("names/"), store.list("candidates/")]);
  const keys = new Set(below.map(({ key }) => key));
  const names = await readListedNames(store, below);
  const holders = new Map<string, Heartbeat>();
  const candidates = new Map<string, Heartbeat>();
  await Promise.all([
    ...names.map(async (record) => {
      // Reading what is not listed would be a request for nothing.
      if (record.holder === null || !keys.has(heartbeatKey({ ...record, instance: record.holder }))) return;
      const heartbeat = await readHolder(store, record);
      if (heartbeat) holders.set(record.name, heartbeat);
    }),
    ...listedCandidates.map(async ({ key }) => {
      const heartbeat = parseHeartbeat((await store.get(key))?.value);
      if (heartbeat) candidates.set(heartbeat.instance, heartbeat);
    }),
  ]);
  return { names, holders, candidates };
}
