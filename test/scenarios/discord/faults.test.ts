/** What goes wrong between Discord and the bot: nothing that was said is lost, and nothing is posted twice. */
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { atMost } from "../../support/at-most.ts";
import { connected, listening, makeDiscordFleet, startDiscordFleet } from "../../support/discord/fleet.ts";
import { type DiscordServer, startDiscord } from "../../support/discord/server.ts";
import type { Message } from "../../support/discord/world.ts";
import type { TestFleet } from "../../support/fleet.ts";
import { cloneProgram } from "../../support/program.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { waitFor } from "../../support/wait.ts";

const home = "clawdributors-test";
const question = "@CLAWDINATOR-1 version";
const posting = "POST /channels/:channel/messages";

/** They wait for processes, limits and pauses more than they work. */
const inTurn = atMost(3);
const directory = temporaryDirectory(afterAll);
let program = "";
beforeAll(() => {
  program = cloneProgram(directory);
});

type Parts = Pick<Parameters<typeof makeDiscordFleet>[0], "program" | "atEnd">;

/** Runs beside others; what is started with `parts` ends with it. */
const apart =
  (work: (parts: Required<Parts>) => Promise<void>) =>
  ({ onTestFinished }: TestContext) =>
    inTurn(() => work({ program, atEnd: onTestFinished }));
const patience = { timeout: 400_000 };

const answersTo = (server: DiscordServer, asked: Message): Message[] =>
  [...server.world.channels.values()]
    .flatMap(({ messages }) => [...messages.values()])
    .filter(({ reference }) => reference === asked.id);

/** Waits until each has its answer, then for one more answer elsewhere, and looks that each still has only one. */
async function eachOnce(options: {
  server: DiscordServer;
  fleet: TestFleet;
  asked: Message[];
  timeoutMs?: number;
}): Promise<void> {
  const { server, fleet, asked, timeoutMs = 45_000 } = options;
  const wait = { timeoutMs, what: `an answer to each\n${fleet.output().slice(-4_000)}` };
  await waitFor(() => asked.every((one) => answersTo(server, one).length > 0), wait).catch((error: unknown) => {
    const counts = asked.map((one) => answersTo(server, one).length);
    throw new Error(`answers to each question: ${counts}`, { cause: error });
  });
  const last = server.say("josh", "general", question);
  await waitFor(() => answersTo(server, last).length > 0, wait);
  expect(asked.map((one) => answersTo(server, one).length)).toEqual(asked.map(() => 1));
}

/** One question after the other is asked, each when the one before has been heard of. */
function ask(server: DiscordServer, count: number, where = home): Message[] {
  return Array.from({ length: count }, () => server.say("josh", where, question));
}

test.concurrent(
  "the gateway drops in mid-stream, asks to reconnect and forgets the session: each question has one answer",
  patience,
  apart(async (parts) => {
    const server = await startDiscord({ areLimitsOn: false, ...parts });
    const fleet = await startDiscordFleet({ ...parts, server, config: { conversations: { mode: "queue" } } });
    const asked = ask(server, 3);
    server.drop();
    asked.push(...ask(server, 3));
    await waitFor(() => server.gateway.resumed.length === 1);
    asked.push(...ask(server, 2));
    server.gateway.reconnect();
    asked.push(...ask(server, 2));
    await waitFor(() => server.gateway.resumed.length === 2);
    expect(server.identifies()).toBe(1);
    server.invalidSession();
    asked.push(...ask(server, 3));
    await waitFor(() => server.identifies() === 2 && server.gateway.connected() === 1, { timeoutMs: 30_000 });
    await eachOnce({ server, fleet, asked });
    expect(server.identifies()).toBe(2);
  }),
);

test.concurrent(
  "limits of many seconds and errors of Discord's own are waited out, without hammering",
  patience,
  apart(async (parts) => {
    const server = await startDiscord(parts);
    const fleet = await startDiscordFleet({ ...parts, server });
    // Longer than REST waits by itself, and than a pause between two attempts.
    server.rateLimit(posting, 4);
    const limited = ask(server, 1);
    await eachOnce({ server, fleet, asked: limited });
    expect(server.limited().length).toBeLessThanOrEqual(3);
    server.fail(posting, 502, 3);
    server.fail("PATCH /channels/:channel/messages/:message", 500, 2);
    await eachOnce({ server, fleet, asked: ask(server, 1) });
    server.loseAnswer(posting, 4);
    await eachOnce({ server, fleet, asked: ask(server, 1) });
  }),
);

