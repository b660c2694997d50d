import { expect, test } from "vitest";
import { openS3Store, type S3Store } from "../../../../agent/gateway/store/s3.ts";
import { ConfigError, ProviderError } from "../../../../tools/errors.ts";
import { update } from "../../../../tools/store.ts";
import { createMemoryS3, type MemoryFault, type MemoryS3 } from "../../../support/memory-s3.ts";

async function open(): Promise<{ s3: MemoryS3; store: S3Store; other: S3Store }> {
  const s3 = createMemoryS3();
  const clients = { s3: s3.client };
  const options = { bucket: "bucket", prefix: "store/", clients, pollMs: 50 };
  return { s3, store: await openS3Store(options), other: await openS3Store(options) };
}

/** Does this to the first such attempt, and lets something happen elsewhere before it is repeated. */
function once(s3: MemoryS3, method: string, key: string, fault: MemoryFault, meanwhile?: () => Promise<unknown>): void {
  let isDone = false;
  s3.meanwhile = meanwhile;
  s3.fault = (request) => {
    if (isDone || request.method !== method || request.name !== `store/${key}`) return undefined;
    isDone = true;
    return fault;
  };
}

test("a create whose answer was lost is known to be its own", async () => {
  const { s3, store } = await open();
  once(s3, "PUT", "key", "late_drop");
  const result = await store.put("key", "mine", { ifAbsent: true });
  expect(result.written).toBe(true);
  expect(await store.get("key")).toEqual({ key: "key", value: "mine", version: result.written && result.version });
  await store.close();
});

test("a write whose answer was lost counts as written even when another writer came before it was sent again", async () => {
  const { s3, store, other } = await open();
  await store.put("counter", 1);
  once(s3, "PUT", "counter", "late_drop", () => update<number>(other, "counter", (n) => (n ?? 0) + 1));
  const before = await store.get("counter");
  const result = await store.put("counter", 2, { ifVersion: before?.version ?? "" });
  expect(result.written).toBe(true);
  expect((await store.get("counter"))?.value).toBe(3);
  // The version it got is over: nothing can be replaced by it.
  expect((await store.put("counter", 9, { ifVersion: result.written ? result.version : "" })).written).toBe(false);
  await store.close();
});

test("a write whose answer was lost counts as written even when its key was deleted before it was sent again", async () => {
  const { s3, store, other } = await open();
  once(s3, "PUT", "key", "late_drop", () => other.delete("key"));
  expect((await store.put("key", 1, { ifAbsent: true })).written).toBe(true);
  expect(await store.get("key")).toBeNull();
  await store.close();
});

test("a delete whose answer was lost is true for one of two deleters", async () => {
  const { s3, store, other } = await open();
  const put = await store.put("key", 1);
  const version = put.written ? put.version : "";
  const others: boolean[] = [];
  once(s3, "PUT", "key", "late_drop", async () => others.push(await other.delete("key", { ifVersion: version })));
  expect(await store.delete("key", { ifVersion: version })).toBe(true);
  expect(others).toEqual([false]);
  await store.close();
});

test("a delete that was never carried out is not taken for one when another deleted the key meanwhile", async () => {
  const { s3, store, other } = await open();
  const put = await store.put("key", 1);
  const version = put.written ? put.version : "";
  once(s3, "PUT", "key", "drop", () => other.delete("key", { ifVersion: version }));
  expect(await store.delete("key", { ifVersion: version })).toBe(false);
  await store.close();
});

test("a conflict of two writers at S3 is tried again", async () => {
  const { s3, store } = await open();
  once(s3, "PUT", "key", "conflict");
  expect((await store.put("key", 1, { ifAbsent: true })).written).toBe(true);
  await store.close();
});

test("a throttle and an answer that breaks off in the middle are tried again", async () => {
  const { s3, store } = await open();
  await store.put("key", "value");
  once(s3, "GET", "key", "throttle");
  expect((await store.get("key"))?.value).toBe("value");
  once(s3, "GET", "key", "cut");
  expect((await store.get("key"))?.value).toBe("value");
  await store.close();
});

