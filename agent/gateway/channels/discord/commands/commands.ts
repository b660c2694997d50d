/** Slash commands: each is acknowledged at once and admitted, then done by the same code as its words would be. */
import type { ChatInputCommandInteraction } from "discord.js";
import type { AuditLog } from "../../../audit.ts";
import type { Actor } from "../../../maintainers.ts";
import { describePause, type Pause } from "../../../pause.ts";
import { oneLine, plain } from "../cards/card-text.ts";
import type { Ask } from "./command-ask.ts";
import { findCommand, type OptionValues, type SlashCommand, sentenceFor } from "./command-definitions.ts";
import type { Reader } from "./command-reads.ts";
import type { InteractionHandlers } from "./interactions.ts";
import type { Visit } from "./interactions-visit.ts";

export function createCommands(options: {
  ask: Ask;
  read: Reader;
  pause: Pick<Pause, "current" | "set">;
  audit: Pick<AuditLog, "write">;
  /** What everybody in the channel should see; once for each key. */
  tell(options: { key: string; channel: string; text: string }): Promise<void>;
  /** Whether this version has the operation. */
  hasOperation(name: string): boolean;
  /** Something is to do. */
  wake(): void;
}): Pick<InteractionHandlers, "onCommand"> {
  const { audit, pause } = options;

  return {
    async onCommand(visit) {
      const { commandName } = visit.interaction;
      const command = findCommand(commandName, visit.interaction.options.getSubcommand(false));
      const actor = await visit.enter({ changes: command !== null && command.does.kind !== "read" });
      if (!actor) return;
      if (!command) {
        await visit.note("discord.unknown", `a command that this version has not: ${oneLine(commandName, 100)}`);
        return visit.answer("I do not know this command. It is gone from the list soon.");
      }
      const values = valuesOf(visit.interaction, command);
      const { does } = command;
      if (does.kind === "read") return visit.answer(await options.read(does.read, { values, actor }));
      if (does.kind === "pause") return setPause(visit, { paused: does.paused, actor, reason: values.reason });
      if (!options.hasOperation(does.tool)) return visit.answer(missingText(does.tool));
      await askFor(visit, { command, values, actor });
    },
  };

  async function askFor(
    visit: Visit<ChatInputCommandInteraction>,
    { command, values, actor }: { command: SlashCommand; values: OptionValues; actor: Actor },
  ): Promise<void> {
    const sentence = sentenceFor(command, values);
    if (sentence === null) {
      const given = Object.values(values).filter((value) => value !== undefined);
      const shown = given.map((value) => plain(String(value), 100)).join(", ");
      return visit.answer(`I cannot read ${shown} here. Choose from the list, or write a name or a commit.`);
    }
    const { id, channelId } = visit.interaction;
    const asked = await options.ask({ interaction: id, channel: channelId, actor, sentence });
    if (asked.state === "refused") return visit.answer(`That did not work: ${plain(asked.reason, 300)}`);
    const paused = await pause.current();
    const waits = paused ? ` The fleet is ${plain(describePause(paused), 300)}; it waits until somebody resumes.` : "";
    await visit.answer(`Asked for it below.${waits}`);
  }

  /** As the console's: the record first, then the audit log, then everybody in the channel. */
  async function setPause(
    visit: Visit<ChatInputCommandInteraction>,
    request: { paused: boolean; actor: Actor; reason: string | number | undefined },
  ): Promise<void> {
    const { paused, actor } = request;
    const { id, name } = actor.maintainer;
    const before = await pause.current();
    if (!paused && !before) return visit.answer("The fleet is not paused.");
    const reason = request.reason === undefined ? undefined : oneLine(String(request.reason), 500) || undefined;
    await pause.set(paused, { id, name, reason });
    await audit.write({
      action: paused ? "fleet.paused" : "fleet.resumed",
      actor: `maintainer:${id}`,
      surface: "discord",
      subject: "fleet",
      detail: reason ?? "",
    });
    options.wake();
    const why = reason === undefined ? "" : `: ${plain(reason, 600)}`;
    const text = paused
      ? `⏸️ **${plain(name, 100)}** paused the fleet${why}\nNothing new begins on any instance until somebody resumes; messages wait.`
      : `▶️ **${plain(name, 100)}** resumed the fleet.`;
    await visit.answer(paused ? "Paused." : "Resumed.");
    await options.tell({ key: `pause-${visit.interaction.id}`, channel: visit.interaction.channelId, text });
  }
}

/** Said in a sentence, it is none: what is not as the option takes it must not count as left out. */
const unreadable = "?";

/** Only options that the command has, of the kind and length that it takes: Discord's word for it is not enough. */
function valuesOf({ options }: ChatInputCommandInteraction, command: SlashCommand): OptionValues {
  return Object.fromEntries(
    command.options.map(({ name, kind, most }) => {
      const value = options.get(name)?.value;
      if (value === undefined) return [name, undefined];
      if (kind === "number")
        return [name, Number.isInteger(value) && Number(value) <= most ? Number(value) : unreadable];
      return [name, typeof value === "string" && value.length <= most ? oneLine(value, most) : unreadable];
    }),
  );
}

function missingText(tool: string): string {
  if (tool === "self_update") {
    return "I cannot update myself yet. `/replace` and `/roll` bring instances to another revision.";
  }
  return `This version has no ${tool} yet.`;
}
