/** Which conversation a Discord channel or thread is, and how its messages are to be taken. */
import type { DiscordSettings } from "../../../../discord-settings.ts";
import type { Inbox } from "../../../inbox.ts";
import { bareName } from "../connection/settings-check.ts";

const prefix = "discord-";

/** Channel or thread of a conversation; null when it is none of Discord's. */
export function channelOf(conversation: string): string | null {
  return /^discord-([0-9]{5,20})(?:-CLAWDINATOR-[0-9]+)?$/.exec(conversation)?.[1] ?? null;
}

/**
 * The conversation that a name has in a channel. Its files are one name's to write, so the first of the fleet that is
 * spoken to has the channel's, and each of the others one of its own there.
 */
export async function conversationIn(inbox: Inbox, options: { channel: string; name: string }): Promise<string> {
  const { channel, name } = options;
  const shared = `${prefix}${channel}`;
  const own = `${shared}-${name}`;
  if ((await inbox.ownerOf(own)) === name) return own;
  if ((await inbox.takeConversation(shared, name)) === name) return shared;
  await inbox.takeConversation(own, name);
  return own;
}

/** The name that a channel's own conversation belongs to; null before its first message. */
export function channelOwner(inbox: Inbox, channel: string): Promise<string | null> {
  return inbox.ownerOf(`${prefix}${channel}`);
}

/** What a channel is, as far as the configuration may name it; for a thread `parent` is the channel it belongs to. */
export interface SeenChannel {
  id: string;
  name: string | null;
  guild: string | null;
  parent: { id: string; name: string | null } | null;
}

export interface ChannelRule {
  requireMention: boolean;
  mode: "interrupt" | "queue" | undefined;
}

/**
 * How messages there are taken; null where the bot does not listen. A thread is as its channel, unless its id is named
 * itself: a thread's name is chosen by whoever opens it.
 */
export function ruleFor(settings: DiscordSettings, channel: SeenChannel): ChannelRule | null {
  if (channel.guild === null) return settings.dm.enabled ? { requireMention: false, mode: undefined } : null;
  const guild = own(settings.guilds, channel.guild);
  if (!guild) return null;
  const named = ({ id, name }: { id: string; name: string | null }) =>
    own(guild.channels, id) ??
    (name === null ? undefined : Object.entries(guild.channels).find(([entry]) => bareName(entry) === name)?.[1]);
  const found = channel.parent === null ? named(channel) : (own(guild.channels, channel.id) ?? named(channel.parent));
  if (!found?.allow) return null;
  return { requireMention: found.requireMention ?? guild.requireMention, mode: found.mode };
}

/** Own entries alone: an id can never name what every object has. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
