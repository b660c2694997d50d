/** Routes about the bot itself, its application's commands, and guilds. */
import { z } from "zod";
import { parse } from "./bodies.ts";
import { commandSchema } from "./command-bodies.ts";
import { applicationFlags } from "./gateway-session.ts";
import { may } from "./permissions.ts";
import { invalid, Problem } from "./problem.ts";
import { directChannel, makeLookups, wide } from "./route-lookups.ts";
import type { Call, Parts, Route } from "./routes.ts";
import { applicationOf, channelOf, guildOf, memberOf, roleOf, userOf } from "./wire.ts";
import { isThread, type Json } from "./world.ts";

export function guildRoutes({ world, gateway }: Pick<Parts, "world" | "gateway">): Route[] {
  const { guildFor, ownApplication } = makeLookups(world);

  const commandsOf = (call: Call, guild: string): Json[] => {
    ownApplication(call);
    return world.guilds.get(guild)?.commands.get(call.bot.id) ?? [];
  };

  function setCommands(call: Call, wanted: unknown): Json[] {
    ownApplication(call);
    const guild = guildFor(call);
    const all = parse(z.array(commandSchema).max(100), wanted);
    if (new Set(all.map(({ name }) => name)).size !== all.length)
      throw invalid([], "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique");
    const before = guild.commands.get(call.bot.id) ?? [];
    const stored = all.map((one) => ({
      type: 1,
      default_member_permissions: null,
      nsfw: false,
      ...one,
      ...(one.options ? { options: withDefaults(one.options as Json[]) } : {}),
      id: String(before.find(({ name }) => name === one.name)?.id ?? world.snowflake()),
      application_id: call.bot.id,
      guild_id: guild.id,
      version: world.snowflake(),
    }));
    guild.commands.set(call.bot.id, stored);
    return stored;
  }

  const globalCommands = new Map<string, Json[]>();

  return [
    {
      method: "GET",
      path: "/gateway/bot",
      bucket: wide,
      answer: ({ bot }) => ({
        url: `${world.origin.replace("http", "ws")}/gateway`,
        shards: 1,
        session_start_limit: gateway.sessionStart(bot),
      }),
    },
    { method: "GET", path: "/users/@me", bucket: wide, answer: ({ bot }) => userOf(bot) },
    {
      method: "GET",
      path: "/users/@me/guilds",
      bucket: wide,
      answer: ({ bot }) =>
        [...world.guilds.values()]
          .filter(({ members }) => members.has(bot.id))
          .map(({ id, name, owner }) => ({
            id,
            name,
            icon: null,
            owner: owner === bot.id,
            permissions: "0",
            features: [],
          })),
    },
    {
      method: "POST",
      path: "/users/@me/channels",
      bucket: { limit: 5, perMs: 5000 },
      answer: (call) => {
        const { recipient_id } = parse(z.strictObject({ recipient_id: z.string() }), call.json);
        if (!world.users.has(recipient_id)) throw new Problem("unknownUser");
        return channelOf(world, directChannel(world, call.bot.id, recipient_id));
      },
    },
    {
      method: "GET",
      path: "/users/:user",
      bucket: wide,
      answer: ({ path }) => {
        const user = world.users.get(path.user ?? "");
        if (!user) throw new Problem("unknownUser");
        return userOf(user);
      },
    },
    { method: "GET", path: "/applications/@me", bucket: wide, answer: ({ bot }) => applicationOf(bot) },
    { method: "GET", path: "/oauth2/applications/@me", bucket: wide, answer: ({ bot }) => applicationOf(bot) },
    {
      method: "GET",
      path: "/applications/:application/commands",
      bucket: wide,
      answer: (call) => {
        ownApplication(call);
        return globalCommands.get(call.bot.id) ?? [];
      },
    },
    {
      method: "PUT",
      path: "/applications/:application/commands",
      bucket: wide,
      answer: (call) => {
        ownApplication(call);
        const all = parse(z.array(commandSchema).max(100), call.json).map((one) => ({
          ...one,
          id: world.snowflake(),
          application_id: call.bot.id,
          version: world.snowflake(),
        }));
        globalCommands.set(call.bot.id, all);
        return all;
      },
    },
    {
      method: "GET",
      path: "/applications/:application/guilds/:guild/commands",
      bucket: wide,
      answer: (call) => commandsOf(call, guildFor(call).id),
    },
    {
      method: "PUT",
      path: "/applications/:application/guilds/:guild/commands",
      bucket: { limit: 2, perMs: 5000 },
      answer: (call) => setCommands(call, call.json),
    },
    { method: "GET", path: "/guilds/:guild", bucket: wide, answer: (call) => guildOf(world, guildFor(call)) },
    {
      method: "GET",
      path: "/guilds/:guild/channels",
      bucket: wide,
      answer: (call) => {
        const guild = guildFor(call);
        return [...world.channels.values()]
          .filter((one) => one.guild === guild.id && !one.isDeleted && !isThread(one))
          .map((one) => channelOf(world, one));
      },
    },
    {
      method: "GET",
      path: "/guilds/:guild/roles",
      bucket: wide,
      answer: (call) => [...guildFor(call).roles.values()].map(roleOf),
    },
    {
      method: "GET",
      path: "/guilds/:guild/threads/active",
      bucket: wide,
      answer: (call) => {
        const guild = guildFor(call);
        const threads = [...world.channels.values()].filter(
          (one) =>
            one.guild === guild.id &&
            isThread(one) &&
            !one.archived &&
            !one.isDeleted &&
            may({ world, channel: one, user: call.bot.id, permission: "VIEW_CHANNEL" }),
        );
        return { threads: threads.map((one) => channelOf(world, one)), members: [] };
      },
    },
    {
      method: "GET",
      path: "/guilds/:guild/members",
      bucket: wide,
      answer: (call) => {
        const guild = guildFor(call);
        if (!(call.bot.flags & applicationFlags.guildMembers)) throw new Problem("missingAccess");
        return [...guild.members.keys()].map((id) => memberOf(world, guild, id));
      },
    },
    {
      method: "GET",
      path: "/guilds/:guild/members/:user",
      bucket: wide,
      answer: (call) => {
        const guild = guildFor(call);
        const user = call.path.user === "@me" ? call.bot.id : (call.path.user ?? "");
        if (!world.users.has(user)) throw new Problem("unknownUser");
        if (!guild.members.has(user)) throw new Problem("unknownMember");
        return memberOf(world, guild, user);
      },
    },
  ];
}

/** Discord leaves out `required: false` and the like; what it stores is what it gives back. */
function withDefaults(options: Json[]): Json[] {
  return options.map(({ required, options: inner, ...one }) => ({
    ...one,
    ...(required ? { required } : {}),
    ...(inner ? { options: withDefaults(inner as Json[]) } : {}),
  }));
}