test.concurrent(
  "of a burst of 50 questions none is lost and none is answered twice",
  patience,
  apart(async (parts) => {
    const server = await startDiscord({ areLimitsOn: false, ...parts });
    const fleet = await startDiscordFleet({ ...parts, server, config: { conversations: { mode: "queue" } } });
    await eachOnce({ server, fleet, asked: ask(server, 50), timeoutMs: 90_000 });
  }),
);

test.concurrent(
  "a channel that is deleted and a permission that is revoked are told, and the other channels go on",
  patience,
  apart(async (parts) => {
    const server = await startDiscord({
      ...parts,
      guilds: [{ name: "Clawdributors", channels: [{ name: home }, { name: "general" }, { name: "short-lived" }] }],
    });
    const fleet = await startDiscordFleet({ ...parts, server });
    ask(server, 1, "short-lived");
    server.deleteChannel("short-lived");
    server.revoke(home, "SEND_MESSAGES");
    const unanswerable = ask(server, 1);
    const last = server.say("josh", "general", question);
    await waitFor(() => answersTo(server, last).length > 0, { timeoutMs: 30_000 });
    const check = await waitFor(
      async () => {
        const { checks } = await fleet.instance("CLAWDINATOR-1");
        return checks.find(({ name, ok }) => name.startsWith("discord") && !ok);
      },
      { timeoutMs: 60_000, what: "a check that names the trouble" },
    );
    expect(check.detail).toMatch(/send|Send|permission/i);
    server.restore(home, "SEND_MESSAGES");
    await eachOnce({ server, fleet, asked: [...unanswerable, ...ask(server, 1)], timeoutMs: 60_000 });
    await waitFor(async () => {
      const { checks } = await fleet.instance("CLAWDINATOR-1");
      return !checks.some(({ detail }) => detail.includes(server.channel(home).id));
    });
    expect(fleet.pid()).toBeDefined();
  }),
);

for (const clockOffsetMs of [-3_600_000, 3_600_000])
  test.concurrent(
    `a clock that is ${clockOffsetMs} ms off changes nothing`,
    patience,
    apart(async (parts) => {
      const server = await startDiscord({ clockOffsetMs, ...parts });
      const fleet = await startDiscordFleet({
        ...parts,
        server,
        // What is asked next must not stop the answer before it.
        config: { conversations: { mode: "queue" } },
      });
      const asked = ask(server, 1);
      await eachOnce({ server, fleet, asked });
      await fleet.kill();
      asked.push(...ask(server, 1));
      await fleet.start();
      await connected(fleet, server);
      server.loseAnswer(posting, 3);
      asked.push(...ask(server, 1));
      await eachOnce({ server, fleet, asked });
      server.say("josh", home, "@CLAWDINATOR-1 spawn a sibling");
      const card = await waitFor(() => server.posts(home).find(({ components }) => components.length > 0));
      await fleet.json("pause");
      const pressed = server.press("josh", card, "Approve");
      await pressed.settled();
      expect(pressed.hasFailed()).toBe(false);
      await waitFor(() => card.content.includes("Approved by"));
    }),
  );

test.concurrent(
  "a loop of crashes costs few identifications, never the token, and the question is answered in the end",
  patience,
  apart(async (parts) => {
    // Ten sessions would take 5 s, 10 s, 20 s … of waiting between the later ones.
    const crashes = 10;
    // At its limit Discord resets the token; nothing would be answered then.
    const server = await startDiscord({ ...parts, gateway: { sessionStarts: crashes } });
    const fleet = makeDiscordFleet({ ...parts, server });
    await fleet.start();
    await connected(fleet, server);
    await listening(fleet, server);
    const asked: Message[] = [];
    for (let crash = 0; crash < crashes; crash++) {
      await fleet.kill();
      if (crash % 3 === 0) asked.push(...ask(server, 1));
      await fleet.start();
    }
    await eachOnce({ server, fleet, asked, timeoutMs: 90_000 });
    expect(server.identifies()).toBeLessThan(crashes);
  }),
);
