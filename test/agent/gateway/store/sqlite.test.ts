import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteStore } from "../../../../agent/gateway/store/sqlite.ts";
import { ConfigError, isKnownError, type KnownError } from "../../../../tools/errors.ts";
import { readAll } from "../../../../tools/store.ts";
import { describeStoreContract } from "../../../support/store-contract.ts";

const module = new URL("../../../../agent/gateway/store/sqlite.ts", import.meta.url).href;

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "clawdinator-sqlite-"));
  path = join(directory, "store.sqlite");
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describeStoreContract("the SQLite store", async () => {
  const own = await mkdtemp(join(tmpdir(), "clawdinator-store-"));
  return {
    opener: { module, function: "openSqliteStore", options: { path: join(own, "store.sqlite") } },
    remove: () => rm(own, { recursive: true, force: true }),
  };
});

test("makes the directories above its file, for this user only", async () => {
  path = join(directory, "fleet", "deep", "store.sqlite");
  const store = await openSqliteStore({ path });
  expect((await store.put("key", 1)).written).toBe(true);
  await store.close();
});

test("refuses a file of a newer format and leaves it as it is", async () => {
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE future (x); PRAGMA user_version = 999");
  database.close();
  const error = await failure(openSqliteStore({ path }));
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({ code: "newer_format", message: expect.stringContaining(path) });
  expect(error.message).toContain("999");
  expect(error.hint).not.toBe("");
  const after = new DatabaseSync(path);
  expect(after.prepare("PRAGMA user_version").get()?.user_version).toBe(999);
  expect(after.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'entries'").get()?.n).toBe(0);
  after.close();
});

test("refuses a file that is not a database and leaves it as it is", async () => {
  const text = "this was somebody's shopping list\n".repeat(200);
  await writeFile(path, text);
  const error = await failure(openSqliteStore({ path }));
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({ code: "store_corrupt", message: expect.stringContaining(path) });
  expect(error.hint).not.toBe("");
  expect(await readFile(path, "utf8")).toBe(text);
});

test("says so when the database is damaged inside", async () => {
  const store = await openSqliteStore({ path });
  for (let index = 0; index < 200; index++) await store.put(`key/${index}`, "x".repeat(500));
  await store.close();
  const bytes = await readFile(path);
  bytes.fill(0xff, 4096);
  await writeFile(path, bytes);
  const error = await failure(
    (async () => {
      const damaged = await openSqliteStore({ path });
      try {
        await readAll(damaged, "");
      } finally {
        await damaged.close();
      }
    })(),
  );
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({ code: "store_corrupt", message: expect.stringContaining(path) });
});

test("says so when the file was cut short", async () => {
  const store = await openSqliteStore({ path });
  for (let index = 0; index < 200; index++) await store.put(`key/${index}`, "x".repeat(500));
  await store.close();
  await truncate(path, 4096 * 3);
  const error = await failure(
    (async () => {
      const damaged = await openSqliteStore({ path });
      try {
        await readAll(damaged, "");
      } finally {
        await damaged.close();
      }
    })(),
  );
  expect(error).toMatchObject({ code: "store_corrupt", message: expect.stringContaining(path) });
});

test("names the file when it cannot be opened", async () => {
  await mkdir(path);
  expect(await failure(openSqliteStore({ path }))).toMatchObject({ message: expect.stringContaining(path) });
});

test("on a full disk a write fails by name, loses nothing that was confirmed, and works again once there is space", async (context) => {
  const disk = join(directory, "disk");
  await mkdir(disk);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], { encoding: "utf8" });
  if (mounted.status !== 0) context.skip(`needs the right to mount a small file system: ${mounted.stderr}`);
  try {
    path = join(disk, "store.sqlite");
    const ballast = join(disk, "ballast");
    await writeFile(ballast, Buffer.alloc(256 * 1024));
    const store = await openSqliteStore({ path });
    const confirmed = new Map<string, string>();
    let error: unknown;
    for (let index = 0; error === undefined && index < 5000; index++) {
      const value = `${index}`.repeat(500);
      try {
        await store.put(`key/${index}`, value);
        confirmed.set(`key/${index}`, value);
      } catch (caught) {
        error = caught;
      }
    }
    expect(error).toMatchObject({ code: "disk_full", message: expect.stringContaining(path) });
    expect(isKnownError(error) && error.hint).toContain("space");
    expect(confirmed.size).toBeGreaterThan(0);

    await rm(ballast);
    expect((await store.put("after", "space")).written).toBe(true);
    await store.close();
    const again = await openSqliteStore({ path });
    const found = new Map((await readAll(again, "key/")).map((entry) => [entry.key, entry.value]));
    expect(found).toEqual(confirmed);
    expect((await again.get("after"))?.value).toBe("space");
    await again.close();
  } finally {
    spawnSync("umount", ["--lazy", disk]);
  }
});

async function failure(promise: Promise<unknown>): Promise<KnownError> {
  const error = await promise.then(
    () => new Error("it did not fail"),
    (caught: unknown) => caught,
  );
  if (!isKnownError(error)) throw error;
  return error;
}
