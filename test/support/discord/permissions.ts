/** Discord's permissions, computed as its documentation does: guild roles first, then the channel's overwrites. */
import { type Channel, type Guild, ruledBy, type World } from "./world.ts";

export const permissionBits = {
  ADMINISTRATOR: 1n << 3n,
  MANAGE_CHANNELS: 1n << 4n,
  ADD_REACTIONS: 1n << 6n,
  VIEW_CHANNEL: 1n << 10n,
  SEND_MESSAGES: 1n << 11n,
  MANAGE_MESSAGES: 1n << 13n,
  EMBED_LINKS: 1n << 14n,
  ATTACH_FILES: 1n << 15n,
  READ_MESSAGE_HISTORY: 1n << 16n,
  MENTION_EVERYONE: 1n << 17n,
  USE_APPLICATION_COMMANDS: 1n << 31n,
  MANAGE_THREADS: 1n << 34n,
  CREATE_PUBLIC_THREADS: 1n << 35n,
  SEND_MESSAGES_IN_THREADS: 1n << 38n,
} as const;
export type Permission = keyof typeof permissionBits;

export const allPermissions = Object.values(permissionBits).reduce((all, bit) => all | bit, 0n);

/** What an invited bot or an ordinary member has: everything but what manages. */
export const ordinaryPermissions =
  allPermissions &
  ~(
    permissionBits.ADMINISTRATOR |
    permissionBits.MANAGE_CHANNELS |
    permissionBits.MANAGE_MESSAGES |
    permissionBits.MANAGE_THREADS
  );

export function permissionsIn(options: { world: World; guild: Guild; channel: Channel; user: string }): bigint {
  const { world, guild, user } = options;
  const roles = guild.members.get(user);
  if (!roles) return 0n;
  if (guild.owner === user) return allPermissions;
  let bits = guild.roles.get(guild.id)?.permissions ?? 0n;
  for (const role of roles) bits |= guild.roles.get(role)?.permissions ?? 0n;
  if (bits & permissionBits.ADMINISTRATOR) return allPermissions;
  const { overwrites } = ruledBy(world, options.channel);
  const apply = (some: typeof overwrites): void => {
    let allow = 0n;
    let deny = 0n;
    for (const one of some) {
      allow |= one.allow;
      deny |= one.deny;
    }
    bits = (bits & ~deny) | allow;
  };
  apply(overwrites.filter(({ id }) => id === guild.id));
  apply(overwrites.filter(({ id, type }) => type === 0 && id !== guild.id && roles.has(id)));
  apply(overwrites.filter(({ id, type }) => type === 1 && id === user));
  return bits & permissionBits.VIEW_CHANNEL ? bits : 0n;
}

export function may(options: { world: World; channel: Channel; user: string; permission: Permission }): boolean {
  const { world, channel, user, permission } = options;
  if (channel.guild === null) return channel.recipients.includes(user);
  const guild = world.guilds.get(channel.guild);
  return guild !== undefined && (permissionsIn({ world, guild, channel, user }) & permissionBits[permission]) !== 0n;
}
