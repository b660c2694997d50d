/** Slash commands and autocomplete, put together from what a gateway has. */
import type { Memory } from "../../../../../memory/index.ts";
import type { CostReport } from "../../../../../tools/cost-report.ts";
import type { Check } from "../../../../../tools/fleet/model.ts";
import type { Sitrep } from "../../../../../tools/sitrep.ts";
import type { ReadContext } from "../../../../../tools/tool.ts";
import type { DiscordSettings } from "../../../../discord-settings.ts";
import type { Log } from "../../../../log.ts";
import type { Core } from "../../../core.ts";
import { findOperation } from "../../../operation-registry.ts";
import type { Cards } from "../cards/cards.ts";
import type { Connection } from "../contract.ts";
import type { DiscordSpeaker } from "../speak/speak.ts";
import { createAutocomplete } from "./autocomplete.ts";
import { createAsk } from "./command-ask.ts";
import { createReader } from "./command-reads.ts";
import { createRegistration } from "./command-registration.ts";
import { createCommands } from "./commands.ts";
import type { InteractionHandlers } from "./interactions.ts";

export interface CommandsOptions
  extends Pick<Core, "store" | "audit" | "inbox" | "approvals" | "pause" | "fleet" | "status"> {
  settings: Pick<DiscordSettings, "guilds">;
  name: string;
  cost(days: number): Promise<CostReport>;
  sitrep(): Promise<Sitrep>;
  memory(): Promise<Memory>;
  program(): ReadContext["program"];
  /** Something is to do. */
  wake(): void;
  onCheck(check: Check): void;
  log: Log;
}

/** Handles commands, and registers them with each client of the connection once it is ready. */
export function assembleCommands(
  options: CommandsOptions,
  { connection, cards, speaker }: { connection: Connection; cards: Cards; speaker: DiscordSpeaker },
): Pick<InteractionHandlers, "onCommand" | "onAutocomplete"> {
  const { fleet, settings } = options;
  const { poster } = speaker;
  const autocomplete = createAutocomplete({
    status: () => fleet.status(),
    images: () => fleet.provider.listImages(),
    desired: async () => Object.keys((await fleet.desired()).instances),
  });
  const registration = createRegistration(options);

  const register = async (guilds: readonly string[]): Promise<void> => {
    const client = connection.client();
    const application = connection.application();
    const listened = guilds.filter((guild) => Object.hasOwn(settings.guilds, guild));
    if (!client || application === null || listened.length === 0) return;
    await registration.register({ rest: client.rest, application, guilds: listened });
    const problems = registration.problems();
    options.onCheck({
      name: "discord commands",
      ok: problems.length === 0,
      detail: problems.join(" · ") || "registered",
    });
  };
  connection.onClient((client) => {
    client.on("clientReady", (ready) => {
      autocomplete.warm();
      cards.wake();
      void register([...ready.guilds.cache.keys()]);
    });
    client.on("guildCreate", (guild) => void register([guild.id]));
  });

  return {
    ...createCommands({
      ask: createAsk({ ...options, poster, speaker }),
      read: createReader({ ...options, cards }),
      pause: options.pause,
      audit: options.audit,
      async tell({ key, channel, text }) {
        await poster.show(channel, () => [{ key, channel, replyTo: null, content: text }]);
      },
      hasOperation: (name) => findOperation(name) !== undefined,
      wake: options.wake,
    }),
    onAutocomplete: (interaction) => autocomplete.complete(interaction),
  };
}
