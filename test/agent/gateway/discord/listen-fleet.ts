/** A fleet of real processes that listens in one channel of the local Discord server, with a token of the pool. */
import { makeDiscordFleet as makeFleet, putToken } from "../../../support/discord/fleet.ts";
import { type DiscordServer, startDiscord } from "../../../support/discord/server.ts";
import type { Message } from "../../../support/discord/world.ts";
import type { TestFleet } from "../../../support/fleet.ts";
import { waitFor } from "../../../support/wait.ts";

export const testChannel = "clawdributors-test";

export interface DiscordFleet {
  discord: DiscordServer;
  fleet: TestFleet;
  /** Posts of a bot in a channel whose text matches, oldest first. */
  posts(match: RegExp, options?: { channel?: string; bot?: string }): Message[];
  /** Waits for the one post that matches. */
  post(match: RegExp, options?: { channel?: string; bot?: string }): Promise<Message>;
}

/** Not started. josh is the maintainer with the console's token, mariano another one by role. */
export function makeDiscordFleet(options: {
  discord: DiscordServer;
  settings?: Record<string, unknown>;
  channel?: Record<string, unknown>;
  config?: Record<string, unknown>;
}): DiscordFleet {
  const { discord, config } = options;
  const fleet = makeFleet({
    server: discord,
    tokens: [],
    settings: {
      guilds: { [discord.guild().id]: { channels: { [testChannel]: { ...options.channel } } } },
      maintainers: { users: { [discord.user("josh").id]: "1" }, roles: [discord.role("Maintainers")] },
      ...options.settings,
    },
    ...(config ? { config } : {}),
  });
  putToken(fleet.home, { secret: "discord-token", token: discord.user("CLAWDINATOR-1").token });
  const posts: DiscordFleet["posts"] = (match, { channel = testChannel, bot } = {}) =>
    discord.posts(channel, bot).filter(({ content }) => match.test(content));
  return {
    discord,
    fleet,
    posts,
    post: (match, where) =>
      waitFor(() => posts(match, where)[0], {
        timeoutMs: 20_000,
        what: `a post like ${match} among ${JSON.stringify(discord.posts(where?.channel ?? testChannel).map((one) => one.content))}\n${fleet.output()}`,
      }),
  };
}

export async function startDiscordFleet(
  options: Partial<Parameters<typeof makeDiscordFleet>[0]> = {},
): Promise<DiscordFleet> {
  const made = makeDiscordFleet({ ...options, discord: options.discord ?? (await startDiscord()) });
  await made.fleet.start();
  await connected(made);
  return made;
}

/** The bot is connected, and has read what it missed. */
export async function connected({ fleet, discord }: DiscordFleet, bot = "CLAWDINATOR-1"): Promise<void> {
  const before = discord.user(bot).id;
  await waitFor(
    async () => {
      const { checks } = await fleet.instance(bot);
      const check = checks.find(({ name }) => name === "discord");
      return check?.ok && check.detail.includes(before);
    },
    { timeoutMs: 30_000, what: `${bot} being connected\n${fleet.output()}` },
  );
}
