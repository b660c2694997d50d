import { mkdirSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { createAuditLog } from "../../../../agent/gateway/audit.ts";
import { chargedUsd, dayKeptMs, dayOf, openUsd } from "../../../../agent/gateway/spend/day-record.ts";
import { createFleetDays } from "../../../../agent/gateway/spend/fleet-days.ts";
import { mostDays } from "../../../../agent/gateway/spend/report.ts";
import { createReadCache } from "../../../../agent/gateway/store/read-cache.ts";
import { openS3Store } from "../../../../agent/gateway/store/s3.ts";
import { openSqliteStore } from "../../../../agent/gateway/store/sqlite.ts";
import { strayKeptMs } from "../../../../agent/gateway/upkeep/strays.ts";
import { keepUp, type UpkeepOptions } from "../../../../agent/gateway/upkeep/upkeep.ts";
import type { InstanceLiveness, ProvidedInstance } from "../../../../tools/fleet/services.ts";
import type { Json } from "../../../../tools/json.ts";
import type { Store } from "../../../../tools/store.ts";
import { createMemoryS3, type MemoryS3 } from "../../../support/memory-s3.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";
import { waitFor } from "../../../support/wait.ts";
import { dayMs, dayRecord, livingRecords, perishable, type Records, snowflake, worldAt } from "./world.ts";

const stores: Store[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

interface Place {
  s3: MemoryS3;
  /** Another process's way into the same store. */
  open(): Promise<Store>;
}

const places: Record<string, () => Place> = {
  SQLite() {
    const path = join(temporaryDirectory(), "store.sqlite");
    return { s3: createMemoryS3(), open: () => openSqliteStore({ path }) };
  },
  S3() {
    const s3 = createMemoryS3();
    return {
      s3,
      open: async () =>
        createReadCache(
          await openS3Store({ bucket: "bucket", prefix: "store/", clients: { s3: s3.client }, pollMs: 60_000 }),
        ),
    };
  },
};

async function opened(place: Place): Promise<Store> {
  const store = await place.open();
  stores.push(store);
  return store;
}

async function fill(store: Store, records: Records): Promise<void> {
  await Promise.all(Object.entries(records).map(([key, value]) => store.put(key, value)));
}

async function keysOf(store: Store): Promise<string[]> {
  store.refresh?.();
  return (await store.list("")).map(({ key }) => key).filter((key) => !/^(upkeep\/|audit(-once\/upkeep)?\/)/.test(key));
}

/** The store at another time; `before` runs before each write, `changed` after each that changed something. */
function at(store: Store, now: number, hooks: { before?(): void; changed?(): void } = {}): Store {
  const hooked = async <T>(work: () => Promise<T>): Promise<T> => {
    hooks.before?.();
    const result = await work();
    if (result === true || (result as { written?: boolean }).written) hooks.changed?.();
    return result;
  };
  return {
    ...store,
    now: async () => now,
    put: (...parameters) => hooked(() => store.put(...parameters)),
    delete: (...parameters) => hooked(() => store.delete(...parameters)),
  };
}

const nowhere: UpkeepOptions["provider"] = {
  kind: "aws",
  list: () => Promise.reject(new Error("nobody asks a cloud for strays")),
  remove: () => Promise.reject(new Error("nobody removes a machine")),
};

function run(store: Store, more: Partial<UpkeepOptions> = {}): Promise<Record<string, number> | null> {
  return keepUp({
    store,
    audit: createAuditLog(store),
    instance: "i-1",
    provider: nowhere,
    directory: "/nonexistent",
    log() {},
    signal: new AbortController().signal,
    rest: async () => {},
    ...more,
  });
}

function allOf(what: "records" | "others"): Records {
  return Object.assign({}, ...Object.values(perishable).map((kind) => kind[what] ?? {})) as Records;
}

const oldDay = dayOf(worldAt);
const spendRecords: Records = {
  [`spend/${oldDay}/i-1`]: dayRecord(oldDay, "i-1", 1.25) as unknown as Json,
  [`spend/${oldDay}/i-2`]: dayRecord(oldDay, "i-2", 2.5) as unknown as Json,
};

async function spentOn(store: Store, day: string, now: number): Promise<number> {
  const { records, unreadable } = await createFleetDays(store, "i-9", () => now).records([day]);
  expect(unreadable).toEqual([]);
  return records.reduce((sum, record) => sum + chargedUsd(record) + openUsd(record), 0);
}

const longAfter = worldAt + 3650 * dayMs;

describe.each(Object.keys(places))("on %s", (kind) => {
  const makePlace = (): Place => places[kind]?.() as Place;

  test("each kind stays until its time is over, and goes then", async () => {
    const times = [...new Set(Object.values(perishable).map(({ keptMs }) => keptMs))].sort((a, b) => a - b);
    const store = await opened(makePlace());
    await fill(store, { ...allOf("others"), ...allOf("records") });
    const forget = (): Promise<boolean> => store.delete("upkeep/state");
    for (const keptMs of times) {
      // What another kind needs may keep a record longer, and never shorter.
      await run(at(store, worldAt + keptMs - 1));
      await forget();
      const before = new Set(await keysOf(store));
      await run(at(store, worldAt + keptMs + 1));
      await forget();
      const after = new Set(await keysOf(store));
      for (const [name, one] of Object.entries(perishable)) {
        const keys = Object.keys(one.records);
        if (one.keptMs >= keptMs)
          expect(
            keys.filter((key) => !before.has(key)),
            `${name} is there before`,
          ).toEqual([]);
        if (one.keptMs <= keptMs)
          expect(
            keys.filter((key) => after.has(key)),
            `${name} is gone after`,
          ).toEqual([]);
      }
    }
  });

  test("what is live stays for ever, and waits for nothing", async () => {
    const store = await opened(makePlace());
    const living = livingRecords();
    await fill(store, { ...living, ...allOf("others"), ...allOf("records") });
    for (let day = 0; day < 3; day++) await run(at(store, longAfter + day * dayMs));
    const left = await keysOf(store);
    expect(Object.keys(living).filter((key) => !key.startsWith("audit/") && !left.includes(key))).toEqual([]);
    expect(Object.keys(allOf("records")).filter((key) => left.includes(key))).toEqual([]);
    expect(await store.get(`audit/${String(worldAt).padStart(15, "0")}-0000-aa`)).not.toBeNull();
  });

  test("killed before or after any write and repeated, it ends the same, and no day's sum ever changes", async () => {
    const everything = { ...livingRecords(), ...allOf("others"), ...allOf("records"), ...spendRecords };
    const [store, other] = [await opened(makePlace()), await opened(makePlace())];
    await fill(other, everything);
    await run(at(other, longAfter));
    const ends = await keysOf(other);
    await fill(store, everything);
    const total = (1.25 + 2.5) * 1.5;
    expect(await spentOn(store, oldDay, longAfter)).toBe(total);
    let kills = 0;
    for (let isDone = false; !isDone; kills++) {
      // Each time it gets on by a write, on S3 by some, and dies after it or before the next one.
      let writes = 0;
      const isAtOnce = kills % 2 === 0;
      let isDying = false;
      const die = (): void => {
        if (isDying) throw new Error("killed");
      };
      const killed = at(store, longAfter, {
        before: die,
        changed() {
          isDying = ++writes >= (kind === "S3" ? 7 : 1);
          if (isAtOnce) die();
        },
      });
      isDone = await run(killed).then(
        () => true,
        (error: Error) => {
          expect(error.message).toBe("killed");
          return false;
        },
      );
      if (!isDone) expect(await spentOn(store, oldDay, longAfter)).toBe(total);
    }
    expect(kills).toBeGreaterThan(kind === "S3" ? 3 : 20);
    await run(at(store, longAfter));
    expect(await keysOf(store)).toEqual(ends);
    expect(await spentOn(store, oldDay, longAfter)).toBe(total);
  });

  test("two at once remove everything once, and tell it once", async () => {
    const place = makePlace();
    const [one, other] = [await opened(place), await opened(place)];
    await fill(one, { ...livingRecords(), ...allOf("others"), ...allOf("records"), ...spendRecords });
    other.refresh?.();
    const [first, second] = await Promise.all([run(at(one, longAfter)), run(at(other, longAfter))]);
    const left = await keysOf(one);
    expect(Object.keys(allOf("records")).filter((key) => left.includes(key))).toEqual([]);
    const sum = (what: string): number => (first?.[what] ?? 0) + (second?.[what] ?? 0);
    expect(sum("answers")).toBe(3);
    expect(sum("days of spending")).toBe(2);
    other.refresh?.();
    expect(await spentOn(other, oldDay, longAfter)).toBe((1.25 + 2.5) * 1.5);
    const told = await createAuditLog(at(one, longAfter)).list({ limit: 10, subject: "upkeep" });
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ action: "upkeep.done", actor: "instance:i-1" });
    expect(told[0]?.detail).toMatch(/^removed .*answers: [123]/);
  });
});

