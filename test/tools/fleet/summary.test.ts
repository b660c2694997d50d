import { expect, test } from "vitest";
import { createReadCache } from "../../../agent/gateway/store/read-cache.ts";
import { openS3Store } from "../../../agent/gateway/store/s3.ts";
import { writeHeartbeat } from "../../../tools/fleet/heartbeats.ts";
import type { FleetStatus, Heartbeat } from "../../../tools/fleet/model.ts";
import { giveName, releaseName, renewName } from "../../../tools/fleet/names.ts";
import { readFleet } from "../../../tools/fleet/read-fleet.ts";
import type { ProvidedInstance } from "../../../tools/fleet/services.ts";
import { createSummaryWriter, readSummary, type SummaryWriter } from "../../../tools/fleet/summary.ts";
import type { Store } from "../../../tools/store.ts";
import { providedInstances } from "../../support/idle-fleet.ts";
import { createMemoryS3, type MemoryS3 } from "../../support/memory-s3.ts";

const leaseMs = 900_000;
/** More than are read one by one. */
const many = 40;

interface Fleet {
  s3: MemoryS3;
  keeper: Store;
  reader: Store;
  summary: SummaryWriter;
  provided: ProvidedInstance[];
  time: { now: number };
  status(self?: string): Promise<FleetStatus>;
  /** `METHOD name` of all requests but for the marker since the last call. */
  requests(): string[];
  close(): Promise<void>;
}

/** Some holders that have written what they are, a keeper, and another instance that looks. */
async function start(count: number): Promise<Fleet> {
  const s3 = createMemoryS3();
  const time = { now: 0 };
  const open = async (): Promise<Store> =>
    createReadCache(
      await openS3Store({ bucket: "bucket", prefix: "store/", clients: { s3: s3.client }, pollMs: 1_000_000 }),
      { monotonic: () => time.now },
    );
  const [keeper, reader] = [await open(), await open()];
  const provided = providedInstances(count);
  for (const one of provided) {
    await giveName(keeper, { name: one.name, to: one.instance, from: null, leaseMs });
    await writeHeartbeat(keeper, heartbeat(one, 1));
  }
  const summary = createSummaryWriter({ store: keeper, leaseMs, monotonic: () => time.now });
  return {
    s3,
    keeper,
    reader,
    summary,
    provided,
    time,
    status: (self = "i-none") =>
      readFleet({
        store: reader,
        self: { name: provided.find((one) => one.instance === self)?.name ?? null, instance: self },
        host: "127.0.0.1",
        list: async () => provided,
      }),
    requests: () =>
      s3.requests
        .splice(0)
        .filter(({ name }) => name !== "store/.changed")
        .map(({ method, name }) => `${method} ${name.slice("store/".length)}`),
    async close() {
      summary.stop();
      await Promise.all([keeper.close(), reader.close()]);
    },
  };
}

function heartbeat(one: { instance: string; name: string }, epoch: number | null): Heartbeat {
  return {
    formatVersion: 1,
    instance: one.instance,
    name: one.name,
    epoch,
    state: epoch === null ? "candidate" : "ready",
    revision: "a".repeat(40),
    image: "image-1",
    dirty: false,
    version: "1.0.0",
    pid: 1,
    mindPid: 2,
    port: 18_789,
    startedAt: 0,
    at: Date.now(),
    phases: [],
    checks: [],
  };
}

const states = (status: FleetStatus): string[] =>
  status.instances.map(({ name, epoch, state }) => `${name}/${epoch} ${state}`);

test("where listing is costly the status is read from the summary, and says the same as reading everything", async () => {
  const fleet = await start(many);
  const everything = await fleet.status();
  expect(states(everything)).toEqual(fleet.provided.map(({ name }) => `${name}/1 ready`));
  await fleet.summary.look();
  fleet.requests();
  const summarized = await fleet.status();
  expect(fleet.requests()).toEqual(["GET fleet/summary", "GET candidates/i-none"]);
  const ageless = (status: FleetStatus): unknown => status.instances.map((one) => ({ ...one, heartbeatAgeMs: 0 }));
  expect(ageless(summarized)).toEqual(ageless(everything));
  expect(summarized.instances[1]?.machine).toBe(fleet.provided[1]?.machine);
  await fleet.close();
});

