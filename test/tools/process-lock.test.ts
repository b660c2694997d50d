import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { acquireProcessLock, isOwnerAlive, isProcessLockHeld, readLockOwner } from "../../tools/process-lock.ts";
import { runModule } from "../support/run-module.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { waitFor } from "../support/wait.ts";

const holdSource = (path: string) => `
  const { acquireProcessLock } = await import(project("tools/process-lock.ts"));
  const lock = acquireProcessLock(${JSON.stringify(path)}, { waitMs: 0 });
  console.log(lock ? "held" : "refused");
  if (lock) setInterval(() => {}, 1000);
`;

test("is held by one process at a time, and names it", async () => {
  const path = join(temporaryDirectory(), "run", "gateway.lock");
  expect(isProcessLockHeld(path)).toBe(false);
  const holder = runModule(holdSource(path));
  await waitFor(() => holder.lines.includes("held"));
  expect(isProcessLockHeld(path)).toBe(true);
  expect(acquireProcessLock(path, { waitMs: 0 })).toBeNull();
  const owner = await waitFor(() => readLockOwner(path));
  expect(owner.pid).toBe(holder.child.pid);
  expect(isOwnerAlive(owner)).toBe(true);
  const rival = runModule(holdSource(path));
  expect(await rival.ended).toBe(0);
  expect(rival.lines).toEqual(["refused"]);
});

test("is free at once after kill -9, and the old owner counts as dead", async () => {
  const path = join(temporaryDirectory(), "gateway.lock");
  const holder = runModule(holdSource(path));
  await waitFor(() => holder.lines.includes("held"));
  holder.child.kill("SIGKILL");
  await holder.ended;
  expect(isProcessLockHeld(path)).toBe(false);
  const owner = await waitFor(() => readLockOwner(path));
  expect(isOwnerAlive(owner)).toBe(false);
  const lock = acquireProcessLock(path);
  expect(lock).not.toBeNull();
  lock?.release();
});

test("of many that start together, exactly one gets it", async () => {
  const path = join(temporaryDirectory(), "gateway.lock");
  const rivals = Array.from({ length: 4 }, () => runModule(holdSource(path).replace("{ waitMs: 0 }", "{}")));
  await waitFor(() => rivals.every((rival) => rival.lines.length === 1));
  expect(rivals.map((rival) => rival.lines[0]).sort()).toEqual(["held", "refused", "refused", "refused"]);
});

test("looking at it does not keep its owner from taking it", async () => {
  const path = join(temporaryDirectory(), "gateway.lock");
  acquireProcessLock(path)?.release();
  const looker = runModule(`
    const { isProcessLockHeld } = await import(project("tools/process-lock.ts"));
    console.log("looking");
    for (;;) isProcessLockHeld(${JSON.stringify(path)});
  `);
  await waitFor(() => looker.lines.includes("looking"));
  for (let round = 0; round < 20; round++) {
    const lock = acquireProcessLock(path, { waitMs: 5_000 });
    expect(lock).not.toBeNull();
    lock?.release();
  }
});

test("release is safe to repeat and lets the next one in, within one process too", () => {
  const path = join(temporaryDirectory(), "gateway.lock");
  const first = acquireProcessLock(path);
  expect(acquireProcessLock(path, { waitMs: 0 })).toBeNull();
  first?.release();
  first?.release();
  expect(readLockOwner(path)).toBeNull();
  const second = acquireProcessLock(path, { pid: process.pid, waitMs: 0 });
  first?.release();
  expect(isProcessLockHeld(path)).toBe(true);
  second?.release();
});

test("a process that got the pid of the owner later is not taken for it", () => {
  const path = join(temporaryDirectory(), "gateway.lock");
  const lock = acquireProcessLock(path);
  const owner = JSON.parse(readFileSync(`${path}.json`, "utf8"));
  expect(isOwnerAlive(owner)).toBe(true);
  writeFileSync(`${path}.json`, JSON.stringify({ ...owner, processStart: "1" }));
  const changed = readLockOwner(path);
  expect(changed && isOwnerAlive(changed)).toBe(false);
  lock?.release();
});