test("it is done once a day, after three in the morning", async () => {
  const store = await opened(places.SQLite?.() as Place);
  const evening = Date.parse("2026-06-01T20:00:00Z");
  expect(await run(at(store, evening))).not.toBeNull();
  expect(await run(at(store, Date.parse("2026-06-02T02:59:59Z")))).toBeNull();
  expect(await run(at(store, Date.parse("2026-06-02T03:00:00Z")))).not.toBeNull();
  expect(await run(at(store, Date.parse("2026-06-02T04:00:00Z")))).toBeNull();
  // With nothing to remove there is nothing to tell.
  expect(await createAuditLog(at(store, evening)).list({ limit: 10 })).toEqual([]);
});

test("what does not tell its age counts from the day it is found", async () => {
  const store = await opened(places.SQLite?.() as Place);
  const claim = {
    formatVersion: 1,
    message: "x",
    state: "answered",
    instance: "i",
    epoch: 1,
    request: {},
    answer: null,
  };
  await store.put("inbox/chat/x", claim);
  for (const days of [0, 89]) {
    await run(at(store, worldAt + days * dayMs));
    expect((await store.get("inbox/chat/x"))?.value).toEqual({ ...claim, answeredAt: worldAt });
  }
  await run(at(store, worldAt + 91 * dayMs));
  expect(await store.get("inbox/chat/x")).toBeNull();
});

