/** The real connection against the local Discord server, with a real store. */
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type DiscordSettings, discordSettingsSchema } from "../../../../agent/discord-settings.ts";
import {
  type ConnectionOptions,
  createConnection,
} from "../../../../agent/gateway/channels/discord/connection/connection.ts";
import type { IdentifyPace } from "../../../../agent/gateway/channels/discord/connection/identify-budget.ts";
import type { Connection } from "../../../../agent/gateway/channels/discord/contract.ts";
import { openSqliteStore } from "../../../../agent/gateway/store/sqlite.ts";
import type { Check } from "../../../../tools/fleet/model.ts";
import type { Store } from "../../../../tools/store.ts";
import { type DiscordServer, startDiscord } from "../../../support/discord/server.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

/** So quick that a test need not wait, with the budget as in earnest. */
export const quickPace = {
  lookMs: 20,
  sightMs: 100,
  firstRetryMs: 20,
  longestRetryMs: 100,
  intentLookMs: 50,
};

export interface Bench {
  discord: DiscordServer;
  store: Store;
  connection: Connection;
  settings: DiscordSettings;
  /** The check `discord` as it was set last. */
  check(): Check | null;
  logged: string[];
  world: { token: string | null; mayAct: boolean };
  /** Another one, as after a restart, with the same store. */
  another(options?: Partial<ConnectionOptions>): Connection;
}

export async function connectionBench(
  options: {
    discord?: DiscordServer;
    store?: Store;
    settings?: (discord: DiscordServer) => object;
    name?: string;
    bot?: string;
    identifyPace?: IdentifyPace;
  } = {},
): Promise<Bench> {
  const directory = temporaryDirectory();
  const discord = options.discord ?? (await startDiscord());
  const store = options.store ?? (await openSqliteStore({ path: join(directory, "store.sqlite") }));
  if (!options.store) onTestFinished(() => store.close());
  const settings = discordSettingsSchema.parse({
    enabled: true,
    apiUrl: discord.apiUrl,
    guilds: { [discord.guild().id]: { channels: { "clawdributors-test": {} } } },
    ...options.settings?.(discord),
  });
  const world: Bench["world"] = { token: discord.user(options.bot ?? "CLAWDINATOR-1").token, mayAct: true };
  let last: Check | null = null;
  const logged: string[] = [];
  const another = (more: Partial<ConnectionOptions> = {}): Connection => {
    const connection = createConnection({
      settings,
      store,
      name: options.name ?? "CLAWDINATOR-1",
      token: async () => world.token,
      mayAct: () => world.mayAct,
      onCheck: (check) => {
        last = check;
      },
      log: (level, message, fields) => logged.push(JSON.stringify({ level, message, ...fields })),
      pace: quickPace,
      ...(options.identifyPace ? { identifyPace: options.identifyPace } : {}),
      ...more,
    });
    onTestFinished(() => connection.close());
    return connection;
  };
  return { discord, store, connection: another(), settings, check: () => last, logged, world, another };
}
