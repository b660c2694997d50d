/** Channels and threads as a client sees them. */
import type { Channel, Client } from "discord.js";
import type { DiscordSettings } from "../../../../discord-settings.ts";
import { isId } from "../connection/shape.ts";
import type { Past } from "./backfill.ts";
import { ruleFor, type SeenChannel } from "./conversation.ts";
import { type Cursor, isLater } from "./cursor.ts";

/** Null when the channel is not known to this client, such as a thread that rests. */
export function seenChannel(client: Client, id: string, guild: string | null): SeenChannel | null {
  if (guild === null) return { id, name: null, guild: null, parent: null };
  const channel = client.channels.cache.get(id);
  return channel ? describeChannel(channel) : null;
}

export async function fetchChannel(client: Client, id: string): Promise<SeenChannel | null> {
  const channel = await client.channels.fetch(id);
  return channel ? describeChannel(channel) : null;
}

function describeChannel(channel: Channel): SeenChannel | null {
  if (channel.isDMBased()) return { id: channel.id, name: null, guild: null, parent: null };
  const parent = channel.isThread() ? { id: channel.parentId ?? "", name: channel.parent?.name ?? null } : null;
  return { id: channel.id, name: channel.name, guild: channel.guildId, parent };
}

/** What a role or channel is called there; null where it is not known. */
export function nameIn(client: Client, channel: SeenChannel, { kind, id }: { kind: "role" | "channel"; id: string }) {
  if (kind === "role") return client.guilds.cache.get(channel.guild ?? "")?.roles.cache.get(id)?.name ?? null;
  const found = client.channels.cache.get(id);
  return found && "name" in found ? found.name : null;
}

/** Roles of somebody in a guild; none of who has left it. */
export async function fetchRoles(client: Client, { guild, user }: { guild: string; user: string }): Promise<string[]> {
  try {
    const member = await client.rest.get(`/guilds/${guild}/members/${user}`);
    const roles = (member as { roles?: unknown } | null)?.roles;
    return Array.isArray(roles) ? roles.filter(isId) : [];
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** The thing asked for is not there, or not for this bot. */
export function isGone(error: unknown): boolean {
  const status = (error as { status?: unknown } | null)?.status;
  return status === 403 || status === 404;
}

/** A thread that rested for this long is not asked for news at each connection. */
const restingMs = 30 * 24 * 3600 * 1000;

/** Every place that the bot listens in, with where to begin. `stale`: cursors that are needed no more. */
export function placesToRead(options: { client: Client; settings: DiscordSettings; cursors: readonly Cursor[] }): {
  places: Past[];
  stale: string[];
} {
  const { client, settings } = options;
  const cursors = new Map(options.cursors.map((cursor) => [cursor.channel, cursor]));
  const places = new Map<string, Past>();
  for (const channel of client.channels.cache.values()) {
    if (!channel.isTextBased() || channel.isDMBased()) continue;
    const seen = describeChannel(channel);
    if (!seen || !ruleFor(settings, seen)) continue;
    const newest = channel.lastMessageId;
    const parent = seen.parent?.id ?? null;
    const heardParent = parent === null ? undefined : cursors.get(parent)?.message;
    // A thread that began after its channel was last heard is all news.
    const isNews = heardParent !== undefined && isLater(channel.id, heardParent);
    const start = isNews ? channel.id : (newest ?? channel.id);
    places.set(channel.id, { channel: channel.id, parent, start, newest });
  }
  const newestCursor = options.cursors.reduce((last, { message }) => (isLater(message, last) ? message : last), "0");
  const stale: string[] = [];
  for (const { channel, message, parent } of options.cursors) {
    if (places.has(channel)) continue;
    const isListened = parent === null ? settings.dm.enabled && !isOfGuild(client, channel) : places.has(parent);
    if (!isListened) continue;
    if (timeOf(newestCursor) - timeOf(message) > restingMs) stale.push(channel);
    else places.set(channel, { channel, parent, start: message, newest: null });
  }
  return { places: [...places.values()], stale };
}

function isOfGuild(client: Client, id: string): boolean {
  const channel = client.channels.cache.get(id);
  return channel !== undefined && !channel.isDMBased();
}

/** Milliseconds; ids hold their time, counted from some beginning. */
function timeOf(id: string): number {
  return Number(BigInt(id) >> 22n);
}

/** Who took a request is remembered for longer than anybody reads history back. */
const takenMs = 30 * 24 * 3600 * 1000;

/** Ids before this one are old, by the newest message that was heard; null where none was. */
export function oldestKept(cursors: readonly Cursor[]): string | null {
  const newest = Math.max(0, ...cursors.map(({ message }) => timeOf(message)));
  return newest > takenMs ? String(BigInt(newest - takenMs) << 22n) : null;
}
