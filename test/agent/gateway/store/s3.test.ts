import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readAll, update } from "../../../../tools/store.ts";
import { type Emulator, startEmulator } from "../../../support/aws.ts";
import { oneAtATime } from "../../../support/one-at-a-time.ts";
import { describeStoreContract } from "../../../support/store-contract.ts";
import { makeBucket, openEmulatedStore, s3Opener } from "../../../support/store-s3.ts";

let emulator: Emulator;
let environment: Record<string, string>;
const ends: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  emulator = await startEmulator({ atEnd: (work) => void ends.push(work) });
  environment = await oneAtATime(emulator, (work) => void ends.push(work));
  await makeBucket(emulator, "store");
}, 90_000);
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

describeStoreContract("the S3 store", async () => ({
  opener: s3Opener({ environment }, { bucket: "store", prefix: `${randomBytes(6).toString("hex")}/` }),
  remove: async () => {},
}));

test("under throttles, 5xx and dropped connections, with or without effect, nothing is lost and nothing done twice", async () => {
  const place = { bucket: "store", prefix: "faults/", environment };
  const [one, other] = [await openEmulatedStore(place), await openEmulatedStore(place)];
  const rules = [
    { p: 0.02, code: "SlowDown", status: 503 },
    { p: 0.02, code: "InternalError", status: 500 },
    { p: 0.02, drop: true },
    { p: 0.02, drop: true, late: true },
    { p: 0.02, code: "InternalError", status: 500, late: true },
  ];
  emulator.setFaults({
    "s3:PutObject": rules,
    "s3:GetObject": rules,
    "s3:ListObjectsV2": rules,
    "s3:DeleteObject": rules,
  });
  try {
    const created: string[] = [];
    const deleted: string[] = [];
    await Promise.all(
      [one, other, one, other].map(async (store) => {
        for (let n = 0; n < 15; n++) {
          await update<number>(store, "sum", (current) => (current ?? 0) + 1);
          if ((await store.put(`prize/${n}`, n, { ifAbsent: true })).written) created.push(`prize/${n}`);
        }
      }),
    );
    expect((await one.get("sum"))?.value).toBe(60);
    expect(created.sort()).toEqual(Array.from({ length: 15 }, (_, n) => `prize/${n}`).sort());
    const prizes = await readAll(other, "prize/");
    await Promise.all(
      [one, other].map(async (store) => {
        for (const { key, version } of prizes) if (await store.delete(key, { ifVersion: version })) deleted.push(key);
      }),
    );
    expect(deleted.sort()).toEqual(created.sort());
    expect(await one.list("prize/")).toEqual([]);
  } finally {
    emulator.setFaults({});
    await Promise.all([one.close(), other.close()]);
  }
}, 120_000);

test("a bucket that does not exist is an error with a next step", async () => {
  const place = { bucket: "nowhere", prefix: "x/", environment };
  await expect(openEmulatedStore(place)).rejects.toMatchObject({
    code: "aws_no_such_bucket",
    hint: expect.any(String),
  });
});
