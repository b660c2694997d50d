/** How the discord.js client is set up: what it hears, what it remembers, and how it asks. */
import type { Client, ClientOptions, RESTOptions } from "discord.js";
import type { DiscordSettings } from "../../../../discord-settings.ts";
import { isLongPostLimit } from "../speak/post-limits.ts";
import { guardedStrategy, identifyThrottler, type SocketGuard } from "./connection-guard.ts";

type Library = typeof import("discord.js");

/** A request to Discord ends within this; the same that the rest of the program gives a call outside. */
export const requestTimeoutMs = 5_000;

/**
 * REST repeats nothing after a 5xx or a broken connection, it only waits out a 429. Whoever asks knows what a second
 * attempt means, and is the one layer that makes it: `post.ts` for messages, the queue of `listen.ts` for history, the
 * loop of `connection.ts` for what comes before a session, and `again.ts` for small requests of their own.
 */
const requestRetries = 0;

/** How many guilds' worth of time a start may wait for what Discord is late to tell. */
const guildWaitMs = 5_000;

/** Bounds of what stays in memory of the traffic; what is not there is fetched, or arrives as a partial. */
const remembered = { messages: 50, users: 500, members: 200, threads: 200 };
const sweepSeconds = 300;
const oldSeconds = 3600;

export function restOptions(settings: DiscordSettings, makeRequest: RESTOptions["makeRequest"]): Partial<RESTOptions> {
  return {
    api: settings.apiUrl.replace(/\/+$/, ""),
    version: "10",
    timeout: requestTimeoutMs,
    retries: requestRetries,
    rejectOnRateLimit: isLongPostLimit,
    makeRequest,
  };
}

export function createClient(
  library: Library,
  options: { settings: DiscordSettings; makeRequest: RESTOptions["makeRequest"]; guard: SocketGuard },
): Client {
  const { Client, GatewayIntentBits, Options, Partials } = library;
  const { settings, guard } = options;
  const isSelf = (one: { id: string; client: { user: { id: string } | null } }): boolean =>
    one.id === one.client.user?.id;
  const clientOptions: ClientOptions = {
    intents: [
      GatewayIntentBits.Guilds,
      GatewayIntentBits.GuildMessages,
      GatewayIntentBits.MessageContent,
      ...(settings.dm.enabled ? [GatewayIntentBits.DirectMessages] : []),
    ],
    // Edits and deletions of what is not remembered, and private channels, come as partials.
    partials: [Partials.Message, Partials.Channel],
    makeCache: Options.cacheWithLimits({
      ApplicationCommandManager: 0,
      ApplicationEmojiManager: 0,
      AutoModerationRuleManager: 0,
      BaseGuildEmojiManager: 0,
      DMMessageManager: remembered.messages,
      EntitlementManager: 0,
      GuildBanManager: 0,
      GuildEmojiManager: 0,
      GuildForumThreadManager: remembered.threads,
      GuildInviteManager: 0,
      GuildMemberManager: { maxSize: remembered.members, keepOverLimit: isSelf },
      GuildMessageManager: remembered.messages,
      GuildScheduledEventManager: 0,
      GuildStickerManager: 0,
      GuildTextThreadManager: remembered.threads,
      PresenceManager: 0,
      ReactionManager: 0,
      ReactionUserManager: 0,
      StageInstanceManager: 0,
      ThreadMemberManager: 0,
      UserManager: { maxSize: remembered.users, keepOverLimit: isSelf },
      VoiceStateManager: 0,
    }),
    sweepers: {
      messages: { interval: sweepSeconds, lifetime: oldSeconds },
      threads: { interval: sweepSeconds, lifetime: oldSeconds },
      users: { interval: oldSeconds, filter: () => (user) => !isSelf(user) },
      guildMembers: { interval: oldSeconds, filter: () => (member) => !isSelf(member) },
    },
    allowedMentions: { parse: [], repliedUser: false },
    failIfNotExists: false,
    enforceNonce: true,
    waitGuildTimeout: guildWaitMs,
    shards: [0],
    shardCount: 1,
    rest: restOptions(settings, options.makeRequest),
    ws: {
      buildStrategy: guardedStrategy(library, guard),
      buildIdentifyThrottler: async () => identifyThrottler(guard),
    },
  };
  return new Client(clientOptions);
}

/** Private channels stay in discord.js's list of channels for ever; beyond this many they are let go. */
const rememberedPrivateChannels = 200;

export function forgetPrivateChannels(client: Client): void {
  const all = client.channels.cache.filter((channel) => channel.isDMBased());
  for (const id of [...all.keys()].slice(0, Math.max(0, all.size - rememberedPrivateChannels))) {
    client.channels.cache.delete(id);
  }
}