test("what stays unreachable is an error that says what was tried", async () => {
  const { s3, store } = await open();
  s3.fault = ({ name }) => (name === "store/key" ? "drop" : undefined);
  const error = await store.put("key", 1).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ProviderError);
  expect((error as ProviderError).message).toContain("s3://bucket/store/key");
  await store.close();
}, 60_000);

test("a put by a version that it knows is one request, and a refused one answers with a fresh look", async () => {
  const { s3, store, other } = await open();
  const first = await store.put("key", 1);
  s3.requests.length = 0;
  const second = await store.put("key", 2, { ifVersion: first.written ? first.version : "" }, { quiet: true });
  expect(s3.requests.filter(({ name }) => name === "store/key")).toEqual([{ method: "PUT", name: "store/key" }]);
  await other.put("key", 3);
  const third = await store.put("key", 4, { ifVersion: second.written ? second.version : "" });
  expect(third).toMatchObject({ written: false, current: { value: 3 } });
  await store.close();
});

test("a deleted key's tombstone is neither listed nor read, can be put over, and is cleared away later", async () => {
  const { s3, store } = await open();
  await store.put("a", 1);
  await store.put("b", 1);
  await store.delete("a");
  expect(s3.objects.has("store/a")).toBe(true);
  expect((await store.list("")).map(({ key }) => key)).toEqual(["b"]);
  expect((await store.put("a", 2, { ifAbsent: true })).written).toBe(true);
  await store.delete("a");
  s3.skewMs = 11 * 60_000;
  // The first answer tells the clock, and the next look that the tombstone is old.
  await store.get("b");
  await store.list("");
  await store.close();
  expect(s3.objects.has("store/a")).toBe(false);
  expect(s3.objects.has("store/b")).toBe(true);
});

test("a record of a newer format, and what is no record, are refused and left alone", async () => {
  const { s3, store } = await open();
  await store.put("key", 1);
  const object = s3.objects.get("store/key");
  for (const [body, code] of [
    ['{"formatVersion":2,"history":[],"value":1}', "newer_format"],
    ["shopping list", "store_corrupt"],
  ] as const) {
    s3.objects.set("store/key", { body, etag: '"x"', at: object?.at ?? 0 });
    const error = await store.get("key").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ code });
  }
  expect(s3.objects.get("store/key")?.body).toBe("shopping list");
  await store.close();
});

test("many writers of one key under faults of every kind lose no increment and add none", async () => {
  const { s3, store, other } = await open();
  let seed = 7;
  const random = (): number => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  const kinds: MemoryFault[] = ["drop", "late_drop", "conflict", "throttle", "late_drop"];
  s3.fault = ({ method }) => {
    const kind = random() < 0.1 ? kinds[Math.floor(random() * kinds.length)] : undefined;
    return kind === "conflict" && method !== "PUT" ? "throttle" : kind;
  };
  const add = async (to: S3Store, times: number): Promise<void> => {
    for (let n = 0; n < times; n++) await update<number>(to, "sum", (current) => (current ?? 0) + 1);
  };
  await Promise.all([add(store, 30), add(other, 30), add(store, 30), add(other, 30)]);
  expect((await store.get("sum"))?.value).toBe(120);
  await Promise.all([store.close(), other.close()]);
}, 60_000);

test("writes that nobody waits for leave the marker alone; others touch it once for many", async () => {
  const { s3, store } = await open();
  const markers = (): number =>
    s3.requests.filter(({ method, name }) => method === "PUT" && name === "store/.changed").length;
  await store.put("heartbeat", 1, undefined, { quiet: true });
  expect(markers()).toBe(0);
  for (let n = 0; n < 10; n++) await store.put(`key-${n}`, n);
  await store.close();
  expect(markers()).toBeGreaterThan(0);
  expect(markers()).toBeLessThanOrEqual(2);
});
