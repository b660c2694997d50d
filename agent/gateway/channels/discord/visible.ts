/** What the bot sees of Discord's guilds, channels and roles, without discord.js's classes. */
import type { Client, GuildBasedChannel, PermissionsBitField } from "discord.js";

/** Permission bits by the name that Discord's settings show (docs, permissions). */
export const neededPermissions = {
  "View Channel": 1n << 10n,
  "Send Messages": 1n << 11n,
  "Embed Links": 1n << 14n,
  "Attach Files": 1n << 15n,
  "Read Message History": 1n << 16n,
  "Create Public Threads": 1n << 35n,
  "Send Messages in Threads": 1n << 38n,
} as const;
export type NeededPermission = keyof typeof neededPermissions;

export interface VisibleChannel {
  id: string;
  name: string;
  /** Permissions that the bot lacks there, of those it needs; null while they are unknown. */
  missing: NeededPermission[] | null;
}

export interface VisibleGuild {
  id: string;
  name: string;
  /** False during an outage of Discord's: then its channels are unknown, not missing. */
  isAvailable: boolean;
  channels: VisibleChannel[];
  roles: string[];
}

export function visibleGuilds(client: Client<true>): VisibleGuild[] {
  return [...client.guilds.cache.values()].map((guild) => ({
    id: guild.id,
    name: guild.name,
    isAvailable: guild.available,
    channels: [...guild.channels.cache.values()]
      .filter((channel) => !channel.isThread())
      .map((channel) => ({ id: channel.id, name: channel.name, missing: missingIn(client, channel) })),
    roles: [...guild.roles.cache.keys()],
  }));
}

/** Whether the bot may write in a channel or thread, by what Discord has told; null where that is not known. */
export function mayWriteIn(client: Client<true>, id: string): boolean | null {
  const channel = client.channels.cache.get(id);
  if (!channel || channel.isDMBased()) return null;
  const permissions = permissionsIn(client, channel);
  const sending = channel.isThread() ? "Send Messages in Threads" : "Send Messages";
  return permissions?.has(neededPermissions["View Channel"] | neededPermissions[sending]) ?? null;
}

function missingIn(client: Client<true>, channel: GuildBasedChannel): NeededPermission[] | null {
  const permissions = permissionsIn(client, channel);
  if (!permissions) return null;
  const names = Object.keys(neededPermissions) as NeededPermission[];
  return names.filter((name) => !permissions.has(neededPermissions[name]));
}

/** The bot's; null where they are not known, as while Discord has told of a role or channel and not yet of the other. */
function permissionsIn(client: Client<true>, channel: GuildBasedChannel): Readonly<PermissionsBitField> | null {
  const self = channel.guild.members.cache.get(client.user.id);
  try {
    return self ? channel.permissionsFor(self) : null;
  } catch {
    return null;
  }
}
