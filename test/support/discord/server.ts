/**
 * A local server that speaks Discord's REST and gateway protocol, for tests and benchmarks: the real discord.js client
 * runs against it. It is as strict as Discord about intents, permissions, limits and shapes, records every request, and
 * can be told to misbehave. Everything is named by name or by id. Source of facts: Discord's developer documentation.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { type GatewayLimits, startGateway } from "./gateway.ts";
import { applicationFlags } from "./gateway-session.ts";
import { makeInteractions } from "./interactions.ts";
import { makeMessages } from "./messages.ts";
import { makePeople, type People } from "./people.ts";
import { allPermissions, ordinaryPermissions, type Permission, permissionBits } from "./permissions.ts";
import { makeRest, type RecordedRequest } from "./rest.ts";
import { makeRoutes } from "./routes.ts";
import { type Channel, type Guild, type Message, makeWorld, newChannel, type User, type World } from "./world.ts";

export interface DiscordOptions {
  /** Default CLAWDINATOR-1 and CLAWDINATOR-2, each with every privileged intent enabled. */
  bots?: { name: string; id?: string; token?: string; intents?: (keyof typeof applicationFlags)[] }[];
  /** Default josh and mariano (maintainers by habit of the tests), and stranger. */
  users?: { name: string; id?: string; isBot?: boolean }[];
  /** Default one, Clawdributors, with the role Maintainers and the channels clawdributors-test and general. */
  guilds?: {
    name: string;
    id?: string;
    channels: { name: string; id?: string; hiddenFromBots?: boolean }[];
    roles?: { name: string; id?: string; members?: string[] }[];
    /** Default everybody. */
    members?: string[];
  }[];
  clockOffsetMs?: number;
  gateway?: Partial<GatewayLimits>;
  /** Default true: rate limits as Discord has them. */
  areLimitsOn?: boolean;
  /** Port that a former server had, to come back under the same address; default any. */
  port?: number;
  atEnd?: (work: () => void | Promise<void>) => void;
}

export interface DiscordServer extends People {
  /** For `channels.discord.apiUrl`. */
  apiUrl: string;
  world: World;
  gateway: ReturnType<typeof startGateway>;
  requests: RecordedRequest[];
  user(nameOrId: string): User;
  channel(nameOrId: string): Channel;
  guild(nameOrId?: string): Guild;
  role(name: string): string;
  /** Visible messages of bots in a channel, oldest first. */
  posts(channel: string, bot?: string): Message[];
  /** How often a bot has identified, over all its connections. */
  identifies(bot?: string): number;
  /** Requests of a route that were answered 429. */
  limited(): RecordedRequest[];
  drop(bot?: string): void;
  invalidSession(bot?: string): void;
  /** The route answers 429 for that long. */
  rateLimit(route: string, seconds: number): void;
  fail(route: string, status: number, times?: number): void;
  /** Handled, but the answer never arrives. */
  loseAnswer(route: string, times?: number): void;
  /** Answered only after that long. */
  hold(route: string, ms: number, times?: number): void;
  /** No fault that is still to come happens; limits stay. */
  clearFaults(): void;
  /** Takes it from every bot in that channel; `restore` gives it back. */
  revoke(channel: string, permission: Permission): void;
  restore(channel: string, permission: Permission): void;
  deleteChannel(channel: string): void;
  close(): Promise<void>;
}

const everyIntent = Object.keys(applicationFlags) as (keyof typeof applicationFlags)[];

