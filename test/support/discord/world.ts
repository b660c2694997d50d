/** What the Discord server knows: people, guilds, channels, messages, and its clock. */

export type Json = Record<string, unknown>;

export interface User {
  id: string;
  name: string;
  isBot: boolean;
  /** Bots only. */
  token: string;
  /** Bots only: privileged intents and whatever else its owner has enabled, as bits of `application.flags`. */
  flags: number;
}

export interface Role {
  id: string;
  name: string;
  permissions: bigint;
  position: number;
}

export interface Overwrite {
  id: string;
  type: 0 | 1;
  allow: bigint;
  deny: bigint;
}

export interface Channel {
  id: string;
  guild: string | null;
  name: string;
  /** 0 text, 1 private, 4 category, 5 announcements, 11 public thread. */
  type: number;
  parent: string | null;
  overwrites: Overwrite[];
  /** Private channels: who is in it. */
  recipients: string[];
  messages: Map<string, Message>;
  archived: boolean;
  owner: string | null;
  members: Set<string>;
  isDeleted: boolean;
}

export interface Attachment extends Json {
  id: string;
  filename: string;
  size: number;
  url: string;
  proxy_url: string;
  content_type: string;
}

export interface Message {
  id: string;
  channel: string;
  guild: string | null;
  author: string;
  /** Name of the webhook that posted it; such a message has no member. */
  webhook: { id: string; name: string } | null;
  content: string;
  at: number;
  editedAt: number | null;
  nonce: string | number | null;
  embeds: Json[];
  components: Json[];
  attachments: Attachment[];
  mentions: string[];
  mentionRoles: string[];
  mentionsEveryone: boolean;
  reference: string | null;
  flags: number;
  type: number;
  reactions: Map<string, Set<string>>;
  /** The interaction that it answers. */
  interaction: { id: string; name: string | null; type: number; user: string } | null;
  /** Only this person sees it. */
  onlyFor: string | null;
  application: string | null;
  thread: string | null;
  /** Every content that it had, oldest first. */
  history: string[];
}

export interface Guild {
  id: string;
  name: string;
  owner: string;
  roles: Map<string, Role>;
  /** Role ids by user id. */
  members: Map<string, Set<string>>;
  commands: Map<string, Json[]>;
}

export interface World {
  users: Map<string, User>;
  guilds: Map<string, Guild>;
  channels: Map<string, Channel>;
  files: Map<string, { bytes: Buffer; type: string }>;
  origin: string;
  /** Milliseconds that Discord's clock is ahead of this machine's. */
  clockOffsetMs: number;
  now(): number;
  snowflake(): string;
}

/** Discord's own zero of time. */
export const discordEpochMs = 1_420_070_400_000;

export function makeWorld(clockOffsetMs: number): World {
  let last = 0n;
  const world: World = {
    users: new Map(),
    guilds: new Map(),
    channels: new Map(),
    files: new Map(),
    origin: "",
    clockOffsetMs,
    now: () => Date.now() + world.clockOffsetMs,
    snowflake() {
      const wanted = BigInt(Math.floor(world.now()) - discordEpochMs) << 22n;
      last = wanted > last ? wanted : last + 1n;
      return String(last);
    },
  };
  return world;
}

export function newChannel(fields: Pick<Channel, "id" | "guild" | "name"> & Partial<Channel>): Channel {
  return {
    type: 0,
    parent: null,
    overwrites: [],
    recipients: [],
    messages: new Map(),
    archived: false,
    owner: null,
    members: new Set(),
    isDeleted: false,
    ...fields,
  };
}

/** A thread's permissions are its parent's. */
export function ruledBy(world: World, channel: Channel): Channel {
  return isThread(channel) ? (world.channels.get(channel.parent ?? "") ?? channel) : channel;
}

export const isThread = (channel: Channel): boolean => channel.type === 11;
