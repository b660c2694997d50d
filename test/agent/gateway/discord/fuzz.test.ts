/** Whatever the gateway of Discord sends, this one goes on: 10,000 damaged events, and then it still answers. */
import { expect, test } from "vitest";
import { connected, startDiscordFleet } from "../../../support/discord/fleet.ts";
import { mutated, seeded } from "../../../support/discord/mutate.ts";
import { type DiscordServer, startDiscord } from "../../../support/discord/server.ts";
import { channelOf, guildOf, memberOf, messageOf, roleOf, timestampOf, userOf } from "../../../support/discord/wire.ts";
import type { Json } from "../../../support/discord/world.ts";
import { waitFor } from "../../../support/wait.ts";

const events = 10_000;
const seed = Number(process.env.FUZZ_SEED ?? 20_260_101);

/** Real events by kind. What destroys is about #general, so that the other channel is still there afterwards. */
function samples(server: DiscordServer): { type: string; data: Json }[] {
  const { world } = server;
  const guild = server.guild();
  const of = { guild_id: guild.id };
  const test = server.channel("clawdributors-test");
  const general = server.channel("general");
  const bot = server.user("CLAWDINATOR-1");
  const stranger = server.user("stranger");
  const member = memberOf(world, guild, stranger.id);
  const said = server.say("stranger", "clawdributors-test", "@CLAWDINATOR-1 spawn a sibling `code` <#1> <@&2>", {
    attachments: [{ filename: "a.txt", bytes: Buffer.from("text") }],
  });
  const answer = server.say("stranger", "general", "an answer", { reply: server.say("stranger", "general", "hm") });
  const thread = server.thread("general", "a thread");
  const interaction = {
    id: world.snowflake(),
    application_id: bot.id,
    token: "token",
    version: 1,
    channel_id: test.id,
    channel: channelOf(world, test),
    ...of,
    guild: { id: guild.id, locale: "en-US", features: [] },
    member: { ...member, permissions: "0" },
    locale: "en-US",
    app_permissions: "0",
    entitlements: [],
    authorizing_integration_owners: {},
    context: 0,
    attachment_size_limit: 1,
  };
  const command = {
    id: "1",
    name: "fleet",
    type: 1,
    options: [{ name: "status", type: 1, options: [{ name: "x", type: 3, value: "y", focused: true }] }],
  };
  const component = { custom_id: "approve", component_type: 2, id: 2 };
  const form = {
    custom_id: "reject",
    components: [{ type: 1, id: 1, components: [{ type: 4, id: 2, custom_id: "reason", value: "because" }] }],
  };
  const message = messageOf(world, said);
  const reaction = {
    user_id: stranger.id,
    channel_id: test.id,
    message_id: said.id,
    ...of,
    member,
    emoji: { id: null, name: "🔥" },
    burst: false,
    type: 0,
  };
  return [
    { type: "MESSAGE_CREATE", data: { ...message, ...of, member } },
    { type: "MESSAGE_CREATE", data: { ...messageOf(world, answer), ...of, member } },
    { type: "MESSAGE_CREATE", data: { ...message, channel_id: "1", member: undefined } },
    { type: "MESSAGE_UPDATE", data: { ...message, ...of, edited_timestamp: timestampOf(world.now()) } },
    { type: "MESSAGE_DELETE", data: { id: said.id, channel_id: test.id, ...of } },
    { type: "MESSAGE_DELETE_BULK", data: { ids: [said.id, answer.id], channel_id: general.id, ...of } },
    { type: "MESSAGE_REACTION_ADD", data: reaction },
    { type: "MESSAGE_REACTION_REMOVE", data: reaction },
    { type: "INTERACTION_CREATE", data: { ...interaction, type: 2, data: command } },
    { type: "INTERACTION_CREATE", data: { ...interaction, type: 3, data: component, message } },
    { type: "INTERACTION_CREATE", data: { ...interaction, type: 4, data: command } },
    { type: "INTERACTION_CREATE", data: { ...interaction, type: 5, data: form, message } },
    { type: "CHANNEL_CREATE", data: { ...channelOf(world, general), id: world.snowflake() } },
    { type: "CHANNEL_UPDATE", data: channelOf(world, general) },
    { type: "CHANNEL_DELETE", data: channelOf(world, general) },
    { type: "CHANNEL_PINS_UPDATE", data: { ...of, channel_id: general.id, last_pin_timestamp: null } },
    { type: "THREAD_CREATE", data: { ...channelOf(world, thread), newly_created: true } },
    { type: "THREAD_UPDATE", data: channelOf(world, thread) },
    { type: "THREAD_DELETE", data: channelOf(world, thread) },
    { type: "THREAD_LIST_SYNC", data: { ...of, threads: [channelOf(world, thread)], members: [] } },
    { type: "THREAD_MEMBERS_UPDATE", data: { id: thread.id, ...of, member_count: 1, added_members: [] } },
    { type: "GUILD_UPDATE", data: guildOf(world, guild) },
    { type: "GUILD_MEMBER_ADD", data: { ...member, ...of } },
    { type: "GUILD_MEMBER_UPDATE", data: { ...member, ...of } },
    { type: "GUILD_MEMBER_REMOVE", data: { user: userOf(stranger), ...of } },
    { type: "GUILD_ROLE_CREATE", data: { ...of, role: roleOf([...guild.roles.values()][0]!) } },
    { type: "GUILD_ROLE_UPDATE", data: { ...of, role: roleOf([...guild.roles.values()].at(-1)!) } },
    { type: "GUILD_ROLE_DELETE", data: { ...of, role_id: "1" } },
    { type: "TYPING_START", data: { ...of, channel_id: test.id, user_id: stranger.id, timestamp: 1, member } },
    { type: "USER_UPDATE", data: userOf(bot) },
    { type: "PRESENCE_UPDATE", data: { user: { id: stranger.id }, ...of, status: "online", activities: [] } },
    { type: "SOMETHING_NEW", data: { ...of } },
  ];
}

