import { expect, test } from "vitest";
import { giveName } from "../../../../tools/fleet/names.ts";
import { startDiscord } from "../../../support/discord/server.ts";
import { channelOf, guildOf, memberOf, roleOf, userOf } from "../../../support/discord/wire.ts";
import { waitFor } from "../../../support/wait.ts";
import { connectionBench, quickPace } from "./connection-desk.ts";

test("connects with the intents it needs and no other, and says as whom", async () => {
  const { connection, discord, check } = await connectionBench();
  await connection.open();
  const bot = discord.user("CLAWDINATOR-1");
  expect(connection.self()).toBe(bot.id);
  expect(connection.application()).toBe(bot.id);
  expect(connection.client()?.user.id).toBe(bot.id);
  expect(connection.nameOf(discord.channel("general").id)).toBe("general");
  expect(connection.problems()).toEqual([]);
  expect(check()).toEqual({
    name: "discord",
    ok: true,
    detail: `connected as CLAWDINATOR-1 (${bot.id}) to 1 guild`,
  });
  expect(discord.gateway.identified.map(({ intents }) => intents)).toEqual([(1 << 0) | (1 << 9) | (1 << 15)]);
});

test("hears messages of the client that it hands out before it connects, private ones only when they are switched on", async () => {
  const { connection, discord } = await connectionBench({ settings: () => ({ dm: { enabled: true } }) });
  const heard: string[] = [];
  connection.onClient((client) => void client.on("messageCreate", ({ content }) => heard.push(content)));
  await connection.open();
  discord.say("josh", "clawdributors-test", "hello");
  discord.tell("josh", "CLAWDINATOR-1", "psst");
  await waitFor(() => heard.length === 2);
  expect(heard).toEqual(["hello", "psst"]);
});

test("a thread is known by its id alone", async () => {
  const { connection, discord } = await connectionBench();
  await connection.open();
  const thread = discord.thread("general", "clawdributors-test");
  await waitFor(() => connection.client()?.channels.cache.has(thread.id));
  expect(connection.nameOf(thread.id)).toBeNull();
});

test("resumes after a drop without a new IDENTIFY, and loses nothing", async () => {
  const { connection, discord, check } = await connectionBench();
  const heard: string[] = [];
  connection.onClient((client) => void client.on("messageCreate", ({ content }) => heard.push(content)));
  await connection.open();
  discord.drop();
  discord.say("josh", "clawdributors-test", "while away");
  await waitFor(() => heard.length === 1);
  expect(discord.identifies()).toBe(1);
  expect(discord.gateway.resumed).toHaveLength(1);
  expect(check()?.ok).toBe(true);
});

test("an invalid session is begun anew", async () => {
  const { connection, discord } = await connectionBench();
  await connection.open();
  discord.invalidSession();
  await waitFor(() => discord.identifies() === 2);
  const heard: string[] = [];
  connection.client()?.on("messageCreate", ({ content }) => heard.push(content));
  await waitFor(() => {
    discord.say("josh", "clawdributors-test", "again");
    return heard.length > 0;
  });
});

test("a connection that no longer answers heartbeats is replaced", async () => {
  const discord = await startDiscord({ gateway: { heartbeatIntervalMs: 60 } });
  const { connection } = await connectionBench({ discord });
  await connection.open();
  discord.gateway.silence(true);
  await waitFor(() => discord.gateway.resumed.length + discord.identifies() > 1, { what: "a new connection" });
  discord.gateway.silence(false);
  await waitFor(() => connection.client()?.isReady());
});

