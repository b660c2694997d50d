/** A real fleet whose bots are at a local Discord server: its settings, its tokens as secrets, its maintainers. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ApprovalView } from "../../../agent/protocol.ts";
import type { Policy } from "../../../tools/policy.ts";
import { type FleetOptions, makeFleet, type TestFleet } from "../fleet.ts";
import { waitFor } from "../wait.ts";
import type { DiscordServer } from "./server.ts";

export interface DiscordFleetOptions extends FleetOptions {
  server: DiscordServer;
  /** Discord users by maintainer id; default josh, who is maintainer 1. */
  maintainers?: Record<string, string>;
  /** Bots whose tokens are put into the pool, each under its name; default all. */
  tokens?: string[];
  /** More of `channels.discord`. */
  settings?: Record<string, unknown>;
}

/** Settings for `channels.discord` that listen to the first guild's channels. */
function discordSettings(options: Pick<DiscordFleetOptions, "server" | "maintainers" | "settings">) {
  const { server, maintainers = { josh: "1" }, settings = {} } = options;
  const guild = server.guild();
  const names = [...server.world.channels.values()].filter((one) => one.guild === guild.id).map(({ name }) => name);
  return {
    enabled: true,
    apiUrl: server.apiUrl,
    guilds: { [guild.id]: { channels: Object.fromEntries(names.map((name) => [name, {}])) } },
    maintainers: {
      users: Object.fromEntries(Object.entries(maintainers).map(([name, id]) => [server.user(name).id, id])),
    },
    ...settings,
  };
}

/** Makes it, without starting it. */
export function makeDiscordFleet(options: DiscordFleetOptions): TestFleet {
  const { server, tokens, maintainers, settings, config, ...rest } = options;
  const channels = { discord: discordSettings(options) };
  const fleet = makeFleet({ ...rest, config: { ...config, channels } });
  for (const bot of server.world.users.values()) {
    if (!bot.isBot || bot.token === "" || (tokens && !tokens.includes(bot.name))) continue;
    // As `clawdinator secrets put` keeps it for one name.
    putToken(fleet.home, { secret: join(bot.name, "discord-token"), token: bot.token });
  }
  return fleet;
}

/** As a secret's file; `secret` is its path below the others. */
export function putToken(home: string, { secret, token }: { secret: string; token: string }): void {
  const path = join(home, "secrets", secret);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  chmodSync(join(home, "secrets"), 0o700);
  writeFileSync(path, token, { mode: 0o600 });
}

export async function startDiscordFleet(options: DiscordFleetOptions): Promise<TestFleet> {
  const fleet = makeDiscordFleet(options);
  await fleet.start();
  await connected(fleet, options.server);
  await listening(fleet, options.server);
  return fleet;
}

/** Waits until the bot's session at the server is there. */
export async function connected(fleet: TestFleet, server: DiscordServer, bot = "CLAWDINATOR-1"): Promise<void> {
  await waitFor(() => server.gateway.connected(server.user(bot).id) > 0, {
    timeoutMs: 30_000,
    what: `${bot} connecting to Discord (${fleet.output()})`,
  });
}

/** After the first start: every channel's history was asked for once, so that what is said from now on is never missed. */
export async function listening(fleet: TestFleet, server: DiscordServer): Promise<void> {
  const guild = server.guild().id;
  await waitFor(
    () =>
      [...server.world.channels.values()].every(
        ({ id, guild: of }) =>
          of !== guild || server.requests.some(({ path }) => path.startsWith(`/channels/${id}/messages`)),
      ),
    { timeoutMs: 30_000, what: `the history being read (${fleet.output()})` },
  );
}

/** Adds maintainers until there are so many, all of them approvers, and puts other rules in force. */
export async function setPolicy(
  fleet: TestFleet,
  options: { approvers?: number; rules?: Policy["operations"] },
): Promise<void> {
  const ids = ["1"];
  while (ids.length < (options.approvers ?? 1)) {
    const { maintainer } = await fleet.json<{ maintainer: { id: string } }>("maintainers", "add", `m${ids.length + 1}`);
    ids.push(maintainer.id);
  }
  const store = await fleet.store();
  const pin = (await store.get("policy/pin"))?.value as unknown as { policy?: Policy; text?: string };
  const policy: Policy = pin.policy ?? (JSON.parse(pin.text ?? "{}") as Policy);
  const next = { ...policy, approvers: ids, operations: { ...policy.operations, ...options.rules } };
  const change = await fleet.json<ApprovalView>(
    "operations",
    "propose",
    "policy_change",
    "--input",
    JSON.stringify({ policy: next }),
  );
  await fleet.approve(change.id);
  const { state } = await fleet.ended(change.id);
  if (state !== "succeeded") throw new Error(`the policy was not changed: ${state}`);
}
