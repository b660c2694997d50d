/**
 * A fleet of idle gateways on one S3 in this process: the real presence, scheduler, keeper, summary, cache and store;
 * only the minds, the provider and the fleet repository do nothing.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createApprovals } from "../../agent/gateway/approvals.ts";
import { createAuditLog } from "../../agent/gateway/audit.ts";
import { createFleetServices } from "../../agent/gateway/fleet-services.ts";
import { createInbox } from "../../agent/gateway/inbox.ts";
import { createLive } from "../../agent/gateway/live.ts";
import { createOperations } from "../../agent/gateway/operations.ts";
import { createPause } from "../../agent/gateway/pause.ts";
import { createPresence, type Presence } from "../../agent/gateway/presence.ts";
import type { Runs } from "../../agent/gateway/runs.ts";
import { createScheduler } from "../../agent/gateway/scheduler.ts";
import { createReadCache } from "../../agent/gateway/store/read-cache.ts";
import { openS3Store } from "../../agent/gateway/store/s3.ts";
import { writeFirstDesired } from "../../tools/fleet/desired.ts";
import type { DesiredState } from "../../tools/fleet/model.ts";
import type { FleetProvider, FleetRepository, FleetServices, ProvidedInstance } from "../../tools/fleet/services.ts";
import { parsePolicy, policyDigest } from "../../tools/policy.ts";
import { pinFirstPolicy, readPolicy } from "../../tools/policy-pin.ts";
import type { Store } from "../../tools/store.ts";
import type { MemoryS3 } from "./memory-s3.ts";

/** What `provider: aws` sets. */
export const awsLeaseMs = 900_000;

const commit = "a".repeat(40);
/** The policy of a new fleet. */
export const templatePolicy = readFileSync(
  join(import.meta.dirname, "..", "..", "nix", "templates", "fleet", "policy.json"),
  "utf8",
);

export interface IdleInstance {
  instance: string;
  name: string;
  store: Store;
  fleet: FleetServices;
  presence: Presence;
  stop(): Promise<void>;
}

/** What a provider with these instances says; they run until they are taken out. */
export function providedInstances(count: number): ProvidedInstance[] {
  return Array.from({ length: count }, (_, index) => ({
    instance: `i-${index + 1}`,
    name: `CLAWDINATOR-${index + 1}`,
    image: "image-1",
    revision: commit,
    liveness: "running" as const,
    machine: `i-0123456789abcde${index}`,
  }));
}

/** The part of a provider that looking needs; anything else fails the test. */
export function lookOnlyProvider(list: () => Promise<ProvidedInstance[]>): FleetProvider {
  const known: Partial<FleetProvider> = {
    kind: "aws",
    instanceType: "t3.small",
    list,
    resolveRevision: async (revision) => revision,
    deriveImage: async (revision) => ({
      revision,
      id: "image-2",
      digest: "d".repeat(64),
      derivation: null,
      built: {
        revision,
        id: "image-2",
        digest: "d".repeat(64),
        derivation: null,
        path: "",
        bytes: 1,
        builtAt: 0,
        closure: null,
        ami: null,
        snapshot: null,
      },
    }),
    planLaunch: async () => ({ placement: null, monthlyUsd: 20, currentMonthlyUsd: 0, note: "", warnings: [] }),
  };
  return new Proxy(known as FleetProvider, {
    get(target, key) {
      const found = Reflect.get(target, key) as unknown;
      if (found === undefined) throw new Error(`nobody prepared provider.${String(key)}`);
      return found;
    },
  });
}

export function desiredOf(provided: readonly ProvidedInstance[]): DesiredState {
  const entry = { host: "aws", type: "t3.small", revision: commit, tokenSecret: null };
  return { formatVersion: 1, instances: Object.fromEntries(provided.map(({ name }) => [name, entry])) };
}

function quietRepository(desired: DesiredState): FleetRepository {
  return {
    tip: async () => commit,
    desiredAt: async () => desired,
    policyTextAt: async () => templatePolicy,
    configuration: () => Promise.reject(new Error("nobody prepared repository.configuration")),
    commit: () => Promise.reject(new Error("nobody prepared repository.commit")),
    commitsSince: async () => [],
  };
}

export async function startIdleInstance(
  s3: MemoryS3,
  options: { instance: string; name: string; provided: ProvidedInstance[] },
): Promise<IdleInstance> {
  const { instance, name, provided } = options;
  const store = createReadCache(await openS3Store({ bucket: "bucket", prefix: "store/", clients: { s3: s3.client } }));
  const desired = desiredOf(provided);
  await writeFirstDesired(store, { commit, state: desired });
  await pinFirstPolicy(store, { commit, text: templatePolicy });
  if (policyDigest(parsePolicy(templatePolicy, "policy.json")) !== (await readPolicy(store)).digest)
    throw new Error("policy");
  const audit = createAuditLog(store);
  const fleet = createFleetServices({
    store,
    provider: lookOnlyProvider(async () => provided),
    repository: quietRepository(desired),
    audit,
    host: "127.0.0.1",
    self: () => ({ instance, name, revision: commit, image: "image-1", dirty: false }),
    settings: { candidateDeadlineMs: 900_000, drainDeadlineMs: 20_000, leaseMs: awsLeaseMs, longestCallMs: 5_000 },
  });
  const pause = createPause(store);
  const approvals = createApprovals({
    store,
    audit,
    policy: () => readPolicy(store),
    plan: () => Promise.reject(new Error("nobody prepared a plan")),
    instance,
  });
  const log = (level: string, message: string, fields: unknown): void => {
    if (level !== "info") throw new Error(`${message} ${JSON.stringify(fields)}`);
  };
  const operations = createOperations({
    store,
    audit,
    fleet,
    operationByName: () => undefined,
    isPaused: pause.isPaused,
    approvalState: async () => null,
    log,
  });
  const live = createLive({
    store,
    approval: (id) => approvals.get(id),
    operation: (id) => operations.get(id),
    fleet: () => fleet.status(),
    paused: pause.peek,
  });
  const runs = { begin() {}, send: () => true, count: () => 0, abandon() {} } as unknown as Runs;
  const presence = createPresence({
    store,
    instance,
    name,
    leaseMs: awsLeaseMs,
    describe: () => ({
      revision: commit,
      image: "image-1",
      dirty: false,
      version: "1.0.0",
      mindPid: 1,
      port: 18_789,
    }),
    onTake: async () => {},
    onDrain: async () => {},
    onLost: async () => {},
    onChange: () => scheduler.wake(),
  });
  const scheduler = createScheduler({
    store,
    instance,
    name,
    presence,
    approvals,
    operations,
    inbox: createInbox(store),
    // Nothing is scheduled: what a job costs is the job's.
    schedule: { look: async () => {} },
    runs,
    live,
    fleet,
    audit,
    pause,
    log,
  });
  await presence.takeName(null);
  scheduler.start();
  await presence.settled();
  return {
    instance,
    name,
    store,
    fleet,
    presence,
    async stop() {
      await scheduler.stop();
      await store.close();
    },
  };
}
