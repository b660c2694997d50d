import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createRequestGuard } from "../../../../agent/gateway/channels/discord/connection/connection-requests.ts";
import {
  createIdentifyBudget,
  identifyPace,
} from "../../../../agent/gateway/channels/discord/connection/identify-budget.ts";
import { openSqliteStore } from "../../../../agent/gateway/store/sqlite.ts";
import { startDiscord } from "../../../support/discord/server.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";
import { waitFor } from "../../../support/wait.ts";
import { connectionBench } from "./connection-desk.ts";

const dayMs = 24 * 3600 * 1000;

async function budgetAt() {
  const store = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  onTestFinished(() => store.close());
  const clock = { at: 1_800_000_000_000 };
  const budget = () => createIdentifyBudget({ store: { ...store, now: async () => clock.at }, name: "CLAWDINATOR-1" });
  return { clock, budget };
}

test("a crash loop of any process begins far fewer sessions a day than cost the token", async () => {
  const { clock, budget } = await budgetAt();
  const begun: number[] = [];
  const end = clock.at + 2 * dayMs;
  while (clock.at < end) {
    // Each round is a process that dies right after it has identified, and another one in its place.
    const waitMs = await budget().take();
    if (waitMs === 0) begun.push(clock.at);
    clock.at += Math.max(waitMs, 200);
  }
  const most = Math.max(...begun.map((at) => begun.filter((other) => other >= at && other < at + dayMs).length));
  expect(most).toBeLessThanOrEqual(identifyPace.dayLimit);
  expect(most).toBeGreaterThan(100);
});

test("a few restarts in a row wait for nothing, more of them longer and longer, and a session that lasts ends the row", async () => {
  const { clock, budget } = await budgetAt();
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    const waitMs = await budget().waitMs();
    waits.push(waitMs);
    clock.at += waitMs;
    expect(await budget().take()).toBe(0);
  }
  expect(waits).toEqual([0, 0, 0, 0, 0, 5_000, 10_000, 20_000, 40_000]);
  clock.at += identifyPace.settledMs;
  expect(await budget().waitMs()).toBe(0);
  expect(await budget().count()).toBe(9);
});

test("the day's limit holds however slowly it was used up", async () => {
  const { clock, budget } = await budgetAt();
  const pace = { ...identifyPace, freeStarts: 1_000 };
  const store = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  onTestFinished(() => store.close());
  const generous = createIdentifyBudget({ store: { ...store, now: async () => clock.at }, name: "x", pace });
  for (let i = 0; i < pace.dayLimit; i++) expect(await generous.take()).toBe(0);
  expect(await generous.take()).toBe(dayMs);
  clock.at += dayMs;
  expect(await generous.take()).toBe(0);
  expect(await budget().count()).toBe(0);
});

test("two processes at once never take more than there is", async () => {
  const { budget } = await budgetAt();
  const taken = await Promise.all(Array.from({ length: 20 }, () => budget().take()));
  expect(taken.filter((waitMs) => waitMs === 0)).toHaveLength(identifyPace.freeStarts);
});

test("a process that keeps dying says that it waits, and identifies no more", async () => {
  const first = await connectionBench({ identifyPace: { ...identifyPace, freeStarts: 3 } });
  const { discord, check } = first;
  await first.connection.open();
  await first.connection.close();
  for (let i = 0; i < 10; i++) {
    const next = first.another();
    await next.open();
    await next.close();
  }
  expect(discord.identifies()).toBe(3);
  expect(check()).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/3 sessions were begun in 24 hours, the last ones in a row; the next one begins in/),
  });
});

test("sessions that Discord keeps refusing stay within the budget", async () => {
  const { connection, discord, check } = await connectionBench({
    identifyPace: { ...identifyPace, freeStarts: 3, firstWaitMs: 60_000 },
  });
  await connection.open();
  for (let i = 2; i <= 3; i++) {
    discord.invalidSession();
    await waitFor(() => discord.identifies() === i);
    await waitFor(() => discord.gateway.connected() === 1);
  }
  discord.invalidSession();
  await waitFor(() => check()?.ok === false);
  expect(check()?.detail).toMatch(/the next one begins in \d+ s/);
  expect(discord.identifies()).toBe(3);
});

