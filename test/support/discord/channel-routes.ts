/** Routes about channels, threads and messages. */
import { z } from "zod";
import { createMessageSchema, editChannelSchema, editMessageSchema, parse, threadSchema } from "./bodies.ts";
import { applicationFlags, hideContent, intentBits } from "./gateway-session.ts";
import type { Bucket } from "./limits.ts";
import { may, type Permission } from "./permissions.ts";
import { invalid, Problem } from "./problem.ts";
import { makeLookups, wide } from "./route-lookups.ts";
import type { Call, Parts, Route } from "./routes.ts";
import { channelOf, messageOf } from "./wire.ts";
import { type Channel, isThread, type Json, type Message, newChannel } from "./world.ts";

const posting: Bucket = { limit: 5, perMs: 5000 };
const nonceMs = 5 * 60_000;

export function channelRoutes({ world, gateway, messages }: Omit<Parts, "interactions">): Route[] {
  const { channelFor, messageFor } = makeLookups(world);
  const nonces = new Map<string, { message: Message; at: number }>();

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

  return [
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
  ];
}
