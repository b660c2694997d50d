/** The Discord server against the real client: what tests of the gateway's Discord part rely on. */
import type { Client, ClientOptions, Message, TextChannel } from "discord.js";
import { expect, onTestFinished, test } from "vitest";
import { waitFor } from "../wait.ts";
import { type DiscordServer, startDiscord } from "./server.ts";

const intents = ["Guilds", "GuildMembers", "GuildMessages", "DirectMessages", "MessageContent"] as const;

async function connect(
  server: DiscordServer,
  options: { bot?: string; token?: string; rest?: ClientOptions["rest"]; ready?: boolean } = {},
): Promise<Client<true>> {
  const { Client, Partials } = await import("discord.js");
  const client = new Client({
    intents,
    partials: [Partials.Channel, Partials.Message],
    rest: { api: server.apiUrl, ...options.rest },
  });
  onTestFinished(() => client.destroy());
  client.on("error", () => undefined);
  const ready = new Promise<void>((resolve) => client.once("clientReady", () => resolve()));
  await client.login(options.token ?? server.user(options.bot ?? "CLAWDINATOR-1").token);
  await ready;
  return client as Client<true>;
}

const room = (client: Client, server: DiscordServer): TextChannel =>
  client.channels.cache.get(server.channel("clawdributors-test").id) as TextChannel;

test("the real client identifies, sees the guild, hears a person and answers", async () => {
  const server = await startDiscord();
  const client = await connect(server);
  expect(client.guilds.cache.first()?.channels.cache.map(({ name }) => name)).toEqual([
    "clawdributors-test",
    "general",
  ]);
  const heard = new Promise<Message>((resolve) => client.once("messageCreate", resolve));
  const asked = server.say("josh", "clawdributors-test", "@CLAWDINATOR-1 hello");
  const message = await heard;
  expect(message.mentions.has(client.user)).toBe(true);
  expect(message.member?.roles.cache.has(server.role("Maintainers"))).toBe(true);
  const reply = await message.reply({ content: "Hello!", allowedMentions: { parse: [] } });
  await reply.edit("Hello there!");
  expect(server.posts("clawdributors-test")).toMatchObject([
    { content: "Hello there!", reference: asked.id, history: ["Hello!", "Hello there!"], mentions: [] },
  ]);
  expect(server.identifies()).toBe(1);
});

test("a nonce that was used is not posted again, and a lost answer leaves the message there", async () => {
  const server = await startDiscord();
  const client = await connect(server, { rest: { retries: 2 } });
  server.loseAnswer("POST /channels/:channel/messages");
  const draft = { content: "once", nonce: "n-1", enforceNonce: true };
  await room(client, server)
    .send(draft)
    .catch(() => undefined);
  const again = await room(client, server).send(draft);
  expect(server.posts("clawdributors-test")).toMatchObject([{ id: again.id }]);
});

test("buttons, commands, autocomplete and modals reach the client and take its answers", async () => {
  const server = await startDiscord();
  const client = await connect(server);
  const guild = server.guild();
  await client.application.commands.set(
    [
      {
        name: "fleet",
        description: "The fleet",
        options: [
          {
            type: 1,
            name: "status",
            description: "How it is",
            options: [{ type: 3, name: "instance", description: "Which", autocomplete: true }],
          },
        ],
      },
    ],
    guild.id,
  );
  client.on("interactionCreate", async (interaction) => {
    if (interaction.isChatInputCommand()) {
      await interaction.deferReply({ flags: "Ephemeral" });
      await interaction.editReply(
        `${interaction.options.getSubcommand()} ${interaction.options.getString("instance")}`,
      );
    } else if (interaction.isAutocomplete())
      await interaction.respond([{ name: interaction.options.getFocused().toUpperCase(), value: "x" }]);
    else if (interaction.isButton())
      await interaction.showModal({
        title: "Why?",
        customId: "why",
        components: [
          { type: 1, components: [{ type: 4, customId: "reason", style: 1, label: "Reason", required: false }] },
        ],
      });
    else if (interaction.isModalSubmit() && interaction.isFromMessage())
      await interaction.update({
        content: `because ${interaction.fields.getTextInputValue("reason")}`,
        components: [],
      });
  });
  const command = server.command("josh", "fleet", { status: { instance: "one" } });
  await waitFor(() => command.replies()[0]?.content === "status one");
  expect(command.replies()[0]).toMatchObject({ onlyFor: server.user("josh").id });
  expect(server.posts("clawdributors-test")).toEqual([]);
  const typed = server.autocomplete("josh", "fleet", { status: { instance: "cl" } }, "instance");
  await typed.settled();
  expect(typed.answer()).toEqual({ type: 8, data: { choices: [{ name: "CL", value: "x" }] } });
  await room(client, server).send({
    content: "sure?",
    components: [{ type: 1, components: [{ type: 2, style: 1, label: "Approve", customId: "approve:1" }] }],
  });
  const [card] = server.posts("clawdributors-test");
  const opened = server.press("josh", card!, "Approve");
  await opened.settled();
  const submitted = server.modal("josh", opened, { reason: "I can" });
  await submitted.settled();
  expect(card).toMatchObject({ content: "because I can", components: [] });
});

