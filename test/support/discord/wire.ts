/** What the Discord server knows, in the shapes in which Discord sends it. */
import {
  type Channel,
  discordEpochMs,
  type Guild,
  isThread,
  type Json,
  type Message,
  type Role,
  type User,
  type World,
} from "./world.ts";

export const timestampOf = (at: number): string => new Date(at).toISOString().replace("Z", "000+00:00");

export function applicationOf(user: User): Json {
  return {
    id: user.id,
    name: user.name,
    icon: null,
    description: "",
    bot_public: false,
    bot_require_code_grant: false,
    verify_key: "0".repeat(64),
    flags: user.flags,
    bot: userOf(user),
    owner: null,
    team: null,
    integration_types_config: { 0: {} },
  };
}

export function userOf(user: User): Json {
  return {
    id: user.id,
    username: user.name,
    global_name: user.isBot ? null : user.name,
    discriminator: user.isBot ? "0001" : "0",
    avatar: null,
    bot: user.isBot,
    public_flags: 0,
    flags: 0,
  };
}

export function memberOf(world: World, guild: Guild, user: string): Json {
  return {
    user: userOf(world.users.get(user)!),
    nick: null,
    avatar: null,
    roles: [...(guild.members.get(user) ?? [])],
    joined_at: timestampOf(discordEpochMs),
    premium_since: null,
    deaf: false,
    mute: false,
    flags: 0,
    pending: false,
    communication_disabled_until: null,
  };
}

export const roleOf = (role: Role): Json => ({
  id: role.id,
  name: role.name,
  permissions: String(role.permissions),
  position: role.position,
  color: 0,
  colors: { primary_color: 0, secondary_color: null, tertiary_color: null },
  hoist: false,
  managed: false,
  mentionable: false,
  icon: null,
  unicode_emoji: null,
  flags: 0,
});

export function channelOf(world: World, channel: Channel): Json {
  if (channel.type === 1)
    return {
      id: channel.id,
      type: 1,
      last_message_id: [...channel.messages.keys()].at(-1) ?? null,
      recipients: channel.recipients.map((one) => userOf(world.users.get(one)!)),
      flags: 0,
    };
  const common = {
    id: channel.id,
    guild_id: channel.guild,
    name: channel.name,
    type: channel.type,
    parent_id: channel.parent,
    rate_limit_per_user: 0,
    last_message_id: [...channel.messages.keys()].at(-1) ?? null,
    flags: 0,
  };
  if (isThread(channel))
    return {
      ...common,
      owner_id: channel.owner,
      message_count: channel.messages.size,
      total_message_sent: channel.messages.size,
      member_count: channel.members.size,
      thread_metadata: {
        archived: channel.archived,
        auto_archive_duration: 1440,
        archive_timestamp: timestampOf(world.now()),
        locked: false,
        create_timestamp: timestampOf(world.now()),
      },
    };
  return {
    ...common,
    position: 0,
    topic: null,
    nsfw: false,
    permission_overwrites: channel.overwrites.map((one) => ({
      id: one.id,
      type: one.type,
      allow: String(one.allow),
      deny: String(one.deny),
    })),
  };
}

export function guildOf(world: World, guild: Guild): Json {
  return {
    id: guild.id,
    name: guild.name,
    icon: null,
    splash: null,
    discovery_splash: null,
    owner_id: guild.owner,
    afk_channel_id: null,
    afk_timeout: 300,
    verification_level: 0,
    default_message_notifications: 1,
    explicit_content_filter: 0,
    roles: [...guild.roles.values()].map(roleOf),
    emojis: [],
    stickers: [],
    features: [],
    mfa_level: 0,
    application_id: null,
    system_channel_id: null,
    system_channel_flags: 0,
    rules_channel_id: null,
    vanity_url_code: null,
    description: null,
    banner: null,
    premium_tier: 0,
    premium_subscription_count: 0,
    preferred_locale: "en-US",
    public_updates_channel_id: null,
    nsfw_level: 0,
    premium_progress_bar_enabled: false,
    safety_alerts_channel_id: null,
    member_count: guild.members.size,
    max_members: 500_000,
    joined_at: timestampOf(world.now()),
  };
}

export function messageOf(world: World, message: Message, options: { isNested?: boolean } = {}): Json {
  const channel = world.channels.get(message.channel);
  const referenced = message.reference === null ? null : channel?.messages.get(message.reference);
  const author = message.webhook
    ? {
        id: message.webhook.id,
        username: message.webhook.name,
        global_name: null,
        discriminator: "0000",
        avatar: null,
        bot: true,
        public_flags: 0,
      }
    : userOf(world.users.get(message.author)!);
  const thread = message.thread === null ? undefined : world.channels.get(message.thread);
  return {
    id: message.id,
    channel_id: message.channel,
    author,
    content: message.content,
    timestamp: timestampOf(message.at),
    edited_timestamp: message.editedAt === null ? null : timestampOf(message.editedAt),
    tts: false,
    mention_everyone: message.mentionsEveryone,
    mentions: message.mentions.map((one) => userOf(world.users.get(one)!)),
    mention_roles: message.mentionRoles,
    attachments: message.attachments,
    embeds: message.embeds,
    components: message.components,
    pinned: false,
    type: message.type,
    flags: message.flags,
    ...(message.reactions.size === 0
      ? {}
      : {
          reactions: [...message.reactions].map(([name, users]) => ({
            emoji: { id: null, name },
            count: users.size,
            count_details: { burst: 0, normal: users.size },
            burst_colors: [],
            me: false,
            me_burst: false,
          })),
        }),
    ...(message.webhook ? { webhook_id: message.webhook.id } : {}),
    ...(message.application === null ? {} : { application_id: message.application }),
    ...(message.interaction === null
      ? {}
      : {
          webhook_id: message.application,
          interaction_metadata: {
            id: message.interaction.id,
            type: message.interaction.type,
            user: userOf(world.users.get(message.interaction.user)!),
            authorizing_integration_owners: {},
          },
        }),
    ...(message.reference === null
      ? {}
      : {
          message_reference: {
            type: 0,
            channel_id: message.channel,
            message_id: message.reference,
            ...(message.guild === null ? {} : { guild_id: message.guild }),
          },
          ...(options.isNested
            ? {}
            : { referenced_message: referenced ? messageOf(world, referenced, { isNested: true }) : null }),
        }),
    ...(thread ? { thread: channelOf(world, thread) } : {}),
  };
}
