/** The Discord channel of a gateway, with what it needs from there. */

import type { Memory } from "../../../../memory/index.ts";
import type { CostReport } from "../../../../tools/cost-report.ts";
import { tokenSecretOf } from "../../../../tools/fleet/tokens.ts";
import type { Sitrep } from "../../../../tools/sitrep.ts";
import type { Boot } from "../../boot.ts";
import { type Core, longestCallMs } from "../../core.ts";
import type { Presence } from "../../presence.ts";
import type { Runs } from "../../runs.ts";
import { type DiscordChannel, openDiscordChannel } from "./channel.ts";
import { assembleCommands } from "./commands/commands-assemble.ts";
import { tokenReader } from "./connection/token.ts";

export interface StartOptions {
  boot: Pick<Boot, "config" | "home" | "environment" | "identity" | "log">;
  core: Core;
  runs: Runs;
  presence: Presence;
  cost(days: number): Promise<CostReport>;
  sitrep(): Promise<Sitrep>;
  memory(): Promise<Memory>;
  /** Something is to do. */
  wake(): void;
}

export function startDiscord(options: StartOptions): DiscordChannel {
  const { boot, core, runs, presence, cost, sitrep, memory, wake } = options;
  const { config, home, environment, log } = boot;
  const { name, instance } = boot.identity;
  return openDiscordChannel({
    ...core,
    settings: config.channels.discord,
    name,
    instance,
    runs,
    presence,
    token: tokenReader({
      config,
      home,
      name,
      environment,
      tokenSecret: () => tokenSecretOf(core.fleet, name),
    }),
    makeCommands: (parts) =>
      assembleCommands(
        {
          ...core,
          settings: config.channels.discord,
          name,
          cost,
          sitrep,
          memory,
          program: () => {
            const { version, revision, image } = presence.heartbeat();
            return { version, revision, image, instance, name };
          },
          wake,
          onCheck: presence.setCheck,
          log,
        },
        parts,
      ),
    callMs: longestCallMs,
    onCheck: presence.setCheck,
    wake,
    log,
  });
}
