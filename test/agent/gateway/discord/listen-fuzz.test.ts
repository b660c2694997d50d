import { expect, test } from "vitest";
import { openListenDesk, testChannel } from "./listen-desk.ts";

/** The same numbers in every run. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

test("10,000 malformed events crash nothing, trigger nothing, and hold up nobody", async () => {
  const desk = await openListenDesk();
  const gateway = desk.gateway({ channel: { requireMention: false } });
  await gateway.take();
  const { discord } = desk;
  const client = gateway.channel.session()?.connection.client();
  const random = makeRandom(7);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const rubbish = [
    undefined,
    null,
    0,
    -1,
    "",
    "x",
    "9".repeat(25),
    "constructor",
    "__proto__",
    {},
    [],
    [null],
    true,
    NaN,
  ];
  const author = { id: discord.user("stranger").id, username: "stranger", global_name: null };
  const kinds = [
    "MESSAGE_CREATE",
    "MESSAGE_UPDATE",
    "MESSAGE_DELETE",
    "MESSAGE_DELETE_BULK",
    "THREAD_DELETE",
    "NONE",
    7,
  ];
  for (let n = 0; n < 10_000; n++) {
    const whole: Record<string, unknown> = {
      id: String(10n ** 18n + BigInt(n)),
      channel_id: discord.channel(testChannel).id,
      guild_id: discord.guild().id,
      type: 0,
      content: `<@${discord.user("CLAWDINATOR-1").id}> retire CLAWDINATOR-1`,
      author,
      mentions: [],
      attachments: [],
      edited_timestamp: "2026-01-01T00:00:00Z",
      ids: ["1", 2, null],
    };
    for (let times = 1 + Math.floor(random() * 3); times > 0; times--) whole[pick(Object.keys(whole))] = pick(rubbish);
    const d = random() < 0.05 ? pick(rubbish) : whole;
    expect(() => client?.emit("raw" as never, ...([{ op: 0, t: pick(kinds), s: n, d }, 0] as never))).not.toThrow();
  }
  const question = discord.say("josh", testChannel, "@CLAWDINATOR-1 are you there?");
  await desk.answered(question);
  expect(gateway.asked()).toHaveLength(1);
}, 60_000);

test("a message whose fields are not what they should be is left out at once, with one line in the log", async () => {
  const desk = await openListenDesk();
  const gateway = desk.gateway({ channel: { requireMention: false } });
  await gateway.take();
  const { discord } = desk;
  const client = gateway.channel.session()?.connection.client();
  const author = { id: discord.user("josh").id, username: "josh", global_name: null };
  const whole = {
    channel_id: discord.channel(testChannel).id,
    guild_id: discord.guild().id,
    type: 0,
    content: `<@${discord.user("CLAWDINATOR-1").id}> are you there?`,
    author,
    mentions: [],
    attachments: [],
  };
  const answered = { id: "1", author, content: "hm", attachments: [], embeds: [] };
  const file = { filename: "a.txt", size: 1, url: "https://cdn.discordapp.com/a.txt", content_type: "text/plain" };
  const misfits: object[] = [
    { author: { ...author, global_name: 7 } },
    { author: { ...author, global_name: {} } },
    { author: { ...author, bot: "no" } },
    { member: { roles: discord.role("Maintainers") } },
    { mentions: [{ ...author, global_name: [] }] },
    { mentions: [null] },
    { mentions: {} },
    { attachments: [{ ...file, filename: null }] },
    { attachments: [{ ...file, size: "1" }] },
    { attachments: [{ ...file, url: 1 }] },
    { attachments: [{ ...file, content_type: 1 }] },
    { referenced_message: { ...answered, content: [] } },
    { referenced_message: { ...answered, author: null } },
    { referenced_message: { ...answered, embeds: "x" } },
    { message_snapshots: [{}] },
    { message_snapshots: [{ message: { content: 1 } }] },
    { edited_timestamp: 1 },
    { type: null },
    { guild_id: 1 },
  ];
  for (const [n, misfit] of misfits.entries()) {
    const d = { ...whole, id: String(10n ** 17n + BigInt(n)), ...misfit };
    for (const t of ["MESSAGE_CREATE", "MESSAGE_UPDATE"])
      client?.emit("raw" as never, ...([{ op: 0, t, s: n, d }, 0] as never));
  }
  const question = discord.say("josh", testChannel, "@CLAWDINATOR-1 are you there?");
  await desk.answered(question);
  expect(gateway.asked()).toHaveLength(1);
  expect(gateway.logged("discord.not_understood")).toBe(1);
  expect(gateway.logged("discord.message_delayed")).toBe(0);
}, 20_000);

test("10,000 messages of idle talk at once cost no request, and the question behind them is answered", async () => {
  const desk = await openListenDesk();
  const gateway = desk.gateway();
  await gateway.take();
  const { discord } = desk;
  const client = gateway.channel.session()?.connection.client();
  const channelId = discord.channel(testChannel).id;
  const author = { id: discord.user("josh").id, username: "josh", global_name: null };
  const before = discord.requests.length;
  for (let n = 0; n < 10_000; n++) {
    const d = {
      id: String(10n ** 17n + BigInt(n)),
      channel_id: channelId,
      guild_id: discord.guild().id,
      type: 0,
      content: `message ${n} of a busy channel, for nobody`,
      author,
      mentions: [],
      attachments: [],
    };
    client?.emit("raw" as never, ...([{ op: 0, t: "MESSAGE_CREATE", s: n, d }, 0] as never));
  }
  expect(discord.requests.length).toBe(before);
  expect(gateway.asked()).toEqual([]);
  await desk.answered(discord.say("josh", testChannel, "@CLAWDINATOR-1 are you there?"));
}, 60_000);