test("the provider's one look decides who is lost, also for the summary", async () => {
  const fleet = await start(many);
  await fleet.summary.look();
  fleet.provided.splice(1, 1);
  expect(states(await fleet.status()).slice(0, 3)).toEqual([
    "CLAWDINATOR-1/1 ready",
    "CLAWDINATOR-2/1 lost",
    "CLAWDINATOR-3/1 ready",
  ]);
  await fleet.close();
});

test("a summary that nobody writes any more is not believed", async () => {
  const fleet = await start(many);
  await fleet.summary.look();
  await fleet.reader.put("names/CLAWDINATOR-2", {
    formatVersion: 1,
    name: "CLAWDINATOR-2",
    epoch: 7,
    holder: "i-2",
    leaseUntil: 9e15,
    port: null,
  });
  expect((await fleet.status()).instances[1]?.epoch).toBe(1);
  fleet.s3.skewMs = leaseMs + 2_000;
  await fleet.reader.get("fleet/paused");
  expect((await fleet.status()).instances[1]?.epoch).toBe(7);
  await fleet.close();
});

test("what the asking instance knows of itself is newer than the summary", async () => {
  const fleet = await start(many);
  await fleet.summary.look();
  await releaseName(fleet.reader, { name: "CLAWDINATOR-2", holder: "i-2" });
  await giveName(fleet.reader, { name: "CLAWDINATOR-2", to: "i-new", from: null, leaseMs });
  fleet.provided.push({ ...(fleet.provided[1] as ProvidedInstance), instance: "i-new" });
  await writeHeartbeat(fleet.reader, heartbeat({ instance: "i-new", name: "CLAWDINATOR-2" }, 2));
  expect(states(await fleet.status("i-new")).slice(0, 2)).toEqual(["CLAWDINATOR-1/1 ready", "CLAWDINATOR-2/2 ready"]);
  await fleet.close();
});

test("it is written again soon after a change, not for renewals and regular heartbeats, and else twice in a lease", async () => {
  const fleet = await start(2);
  const look = async (afterMs: number): Promise<string[]> => {
    fleet.requests();
    fleet.time.now += afterMs;
    await fleet.summary.look();
    return fleet.requests().filter((request) => request.startsWith("PUT"));
  };
  const written = ["PUT fleet/summary"];
  expect(await look(0)).toEqual(written);
  expect(await look(10_000)).toEqual([]);
  await renewName(fleet.keeper, { name: "CLAWDINATOR-1", holder: "i-1", epoch: 1, leaseMs, port: null });
  await writeHeartbeat(fleet.keeper, heartbeat(fleet.provided[0] as ProvidedInstance, 1));
  expect(await look(10_000)).toEqual([]);
  await writeHeartbeat(fleet.keeper, { ...heartbeat({ instance: "i-3", name: "CLAWDINATOR-3" }, null) });
  expect(await look(1_000)).toEqual([]);
  expect(await look(5_000)).toEqual(written);
  expect((await readSummary(fleet.reader))?.facts.candidates.get("i-3")?.state).toBe("candidate");
  // Others' renewals are told to nobody: it looks for them by itself, reading only what changed.
  await renewName(fleet.reader, { name: "CLAWDINATOR-2", holder: "i-2", epoch: 1, leaseMs: leaseMs * 2, port: null });
  fleet.requests();
  fleet.time.now += leaseMs / 2;
  await fleet.summary.look();
  expect(fleet.requests().sort()).toEqual([
    "GET names/CLAWDINATOR-2",
    "LIST candidates/",
    "LIST names/",
    "PUT fleet/summary",
  ]);
  await fleet.close();
});

test("a store where looking is cheap is read as a whole, and needs no summary", async () => {
  const fleet = await start(1);
  const { listing: _listing, ...cheap } = fleet.reader;
  const status = await readFleet({
    store: cheap,
    self: { name: null, instance: "i-none" },
    host: "127.0.0.1",
    list: async () => fleet.provided,
  });
  expect(states(status)).toEqual(["CLAWDINATOR-1/1 ready"]);
  await fleet.close();
});
