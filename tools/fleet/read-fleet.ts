/** The fleet's state: what instances say of themselves, judged by leases and by what the provider sees. */
import type { Store } from "../store.ts";
import { type FleetFacts, readCandidate, readFacts, readHolder } from "./heartbeats.ts";
import { consoleUrl, type FleetStatus, type Heartbeat, type InstanceState, type InstanceStatus } from "./model.ts";
import { compareNames } from "./name-order.ts";
import { readName } from "./names.ts";
import type { ProvidedInstance } from "./services.ts";
import { readSummary } from "./summary.ts";

/** What every instance last said of itself, judged by leases and by what the provider sees in one look. */
export async function readFleet(options: {
  store: Store;
  self: { name: string | null; instance: string };
  host: string;
  list(): Promise<ProvidedInstance[]>;
}): Promise<FleetStatus> {
  const { store, self, host } = options;
  const now = await store.now();
  const [known, listed] = await Promise.all([readKnown(store, { self, now }), options.list()]);
  const provided = new Map(listed.map((one) => [one.instance, one]));
  const { facts, leasesAt } = known;
  const instances: InstanceStatus[] = [];
  const holding = new Set<string>();
  for (const record of facts.names) {
    if (record.holder === null) continue;
    holding.add(record.holder);
    const heartbeat = facts.holders.get(record.name) ?? null;
    const there = provided.get(record.holder);
    const gone = leasesAt > record.leaseUntil || !(there ? there.liveness === "running" : isBesideTheCloud(heartbeat));
    const state: InstanceState = gone ? "lost" : heartbeat ? holderState(heartbeat.state) : "booting";
    const before = heartbeat ?? facts.candidates.get(record.holder) ?? null;
    instances.push({
      ...statusOf({ heartbeat: before, now, host, state, provided: there }),
      name: record.name,
      instance: record.holder,
      epoch: record.epoch,
      port: heartbeat?.port ?? record.port,
    });
  }
  for (const heartbeat of facts.candidates.values()) {
    if (holding.has(heartbeat.instance)) continue;
    const there = provided.get(heartbeat.instance);
    const state = there?.liveness === "running" ? candidateState(heartbeat.state) : "lost";
    instances.push(statusOf({ heartbeat, now, host, state, provided: there }));
  }
  instances.sort(
    (a, b) =>
      compareNames(a.name, b.name) || (a.epoch ?? Number.MAX_SAFE_INTEGER) - (b.epoch ?? Number.MAX_SAFE_INTEGER),
  );
  return { at: now, instances, self };
}

/** One that runs from a checkout beside machines in the cloud: the provider does not know it, and its lease decides. */
function isBesideTheCloud(heartbeat: Heartbeat | null): boolean {
  return heartbeat?.image === "checkout";
}

/** Up to this size everything is read: what has not changed is confirmed by two listings. */
const smallFleet = 32;

/** From the summary where reading everything is costly and there is a recent one; leases are judged by its time then. */
async function readKnown(
  store: Store,
  { self, now }: { self: { name: string | null; instance: string }; now: number },
): Promise<{ facts: FleetFacts; leasesAt: number }> {
  const summary = store.listing === "costly" ? await readSummary(store) : null;
  const isSmall = summary !== null && summary.facts.names.length + summary.facts.candidates.size <= smallFleet;
  if (!summary || isSmall || now > summary.validUntil) return { facts: await readFacts(store), leasesAt: now };
  return { facts: await withOwn(store, summary.facts, self), leasesAt: summary.at };
}

/** What this instance wrote since is known to it first. */
async function withOwn(
  store: Store,
  facts: FleetFacts,
  self: { name: string | null; instance: string },
): Promise<FleetFacts> {
  const record = self.name === null ? null : await readName(store, self.name);
  const holders = new Map(facts.holders);
  const candidates = new Map(facts.candidates);
  if (record?.holder === self.instance) {
    const heartbeat = await readHolder(store, record);
    if (heartbeat) holders.set(record.name, heartbeat);
    else holders.delete(record.name);
  } else {
    const heartbeat = await readCandidate(store, self.instance);
    if (heartbeat) candidates.set(self.instance, heartbeat);
    if (record && record.epoch !== holders.get(record.name)?.epoch) holders.delete(record.name);
  }
  const others = facts.names.filter((one) => one.name !== record?.name);
  return { names: record ? [...others, record] : others, holders, candidates };
}

function candidateState(state: Heartbeat["state"]): InstanceState {
  if (state === "drained") return "draining";
  return state === "candidate" ? "candidate" : "booting";
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
  provided: ProvidedInstance | undefined;
}): InstanceStatus {
  const { heartbeat, now, state, host, provided } = options;
  const port = heartbeat?.port ?? null;
  return {
    name: heartbeat?.name ?? "",
    state,
    instance: heartbeat?.instance ?? "",
    machine: provided?.machine ?? null,
    revision: heartbeat?.revision ?? "",
    image: heartbeat?.image ?? "",
    dirty: heartbeat?.dirty ?? false,
    epoch: heartbeat?.epoch ?? null,
    port,
    // A machine listens on its own loopback only: SSM forwards a port to it.
    url: provided?.machine ? null : consoleUrl(host, port),
    heartbeatAgeMs: heartbeat ? Math.max(0, now - heartbeat.at) : null,
    startedAt: heartbeat?.startedAt ?? null,
    phases: heartbeat?.phases ?? [],
    checks: heartbeat?.checks ?? [],
  };
}
