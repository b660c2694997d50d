/** One real instance with an open card, and a look at all that an attack could have changed. */
import { afterAll, beforeAll } from "vitest";
import type { AuditEntry } from "../../../../agent/protocol.ts";
import { readAll, type Store } from "../../../../tools/store.ts";
import { putToken } from "../../../support/discord/fleet.ts";
import { type DiscordServer, startDiscord } from "../../../support/discord/server.ts";
import type { Message } from "../../../support/discord/world.ts";
import { makeFleet, type TestFleet } from "../../../support/fleet.ts";
import { waitFor } from "../../../support/wait.ts";
import { testChannel } from "./listen-fleet.ts";

export interface HostileFleet {
  discord: DiscordServer;
  fleet: TestFleet;
  store: Store;
  card: Message;
  bot: string;
  /** A new person without any right, or with a name of their choice. */
  person(name?: string, options?: { isBot?: boolean }): string;
  /** Approvals with state and votes, and what was taken from Discord: what no attack may change. */
  state(): Promise<string>;
  /** The first audit line of that actor that is not older than the attack. */
  line(actor: string, action?: RegExp): Promise<AuditEntry>;
}

/** josh is maintainer 1, mariano one by role. */
export function hostileFleet(): HostileFleet {
  const ends: (() => void | Promise<void>)[] = [];
  const atEnd = (work: () => void | Promise<void>): void => void ends.push(work);
  const made = {} as HostileFleet;
  let people = 0;

  beforeAll(async () => {
    const discord = await startDiscord({
      atEnd,
      areLimitsOn: false,
      guilds: [
        {
          name: "Clawdributors",
          channels: [{ name: testChannel }, { name: "general" }],
          roles: [{ name: "Maintainers", members: ["josh", "mariano"] }],
        },
        { name: "Elsewhere", channels: [{ name: "elsewhere" }] },
      ],
    });
    const fleet = makeFleet({
      atEnd,
      config: {
        channels: {
          discord: {
            enabled: true,
            apiUrl: discord.apiUrl,
            guilds: { [discord.guild("Clawdributors").id]: { channels: { [testChannel]: {} } } },
            maintainers: { users: { [discord.user("josh").id]: "1" }, roles: [discord.role("Maintainers")] },
          },
        },
      },
    });
    putToken(fleet.home, { secret: "discord-token", token: discord.user("CLAWDINATOR-1").token });
    putToken(fleet.home, { secret: "discord-token-2", token: discord.user("CLAWDINATOR-2").token });
    await fleet.start();
    await waitFor(async () =>
      (await fleet.instance("CLAWDINATOR-1")).checks.some((one) => one.name === "discord" && one.ok),
    );
    discord.say("josh", testChannel, "@CLAWDINATOR-1 spawn a sibling");
    const findCard = (): Message | undefined =>
      discord.posts(testChannel).find(({ components }) => components.length > 0);
    const card = await waitFor(findCard, { timeoutMs: 20_000 }).catch((error: Error) => {
      const posts = discord.posts(testChannel).map(({ content }) => content);
      throw new Error(`no card among ${JSON.stringify(posts)}\n${fleet.output()}`, { cause: error });
    });
    const commands = discord.guild("Clawdributors").commands;
    await waitFor(() => commands.get(discord.user("CLAWDINATOR-1").id)?.length, { what: "the commands" });
    const store = await fleet.store();
    // What is answered stays as it is from here on.
    await waitFor(async () => (await readAll(store, "messages/")).length === 0);
    await waitFor(() => discord.posts(testChannel).length === 2, { what: "the answer besides the card" });
    Object.assign(made, { discord, fleet, store, card, bot: discord.user("CLAWDINATOR-1").id });
  }, 90_000);

  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  }, 60_000);

  return Object.assign(made, {
    person(name = `stranger-${++people}`, { isBot = false } = {}) {
      const { world } = made.discord;
      const id = world.snowflake();
      world.users.set(id, { id, name, isBot, token: "", flags: 0 });
      for (const guild of world.guilds.values()) guild.members.set(id, new Set());
      return id;
    },

    async state() {
      const approvals = (await readAll(made.store, "approvals/")).map(({ value }) => {
        const { id, state, votes } = value as { id: string; state: string; votes: unknown[] };
        return { id, state, votes: votes.length };
      });
      const taken = (await made.store.list("inbox/")).map(({ key }) => key);
      const operations = (await made.store.list("operations/")).map(({ key }) => key);
      const paused = (await made.store.get("fleet/paused"))?.value ?? null;
      return JSON.stringify({ approvals, taken, operations, paused });
    },

    line: (actor: string, action = /^discord\./) =>
      waitFor(
        async () => {
          const all = (await readAll(made.store, "audit/")).map(({ value }) => value as unknown as AuditEntry);
          return all.findLast((entry) => entry.actor === `discord:${actor}` && action.test(entry.action));
        },
        { timeoutMs: 8_000, what: `an audit line of ${actor} for ${action}` },
      ),
  });
}
