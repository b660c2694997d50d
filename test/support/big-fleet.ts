/** A fleet of simulated instances: what so many would have written to the store, and what a summary says of it. */

import { createAuditLog } from "../../agent/gateway/audit.ts";
import { createFleetServices } from "../../agent/gateway/fleet-services.ts";
import { writeFirstDesired } from "../../tools/fleet/desired.ts";
import { writeHeartbeat } from "../../tools/fleet/heartbeats.ts";
import type { Heartbeat } from "../../tools/fleet/model.ts";
import { giveName } from "../../tools/fleet/names.ts";
import type { FleetRepository, FleetServices, ProvidedInstance } from "../../tools/fleet/services.ts";
import { createSummaryWriter } from "../../tools/fleet/summary.ts";
import { pinFirstPolicy } from "../../tools/policy-pin.ts";
import type { Store } from "../../tools/store.ts";
import { awsLeaseMs, desiredOf, lookOnlyProvider, templatePolicy } from "./idle-fleet.ts";

/** As many requests at once as the SDK has sockets. */
const atOnce = 50;

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const rest = [...items];
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function heartbeatOf(one: ProvidedInstance, at: number): Heartbeat {
  const phases = ["boot", "store", "memory", "mind", "name", "proof"];
  return {
    formatVersion: 1,
    instance: one.instance,
    name: one.name,
    epoch: 1,
    state: "ready",
    revision: one.revision,
    image: one.image,
    dirty: false,
    version: "1.0.0",
    pid: 100,
    mindPid: 101,
    port: 18_789,
    startedAt: at - 60_000,
    at,
    phases: phases.map((name) => ({ name, state: "done", startedAt: at - 50_000, endedAt: at - 40_000 })),
    checks: ["mind", "model", "memory"].map((name) => ({ name, ok: true, detail: `${name} answers` })),
  };
}

/** Writes names, heartbeats, desired state, policy and the keeper's summary, as the instances would. */
export async function fillStore(store: Store, provided: readonly ProvidedInstance[]): Promise<void> {
  const commit = provided[0]?.revision ?? "";
  await writeFirstDesired(store, { commit, state: desiredOf(provided) });
  await pinFirstPolicy(store, { commit, text: templatePolicy });
  const at = await store.now();
  await inParallel(provided, async (one) => {
    await giveName(store, { name: one.name, to: one.instance, from: null, leaseMs: awsLeaseMs });
    await writeHeartbeat(store, heartbeatOf(one, at));
  });
  const summary = createSummaryWriter({ store, leaseMs: awsLeaseMs });
  await summary.look();
  summary.stop();
}

/** What one of them asks and plans with. */
export function servicesOf(options: {
  store: Store;
  self: ProvidedInstance;
  list(): Promise<ProvidedInstance[]>;
}): FleetServices {
  const { store, self } = options;
  const { instance, name, revision, image } = self;
  const repository = new Proxy({} as FleetRepository, {
    get: (_target, key) => () => Promise.reject(new Error(`nobody prepared repository.${String(key)}`)),
  });
  return createFleetServices({
    store,
    provider: lookOnlyProvider(options.list),
    repository,
    audit: createAuditLog(store),
    host: "127.0.0.1",
    self: () => ({ instance, name, revision, image, dirty: false }),
    settings: { candidateDeadlineMs: 900_000, drainDeadlineMs: 20_000, leaseMs: awsLeaseMs, longestCallMs: 5_000 },
  });
}

/** The plan of a roll to another revision. */
export async function planRoll(fleet: FleetServices): Promise<{ targets: number; text: string }> {
  const { fleetRoll } = await import("../../tools/fleet-roll.ts");
  const proposer = {
    kind: "maintainer" as const,
    id: "1",
    name: "Ada",
    message: null,
    conversation: null,
    influencedByPublicText: false,
  };
  const context = { fleet, proposer, signal: AbortSignal.timeout(60_000) };
  const plan = await fleetRoll.plan(context, { revision: "b".repeat(40) });
  return { targets: plan.targets.length, text: JSON.stringify(plan) };
}
