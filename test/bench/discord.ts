/**
 * How soon the bot shows that it heard, against the local Discord server on loopback: with 20 conversations at once, and
 * under a stream of events. Times are the slowest of each round, so a limit holds for everybody who waits.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { connected, listening, makeDiscordFleet } from "../support/discord/fleet.ts";
import { type DiscordServer, startDiscord } from "../support/discord/server.ts";
import type { TestFleet } from "../support/fleet.ts";
import { waitFor } from "../support/wait.ts";

const conversations = 20;
/** What a second of the stream holds, and how long it goes on. */
const eventsPerSecond = 1_000;
const streamSeconds = 10;
const home = "room-0";

export interface DiscordFigure {
  name: string;
  unit: string;
  values: number[];
  limit: number;
  isLeast?: boolean;
}

export async function measureDiscord(options: {
  directory: string;
  program: string;
  runs: number;
  note(text: string): void;
}): Promise<{ figures: DiscordFigure[] }> {
  const { runs, note } = options;
  const endings: (() => void | Promise<void>)[] = [];
  const atEnd = (work: () => void | Promise<void>): void => void endings.push(work);
  try {
    note("discord: a fleet of one, in 20 channels");
    const directory = join(options.directory, "discord");
    mkdirSync(directory);
    const names = Array.from({ length: conversations }, (_, index) => `room-${index}`);
    const server = await startDiscord({
      atEnd,
      areLimitsOn: false,
      guilds: [{ name: "Clawdributors", channels: names.map((name) => ({ name })) }],
    });
    const config = { conversations: { mode: "queue" } };
    const fleet = makeDiscordFleet({ server, atEnd, directory, program: options.program, config });
    await fleet.start();
    await connected(fleet, server);
    await listening(fleet, server);
    await mention(server, [home]);
    const typing: number[] = [];
    const acknowledged: number[] = [];
    for (let run = 0; run < runs; run++) {
      note(`discord: mentions and buttons, run ${run + 1} of ${runs}`);
      typing.push(await mention(server, names));
      acknowledged.push(await pressAll(server, names));
    }
    note(`discord: ${eventsPerSecond} events a second for ${streamSeconds} s`);
    const stream = await streamed(server, fleet);
    note("discord: a pause, with a sibling");
    const held = await pauses(server, { fleet, runs });
    return {
      figures: [
        { name: `mention to typing, ${conversations} at once, slowest`, unit: "ms", values: typing, limit: 150 },
        {
          name: `button to acknowledgement, ${conversations} at once, slowest`,
          unit: "ms",
          values: acknowledged,
          limit: 100,
        },
        { name: `mention to typing amid ${eventsPerSecond} events/s`, unit: "ms", values: stream.typing, limit: 150 },
        {
          name: "events taken in a burst",
          unit: "events/s",
          values: stream.rates,
          limit: eventsPerSecond,
          isLeast: true,
        },
        { name: "pause to the last answer that another instance begins", unit: "ms", values: held, limit: 5_000 },
      ],
    };
  } finally {
    for (const work of endings.reverse()) await work();
  }
}

/** One mention in each channel at once; milliseconds until the last of them has been shown “… is typing”. */
async function mention(server: DiscordServer, channels: string[]): Promise<number> {
  const asked = channels.map((name) => ({
    name,
    at: performance.now(),
    message: server.say("josh", name, "@CLAWDINATOR-1 version"),
    from: server.requests.length,
  }));
  const times = await Promise.all(asked.map(({ name, at, from }) => typingAfter(server, { name, at, from })));
  // The answers, too, so that each round begins with nothing under way.
  await waitFor(
    () => asked.every(({ name, message }) => server.posts(name).some(({ reference }) => reference === message.id)),
    { timeoutMs: 60_000, what: "an answer to each" },
  );
  await settle();
  return Math.max(...times);
}

/** A channel that is shown as typed in is not shown so again until the bot has taken in that its answer is there. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1_000));

async function typingAfter(
  server: DiscordServer,
  { name, at, from }: { name: string; at: number; from: number },
): Promise<number> {
  const path = `/channels/${server.channel(name).id}/typing`;
  const request = await waitFor(() => server.requests.slice(from).find((one) => one.path === path && one.at >= at), {
    timeoutMs: 60_000,
    what: `typing in ${name}`,
  });
  return request.at - at;
}

/** A button of one card, pressed for each conversation at once while each of them also asks something. */
async function pressAll(server: DiscordServer, channels: string[]): Promise<number> {
  const isCard = (): ReturnType<DiscordServer["posts"]>[number] | undefined =>
    server.posts(home).findLast(({ components }) => components.length > 0);
  if (!isCard()) server.say("josh", home, "@CLAWDINATOR-1 spawn a sibling");
  const card = await waitFor(isCard, { timeoutMs: 60_000, what: "a card" });
  const asked = channels.map((name) => ({ name, message: server.say("josh", name, "@CLAWDINATOR-1 version") }));
  const pressed = channels.map(() => server.press("josh", card, "Details"));
  await Promise.all(pressed.map((one) => one.settled()));
  await waitFor(
    () => asked.every(({ name, message }) => server.posts(name).some(({ reference }) => reference === message.id)),
    { timeoutMs: 60_000, what: "an answer to each" },
  );
  await settle();
  return Math.max(...pressed.map((one) => one.answeredMs() ?? Number.POSITIVE_INFINITY));
}