export async function startDiscord(options: DiscordOptions = {}): Promise<DiscordServer> {
  const world = makeWorld(options.clockOffsetMs ?? 0);
  populate(world, options);
  const http = createServer();
  const gateway = startGateway({
    world,
    http,
    limits: { sessionStarts: 1000, identifyIntervalMs: 0, heartbeatIntervalMs: 41_250, ...options.gateway },
  });
  const messages = makeMessages(world, gateway);
  const interactions = makeInteractions(world, gateway, messages);
  const routes = makeRoutes({ world, gateway, messages, interactions });
  const rest = makeRest({ world, routes, interactions, areLimitsOn: options.areLimitsOn ?? true });
  http.on("request", rest.listener);
  await new Promise<void>((resolve) => http.listen(options.port ?? 0, "127.0.0.1", resolve));
  world.origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  const byName = <T extends { id: string; name: string }>(all: Map<string, T>, wanted: string, what: string): T => {
    const found = all.get(wanted) ?? [...all.values()].find(({ name }) => name === wanted);
    if (!found)
      throw new Error(`there is no ${what} ${wanted}; there are ${[...all.values()].map(({ name }) => name)}`);
    return found;
  };
  const user = (wanted: string): User => byName(world.users, wanted, "user");
  const channel = (wanted: string): Channel => byName(world.channels, wanted, "channel");
  const guild = (wanted?: string): Guild =>
    wanted === undefined ? [...world.guilds.values()][0]! : byName(world.guilds, wanted, "guild");
  const idOf = (bot?: string): string | undefined => (bot === undefined ? undefined : user(bot).id);

  const setOverwrite = (name: string, change: (deny: bigint) => bigint): void => {
    const one = channel(name);
    for (const bot of world.users.values()) {
      if (!bot.isBot || bot.token === "") continue;
      let overwrite = one.overwrites.find(({ id }) => id === bot.id);
      if (!overwrite) {
        overwrite = { id: bot.id, type: 1, allow: 0n, deny: 0n };
        one.overwrites.push(overwrite);
      }
      overwrite.deny = change(overwrite.deny);
    }
    people.channelChanged(one);
  };

  const people = makePeople({ world, gateway, messages, interactions, user, channel });
  let isClosed = false;
  const server: DiscordServer = {
    ...people,
    apiUrl: `${world.origin}/api`,
    world,
    gateway,
    requests: rest.requests,
    user,
    channel,
    guild,
    role: (name) => byName(guild().roles, name, "role").id,
    posts: (name, bot) =>
      [...channel(name).messages.values()].filter(({ author, webhook }) => {
        const one = world.users.get(author);
        return webhook === null && one?.isBot && one.token !== "" && (bot === undefined || author === user(bot).id);
      }),
    identifies: (bot) => gateway.identified.filter((one) => bot === undefined || one.bot === user(bot).id).length,
    limited: () => rest.requests.filter(({ status }) => status === 429),
    drop: (bot) => gateway.drop(idOf(bot)),
    invalidSession: (bot) => gateway.invalidSession(idOf(bot)),
    rateLimit: rest.limit,
    fail: (route, status, times = 1) => rest.addFault({ kind: "status", route, status, times }),
    loseAnswer: (route, times = 1) => rest.addFault({ kind: "lose", route, times }),
    hold: (route, ms, times = 1) => rest.addFault({ kind: "hold", route, ms, times }),
    clearFaults: rest.clearFaults,
    revoke: (name, permission) => setOverwrite(name, (deny) => deny | permissionBits[permission]),
    restore: (name, permission) => setOverwrite(name, (deny) => deny & ~permissionBits[permission]),
    deleteChannel: (name) => people.channelDeleted(channel(name)),
    async close() {
      if (isClosed) return;
      isClosed = true;
      await gateway.close();
      const closed = new Promise((resolve) => http.close(resolve));
      http.closeAllConnections();
      await closed;
    },
  };
  (options.atEnd ?? onTestFinished)(() => server.close());
  return server;
}

function populate(world: World, options: DiscordOptions): void {
  const bots: NonNullable<DiscordOptions["bots"]> = options.bots ?? [
    { name: "CLAWDINATOR-1" },
    { name: "CLAWDINATOR-2" },
  ];
  const users: NonNullable<DiscordOptions["users"]> = options.users ?? [
    { name: "josh" },
    { name: "mariano" },
    { name: "stranger" },
  ];
  for (const { name, id = world.snowflake(), token, intents = everyIntent } of bots) {
    const flags = intents.reduce((bits, intent) => bits | applicationFlags[intent], 0);
    world.users.set(id, { id, name, isBot: true, token: token ?? tokenFor(id), flags });
  }
  for (const { name, id = world.snowflake(), isBot = false } of users)
    world.users.set(id, { id, name, isBot, token: "", flags: 0 });
  const idOf = (name: string): string =>
    world.users.has(name) ? name : ([...world.users.values()].find((one) => one.name === name)?.id ?? name);
  const guilds: NonNullable<DiscordOptions["guilds"]> = options.guilds ?? [
    {
      name: "Clawdributors",
      channels: [{ name: "clawdributors-test" }, { name: "general" }],
      roles: [{ name: "Maintainers", members: ["josh", "mariano"] }],
    },
  ];
  const ownerId = world.snowflake();
  world.users.set(ownerId, { id: ownerId, name: "owner", isBot: false, token: "", flags: 0 });
  for (const given of guilds) {
    const id = given.id ?? world.snowflake();
    const guild: Guild = {
      id,
      name: given.name,
      owner: ownerId,
      roles: new Map([[id, { id, name: "@everyone", permissions: ordinaryPermissions, position: 0 }]]),
      members: new Map([[ownerId, new Set()]]),
      commands: new Map(),
    };
    for (const member of given.members?.map(idOf) ?? world.users.keys()) guild.members.set(member, new Set());
    for (const [index, role] of (given.roles ?? []).entries()) {
      const roleId = role.id ?? world.snowflake();
      guild.roles.set(roleId, { id: roleId, name: role.name, permissions: 0n, position: index + 1 });
      for (const member of role.members ?? []) guild.members.get(idOf(member))?.add(roleId);
    }
    world.guilds.set(id, guild);
    for (const one of given.channels) {
      const channel = newChannel({ id: one.id ?? world.snowflake(), guild: id, name: one.name });
      if (one.hiddenFromBots)
        for (const { id: bot, isBot } of world.users.values())
          if (isBot) channel.overwrites.push({ id: bot, type: 1, allow: 0n, deny: allPermissions });
      world.channels.set(channel.id, channel);
    }
  }
}

/** In the shape that Discord's have: the first part is the bot's id. */
function tokenFor(id: string): string {
  return `${Buffer.from(id).toString("base64url")}.test01.${Buffer.from(`secret-of-${id}-padded-to-length`).toString("base64url")}`;
}
