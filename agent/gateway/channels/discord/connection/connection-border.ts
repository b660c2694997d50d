/**
 * What discord.js remembers of guilds, channels, roles and members decides where the bot listens and what it may do. An
 * event that would change it and is not as Discord promises stays out: what was known before goes on being true, and
 * nothing that reads it has to expect anything.
 */
import type { Client } from "discord.js";
import { seenMessage } from "../listen/listen-border.ts";
import {
  absentOr,
  type Fields,
  fieldsOf,
  isFields,
  isFlag,
  isId,
  isMember,
  isMentioned,
  isNumber,
  isText,
  isUser,
  listOf,
  type Test,
} from "./shape.ts";

/** Discord's types of channels that belong to no guild. */
const privateTypes: readonly unknown[] = [1, 3];

/** Permissions as text, because they outgrow numbers. */
const isBits: Test = (value) => typeof value === "string" && /^[0-9]{1,30}$/.test(value);

const isOverwrite = fieldsOf({ id: isId, type: isNumber, allow: isBits, deny: isBits });

const isGuildChannel = fieldsOf({
  id: isId,
  type: (value) => isNumber(value) && !privateTypes.includes(value),
  name: isText,
  parent_id: absentOr(isId),
  permission_overwrites: absentOr(listOf(isOverwrite)),
  last_message_id: absentOr(isId),
});

const isThread = fieldsOf({ id: isId, type: isNumber, name: isText, parent_id: isId, last_message_id: absentOr(isId) });

const isPrivateChannel = fieldsOf({
  id: isId,
  type: (value) => privateTypes.includes(value),
  last_message_id: absentOr(isId),
  recipients: absentOr(listOf(isUser)),
});

const isRole = fieldsOf({
  id: isId,
  name: isText,
  permissions: isBits,
  position: isNumber,
  tags: absentOr(fieldsOf({ bot_id: absentOr(isId) })),
});

const isWholeMember: Test = (value) => isMember(value) && isUser((value as Fields).user);

/** One that is not available says nothing but its id. */
const isGuild: Test = (value) =>
  isFields(value) &&
  isId(value.id) &&
  (value.unavailable === true || (isKnownGuild(value) && hasEveryone(value.id, value.roles)));

const isKnownGuild = fieldsOf({
  name: isText,
  unavailable: absentOr(isFlag),
  roles: absentOr(listOf(isRole)),
  channels: absentOr(listOf(isGuildChannel)),
  threads: absentOr(listOf(isThread)),
  members: absentOr(listOf(isWholeMember)),
});

/** The role that everybody has bears its guild's id; without it nobody's permissions can be told. */
function hasEveryone(guild: string, roles: unknown): boolean {
  return !Array.isArray(roles) || roles.some(({ id }: { id: string }) => id === guild);
}

const ofGuild = { guild_id: isId };
const isChannel: Test = (value) =>
  isFields(value) && (value.guild_id == null ? isPrivateChannel(value) : isId(value.guild_id) && isGuildChannel(value));
const isGuildsThread: Test = (value) => isThread(value) && isId((value as Fields).guild_id);
const isRoleChange = fieldsOf({ ...ofGuild, role: isRole });
const isMemberChange: Test = (value) => isFields(value) && isId(value.guild_id) && isWholeMember(value);

const tests: Readonly<Record<string, Test>> = {
  GUILD_CREATE: isGuild,
  GUILD_UPDATE: isGuild,
  GUILD_DELETE: fieldsOf({ id: isId, unavailable: absentOr(isFlag) }),
  GUILD_ROLE_CREATE: isRoleChange,
  GUILD_ROLE_UPDATE: isRoleChange,
  GUILD_ROLE_DELETE: (value) =>
    isFields(value) && isId(value.guild_id) && isId(value.role_id) && value.role_id !== value.guild_id,
  GUILD_MEMBER_ADD: isMemberChange,
  GUILD_MEMBER_UPDATE: isMemberChange,
  GUILD_MEMBER_REMOVE: fieldsOf({ ...ofGuild, user: isUser }),
  CHANNEL_CREATE: isChannel,
  CHANNEL_UPDATE: isChannel,
  CHANNEL_DELETE: isChannel,
  THREAD_CREATE: isGuildsThread,
  THREAD_UPDATE: isGuildsThread,
  THREAD_DELETE: fieldsOf({ ...ofGuild, id: isId }),
  THREAD_LIST_SYNC: fieldsOf({ ...ofGuild, channel_ids: absentOr(listOf(isId)), threads: listOf(isThread) }),
  USER_UPDATE: isUser,
  // These name users and members, whom discord.js remembers, and the newest message of a channel.
  MESSAGE_CREATE: (value) => seenMessage(value) !== null,
  MESSAGE_UPDATE: fieldsOf({
    id: isId,
    channel_id: isId,
    author: absentOr(isUser),
    member: absentOr(isMember),
    mentions: absentOr(listOf(isMentioned)),
  }),
};

/** Whether what an event says may be remembered. */
function mayBeRemembered(kind: unknown, data: unknown): boolean {
  const test = typeof kind === "string" && Object.hasOwn(tests, kind) ? tests[kind] : undefined;
  return test?.(data) ?? true;
}

/** Of discord.js's manager the method that works on each event. */
type Manager = { handlePacket(packet?: { t?: unknown; d?: unknown }, shard?: unknown): boolean };

/** From now on `client` is not told of events that may not be remembered. Its event `raw` has them all. */
export function guardMemory(client: Client, onMisfit: (kind: string) => void): void {
  const manager = client.ws as unknown as Manager;
  const handle = manager.handlePacket.bind(manager);
  manager.handlePacket = (packet, shard) => {
    if (packet === undefined || mayBeRemembered(packet.t, packet.d)) return handle(packet, shard);
    onMisfit(String(packet.t));
    return handle(undefined, shard);
  };
}
