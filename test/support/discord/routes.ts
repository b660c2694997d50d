/** Routes of Discord's REST interface that a bot of this kind uses; `Call` is one request that found its route. */

import { z } from "zod";
import {
  commandSchema,
  createMessageSchema,
  editChannelSchema,
  editMessageSchema,
  parse,
  threadSchema,
  type Upload,
} from "./bodies.ts";
import { applicationFlags, type Gateway, hideContent, intentBits } from "./gateway.ts";
import type { Interactions } from "./interactions.ts";
import type { Bucket } from "./limits.ts";
import type { Messages } from "./messages.ts";
import { may, type Permission } from "./permissions.ts";
import { invalid, Problem } from "./problem.ts";
import {
  applicationOf,
  type Channel,
  channelOf,
  type Guild,
  guildOf,
  isThread,
  type Json,
  type Message,
  memberOf,
  messageOf,
  newChannel,
  roleOf,
  type User,
  userOf,
  type World,
} from "./world.ts";

export interface Call {
  /** The bot; for routes below `/webhooks` and `/interactions` the application that the token belongs to. */
  bot: User;
  path: Record<string, string>;
  query: URLSearchParams;
  json: unknown;
  files: Upload[];
}

export interface Route {
  method: string;
  /** With `:name` for each parameter. */
  path: string;
  bucket: Bucket;
  /** The token is in the path, there is no Authorization header, and the overall limit does not count it. */
  isByToken?: boolean;
  answer(call: Call): unknown;
}

/** Discord publishes none of these numbers; they are what its headers are seen to say. */
const wide: Bucket = { limit: 50, perMs: 1000 };
const posting: Bucket = { limit: 5, perMs: 5000 };
const nonceMs = 5 * 60_000;

export interface Parts {
  world: World;
  gateway: Gateway;
  messages: Messages;
  interactions: Interactions;
}