test("a wrong token is named with its fix, costs no IDENTIFY, and is tried again when it changed", async () => {
  const { connection, discord, check, world, logged } = await connectionBench();
  const right = world.token;
  world.token = "MTIzNDU2Nzg5MDEyMzQ1Njc4.wrong1.this-token-is-not-one-that-discord-knows";
  await connection.open();
  expect(check()).toMatchObject({ ok: false, detail: expect.stringMatching(/refuses the bot's token; reset it at/) });
  const asked = discord.requests.length;
  expect(discord.identifies()).toBe(0);
  world.token = right;
  await waitFor(() => check()?.ok);
  expect(discord.identifies()).toBe(1);
  expect(asked).toBeLessThan(4);
  expect(logged.join("\n")).not.toContain(right);
  expect(logged.join("\n")).not.toContain("this-token-is-not-one");
});

test("a new token is used without a restart", async () => {
  const { connection, discord, world, check } = await connectionBench();
  await connection.open();
  const first = connection.client();
  const bot = discord.user("CLAWDINATOR-1");
  bot.token = `${bot.token}x`;
  world.token = bot.token;
  await waitFor(() => connection.client() !== null && connection.client() !== first);
  expect(check()?.ok).toBe(true);
});

test("a token that is taken back while it is in use is named", async () => {
  const { connection, discord, check } = await connectionBench();
  await connection.open();
  discord.user("CLAWDINATOR-1").token = "reset-elsewhere-1234567890";
  discord.drop();
  await waitFor(() => check()?.ok === false);
  expect(check()?.detail).toMatch(/refuses the bot's token/);
  expect(connection.client()).toBeNull();
});

test("no token at all is named", async () => {
  const { connection, world, check } = await connectionBench();
  world.token = null;
  await connection.open();
  expect(check()?.detail).toMatch(/there is no bot token; put it with `clawdinator secrets put discord-token`/);
});

test("a missing intent is named before it costs an IDENTIFY, and its coming is noticed", async () => {
  const discord = await startDiscord({ bots: [{ name: "CLAWDINATOR-1", intents: [] }] });
  const { connection, check } = await connectionBench({ discord });
  await connection.open();
  expect(check()?.detail).toMatch(/switch on “Message Content Intent”/);
  expect(discord.identifies()).toBe(0);
  discord.user("CLAWDINATOR-1").flags = 1 << 19;
  await waitFor(() => check()?.ok);
  expect(discord.identifies()).toBe(1);
});

test("intents that the gateway refuses are named, and not tried again", async () => {
  const discord = await startDiscord({ bots: [{ name: "CLAWDINATOR-1", intents: [] }] });
  const { connection, check } = await connectionBench({ discord });
  discord.fail("GET /applications/@me", 404, 100);
  await connection.open();
  expect(check()).toMatchObject({ ok: false, detail: expect.stringMatching(/Message Content Intent/) });
  expect(discord.identifies()).toBe(1);
  expect(discord.gateway.closes.map(({ code }) => code)).toEqual([4014]);
});

test("what the bot cannot see or do is named, each with its fix, and gone when it is mended", async () => {
  const { connection, discord, check } = await connectionBench({
    settings: (server) => ({
      guilds: {
        [server.guild().id]: { channels: { "clawdributors-test": {}, nowhere: {}, general: {} } },
        "100000000000000099": { channels: { general: {} } },
      },
      maintainers: { roles: ["400000000000000099", server.guild().id], users: {} },
      reportTo: "200000000000000099",
      mentionPatterns: ["(clawd"],
    }),
  });
  discord.revoke("general", "SEND_MESSAGES");
  discord.revoke("clawdributors-test", "VIEW_CHANNEL");
  await connection.open();
  const found = connection.problems().join("\n");
  expect(found).toMatch(/channel nowhere in Clawdributors \(\d+\): the bot sees no such channel/);
  expect(found).toMatch(/channel #general in Clawdributors \(\d+\): the bot lacks Send Messages/);
  expect(found).toMatch(/channel #clawdributors-test in .*: the bot lacks View Channel/);
  expect(found).toMatch(/guild 100000000000000099: the bot is not a member; open https:\/\/discord\.com\/oauth2/);
  expect(found).toMatch(/maintainer role 400000000000000099: no listed guild has it/);
  expect(found).toMatch(/maintainer role \d+: this is @everyone/);
  expect(found).toMatch(/reportTo: the bot sees no channel 200000000000000099/);
  expect(found).toMatch(/mentionPatterns: “\(clawd” is not a regular expression/);
  expect(connection.problems()).toHaveLength(8);
  expect(check()?.ok).toBe(true);
  expect(check()?.detail).toContain("warning: ");
  discord.restore("general", "SEND_MESSAGES");
  await waitFor(() => !connection.problems().join().includes("#general"));
});

test("a candidate shows that its token is accepted, without connecting", async () => {
  const { connection, discord, check, world } = await connectionBench();
  world.mayAct = false;
  await connection.prove();
  expect(check()).toMatchObject({
    ok: true,
    detail: expect.stringMatching(/the token of CLAWDINATOR-1 .* is accepted/),
  });
  expect(discord.identifies()).toBe(0);
  world.token = "MTIzNDU2Nzg5MDEyMzQ1Njc4.wrong1.this-token-is-not-one-that-discord-knows";
  await connection.prove();
  expect(check()).toMatchObject({ ok: false, detail: expect.stringMatching(/refuses the bot's token/) });
});

test("two names never speak as one bot", async () => {
  const first = await connectionBench();
  const { store, discord } = first;
  await giveName(store, { name: "CLAWDINATOR-1", to: "i-1", from: null, leaseMs: 60_000 });
  await first.connection.open();
  const second = await connectionBench({ discord, store, name: "CLAWDINATOR-2" });
  await second.connection.open();
  expect(second.check()?.detail).toMatch(
    /the token is that of CLAWDINATOR-1, which CLAWDINATOR-1 speaks as; give CLAWDINATOR-2 a bot of its own/,
  );
  await second.connection.prove();
  expect(second.check()?.ok).toBe(false);
  expect(discord.identifies()).toBe(1);
  second.world.token = discord.user("CLAWDINATOR-2").token;
  await waitFor(() => second.check()?.ok);
  expect(discord.identifies("CLAWDINATOR-2")).toBe(1);
});

test("nothing is sent without the name", async () => {
  const { connection, discord, world } = await connectionBench();
  await connection.open();
  const { id } = discord.channel("clawdributors-test");
  const client = connection.client();
  world.mayAct = false;
  const asked = discord.requests.length;
  await expect(client?.rest.post(`/channels/${id}/messages`, { body: { content: "late" } })).rejects.toMatchObject({
    code: "discord_not_holder",
  });
  expect(discord.requests).toHaveLength(asked);
});

test("an outage of the gateway is waited out", async () => {
  const { connection, discord, check } = await connectionBench();
  discord.gateway.refuse(true);
  discord.fail("GET /users/@me", 503, 6);
  const opened = connection.open();
  await opened;
  expect(check()?.detail).toMatch(/Discord cannot be reached/);
  discord.gateway.refuse(false);
  await waitFor(() => check()?.ok);
});

test("a connection that stays lost is begun anew, without asking all the time", async () => {
  const { discord, check, another } = await connectionBench();
  const connection = another({ pace: { ...quickPace, tolerableDropMs: 50, longestDropMs: 300, firstRetryMs: 200 } });
  await connection.open();
  const first = connection.client();
  discord.gateway.refuse(true);
  discord.drop();
  await waitFor(() => check()?.detail.includes("the connection is lost and is being resumed"));
  await waitFor(() => connection.client() === null);
  discord.gateway.refuse(false);
  await waitFor(() => connection.client());
  expect(connection.client()).not.toBe(first);
  await waitFor(() => check()?.ok);
});

test("closes for good: a session that was being resumed does not come back", async () => {
  const { connection, discord, check } = await connectionBench();
  await connection.open();
  discord.drop();
  await connection.close();
  expect(connection.client()).toBeNull();
  await connection.open();
  await waitFor(() => check()?.ok);
  await connection.close();
  const { length } = discord.gateway.identified;
  expect(length).toBe(2);
  expect(discord.gateway.connected()).toBe(0);
});

test("what is not as Discord promises never gets into what the bot knows of guilds and channels", async () => {
  const { connection, discord, check, logged } = await connectionBench();
  await connection.open();
  const { world } = discord;
  const guild = discord.guild();
  const channel = discord.channel("clawdributors-test");
  const bot = discord.user("CLAWDINATOR-1");
  const whole = channelOf(world, channel);
  const roles = [...guild.roles.values()].map(roleOf);
  const member = { ...memberOf(world, guild, bot.id), guild_id: guild.id };
  const damaged: [type: string, data: object][] = [
    ["CHANNEL_UPDATE", { ...whole, name: ["x"] }],
    ["CHANNEL_UPDATE", { ...whole, name: undefined }],
    ["CHANNEL_UPDATE", { ...whole, type: "0" }],
    ["CHANNEL_UPDATE", { ...whole, guild_id: undefined }],
    ["CHANNEL_UPDATE", { ...whole, permission_overwrites: [{ id: bot.id, type: 1, allow: "x", deny: -1 }] }],
    ["GUILD_UPDATE", { ...guildOf(world, guild), name: { length: -1 } }],
    ["GUILD_UPDATE", { ...guildOf(world, guild), roles: [] }],
    ["GUILD_UPDATE", { ...guildOf(world, guild), roles: [{ ...roles[0], permissions: "all" }] }],
    ["GUILD_ROLE_UPDATE", { guild_id: guild.id, role: { ...roles[0], permissions: [] } }],
    ["GUILD_ROLE_DELETE", { guild_id: guild.id, role_id: guild.id }],
    ["GUILD_MEMBER_UPDATE", { ...member, roles: "none" }],
    ["GUILD_CREATE", { ...guildOf(world, guild), channels: [{ ...whole, name: 5 }], threads: [], members: [member] }],
    ["CHANNEL_DELETE", { ...whole, id: Number(channel.id) }],
    ["USER_UPDATE", { ...userOf(bot), username: [[]] }],
  ];
  for (const [type, data] of damaged) discord.gateway.dispatchToBot(bot.id, type, data);
  // It is what was known before that is compared with the settings, once and again.
  discord.revoke("clawdributors-test", "ATTACH_FILES");
  await waitFor(
    () => check()?.detail.includes("#clawdributors-test") && check()?.detail.includes("lacks Attach Files"),
  );
  expect(connection.nameOf(channel.id)).toBe("clawdributors-test");
  expect(connection.problems()).toHaveLength(1);
  expect(logged.filter((line) => line.includes("discord.not_remembered"))).toHaveLength(1);
  discord.restore("clawdributors-test", "ATTACH_FILES");
  await waitFor(() => connection.problems().length === 0);
});
