/** Where instances write what they are, and how the fleet's state is read from it. */
import type { Json } from "../json.ts";
import { readAll, type Store } from "../store.ts";
import {
  compareNames,
  consoleUrl,
  type FleetStatus,
  type Heartbeat,
  heartbeatSchema,
  type InstanceState,
  type InstanceStatus,
} from "./model.ts";
import { readNames } from "./names.ts";
import type { InstanceLiveness } from "./services.ts";

/** A holder's heartbeat lies under its epoch; a candidate has none yet. */
function heartbeatKey(heartbeat: { instance: string; name: string; epoch: number | null }): string {
  if (heartbeat.epoch === null) return `candidates/${heartbeat.instance}`;
  return `names/${heartbeat.name}/${heartbeat.epoch}/heartbeat`;
}

export async function writeHeartbeat(store: Store, heartbeat: Heartbeat): Promise<void> {
  await store.put(heartbeatKey(heartbeat), heartbeat as unknown as Json);
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

/** What every instance last said of itself, judged by leases and by what the provider sees. */
export async function readFleet(options: {
  store: Store;
  self: { name: string | null; instance: string };
  host: string;
  liveness(instance: string): Promise<InstanceLiveness>;
}): Promise<FleetStatus> {
  const { store } = options;
  const now = await store.now();
  const holders = new Map<string, number>();
  const instances: InstanceStatus[] = [];
  for (const record of await readNames(store)) {
    if (record.holder === null) continue;
    holders.set(record.holder, record.epoch);
    const heartbeat = await readHolder(store, record);
    const gone = now > record.leaseUntil || (await options.liveness(record.holder)) !== "running";
    const state: InstanceState = gone ? "lost" : heartbeat ? holderState(heartbeat.state) : "booting";
    const before = heartbeat ?? (await readCandidate(store, record.holder));
    instances.push({
      ...statusOf({ heartbeat: before, now, host: options.host, state }),
      name: record.name,
      instance: record.holder,
      epoch: record.epoch,
      port: heartbeat?.port ?? record.port,
    });
  }
  for (const entry of await readAll(store, "candidates/")) {
    const heartbeat = parseHeartbeat(entry.value);
    if (!heartbeat || holders.has(heartbeat.instance)) continue;
    const alive = (await options.liveness(heartbeat.instance)) === "running";
    const state: InstanceState = !alive
      ? "lost"
      : heartbeat.state === "drained"
        ? "draining"
        : heartbeat.state === "candidate"
          ? "candidate"
          : "booting";
    instances.push(statusOf({ heartbeat, now, host: options.host, state }));
  }
  instances.sort(
    (a, b) =>
      compareNames(a.name, b.name) || (a.epoch ?? Number.MAX_SAFE_INTEGER) - (b.epoch ?? Number.MAX_SAFE_INTEGER),
  );
  return { at: now, instances, self: options.self };
}

function holderState(state: Heartbeat["state"]): InstanceState {
  if (state === "ready") return "ready";
  return state === "draining" || state === "drained" ? "draining" : "booting";
}

function statusOf(options: {
  heartbeat: Heartbeat | null;
  now: number;
  host: string;
  state: InstanceState;
}): InstanceStatus {
  const { heartbeat, now, state, host } = options;
  const port = heartbeat?.port ?? null;
  return {
    name: heartbeat?.name ?? "",
    state,
    instance: heartbeat?.instance ?? "",
    revision: heartbeat?.revision ?? "",
    image: heartbeat?.image ?? "",
    dirty: heartbeat?.dirty ?? false,
    epoch: heartbeat?.epoch ?? null,
    port,
    url: consoleUrl(host, port),
    heartbeatAgeMs: heartbeat ? Math.max(0, now - heartbeat.at) : null,
    startedAt: heartbeat?.startedAt ?? null,
    phases: heartbeat?.phases ?? [],
    checks: heartbeat?.checks ?? [],
  };
}