test("a bounded walk goes on the next day where it stopped, and comes around", async () => {
  const store = await opened(places.SQLite?.() as Place);
  const keys = Array.from({ length: 10 }, (_, n) => `sessions/${n}`);
  await fill(store, Object.fromEntries(keys.map((key) => [key, { expiresAt: longAfter + 2 * dayMs }])));
  const seen: number[] = [];
  for (let day = 0; day < 7; day++) {
    await run(at(store, longAfter + day * dayMs), { limits: { reads: 4, removed: 3 } });
    seen.push((await store.list("sessions/")).length);
  }
  // Three days of looking at four, four and two; then they are past, and go three at a time.
  expect(seen).toEqual([10, 10, 10, 10, 7, 4, 1]);
});

test("an old day is folded with the same sums, and takes up what comes late", async () => {
  const store = await opened(places.SQLite?.() as Place);
  const now = worldAt + dayKeptMs + dayMs;
  const youngDay = dayOf(now - dayKeptMs);
  await fill(store, { ...spendRecords, [`spend/${youngDay}/i-1`]: dayRecord(youngDay, "i-1", 8) as unknown as Json });
  await store.put(`spend/${oldDay}/i-3`, { formatVersion: 2 });
  await run(at(store, now));
  expect((await store.list("spend/")).map(({ key }) => key)).toEqual([`spend/${oldDay}/i-3`, `spend/${youngDay}/i-1`]);
  await store.delete(`spend/${oldDay}/i-3`);
  expect(await spentOn(store, oldDay, now)).toBe((1.25 + 2.5) * 1.5);
  // A machine that slept writes its day once more, with what it had not written.
  await store.put(`spend/${oldDay}/i-2`, dayRecord(oldDay, "i-2", 3) as unknown as Json);
  expect(await spentOn(store, oldDay, now)).toBe((1.25 + 3) * 1.5);
  await run(at(store, now + dayMs));
  expect(await store.get(`spend/${oldDay}/i-2`)).toBeNull();
  expect(await spentOn(store, oldDay, now)).toBe((1.25 + 3) * 1.5);
  expect(dayKeptMs).toBeGreaterThan(mostDays * dayMs);
});

