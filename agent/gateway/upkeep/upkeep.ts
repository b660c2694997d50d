/**
 * Once a day one instance removes what nobody needs any more. Each part is safe to repeat and to kill, so the record of
 * the day, `upkeep/state`, is only there to keep others from doing it again.
 */

import { describeError } from "../../../tools/errors.ts";
import { readHolder } from "../../../tools/fleet/heartbeats.ts";
import { readNames } from "../../../tools/fleet/names.ts";
import type { FleetProvider } from "../../../tools/fleet/services.ts";
import type { Json } from "../../../tools/json.ts";
import type { Store } from "../../../tools/store.ts";
import type { Log } from "../../log.ts";
import type { AuditLog } from "../audit.ts";
import { dayOf } from "../spend/day-record.ts";
import { readScheduleRuns, sweepDecisions } from "./decisions.ts";
import { foldSpend } from "./fold.ts";
import { kindsFor } from "./kinds.ts";
import { removeStrays } from "./strays.ts";
import { type Limits, limitsOf, type SweepContext, sweep } from "./sweep.ts";

const key = "upkeep/state";

/** A new day of upkeep begins at this hour UTC, when most of those who use the fleet sleep or have not begun. */
const quietHourMs = 3 * 3600 * 1000;

interface UpkeepState {
  formatVersion: 1;
  /** The day that is done. */
  day: string;
  /** Where the next walk of a kind goes on, where one was not enough. */
  cursors: Record<string, string>;
  /** Instances that nothing names, and since when. */
  strays: Record<string, number>;
}

export interface UpkeepOptions {
  store: Store;
  audit: Pick<AuditLog, "write">;
  instance: string;
  provider: Pick<FleetProvider, "kind" | "list" | "remove">;
  /** `instances` of the state directory. */
  directory: string;
  log: Log;
  signal: AbortSignal;
  /** Lets others work. */
  rest(): Promise<void>;
  limits?: Limits;
}

/** Does the day's upkeep unless it was done; returns what was removed, by kind, or null when nothing was due. */
export async function keepUp(options: UpkeepOptions): Promise<Record<string, number> | null> {
  const { store, audit, instance, log } = options;
  const now = await store.now();
  const day = dayOf(now - quietHourMs);
  store.refresh?.(key);
  const before = (await store.get(key))?.value as unknown as UpkeepState | undefined;
  if (before !== undefined && (before.formatVersion !== 1 || before.day >= day)) return null;
  const limits = options.limits ?? limitsOf[store.listing ?? "cheap"];
  const context: SweepContext = { ...options, now, limits };

  const runs = await readScheduleRuns(context);
  const { removed: decided, there, isAnyLive } = await sweepDecisions(context, runs);
  const living = await readLiving(store);
  const removed: Record<string, number> = { ...decided };
  const cursors: Record<string, string> = {};
  for (const kind of kindsFor({ now, decisions: there, runs, ...living })) {
    const { removed: count, after } = await sweep(kind, context, before?.cursors[kind.name] ?? null);
    removed[kind.name] = count;
    if (after !== null) cursors[kind.name] = after;
  }
  removed["days of spending"] = await foldSpend(context);
  // While an operation runs, it may be about to start or to stop one.
  const since = before?.strays ?? {};
  const strays = isAnyLive
    ? { removed: 0, since }
    : await removeStrays({ ...options, living: living.instances, since, now }).catch((error: unknown) => {
        log("warn", "directories of former instances stay", { error: describeError(error).message });
        return { removed: 0, since };
      });
  removed.instances = strays.removed;

  const told = Object.entries(removed).filter(([, count]) => count > 0);
  if (told.length > 0) {
    await audit.write(
      {
        action: "upkeep.done",
        actor: `instance:${instance}`,
        surface: instance,
        subject: "upkeep",
        detail: `removed ${told.map(([kind, count]) => `${kind}: ${count}`).join(", ")}`,
      },
      { once: `upkeep/${day}` },
    );
  }
  const state: UpkeepState = { formatVersion: 1, day, cursors, strays: strays.since };
  await store.put(key, state as unknown as Json);
  log("info", "upkeep is done", { day, removed: Object.fromEntries(told) });
  return removed;
}

/** Who is there, and what is on its way. */
async function readLiving(store: Store) {
  for (const prefix of ["names/", "candidates/", "discord/deliveries/"]) store.refresh?.(prefix);
  const records = await readNames(store);
  const lastSeen = new Map<string, number>();
  for (const { name, epoch } of records) {
    const heartbeat = await readHolder(store, { name, epoch });
    if (heartbeat) lastSeen.set(name, heartbeat.at);
  }
  const candidates = (await store.list("candidates/")).map((entry) => entry.key.slice("candidates/".length));
  const deliveries = (await store.list("discord/deliveries/")).map((entry) =>
    entry.key.slice("discord/deliveries/".length),
  );
  return {
    names: new Map(records.map((record) => [record.name, record])),
    lastSeen,
    deliveries: new Set(deliveries),
    instances: new Set([...records.flatMap(({ holder }) => (holder === null ? [] : [holder])), ...candidates]),
  };
}
