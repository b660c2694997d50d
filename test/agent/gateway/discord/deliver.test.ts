import { describe, expect, test } from "vitest";
import type { Store } from "../../../../tools/store.ts";
import { waitFor } from "../../../support/wait.ts";
import { type Desk, done, openDesk, text } from "./speak-desk.ts";

const creating = "POST /channels/:channel/messages";
const editing = "PATCH /channels/:channel/messages/:message";
const reading = "GET /channels/:channel/messages";

const twoParts = `First. ${"word ".repeat(300)}\n\nSecond. ${"word ".repeat(300)}`;
const beginnings = ({ discord, channel }: Desk, where = channel) =>
  discord.posts(where).map(({ content }) => content.slice(0, 7).trim());

/** A store whose process dies at the write number `last`: before it, or after it with nobody told. */
function dyingStore(store: Store, { last, isWritten }: { last: number; isWritten: boolean }) {
  let writes = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const forever = new Promise<never>(() => {});
  const step = async <T>(write: () => Promise<T>): Promise<T> => {
    writes += 1;
    if (writes < last) return write();
    if (writes === last && isWritten) await write();
    resolve();
    return forever;
  };
  const dying: Store = {
    ...store,
    put: (...parameters) => step(() => store.put(...parameters)),
    delete: (...parameters) => step(() => store.delete(...parameters)),
  };
  return { dying, dead: promise };
}

describe("an answer whose process dies", () => {
  test("at any write is there once, whole and in order, when the next one has caught up", async () => {
    const desk = await openDesk();
    const { discord, channel, store, start, asks } = desk;
    let deaths = 0;
    for (let last = 1; last <= 9; last++) {
      for (const isWritten of [false, true]) {
        const before = discord.posts(channel).length;
        const { dying, dead } = dyingStore(store, { last, isWritten });
        const bot = start({ speakerStore: dying });
        const id = asks();
        await bot.take(id, channel);
        await bot.said(id, { type: "picture", picture: "claw-up", alt: "The lobster raises its claw" });
        await bot.answer(id, twoParts);
        const isDead = await Promise.race([dead.then(() => true), bot.speaker.idle().then(() => false)]);
        if (isDead) deaths += 1;
        bot.holds.value = false;
        void bot.speaker.stop();
        const next = start();
        await next.speaker.catchUp();
        // What listening does with a question whose answer is not there yet.
        next.speaker.follow({ message: id, conversation: `discord-${channel}`, place: { channel, replyTo: id } });
        await next.speaker.idle();
        const posts = discord.posts(channel).slice(before);
        expect([last, isWritten, posts.map(({ content }) => content.slice(0, 7).trim())]).toEqual([
          last,
          isWritten,
          ["First.", "Second."],
        ]);
        if (last > 2) expect(posts[1]?.attachments).toHaveLength(1);
        await next.speaker.stop();
      }
    }
    expect(deaths).toBeGreaterThan(14);
    expect(await store.list("discord/deliveries/")).toEqual([]);
  });

  test("while it is being streamed goes on in the same message", async () => {
    const desk = await openDesk();
    const { discord, channel, start, asks } = desk;
    const bot = start();
    const id = asks();
    await bot.take(id, channel);
    await bot.said(id, text("Let me see"));
    await waitFor(() => discord.posts(channel).length === 1);
    bot.holds.value = false;
    await bot.speaker.stop();
    bot.runs.abandon();
    const next = start();
    await next.speaker.catchUp();
    await next.begin(id, channel);
    await next.said(id, { type: "restart", reason: "begun by another process" });
    await next.answer(id, "I have seen.");
    await next.speaker.idle();
    expect(discord.posts(channel).map(({ content }) => content)).toEqual(["I have seen."]);
  });
});