test("a dropped connection is resumed with what was missed; an invalid session identifies anew", async () => {
  const server = await startDiscord();
  const client = await connect(server);
  const heard: string[] = [];
  client.on("messageCreate", ({ content }) => heard.push(content));
  server.drop();
  await waitFor(() => server.gateway.connected() === 0);
  for (let count = 0; count < 5; count++) server.say("josh", "general", `missed ${count}`);
  await waitFor(() => heard.length === 5);
  expect(server.gateway.resumed).toMatchObject([{ replayed: 5 }]);
  expect(server.identifies()).toBe(1);
  server.gateway.reconnect();
  await waitFor(() => server.gateway.resumed.length === 2);
  // The client of its own accord waits five seconds between two identifications.
  server.invalidSession();
  await waitFor(() => server.identifies() === 2 && server.gateway.connected() === 1, { timeoutMs: 20_000 });
  await waitFor(() => {
    server.say("josh", "general", "after");
    return heard.includes("after");
  });
});

test("wrong tokens and privileged intents that are not enabled are refused as Discord does", async () => {
  const server = await startDiscord({ bots: [{ name: "CLAWDINATOR-1", intents: ["guildMembers"] }] });
  await expect(connect(server)).rejects.toThrow("disallowed intents");
  expect(server.gateway.closes).toMatchObject([{ code: 4014 }]);
  await expect(connect(server, { token: "MTIzNDU2Nzg5MDEyMzQ1Njc4.test01.wrong" })).rejects.toMatchObject({
    code: "TokenInvalid",
  });
});

test("permissions, deleted channels and limits are answered with Discord's codes", async () => {
  const server = await startDiscord();
  const client = await connect(server, { rest: { rejectOnRateLimit: () => true } });
  const channel = room(client, server);
  await expect(channel.send("x".repeat(2001))).rejects.toMatchObject({ code: 50035 });
  await expect(channel.send("")).rejects.toMatchObject({ code: 50006 });
  server.revoke("clawdributors-test", "SEND_MESSAGES");
  await expect(channel.send("hi")).rejects.toMatchObject({ code: 50013, status: 403 });
  server.revoke("clawdributors-test", "VIEW_CHANNEL");
  await expect(client.rest.get(`/channels/${channel.id}`)).rejects.toMatchObject({ code: 50001 });
  const id = server.channel("general").id;
  server.deleteChannel("general");
  await expect(client.rest.get(`/channels/${id}`)).rejects.toMatchObject({ code: 10003, status: 404 });
  server.restore("clawdributors-test", "VIEW_CHANNEL");
  server.restore("clawdributors-test", "SEND_MESSAGES");
  server.rateLimit("POST /channels/:channel/messages", 60);
  await expect(channel.send("hi")).rejects.toMatchObject({ name: expect.stringContaining("RateLimit") });
});

test("files go up and come down, and history is read before, after and around", async () => {
  const server = await startDiscord();
  const client = await connect(server);
  const sent = await room(client, server).send({
    content: "the log",
    files: [{ attachment: Buffer.from("line\n"), name: "log.txt" }],
  });
  const url = sent.attachments.first()?.url ?? "";
  expect(await (await fetch(url)).text()).toBe("line\n");
  const all = [0, 1, 2, 3, 4].map((count) => server.say("josh", "general", `m${count}`));
  const general = client.channels.cache.get(server.channel("general").id) as TextChannel;
  const read = async (query: object): Promise<string[]> =>
    (await general.messages.fetch({ cache: false, ...query })).map(({ content }) => content);
  expect(await read({ after: all[1]!.id, limit: 2 })).toEqual(["m3", "m2"]);
  expect(await read({ before: all[1]!.id })).toEqual(["m0"]);
  expect(await read({ around: all[2]!.id, limit: 3 })).toEqual(["m3", "m2", "m1"]);
});

test("a clock an hour off shows in ids, times and headers", async () => {
  const server = await startDiscord({ clockOffsetMs: 3_600_000 });
  const client = await connect(server);
  const heard = new Promise<Message>((resolve) => client.once("messageCreate", resolve));
  server.say("josh", "general", "later");
  expect((await heard).createdTimestamp - Date.now()).toBeGreaterThan(3_500_000);
});