test(`after ${events} damaged events (seed ${seed}) it answers as before`, async () => {
  const server = await startDiscord({ areLimitsOn: false });
  const fleet = await startDiscordFleet({ server });
  const pid = fleet.pid();
  const bot = server.user("CLAWDINATOR-1").id;
  const random = seeded(seed);
  const all = samples(server);
  for (let count = 0; count < events; count++) {
    const { type, data } = all[Math.floor(random() * all.length)]!;
    server.gateway.dispatchToBot(bot, random() < 0.01 ? `${type}_X` : type, mutated(data, random));
    // Each so often something goes in between that is no event at all.
    if (count % 997 === 0) server.gateway.raw('{"op":99,"d":{"t":[]},"s":null,"t":null}', bot);
    if (count % 500 === 499) await new Promise((resolve) => setImmediate(resolve));
  }
  await connected(fleet, server);
  const asked = server.say("josh", "clawdributors-test", "@CLAWDINATOR-1 version");
  const answer = await waitFor(
    () => server.posts("clawdributors-test").find(({ reference }) => reference === asked.id),
    { timeoutMs: 90_000 },
  ).catch(() => {
    const { closes, resumed, identified } = server.gateway;
    throw new Error(
      `no answer after the damage: ${JSON.stringify({ closes, resumed, identified, connected: server.gateway.connected() })}
${server.requests.slice(-5).map(({ route, status }) => `${route} ${status}`)}\n${fleet.output().slice(-3_000)}`,
    );
  });
  await waitFor(() => answer.content.includes("runs version"));
  expect(fleet.pid()).toBe(pid);
  expect(await fleet.json("approvals", "list")).toEqual({ approvals: [] });
  expect(server.posts("clawdributors-test").filter(({ content }) => /@everyone/.test(content))).toEqual([]);
}, 180_000);
