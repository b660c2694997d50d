/**
 * One object with all that `fleet status` needs. Where each look at a key is charged for and takes its time, one instance
 * reads everything now and then and writes it here, and all others read this instead.
 */
import { z } from "zod";
import type { Json } from "../json.ts";
import type { Store } from "../store.ts";
import { type FleetFacts, readFacts } from "./heartbeats.ts";
import { type Heartbeat, heartbeatSchema } from "./model.ts";
import type { NameRecord } from "./services.ts";

const key = "fleet/summary";

/** Changes that come together, such as the phases of a start, are written together. */
const writeEveryMs = 5_000;

const summarySchema = z.object({
  formatVersion: z.literal(1),
  at: z.number(),
  validUntil: z.number(),
  names: z.array(z.custom<NameRecord>((one) => typeof (one as NameRecord | null)?.name === "string")),
  holders: z.array(heartbeatSchema),
  candidates: z.array(heartbeatSchema),
});

export interface Summary {
  /** Store time at which it was all read. */
  at: number;
  /** Afterwards whoever wrote it is gone, and it is too old to be believed. */
  validUntil: number;
  facts: FleetFacts;
}

/** The newest one, as it stands in the store; null when there is none that this version can read. */
export async function readSummary(store: Store): Promise<Summary | null> {
  store.refresh?.(key);
  const parsed = summarySchema.safeParse((await store.get(key))?.value);
  if (!parsed.success) return null;
  const { at, validUntil, names, holders, candidates } = parsed.data;
  return {
    at,
    validUntil,
    facts: {
      names,
      holders: new Map(holders.map((one) => [one.name, one])),
      candidates: new Map(candidates.map((one) => [one.instance, one])),
    },
  };
}

export interface SummaryWriter {
  /** Reads and writes what is due: soon after a change, and otherwise twice within a lease. Called often. */
  look(): Promise<void>;
  stop(): void;
}

/** The caller sees to it that one instance at a time does this. `monotonic` is for tests. */
export function createSummaryWriter(options: {
  store: Store;
  leaseMs: number;
  monotonic?: () => number;
}): SummaryWriter {
  const { store, leaseMs } = options;
  const monotonic = options.monotonic ?? (() => performance.now());
  let mayHaveChanged = true;
  let lastLook = Number.NEGATIVE_INFINITY;
  let lastRead = Number.NEGATIVE_INFINITY;
  let lastShape = "";
  const stopWatching = store.watch(() => {
    mayHaveChanged = true;
  });

  return {
    async look() {
      const time = monotonic();
      const isDue = time - lastRead >= leaseMs / 2;
      if (!isDue && (!mayHaveChanged || time - lastLook < writeEveryMs)) return;
      lastLook = time;
      mayHaveChanged = false;
      if (isDue) {
        // Renewals and regular heartbeats are told to nobody.
        store.refresh?.("names/");
        store.refresh?.("candidates/");
      }
      try {
        const at = await store.now();
        const facts = await readFacts(store);
        const shape = shapeOf(facts);
        if (!isDue && shape === lastShape) return;
        const summary = {
          formatVersion: 1,
          at,
          validUntil: at + leaseMs,
          names: facts.names,
          holders: [...facts.holders.values()],
          candidates: [...facts.candidates.values()],
        };
        await store.put(key, summary as unknown as Json, undefined, { quiet: true });
        lastShape = shape;
        if (isDue) lastRead = time;
      } catch (error) {
        mayHaveChanged = true;
        throw error;
      }
    },

    stop: stopWatching,
  };
}

/** What is news: not that leases were renewed and hearts beat. */
function shapeOf({ names, holders, candidates }: FleetFacts): string {
  const still = (one: Heartbeat): Heartbeat => ({ ...one, at: 0 });
  return JSON.stringify([
    names.map((record) => ({ ...record, leaseUntil: record.holder === null ? 0 : 1 })),
    [...holders.values()].map(still),
    [...candidates.values()].map(still),
  ]);
}