export function makeRoutes({ world, gateway, messages, interactions }: Parts): Route[] {
  const nonces = new Map<string, { message: Message; at: number }>();

  function channelFor(call: Call, ...permissions: Permission[]): Channel {
    const channel = world.channels.get(call.path.channel ?? "");
    if (!channel || channel.isDeleted) throw new Problem("unknownChannel");
    const has = (permission: Permission): boolean => may({ world, channel, user: call.bot.id, permission });
    if (!has("VIEW_CHANNEL")) throw new Problem("missingAccess");
    for (const permission of permissions) if (!has(permission)) throw new Problem("missingPermissions");
    return channel;
  }

  function guildFor(call: Call): Guild {
    const guild = world.guilds.get(call.path.guild ?? "");
    if (!guild?.members.has(call.bot.id)) throw new Problem(guild ? "missingAccess" : "unknownGuild");
    return guild;
  }

  function messageFor(call: Call, channel: Channel): Message {
    const message = channel.messages.get(call.path.message ?? "");
    if (!message) throw new Problem("unknownMessage");
    return message;
  }

  function ownApplication(call: Call): void {
    if (call.path.application !== call.bot.id) throw new Problem("missingAccess");
  }

  /** As a REST answer shows it: without the content that the application may not read. */
  function shown(call: Call, message: Message): Json {
    const mayRead = (call.bot.flags & applicationFlags.messageContent) !== 0;
    return hideContent(messageOf(world, message), { message, bot: call.bot.id, mayRead });
  }

  const sending = (channel: Channel): Permission => (isThread(channel) ? "SEND_MESSAGES_IN_THREADS" : "SEND_MESSAGES");

  function checkExtras(call: Call, channel: Channel, draft: { embeds?: unknown[] | null }): void {
    const has = (permission: Permission): boolean => may({ world, channel, user: call.bot.id, permission });
    if (draft.embeds?.length && !has("EMBED_LINKS")) throw new Problem("missingPermissions");
    if (call.files.length > 0 && !has("ATTACH_FILES")) throw new Problem("missingPermissions");
  }

  function startThread(call: Call, from: Message | null): Json {
    const channel = channelFor(call, "CREATE_PUBLIC_THREADS");
    if (channel.guild === null || isThread(channel)) throw new Problem("wrongChannelType");
    const { name } = parse(threadSchema, call.json);
    if (from?.thread) throw new Problem("alreadyHasThread");
    const thread = newChannel({
      id: from ? from.id : world.snowflake(),
      guild: channel.guild,
      name,
      type: 11,
      parent: channel.id,
      owner: call.bot.id,
    });
    thread.members.add(call.bot.id);
    world.channels.set(thread.id, thread);
    if (from) {
      from.thread = thread.id;
      from.flags |= 1 << 5;
    }
    gateway.dispatchIn(thread, {
      type: "THREAD_CREATE",
      guildIntent: intentBits.guilds,
      data: () => ({ ...channelOf(world, thread), newly_created: true }),
    });
    return channelOf(world, thread);
  }

  const commandsOf = (call: Call, guild: string): Json[] => {
    ownApplication(call);
    return world.guilds.get(guild)?.commands.get(call.bot.id) ?? [];
  };

  function setCommands(call: Call, wanted: unknown): Json[] {
    ownApplication(call);
    const guild = guildFor(call);
    const all = parse(z.array(commandSchema).max(100), wanted);
    if (new Set(all.map(({ name }) => name)).size !== all.length)
      throw invalid([], "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique");
    const before = guild.commands.get(call.bot.id) ?? [];
    const stored = all.map((one) => ({
      type: 1,
      default_member_permissions: null,
      nsfw: false,
      ...one,
      ...(one.options ? { options: withDefaults(one.options as Json[]) } : {}),
      id: String(before.find(({ name }) => name === one.name)?.id ?? world.snowflake()),
      application_id: call.bot.id,
      guild_id: guild.id,
      version: world.snowflake(),
    }));
    guild.commands.set(call.bot.id, stored);
    return stored;
  }

  const globalCommands = new Map<string, Json[]>();

  return [
    {
      method: "GET",
      path: "/gateway/bot",
      bucket: wide,
      answer: ({ bot }) => ({
        url: `${world.origin.replace("http", "ws")}/gateway`,
        shards: 1,
        session_start_limit: gateway.sessionStart(bot),
      }),
    },
    { method: "GET", path: "/users/@me", bucket: wide, answer: ({ bot }) => userOf(bot) },
    {
      method: "GET",
      path: "/users/@me/guilds",
      bucket: wide,
      answer: ({ bot }) =>
        [...world.guilds.values()]
          .filter(({ members }) => members.has(bot.id))
          .map(({ id, name, owner }) => ({
            id,
            name,
            icon: null,
            owner: owner === bot.id,
            permissions: "0",
            features: [],
          })),
    },
    {
      method: "POST",
      path: "/users/@me/channels",
      bucket: { limit: 5, perMs: 5000 },
      answer: (call) => {
        const { recipient_id } = parse(z.strictObject({ recipient_id: z.string() }), call.json);
        if (!world.users.has(recipient_id)) throw new Problem("unknownUser");
        return channelOf(world, directChannel(world, call.bot.id, recipient_id));
      },
    },
    {
      method: "GET",
      path: "/users/:user",
      bucket: wide,
      answer: ({ path }) => {
        const user = world.users.get(path.user ?? "");
        if (!user) throw new Problem("unknownUser");
        return userOf(user);
      },
    },
    { method: "GET", path: "/applications/@me", bucket: wide, answer: ({ bot }) => applicationOf(bot) },
    { method: "GET", path: "/oauth2/applications/@me", bucket: wide, answer: ({ bot }) => applicationOf(bot) },
    {
      method: "GET",
      path: "/applications/:application/commands",
      bucket: wide,
      answer: (call) => {
        ownApplication(call);
        return globalCommands.get(call.bot.id) ?? [];
      },
    },
    {
      method: "PUT",
      path: "/applications/:application/commands",
      bucket: wide,
      answer: (call) => {
        ownApplication(call);
        const all = parse(z.array(commandSchema).max(100), call.json).map((one) => ({
          ...one,
          id: world.snowflake(),
          application_id: call.bot.id,
          version: world.snowflake(),
        }));
        globalCommands.set(call.bot.id, all);
        return all;
      },
    },
    {
      method: "GET",
      path: "/applications/:application/guilds/:guild/commands",
      bucket: wide,
      answer: (call) => commandsOf(call, guildFor(call).id),
    },
    {
      method: "PUT",
      path: "/applications/:application/guilds/:guild/commands",
      bucket: { limit: 2, perMs: 5000 },
      answer: (call) => setCommands(call, call.json),
    },
    { method: "GET", path: "/guilds/:guild", bucket: wide, answer: (call) => guildOf(world, guildFor(call)) },
    {
      method: "GET",
      path: "/guilds/:guild/channels",
      bucket: wide,
      answer: (call) => {
        const guild = guildFor(call);
        return [...world.channels.values()]
          .filter((one) => one.guild === guild.id && !one.isDeleted && !isThread(one))
          .map((one) => channelOf(world, one));
      },
    },
    {
      method: "GET",
      path: "/guilds/:guild/roles",
      bucket: wide,
      answer: (call) => [...guildFor(call).roles.values()].map(roleOf),
    },
    {
      method: "GET",
      path: "/guilds/:guild/threads/active",
      bucket: wide,
      answer: (call) => {
        const guild = guildFor(call);
        const threads = [...world.channels.values()].filter(
          (one) =>
            one.guild === guild.id &&
            isThread(one) &&
            !one.archived &&
            !one.isDeleted &&
            may({ world, channel: one, user: call.bot.id, permission: "VIEW_CHANNEL" }),
        );
        return { threads: threads.map((one) => channelOf(world, one)), members: [] };
      },
    },
    {
      method: "GET",
      path: "/guilds/:guild/members",
      bucket: wide,
      answer: (call) => {
        const guild = guildFor(call);
        if (!(call.bot.flags & applicationFlags.guildMembers)) throw new Problem("missingAccess");
        return [...guild.members.keys()].map((id) => memberOf(world, guild, id));
      },
    },
    {
      method: "GET",
      path: "/guilds/:guild/members/:user",
      bucket: wide,
      answer: (call) => {
        const guild = guildFor(call);
        const user = call.path.user === "@me" ? call.bot.id : (call.path.user ?? "");
        if (!world.users.has(user)) throw new Problem("unknownUser");
        if (!guild.members.has(user)) throw new Problem("unknownMember");
        return memberOf(world, guild, user);
      },
    },
    { method: "GET", path: "/channels/:channel", bucket: wide, answer: (call) => channelOf(world, channelFor(call)) },
    {
      method: "PATCH",
      path: "/channels/:channel",
      bucket: { limit: 5, perMs: 15_000 },
      answer: (call) => {
        const channel = channelFor(call);
        const isOwn = isThread(channel) && channel.owner === call.bot.id;
        if (!isOwn) channelFor(call, isThread(channel) ? "MANAGE_THREADS" : "MANAGE_CHANNELS");
        const { name, archived } = parse(editChannelSchema, call.json);
        if (name !== undefined) channel.name = name;
        if (archived !== undefined) channel.archived = archived;
        gateway.dispatchIn(channel, {
          type: isThread(channel) ? "THREAD_UPDATE" : "CHANNEL_UPDATE",
          guildIntent: intentBits.guilds,
          data: () => channelOf(world, channel),
        });
        return channelOf(world, channel);
      },
    },
    {
      method: "GET",
      path: "/channels/:channel/messages",
      bucket: { limit: 10, perMs: 5000 },
      answer: (call) => {
        const channel = channelFor(call);
        const query = Object.fromEntries(call.query);
        const given = parse(
          z.strictObject({
            before: z.string().regex(/^\d+$/).optional(),
            after: z.string().regex(/^\d+$/).optional(),
            around: z.string().regex(/^\d+$/).optional(),
            limit: z.coerce.number().int().min(1).max(100).default(50),
          }),
          query,
        );
        if (!may({ world, channel, user: call.bot.id, permission: "READ_MESSAGE_HISTORY" })) return [];
        return messages.list(channel, given).map((one) => shown(call, one));
      },
    },
    {
      method: "POST",
      path: "/channels/:channel/messages",
      bucket: posting,
      answer: (call) => {
        const channel = channelFor(call);
        channelFor(call, sending(channel));
        const draft = parse(createMessageSchema, call.json ?? {});
        if (draft.message_reference && !may({ world, channel, user: call.bot.id, permission: "READ_MESSAGE_HISTORY" }))
          throw new Problem("noHistory");
        if (draft.flags && draft.flags & (1 << 6))
          throw invalid(["flags"], "MESSAGE_FLAGS_INVALID", "Only an answer to an interaction can be ephemeral");
        checkExtras(call, channel, draft);
        const key = `${call.bot.id} ${channel.id} ${draft.nonce}`;
        const before = draft.enforce_nonce && draft.nonce !== undefined ? nonces.get(key) : undefined;
        if (before && Date.now() - before.at < nonceMs)
          return { ...messageOf(world, before.message), nonce: draft.nonce };
        const message = messages.create({ channel, author: call.bot.id, draft, uploads: call.files });
        if (draft.nonce !== undefined) nonces.set(key, { message, at: Date.now() });
        return { ...messageOf(world, message), ...(draft.nonce === undefined ? {} : { nonce: draft.nonce }) };
      },
    },
    {
      method: "GET",
      path: "/channels/:channel/messages/:message",
      bucket: { limit: 10, perMs: 5000 },
      answer: (call) => {
        const channel = channelFor(call, "READ_MESSAGE_HISTORY");
        return shown(call, messageFor(call, channel));
      },
    },
    {
      method: "PATCH",
      path: "/channels/:channel/messages/:message",
      bucket: posting,
      answer: (call) => {
        const channel = channelFor(call);
        const message = messageFor(call, channel);
        if (message.author !== call.bot.id) throw new Problem("othersMessage");
        if (channel.archived) throw new Problem("archivedThread");
        const draft = parse(editMessageSchema, call.json ?? {});
        checkExtras(call, channel, draft);
        return messageOf(world, messages.edit(message, draft, call.files));
      },
    },
    {
      method: "DELETE",
      path: "/channels/:channel/messages/:message",
      bucket: { limit: 5, perMs: 1000 },
      answer: (call) => {
        const channel = channelFor(call);
        const message = messageFor(call, channel);
        if (message.author !== call.bot.id) channelFor(call, "MANAGE_MESSAGES");
        messages.remove(message);
      },
    },
    ...(["PUT", "DELETE"] as const).map(
      (method): Route => ({
        method,
        path: "/channels/:channel/messages/:message/reactions/:emoji/@me",
        bucket: { limit: 1, perMs: 250 },
        answer: (call) => {
          const channel = channelFor(call, "READ_MESSAGE_HISTORY");
          const message = messageFor(call, channel);
          const emoji = call.path.emoji ?? "";
          const users = message.reactions.get(emoji) ?? new Set();
          if (method === "PUT") {
            if (users.size === 0) channelFor(call, "ADD_REACTIONS");
            message.reactions.set(emoji, users.add(call.bot.id));
          } else users.delete(call.bot.id);
        },
      }),
    ),
    {
      method: "POST",
      path: "/channels/:channel/typing",
      bucket: { limit: 5, perMs: 5000 },
      answer: (call) => {
        const channel = channelFor(call);
        channelFor(call, sending(channel));
      },
    },
    {
      method: "POST",
      path: "/channels/:channel/messages/:message/threads",
      bucket: { limit: 50, perMs: 300_000 },
      answer: (call) => startThread(call, messageFor(call, channelFor(call))),
    },
    {
      method: "POST",
      path: "/channels/:channel/threads",
      bucket: { limit: 50, perMs: 300_000 },
      answer: (call) => startThread(call, null),
    },
    {
      method: "PUT",
      path: "/channels/:channel/thread-members/@me",
      bucket: wide,
      answer: (call) => {
        channelFor(call).members.add(call.bot.id);
      },
    },
    {
      method: "GET",
      path: "/channels/:channel/threads/archived/public",
      bucket: wide,
      answer: (call) => {
        const channel = channelFor(call, "READ_MESSAGE_HISTORY");
        const threads = [...world.channels.values()].filter(
          (one) => one.parent === channel.id && isThread(one) && one.archived && !one.isDeleted,
        );
        return { threads: threads.map((one) => channelOf(world, one)), members: [], has_more: false };
      },
    },
    ...interactions.routes,
  ];
}

/** Discord leaves out `required: false` and the like; what it stores is what it gives back. */
function withDefaults(options: Json[]): Json[] {
  return options.map(({ required, options: inner, ...one }) => ({
    ...one,
    ...(required ? { required } : {}),
    ...(inner ? { options: withDefaults(inner as Json[]) } : {}),
  }));
}

export function directChannel(world: World, one: string, other: string): Channel {
  for (const channel of world.channels.values())
    if (channel.type === 1 && channel.recipients.includes(one) && channel.recipients.includes(other)) return channel;
  const channel = newChannel({ id: world.snowflake(), guild: null, name: "", type: 1, recipients: [one, other] });
  world.channels.set(channel.id, channel);
  return channel;
}