test("on S3 young records cost a listing and no reading, and a removed one's remains are cleared by the next day", async () => {
  const place = places.S3?.() as Place;
  const [store, s3] = [await opened(place), place.s3];
  const young = Object.fromEntries(
    Array.from({ length: 60 }, (_, n) => [`inbox/discord/${snowflake(longAfter - n * 1000)}`, {}]),
  );
  const old = Object.fromEntries(
    Array.from({ length: 40 }, (_, n) => [
      `inbox/discord/${snowflake(worldAt + n * 1000)}`,
      { formatVersion: 1, message: "m", state: "answered", answeredAt: worldAt },
    ]),
  );
  await fill(store, { ...young, ...old });
  s3.requests.length = 0;
  expect((await run(at(store, longAfter)))?.answers).toBe(40);
  const count = (method: string, prefix: string): number =>
    s3.requests.filter((request) => request.method === method && request.name.startsWith(`store/${prefix}`)).length;
  expect(count("GET", "inbox/")).toBeLessThanOrEqual(40);
  expect(count("PUT", "inbox/")).toBe(40);
  expect(count("LIST", "inbox/")).toBe(1);
  expect(s3.requests.filter(({ method }) => method === "LIST").length).toBeLessThan(25);
  const left = (): number => [...s3.objects.keys()].filter((name) => name.startsWith("store/inbox/")).length;
  expect(left()).toBe(100);
  s3.skewMs = dayMs;
  // The first answer tells the clock.
  await store.put("clock", 1);
  await run(at(store, longAfter + dayMs));
  await waitFor(() => left() === 60);
});

test("where there is nothing to remove, a day's upkeep is the requests that docs/cost.md tells", async () => {
  const place = places.S3?.() as Place;
  const store = await opened(place);
  const names = Array.from({ length: 10 }, (_, n) => `names/CLAWDINATOR-${n + 1}`);
  await fill(store, Object.fromEntries(names.map((key) => [key, { formatVersion: 1, name: key.slice(6), epoch: 1 }])));
  await Promise.all(names.map((key) => store.put(`${key}/1/heartbeat`, {})));
  place.s3.requests.length = 0;
  await run(at(store, longAfter));
  const count = (method: string): number => place.s3.requests.filter((one) => one.method === method).length;
  const page = readFileSync(join(import.meta.dirname, "../../../../docs/cost.md"), "utf8");
  // What names say is remembered by whoever looks after the fleet: it has just read it.
  expect(page).toContain(`| daily | ${count("LIST")} LIST, ${count("GET")} GET, ${count("PUT")} PUT |`);
});

test("directories of instances that nothing names go after a month, and only here", async () => {
  const store = await opened(places.SQLite?.() as Place);
  await fill(store, livingRecords());
  await store.delete("operations/op-000000000022");
  const directory = temporaryDirectory();
  for (const name of [".removed-i-7", ".launching-i-8-x", "i-1"]) mkdirSync(join(directory, name));
  utimesSync(join(directory, ".removed-i-7"), 1, 1);
  utimesSync(join(directory, ".launching-i-8-x"), longAfter / 1000, longAfter / 1000);
  const one = (instance: string, liveness: InstanceLiveness, image = "local-1"): ProvidedInstance => {
    return { instance, liveness, image, name: "CLAWDINATOR-1", revision: "r", machine: null };
  };
  const removed: string[] = [];
  const provider: UpkeepOptions["provider"] = {
    kind: "local",
    list: async () => [
      one("i-1", "stopped"),
      one("i-2", "stopped"),
      one("i-3", "running"),
      one("i-4", "stopped", "checkout"),
    ],
    remove: async (instance) => void removed.push(instance),
  };
  const days = strayKeptMs / dayMs;
  for (const day of [0, 1, days]) await run(at(store, longAfter + day * dayMs), { provider, directory });
  expect(removed).toEqual([]);
  await run(at(store, longAfter + (days + 1) * dayMs), { provider, directory });
  expect(removed).toEqual(["i-2"]);
  expect(readdirSync(directory).sort()).toEqual(["i-1"]);
});
