import { expect, test } from "vitest";
import { createReadCache } from "../../../../agent/gateway/store/read-cache.ts";
import { openS3Store, type S3Store } from "../../../../agent/gateway/store/s3.ts";
import { readAll, type Store, update } from "../../../../tools/store.ts";
import { createMemoryS3, type MemoryS3 } from "../../../support/memory-s3.ts";
import { waitFor } from "../../../support/wait.ts";

interface Machines {
  s3: MemoryS3;
  cached: Store;
  other: S3Store;
  /** Requests for keys since the last call; looks at the marker are not counted. */
  requests(): string[];
  time: { now: number };
}

/** One machine with a cache and one without, on the same S3. */
async function open(pollMs = 20): Promise<Machines> {
  const s3 = createMemoryS3();
  const options = { bucket: "bucket", prefix: "store/", clients: { s3: s3.client } };
  const time = { now: 0 };
  const cached = createReadCache(await openS3Store({ ...options, pollMs }), { monotonic: () => time.now });
  const other = await openS3Store({ ...options, pollMs: 1_000_000 });
  const requests = (): string[] =>
    s3.requests
      .splice(0)
      .filter(({ name }) => name !== "store/.changed")
      .map(({ method, name }) => `${method} ${name.slice("store/".length)}`);
  return { s3, cached, other, requests, time };
}

/** Until what another machine wrote has been heard of here. */
async function heard(cached: Store, write: () => Promise<unknown>): Promise<void> {
  let isHeard = false;
  const stop = cached.watch(() => {
    isHeard = true;
  });
  await write();
  await waitFor(() => isHeard, { what: "the news" });
  stop();
}

test("what was read is not asked for again, nor what is known to be absent", async () => {
  const { cached, other, requests } = await open();
  await heard(cached, () => other.put("a/1", 1));
  requests();
  for (let n = 0; n < 3; n++) {
    expect((await cached.get("a/1"))?.value).toBe(1);
    expect(await cached.get("a/2")).toBeNull();
    expect((await cached.list("a/")).map(({ key }) => key)).toEqual(["a/1"]);
  }
  expect(requests()).toEqual(["GET a/1", "GET a/2", "LIST a/"]);
  await cached.close();
});

test("own writes are seen at once, in values and in lists, without asking", async () => {
  const { cached, requests } = await open();
  await cached.put("a/2", 2);
  await cached.list("a/");
  requests();
  const one = await cached.put("a/1", "one");
  await cached.put("a/10", 10);
  expect(await cached.list("a/")).toHaveLength(3);
  expect((await cached.list("a/")).map(({ key }) => key)).toEqual(["a/1", "a/10", "a/2"]);
  expect((await cached.list("a/"))[0]).toEqual({ key: "a/1", version: one.written && one.version });
  expect((await cached.get("a/1"))?.value).toBe("one");
  await update<number>(cached, "a/10", (n) => (n ?? 0) + 1);
  expect((await cached.get("a/10"))?.value).toBe(11);
  expect(requests()).toEqual(["PUT a/1", "PUT a/10", "PUT a/10"]);
  await cached.delete("a/1");
  expect((await cached.list("a/")).map(({ key }) => key)).toEqual(["a/10", "a/2"]);
  await cached.close();
});

test("another machine's change is seen soon, and a listing spares reading what did not change", async () => {
  const { cached, other, requests } = await open();
  for (const n of [1, 2, 3]) await other.put(`a/${n}`, n);
  await heard(cached, () => other.put("a/4", 4));
  await readAll(cached, "a/");
  await heard(cached, () => other.put("a/2", "changed"));
  requests();
  expect((await readAll(cached, "a/")).map((entry) => entry.value)).toEqual([1, "changed", 3, 4]);
  expect(requests()).toEqual(["LIST a/", "GET a/2"]);
  await cached.close();
});

test("a write by an old version fails, answers with what stands there, and that is remembered", async () => {
  const { cached, other, requests } = await open(1_000_000);
  const first = await cached.put("key", 1);
  await other.put("key", 2);
  expect((await cached.get("key"))?.value).toBe(1);
  const late = await cached.put("key", 3, { ifVersion: first.written ? first.version : "" });
  expect(late).toMatchObject({ written: false, current: { value: 2 } });
  requests();
  expect((await cached.get("key"))?.value).toBe(2);
  expect(requests()).toEqual([]);
  await cached.close();
});

test("quiet writes of others are seen after a refresh, or when what was read is old", async () => {
  const { cached, other, time } = await open();
  await cached.get("key");
  await cached.list("");
  await other.put("key", 1, undefined, { quiet: true });
  expect(await cached.get("key")).toBeNull();
  cached.refresh?.("ke");
  expect((await cached.get("key"))?.value).toBe(1);
  await other.put("key", 2, undefined, { quiet: true });
  expect((await cached.get("key"))?.value).toBe(1);
  time.now += 300_001;
  expect((await cached.get("key"))?.value).toBe(2);
  await cached.close();
});

test("an answer that was under way when a change was heard of is not remembered", async () => {
  const { s3, cached, other } = await open(1_000_000);
  await other.put("key", 1);
  const client = await s3.client();
  const send = client.send.bind(client);
  let hold: Promise<void> = Promise.resolve();
  client.send = (async (...parameters: Parameters<typeof send>) => {
    const result = await send(...parameters);
    await hold;
    return result;
  }) as typeof client.send;
  const gate = Promise.withResolvers<void>();
  hold = gate.promise;
  const reading = cached.get("key");
  await waitFor(() => s3.requests.some(({ method, name }) => method === "GET" && name === "store/key"), {
    what: "a GET",
  });
  hold = Promise.resolve();
  await other.put("key", 2);
  cached.refresh?.();
  gate.resolve();
  expect((await reading)?.value).toBe(1);
  expect((await cached.get("key"))?.value).toBe(2);
  await cached.close();
});

test("a write whose outcome is unknown leaves nothing remembered of its key", async () => {
  const { s3, cached } = await open(1_000_000);
  await cached.put("key", 1);
  s3.fault = ({ method, name }) => (name === "store/key" ? (method === "PUT" ? "late_drop" : "drop") : undefined);
  await expect(cached.put("key", 2)).rejects.toThrow("store/key");
  s3.fault = undefined;
  expect((await cached.get("key"))?.value).toBe(2);
  await cached.close();
}, 60_000);

test("who changes what was read changes it for nobody else", async () => {
  const { cached } = await open();
  await cached.put("key", { list: [1] });
  const read = (await cached.get("key"))?.value as { list: number[] };
  read.list.push(2);
  expect((await cached.get("key"))?.value).toEqual({ list: [1] });
  await cached.close();
});