test("many refused requests end all requests long before the address is banned", async () => {
  let asked = 0;
  let refusedToken = 0;
  const guard = createRequestGuard({
    send: async () => {
      asked++;
      return { status: 403, headers: new Headers() } as never;
    },
    mayAct: () => true,
    onTokenRefused: () => {
      refusedToken++;
    },
  });
  for (let i = 0; i < 2_000; i++) await guard.makeRequest("http://localhost", { headers: {} }).catch(() => {});
  expect(asked).toBe(500);
  expect(guard.blockedMs()).toBeGreaterThan(500_000);
  await expect(guard.makeRequest("http://localhost", {})).rejects.toMatchObject({ code: "discord_too_many_refusals" });
  expect(refusedToken).toBe(0);
});

test("an interaction's or webhook's token that is over says nothing of the bot's", async () => {
  const seen: string[] = [];
  const guard = createRequestGuard({
    send: async () => ({ status: 401, headers: new Headers() }) as never,
    mayAct: () => true,
    onTokenRefused: () => seen.push("refused"),
  });
  await guard.makeRequest("http://localhost", { headers: {} });
  expect(seen).toEqual([]);
  await guard.makeRequest("http://localhost", { headers: { Authorization: "Bot x" } });
  expect(seen).toEqual(["refused"]);
});

test("10,000 events of nonsense never end the connection's process, and it hears on", async () => {
  const faults: unknown[] = [];
  const onFault = (error: unknown): void => void faults.push(error);
  process.on("unhandledRejection", onFault);
  process.on("uncaughtException", onFault);
  onTestFinished(() => {
    process.off("unhandledRejection", onFault);
    process.off("uncaughtException", onFault);
  });
  const discord = await startDiscord();
  const { connection } = await connectionBench({ discord, identifyPace: { ...identifyPace, freeStarts: 100 } });
  const heard: string[] = [];
  connection.onClient((client) => void client.on("messageCreate", ({ content }) => heard.push(content)));
  await connection.open();
  const next = random(20_261_123);
  for (let i = 0; i < 10_000; i++) discord.gateway.raw(nonsense(next, discord.channel("general").id));
  await waitFor(
    () => {
      if (heard.includes("still there?")) return true;
      discord.say("josh", "clawdributors-test", "still there?");
      return false;
    },
    { what: "a message after the nonsense", timeoutMs: 60_000 },
  );
  expect(faults).toEqual([]);
  expect(connection.self()).toBe(discord.user("CLAWDINATOR-1").id);
}, 90_000);

const types = [
  "MESSAGE_CREATE",
  "MESSAGE_UPDATE",
  "MESSAGE_DELETE",
  "INTERACTION_CREATE",
  "CHANNEL_UPDATE",
  "CHANNEL_CREATE",
  "THREAD_CREATE",
  "THREAD_LIST_SYNC",
  "GUILD_MEMBER_UPDATE",
  "GUILD_ROLE_UPDATE",
  "TYPING_START",
  "error",
  "constructor",
  "READY_SUPPLEMENTAL",
];

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** One frame: known events with wrong contents, mostly; now and then something that is no frame at all. */
function nonsense(next: () => number, channel: string): string {
  const value = (depth: number): unknown => {
    const kinds = [null, true, -1, "", channel, "\u202e<@&1>", "9".repeat(40), [], {}, 1e308];
    const kind = Math.floor(next() * (kinds.length + 2));
    if (kind < kinds.length || depth > 2) return kinds[kind % kinds.length];
    const keys = ["id", "channel_id", "guild_id", "author", "member", "user", "data", "type", "content", "mentions"];
    return Object.fromEntries(keys.filter(() => next() < 0.6).map((key) => [key, value(depth + 1)]));
  };
  if (next() < 0.02) return '{"op": 0, "t": "MESSAGE_CREATE", "d": {';
  const type = types[Math.floor(next() * types.length)];
  const body = next() < 0.1 ? null : { channel_id: channel, ...(value(0) as object) };
  return JSON.stringify({ op: next() < 0.02 ? 99 : 0, s: 1, t: type, d: body });
}
