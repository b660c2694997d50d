/** What a request's path names, as far as the bot may see it; else Discord's own refusal. */
import type { Bucket } from "./limits.ts";
import { may, type Permission } from "./permissions.ts";
import { Problem } from "./problem.ts";
import type { Call } from "./routes.ts";
import { type Channel, type Guild, type Message, newChannel, type World } from "./world.ts";

/** Discord publishes no limits; these are what its headers are seen to say. */
export const wide: Bucket = { limit: 50, perMs: 1000 };

export function makeLookups(world: World) {
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

  return { channelFor, guildFor, messageFor, ownApplication };
}

export function directChannel(world: World, one: string, other: string): Channel {
  for (const channel of world.channels.values())
    if (channel.type === 1 && channel.recipients.includes(one) && channel.recipients.includes(other)) return channel;
  const channel = newChannel({ id: world.snowflake(), guild: null, name: "", type: 1, recipients: [one, other] });
  world.channels.set(channel.id, channel);
  return channel;
}
