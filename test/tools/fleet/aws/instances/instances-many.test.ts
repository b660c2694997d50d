import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore } from "../../../../../agent/gateway/store/sqlite.ts";
import { createAwsClients } from "../../../../../tools/fleet/aws/clients.ts";
import { openAwsInstances } from "../../../../../tools/fleet/aws/instances/instances.ts";
import { awsSettingsSchema } from "../../../../../tools/fleet/aws/settings.ts";
import { serveManyInstances } from "../../../../support/many-instances.ts";
import { temporaryDirectory } from "../../../../support/temporary.ts";

async function openMany(count: number) {
  const settings = awsSettingsSchema.parse({ bucket: "bucket" });
  const served = await serveManyInstances({ count, fleet: settings.fleet });
  Object.assign(process.env, { AWS_ENDPOINT_URL_EC2: served.url, AWS_ACCESS_KEY_ID: "A", AWS_SECRET_ACCESS_KEY: "B" });
  const clients = createAwsClients({ region: settings.region });
  const store = await openSqliteStore({ path: `${temporaryDirectory()}/store.sqlite` });
  onTestFinished(async () => {
    clients.close();
    await store.close();
    await served.close();
  });
  return { served, instances: openAwsInstances({ settings, clients, store }) };
}

test("lists 1,000 instances in one request and more in as many as there are thousands", async () => {
  const thousand = await openMany(1000);
  const listed = await thousand.instances.list();
  expect(listed.map(({ instance }) => instance)).toEqual(thousand.served.instances);
  expect(listed[0]).toEqual({
    instance: "clawd-000000000000",
    name: "CLAWDINATOR-2",
    image: "",
    revision: "",
    liveness: "running",
    machine: "i-00000000000000000",
  });
  expect(thousand.served.requests()).toBe(1);
  const more = await openMany(2500);
  expect(await more.instances.list()).toHaveLength(2500);
  expect(more.served.requests()).toBe(3);
});

test("answers whether each of 1,000 lives from one request", async () => {
  const { served, instances } = await openMany(1000);
  const states = await Promise.all(served.instances.map((instance) => instances.liveness(instance)));
  expect(new Set(states)).toEqual(new Set(["running"]));
  // One that the listing lacks and that nobody launched costs no request either.
  expect(await instances.liveness("clawd-ffffffffffff")).toBe("absent");
  expect(served.requests()).toBe(1);
});