describe("Discord's faults", () => {
  test("lost answers and server errors: everything is there once", async () => {
    const desk = await openDesk();
    const { discord, channel, start, asks } = desk;
    const bot = start();
    discord.loseAnswer(creating, 3);
    discord.fail(creating, 503, 4);
    discord.fail(editing, 500, 4);
    discord.fail(reading, 502, 1);
    const id = asks();
    await bot.take(id, channel);
    await bot.said(id, text("First. "));
    await waitFor(() => discord.posts(channel).length === 1);
    await bot.said(id, done(twoParts));
    await bot.speaker.idle();
    expect(beginnings(desk)).toEqual(["First.", "Second."]);
  });

  test("a lost answer long ago is found in the history: by author, question and words, without the nonce", async () => {
    const { discord, channel, start, asks, store } = await openDesk();
    const bot = start();
    discord.loseAnswer(creating, 1);
    const id = asks();
    await bot.take(id, channel);
    await bot.answer(id, "Once.");
    await waitFor(() => discord.posts(channel).length === 1);
    bot.holds.value = false;
    await bot.speaker.stop();
    // The nonce holds for minutes only; and others go on talking.
    for (const post of discord.posts(channel)) post.nonce = null;
    for (let n = 0; n < 120; n++) asks(`Once. ${n}`);
    const sent = () => discord.requests.filter(({ route }) => route === creating).length;
    const before = sent();
    const next = start();
    await next.speaker.catchUp();
    await next.speaker.idle();
    expect(discord.posts(channel).map(({ content }) => content)).toEqual(["Once."]);
    expect(sent()).toBe(before);
    expect(await store.list("discord/deliveries/")).toEqual([]);
  });

  test("a send that hangs longer than a holder may act is looked for, not sent again", async () => {
    const { discord, channel, start, asks } = await openDesk();
    const bot = start({ callMs: 150 });
    discord.hold(creating, 400, 1);
    const id = asks();
    await bot.take(id, channel);
    await bot.answer(id, "Late.");
    await bot.speaker.idle();
    await waitFor(
      () => discord.requests.filter(({ route, status }) => route === creating && status === 200).length > 0,
    );
    expect(discord.posts(channel).map(({ content }) => content)).toEqual(["Late."]);
  });

  test("a long limit holds up nothing but its channel, and nothing is sent into it meanwhile", async () => {
    const { discord, channel, start, asks } = await openDesk({ areLimitsOn: true });
    const general = discord.channel("general").id;
    const bot = start();
    const [here, there] = [asks(), asks("hello?", general)];
    for (let n = 0; n < 5; n++)
      await bot.speaker.say({ key: `n-${n}`, place: { channel, replyTo: null }, text: `${n}` });
    await bot.take(here, channel);
    await bot.answer(here, "Here.");
    await bot.take(there, general);
    await bot.answer(there, "There.");
    await waitFor(() => discord.posts(general).length === 1);
    // The limited channel still waits.
    expect(discord.posts(channel)).toHaveLength(5);
    await bot.speaker.idle();
    expect(discord.posts(channel).map(({ content }) => content)).toEqual(["0", "1", "2", "3", "4", "Here."]);
    expect(discord.limited()).toEqual([]);
  });

  test("429 with a retry_after of seconds is waited for once", async () => {
    const { discord, channel, start, asks } = await openDesk({ areLimitsOn: true });
    const bot = start();
    // Longer than what REST waits for by itself.
    discord.rateLimit(creating, 2.2);
    const id = asks();
    await bot.take(id, channel);
    await bot.answer(id, "Patience.");
    await bot.speaker.idle();
    expect(discord.posts(channel).map(({ content }) => content)).toEqual(["Patience."]);
    expect(discord.limited().length).toBeLessThanOrEqual(2);
  });

  test("a channel that was deleted or closed to the bot: a check and an audit line each, no loop, others go on", async () => {
    const { discord, channel, start, asks, audit } = await openDesk();
    const general = discord.channel("general").id;
    const bot = start();
    discord.revoke("general", "SEND_MESSAGES");
    const ids = Array.from({ length: 10 }, () => asks("hello?", general));
    for (const id of ids) {
      await bot.take(id, general);
      await bot.answer(id, "Nobody reads this.");
    }
    await bot.speaker.idle();
    expect(bot.speaker.problems()).toEqual([expect.stringContaining(general)]);
    const last = asks();
    await bot.take(last, channel);
    await bot.said(last, text("Soon."));
    await waitFor(() => discord.posts(channel).length === 1);
    discord.deleteChannel("clawdributors-test");
    await bot.said(last, done("Now."));
    await bot.speaker.idle();
    const refused = discord.requests.filter(({ status, route }) => status >= 400 && !route.endsWith("typing"));
    expect(refused.length).toBeLessThanOrEqual(2);
    expect(bot.speaker.problems()).toHaveLength(2);
    const lines = (await audit.list({ limit: 100 })).filter(({ action }) => action === "discord.post.refused");
    expect(lines.map(({ subject }) => subject).sort()).toEqual([`discord/${channel}`, `discord/${general}`].sort());
  });

  test("what a channel did not take is posted there once the permission is back, and the problem is over", async () => {
    const { discord, start, asks } = await openDesk();
    const general = discord.channel("general").id;
    const bot = start();
    discord.revoke("general", "SEND_MESSAGES");
    const ids = [asks("one?", general), asks("two?", general)];
    for (const id of ids) {
      await bot.take(id, general);
      await bot.answer(id, `Answer to ${id}.`);
    }
    await bot.speaker.idle();
    expect(discord.posts(general)).toEqual([]);
    expect(bot.speaker.problems()).toHaveLength(1);
    // What waits outlives the process, too.
    const next = start();
    await bot.speaker.stop();
    await next.speaker.catchUp();
    await next.speaker.idle();
    expect(next.speaker.problems()).toHaveLength(1);
    discord.restore("general", "SEND_MESSAGES");
    await waitFor(() => discord.posts(general).length === 2, { timeoutMs: 5_000 });
    await next.speaker.idle();
    expect(discord.posts(general).map(({ reference }) => reference)).toEqual(ids);
    expect(next.speaker.problems()).toEqual([]);
  });

  test("while the name is not this instance's nothing is sent; when it is again, it goes on", async () => {
    const { discord, channel, start, asks } = await openDesk();
    const bot = start();
    bot.holds.value = false;
    const id = asks();
    await bot.take(id, channel);
    await bot.answer(id, "Mine.");
    await waitFor(async () => (await bot.inbox.outcome("discord", id)) !== null);
    expect(discord.requests.filter(({ path }) => path.startsWith("/channels/"))).toEqual([]);
    bot.holds.value = true;
    await bot.speaker.idle();
    expect(discord.posts(channel).map(({ content }) => content)).toEqual(["Mine."]);
  });
});

test("a burst of 50 messages in five channels: each is answered once, in order, with lost answers in between", async () => {
  const names = ["a", "b", "c", "d", "e"];
  const desk = await openDesk({
    guilds: [
      { name: "Clawdributors", channels: [{ name: "clawdributors-test" }, ...names.map((one) => ({ name: one }))] },
    ],
  });
  const { discord, start, asks } = desk;
  const bot = start();
  const channels = names.map((one) => discord.channel(one).id);
  const asked = Array.from({ length: 50 }, (_, n) => {
    const channel = channels[n % 5] ?? "";
    return { n, channel, id: asks(`question ${n}`, channel) };
  });
  discord.loseAnswer(creating, 5);
  for (const { id, channel } of asked) await bot.take(id, channel);
  for (const { id, n } of asked) await bot.answer(id, `answer ${n}`);
  await bot.speaker.idle();
  for (const [index, channel] of channels.entries()) {
    const expected = asked.filter(({ n }) => n % 5 === index);
    const posts = discord.posts(channel);
    expect(posts.map(({ content }) => content)).toEqual(expected.map(({ n }) => `answer ${n}`));
    expect(posts.map(({ reference }) => reference)).toEqual(expected.map(({ id }) => id));
  }
});
