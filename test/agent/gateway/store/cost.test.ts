import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type CostRow, costRows, costTable, requestsUsd, upkeepKinds } from "../../../../agent/gateway/store/cost.ts";
import { awsLeaseMs, type IdleInstance, providedInstances, startIdleInstance } from "../../../support/idle-fleet.ts";
import { createMemoryS3, type MemoryS3 } from "../../../support/memory-s3.ts";

const region = "eu-central-1";
const minuteMs = 60_000;
const periodMs = 2 * awsLeaseMs;

let fleet: IdleInstance[] = [];
beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["Date", "performance", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
    now: new Date("2026-11-01T12:00:00Z"),
  });
});
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(fleet.map((one) => one.stop()));
  fleet = [];
});

/** Simulated time goes on; what runs is given the chance to run in between. */
async function pass(ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 1_000) {
    await vi.advanceTimersByTimeAsync(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function startFleet(s3: MemoryS3, count: number): Promise<void> {
  const provided = providedInstances(count);
  for (const { instance, name } of provided) fleet.push(await startIdleInstance(s3, { instance, name, provided }));
}

function rowsOf(s3: MemoryS3): CostRow[] {
  const requests = s3.requests.map(({ method, name }) => ({ method, key: name.slice("store/".length) }));
  return costRows({ requests, periodMs, region });
}

/** The same text, and figures within a few per cent: a request more or less at the edge of the period is no news. */
function expectAlike(documented: string, counted: string): void {
  const figures = (text: string): number[] =>
    [...text.matchAll(/[\d,.]*\d/g)].map(([one]) => Number(one.replaceAll(",", "")));
  const words = (text: string): string => text.trim().replaceAll(/[\d,.]*\d/g, "#");
  expect(words(documented), counted).toBe(words(counted));
  const found = figures(counted);
  for (const [n, figure] of figures(documented).entries()) {
    expect(Math.abs(figure - (found[n] ?? 0)), counted).toBeLessThanOrEqual(Math.max(0.02, figure * 0.05));
  }
}

test("heartbeats, renewals and summary of ten idle instances cost less than $1 a month, and docs/cost.md says what", async () => {
  const s3 = createMemoryS3();
  await startFleet(s3, 10);
  // Starts are over, and everything has found its pace.
  await pass(20 * minuteMs);
  s3.requests.length = 0;
  await pass(periodMs);
  const rows = rowsOf(s3);
  const upkeep = rows.filter(({ kind }) => upkeepKinds.includes(kind)).reduce((sum, row) => sum + row.monthlyUsd, 0);
  expect(upkeep).toBeLessThan(1);
  const page = readFileSync(join(import.meta.dirname, "..", "..", "..", "..", "docs", "cost.md"), "utf8");
  expectAlike(page.slice(page.indexOf("| What"), page.indexOf("What people do")), costTable(rows));
  for (const { presence } of fleet) expect(presence.epoch()).toBe(1);
  const status = await fleet[4]?.fleet.status();
  expect(status?.instances.map(({ name, state }) => `${name} ${state}`)).toEqual(
    fleet.map(({ name }) => `${name} ready`),
  );
}, 240_000);

test("a holder renews once in a third of its lease, with one request and none before it", async () => {
  const s3 = createMemoryS3();
  await startFleet(s3, 1);
  await pass(minuteMs);
  s3.requests.length = 0;
  await pass(awsLeaseMs * 2);
  const own = s3.requests.filter(({ name }) => name === "store/names/CLAWDINATOR-1");
  expect(own.filter(({ method }) => method === "PUT")).toHaveLength(6);
  const beats = s3.requests.filter(({ name }) => name.endsWith("/heartbeat"));
  expect(beats.filter(({ method }) => method === "PUT")).toHaveLength(2);
}, 60_000);

test("PUT and LIST have one price, GET another", () => {
  expect(requestsUsd({ puts: 500, lists: 500, gets: 0 }, region)).toBeCloseTo(0.0054);
  expect(requestsUsd({ puts: 0, lists: 0, gets: 1000 }, region)).toBeCloseTo(0.00043);
});
