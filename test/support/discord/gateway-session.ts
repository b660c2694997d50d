/** What a session of the gateway is allowed and is greeted with: intents, what it may read, and the first events. */
import type { WebSocket } from "ws";
import { may } from "./permissions.ts";
import { applicationOf, channelOf, guildOf, memberOf, userOf } from "./wire.ts";
import { type Channel, type Guild, isThread, type Json, type Message, type User, type World } from "./world.ts";

export const intentBits = {
  guilds: 1 << 0,
  guildMembers: 1 << 1,
  guildPresences: 1 << 8,
  guildMessages: 1 << 9,
  guildReactions: 1 << 10,
  directMessages: 1 << 12,
  directReactions: 1 << 13,
  messageContent: 1 << 15,
} as const;

/** Bits of `application.flags` that say which privileged intents are enabled (the "limited" ones, below 100 guilds). */
export const applicationFlags = {
  guildPresences: 1 << 13,
  guildMembers: 1 << 15,
  messageContent: 1 << 19,
} as const;

export interface Session {
  id: string;
  bot: string;
  intents: number;
  sequence: number;
  /** Everything dispatched, for replay. */
  sent: { sequence: number; text: string }[];
  socket: WebSocket | null;
  isResumable: boolean;
}

/** Close code and reason where the bot may not have these intents. */
export function refusalOf(bot: User, intents: unknown): [code: number, reason: string] | null {
  if (typeof intents !== "number" || !Number.isInteger(intents) || intents < 0 || intents >= 1 << 26)
    return [4013, "Invalid intent(s)."];
  const isDisallowed =
    (intents & intentBits.messageContent && !(bot.flags & applicationFlags.messageContent)) ||
    (intents & intentBits.guildMembers && !(bot.flags & applicationFlags.guildMembers)) ||
    (intents & intentBits.guildPresences && !(bot.flags & applicationFlags.guildPresences));
  return isDisallowed ? [4014, "Disallowed intent(s)."] : null;
}

export function readyOf(world: World, options: { bot: User; session: Session; guilds: readonly Guild[] }): Json {
  const { bot, session, guilds } = options;
  return {
    v: 10,
    user: { ...userOf(bot), verified: true, mfa_enabled: false, email: null },
    guilds: guilds.map(({ id }) => ({ id, unavailable: true })),
    session_id: session.id,
    session_type: "normal",
    resume_gateway_url: `${world.origin.replace("http", "ws")}/gateway`,
    shard: [0, 1],
    application: { id: bot.id, flags: applicationOf(bot).flags },
    private_channels: [],
    relationships: [],
    user_settings: {},
    presences: [],
    guild_join_requests: [],
    geo_ordered_rtc_regions: [],
    _trace: [],
  };
}

export function guildCreateOf(world: World, options: { id: string; session: Session }): Json {
  const { id, session } = options;
  const guild = world.guilds.get(id)!;
  const here = [...world.channels.values()].filter((one) => one.guild === id && !one.isDeleted);
  const seesMembers = (session.intents & intentBits.guildMembers) !== 0;
  const members = seesMembers ? [...guild.members.keys()] : [session.bot];
  return {
    ...guildOf(world, guild),
    large: false,
    unavailable: false,
    channels: here.filter((one) => !isThread(one)).map((one) => channelOf(world, one)),
    threads: here
      .filter((one) => isThread(one) && !one.archived && sees(world, { channel: one, bot: session.bot }))
      .map((one) => channelOf(world, one)),
    members: members.map((user) => memberOf(world, guild, user)),
    presences: [],
    voice_states: [],
    stage_instances: [],
    guild_scheduled_events: [],
    soundboard_sounds: [],
  };
}

export function sees(world: World, { channel, bot }: { channel: Channel; bot: string }): boolean {
  return may({ world, channel, user: bot, permission: "VIEW_CHANNEL" });
}

export function botOf(world: World, token: string): User | null {
  for (const user of world.users.values()) if (user.isBot && user.token === token) return user;
  return null;
}

/** Without the message content intent a bot reads only what it wrote, what names it, and what it is told in private. */
export function hideContent(json: Json, options: { message: Message; bot: string; mayRead: boolean }): Json {
  const { message, bot } = options;
  const mayRead = options.mayRead || message.author === bot || message.guild === null || message.mentions.includes(bot);
  return mayRead ? json : { ...json, content: "", embeds: [], attachments: [], components: [] };
}

export function transmit(socket: WebSocket, frame: { op: number; d?: unknown }): void {
  if (socket.readyState === 1) socket.send(JSON.stringify({ s: null, t: null, d: null, ...frame }));
}
