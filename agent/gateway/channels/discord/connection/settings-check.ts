/** The settings against what the bot can really see: each difference is one line that says what to do. */
import type { DiscordSettings } from "../../../../discord-settings.ts";
import { neededPermissions, type VisibleChannel, type VisibleGuild } from "../visible.ts";

/** All the permissions that the bot needs, as Discord's invite links take them. */
const invitePermissions = Object.values(neededPermissions).reduce((all, bit) => all | bit, 0n);

export function inviteLink(application: string): string {
  return `https://discord.com/oauth2/authorize?client_id=${application}&scope=bot+applications.commands&permissions=${invitePermissions}`;
}

export interface Sight {
  guilds: readonly VisibleGuild[];
  /** For the invite link; null while it is unknown. */
  application: string | null;
}

/** Problems of the settings, in their order; empty when all is well. */
export function settingsProblems(settings: DiscordSettings, sight: Sight): string[] {
  const wanted = Object.entries(settings.guilds);
  const problems = wanted.flatMap(([id, guild]) => {
    const seen = sight.guilds.find((one) => one.id === id);
    if (!seen) return [notAMember(id, sight.application)];
    if (!seen.isAvailable) return [];
    const names = Object.entries(guild.channels).filter(([, channel]) => channel.allow);
    if (names.length === 0) {
      return [
        `guild ${label(seen)}: no channel is listed, so the bot listens nowhere there; name one in channels.discord.guilds.${id}.channels`,
      ];
    }
    return names.flatMap(([name]) => channelProblems(seen, name));
  });
  if (wanted.length === 0 && !settings.dm.enabled) {
    problems.push("no guild is listed, so the bot listens nowhere; name one in channels.discord.guilds");
  }
  return [
    ...problems,
    ...roleProblems(settings, sight),
    ...reportProblems(settings, sight),
    ...maintainerProblems(settings),
    ...patternProblems(settings),
  ];
}

function notAMember(id: string, application: string | null): string {
  const how = application ? `open ${inviteLink(application)}` : "invite it with the link of docs/discord.md";
  return `guild ${id}: the bot is not a member; ${how}, or mend the id`;
}

/** Those that an entry of the settings means: by id, else every one of that name. */
function channelsMeant(guild: VisibleGuild, entry: string): VisibleChannel[] {
  const byId = guild.channels.filter(({ id }) => id === entry);
  return byId.length > 0 ? byId : guild.channels.filter(({ name }) => name === bareName(entry));
}

/** A channel's name as people write it, with or without its sign. */
export function bareName(entry: string): string {
  return entry.replace(/^#/, "");
}

function channelProblems(guild: VisibleGuild, entry: string): string[] {
  const meant = channelsMeant(guild, entry);
  const [channel, another] = meant;
  if (!channel) {
    return [
      `channel ${entry} in ${label(guild)}: the bot sees no such channel; check the name, or let the bot's role View Channel there`,
    ];
  }
  if (another) {
    return [
      `channel ${entry} in ${label(guild)}: ${meant.length} channels have this name, and the bot listens in all of them; name the one by its id`,
    ];
  }
  return missingLine(channel, guild, "channel");
}

function missingLine({ missing, name }: VisibleChannel, guild: VisibleGuild, what: string): string[] {
  if (!missing || missing.length === 0) return [];
  return [
    `${what} #${visible(name)} in ${label(guild)}: the bot lacks ${missing.join(", ")}; allow it in the channel's settings, Permissions`,
  ];
}

function roleProblems({ maintainers, guilds }: DiscordSettings, sight: Sight): string[] {
  const known = sight.guilds.filter((guild) => guilds[guild.id]);
  if (known.some((guild) => !guild.isAvailable)) return [];
  return maintainers.roles.flatMap((role) => {
    if (guilds[role] || sight.guilds.some(({ id }) => id === role)) {
      return [`maintainer role ${role}: this is @everyone, which makes nobody a maintainer; name another role`];
    }
    if (known.some((guild) => guild.roles.includes(role))) return [];
    return [`maintainer role ${role}: no listed guild has it; mend channels.discord.maintainers.roles`];
  });
}

function reportProblems({ reportTo }: DiscordSettings, sight: Sight): string[] {
  if (!reportTo || sight.guilds.some((guild) => !guild.isAvailable)) return [];
  for (const guild of sight.guilds) {
    const channel = guild.channels.find(({ id }) => id === reportTo);
    if (channel) return missingLine(channel, guild, "channels.discord.reportTo,");
  }
  return [
    `channels.discord.reportTo: the bot sees no channel ${reportTo}; mend the id, or let its role View Channel there`,
  ];
}

function maintainerProblems({ maintainers, guilds }: DiscordSettings): string[] {
  const clashes = Object.keys(maintainers.users).filter((user) => maintainers.roles.includes(user) || guilds[user]);
  return clashes.map(
    (id) =>
      `channels.discord.maintainers.users.${id}: this is the id of a role or guild; put the person's user id there`,
  );
}

function patternProblems({ mentionPatterns }: DiscordSettings): string[] {
  return mentionPatterns.flatMap((pattern) => {
    try {
      new RegExp(pattern, "iu");
      return [];
    } catch {
      return [
        `channels.discord.mentionPatterns: “${visible(pattern)}” is not a regular expression and matches nothing; mend it`,
      ];
    }
  });
}

function label(guild: VisibleGuild): string {
  return `${visible(guild.name)} (${guild.id})`;
}

/** Names come from Discord: one line of visible characters, not too long. */
function visible(name: string): string {
  return name.replace(/\p{C}+/gu, "").slice(0, 60);
}