/** Chatter that is not for the bot, at the wanted rate and then all at once, with a mention behind it. */
async function streamed(server: DiscordServer, fleet: TestFleet): Promise<{ typing: number[]; rates: number[] }> {
  const typing: number[] = [];
  const chatter = (count: number): void => {
    for (let index = 0; index < count; index++) server.say("stranger", "room-1", `chatter ${index}`);
  };
  const begun = performance.now();
  let sent = 0;
  let second = 1;
  let open: Promise<unknown> = Promise.resolve();
  while (sent < eventsPerSecond * streamSeconds) {
    const due = Math.min(
      eventsPerSecond * streamSeconds,
      Math.floor(((performance.now() - begun) / 1000) * eventsPerSecond),
    );
    chatter(due - sent);
    sent = due;
    if (performance.now() - begun > second * 1000) {
      second += 1;
      const at = performance.now();
      const from = server.requests.length;
      server.say("josh", `room-${1 + second}`, "@CLAWDINATOR-1 version");
      open = Promise.all([
        open,
        typingAfter(server, { name: `room-${1 + second}`, at, from }).then((ms) => typing.push(ms)),
      ]);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await open;
  const rates: number[] = [];
  for (let round = 0; round < 3; round++) {
    const at = performance.now();
    const from = server.requests.length;
    const count = 5_000;
    chatter(count);
    server.say("josh", "room-1", "@CLAWDINATOR-1 version");
    await typingAfter(server, { name: "room-1", at, from });
    rates.push(count / ((performance.now() - at) / 1000));
    await settle();
  }
  if (fleet.pid() === undefined) throw new Error("the gateway is gone");
  return { typing, rates };
}

/** Between two questions to the instance that is to hold. */
const betweenMs = 50;

/**
 * `/pause` at one instance while another one is asked without a break: milliseconds from the press to the last question
 * that was still answered and not told of the pause.
 */
async function pauses(server: DiscordServer, { fleet, runs }: { fleet: TestFleet; runs: number }): Promise<number[]> {
  const launch = await fleet.propose("spawn a sibling");
  await fleet.approve(launch.id);
  await fleet.ended(launch.id, { timeoutMs: 120_000 });
  await connected(fleet, server, "CLAWDINATOR-2");
  const values: number[] = [];
  for (let run = 0; run < runs; run++) {
    const asked: { id: string; at: number }[] = [];
    const answersTo = (id: string): string[] =>
      server
        .posts("room-2")
        .filter(({ reference }) => reference === id)
        .map(({ content }) => content);
    const isHeld = (id: string): boolean => answersTo(id).some((content) => content.includes("paused by"));
    const ask = (): void => {
      const { id } = server.say("josh", "room-2", "@CLAWDINATOR-2 version");
      asked.push({ id, at: performance.now() });
    };
    ask();
    await waitFor(() => answersTo(asked[0]?.id ?? "").length > 0, { timeoutMs: 60_000, what: "an answer" });
    const pressedAt = performance.now();
    server.command("josh", "pause", { reason: "a measurement" });
    await waitFor(
      async () => {
        ask();
        await new Promise((resolve) => setTimeout(resolve, betweenMs));
        return isHeld(asked.at(-5)?.id ?? "");
      },
      { timeoutMs: 60_000, what: "the other instance holding" },
    );
    await waitFor(() => asked.every(({ id }) => answersTo(id).length > 0), {
      timeoutMs: 60_000,
      what: "a word on each question",
    });
    const begun = asked.filter(({ id }) => !isHeld(id)).map(({ at }) => at - pressedAt);
    values.push(Math.max(0, ...begun));
    await fleet.json("resume");
    await waitFor(() => asked.every(({ id }) => answersTo(id).some((content) => !content.includes("paused by"))), {
      timeoutMs: 60_000,
      what: "an answer to each",
    });
  }
  return values;
}
