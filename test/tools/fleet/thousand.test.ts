import { afterAll, beforeAll, expect, test } from "vitest";
import { createReadCache } from "../../../agent/gateway/store/read-cache.ts";
import { openS3Store } from "../../../agent/gateway/store/s3.ts";
import type { FleetStatus, InstanceStatus } from "../../../tools/fleet/model.ts";
import type { FleetServices, ProvidedInstance } from "../../../tools/fleet/services.ts";
import { fleetStatus } from "../../../tools/fleet-status.ts";
import type { ReadContext } from "../../../tools/tool.ts";
import { fillStore, planRoll, servicesOf } from "../../support/big-fleet.ts";
import { providedInstances } from "../../support/idle-fleet.ts";
import { createMemoryS3, type MemoryS3 } from "../../support/memory-s3.ts";

const provided = providedInstances(1000);
const self = provided[500] as ProvidedInstance;
const s3: MemoryS3 = createMemoryS3();
const options = { bucket: "bucket", prefix: "store/", clients: { s3: s3.client } };
let listings = 0;

/** A gateway that has read nothing yet. */
async function openFleet(): Promise<{ fleet: FleetServices; close(): Promise<void> }> {
  const store = createReadCache(await openS3Store(options));
  const list = async (): Promise<ProvidedInstance[]> => {
    listings++;
    return provided;
  };
  return { fleet: servicesOf({ store, self, list }), close: () => store.close() };
}

beforeAll(async () => {
  const store = await openS3Store(options);
  await fillStore(store, provided);
  await store.close();
}, 120_000);

let fleet: FleetServices;
let close = async (): Promise<void> => {};
beforeAll(async () => {
  s3.requests.length = 0;
  ({ fleet, close } = await openFleet());
});
afterAll(() => close());

test("the status of 1,000 instances takes at most five requests, opening the store included", async () => {
  const status = await fleet.status();
  expect(s3.requests.length + listings).toBeLessThanOrEqual(5);
  expect(listings).toBe(1);
  expect(status.instances).toHaveLength(1000);
  expect(status.instances.every(({ state, machine }) => state === "ready" && machine !== null)).toBe(true);
  expect(status.instances.map(({ name }) => name).slice(0, 2)).toEqual(["CLAWDINATOR-1", "CLAWDINATOR-2"]);
});

test("the plan of a roll looks once, however many it replaces", async () => {
  const before = s3.requests.length + listings;
  const plan = await planRoll(fleet);
  expect(plan.targets).toBe(1000);
  expect(s3.requests.length + listings - before).toBeLessThanOrEqual(5);
});

test("the status of 1,000 is whole as data, and as text short, with what is in trouble first", async () => {
  const status = await fleet.status();
  const lost = { ...(status.instances[700] as InstanceStatus), state: "lost" as const };
  const instances = status.instances.map((one) => (one.name === lost.name ? lost : one));
  const context = { fleet: { status: async () => ({ ...status, instances }) } } as unknown as ReadContext;
  const { text, data } = await fleetStatus.run(context, {});
  expect((data as unknown as FleetStatus).instances).toHaveLength(1000);
  const lines = text.split("\n");
  expect(lines[0]).toBe("1000 instances: 999 ready, 1 lost.");
  expect(lines[2]).toContain(`${lost.name} `);
  expect(lines.at(-1)).toBe("900 more; `clawdinator fleet status` shows them all.");
  expect(text.length).toBeLessThan(12_000);
});
