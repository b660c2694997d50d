/**
 * The one entry for everything that Discord calls an interaction: commands, buttons, modals and autocomplete. Each is
 * acknowledged at once, passes the door, and is then handed to whoever does it. What is unknown or malformed leaves an
 * audit line and gets a plain answer; nothing thrown in here reaches discord.js.
 */
import type {
  AutocompleteInteraction,
  ButtonInteraction,
  ChatInputCommandInteraction,
  Interaction,
  ModalSubmitInteraction,
} from "discord.js";
import { describeError } from "../../../../../tools/errors.ts";
import type { Log } from "../../../../log.ts";
import type { AuditLog } from "../../../audit.ts";
import { again } from "../again.ts";
import { plain } from "../cards/card-text.ts";
import type { Admission, Approach, Door } from "../contract.ts";
import type { Courtesy } from "../courtesy.ts";
import type { Once } from "./interactions-once.ts";
import {
  type Answerable,
  approachOf,
  onlyForAuthor,
  pingNobody,
  refusalText,
  type Visit,
} from "./interactions-visit.ts";

/** Discord's code for an interaction that has been acknowledged already. */
const alreadyAcknowledged = 40060;

/** Ids of the last ones: the same one delivered twice in a row costs the store nothing. */
const rememberedIds = 2_000;

export interface InteractionHandlers {
  onButton(visit: Visit<ButtonInteraction>): Promise<void>;
  onModal(visit: Visit<ModalSubmitInteraction>): Promise<void>;
  onCommand(visit: Visit<ChatInputCommandInteraction>): Promise<void>;
  onAutocomplete(interaction: AutocompleteInteraction): Promise<readonly { name: string; value: string }[]>;
}

export interface Interactions {
  /** For `interactionCreate`. Never throws. */
  handle(interaction: Interaction): Promise<void>;
  /** Resolves when everything that came so far is dealt with. */
  idle(): Promise<void>;
}

export function createInteractions(options: {
  door: Door;
  once: Once;
  handlers: InteractionHandlers;
  audit: Pick<AuditLog, "write">;
  courtesy: Pick<Courtesy, "acknowledging" | "acknowledged">;
  log: Log;
}): Interactions {
  const { door, handlers, audit, courtesy, log } = options;
  const seen = new Set<string>();
  const open = new Set<Promise<void>>();

  const note = async (approach: Approach, action: string, detail: string): Promise<void> => {
    await audit
      .write({
        action,
        actor: `discord:${approach.author.id}`,
        surface: "discord",
        subject: `discord/${approach.kind}/${approach.id}`,
        detail: detail.slice(0, 500),
      })
      .catch((error: unknown) => log("warn", "the audit log took no line", { error: describeError(error).message }));
  };

  const admit = (approach: Approach): Promise<Admission> =>
    door.admit(approach).catch((error: unknown) => {
      log("error", "the author check failed", { error: describeError(error).message });
      return { admitted: false, silent: false, code: "check_failed", reason: "the author check failed" };
    });

  function visitOf<I extends Answerable>(interaction: I, approach: Approach): Visit<I> {
    let admission: Promise<Admission> | null = null;
    const visit: Visit<I> = {
      interaction,
      admission() {
        admission ??= admit(approach);
        return admission;
      },
      note: (action, detail) => note(approach, action, detail),

      async enter({ changes }) {
        try {
          await courtesy.acknowledging(again(() => interaction.deferReply({ flags: onlyForAuthor })));
        } catch (error) {
          // Acknowledged already: by this very call, whose first answer was lost, or by one before a restart. Whether it
          // acted is what the claim below knows. Anything else: Discord shows that it failed, and it is not acted on.
          if ((error as { code?: unknown } | null)?.code !== alreadyAcknowledged) throw error;
          if (!changes) return null;
          interaction.deferred = true;
        }
        // Others wait to be acknowledged, which is done within 100 ms; what is done here may take longer.
        await courtesy.acknowledged();
        const found = await visit.admission();
        if (!found.admitted) {
          await visit.answer(refusalText);
          return null;
        }
        if (changes && !(await options.once.claim(interaction.id))) {
          await visit.note("discord.replayed", "this interaction had acted before, so nothing was done");
          return null;
        }
        return found.actor;
      },

      async answer(answer) {
        const { content, files } = typeof answer === "string" ? { content: answer, files: [] } : answer;
        const body = { content: content.slice(0, 2_000), files: files ?? [], allowedMentions: pingNobody };
        try {
          if (interaction.deferred) await again(() => interaction.editReply(body));
          else if (!interaction.replied) await again(() => interaction.reply({ ...body, flags: onlyForAuthor }));
        } catch (error) {
          log("warn", "an interaction could not be answered", { error: describeError(error).message });
        }
      },
    };
    return visit;
  }

  async function dispatch(interaction: Interaction): Promise<void> {
    if (interaction.isAutocomplete()) return complete(interaction);
    const kind = kindOf(interaction);
    const approach = approachOf(interaction, kind ?? "command");
    if (seen.has(interaction.id)) {
      return note(approach, "discord.replayed", "the same interaction was delivered again, so nothing was done");
    }
    seen.add(interaction.id);
    if (seen.size > rememberedIds) seen.delete(seen.values().next().value ?? "");
    if (kind === null || !interaction.isRepliable()) {
      await note(approach, "discord.unknown", `an interaction of type ${interaction.type}, which this bot has none of`);
      if (interaction.isRepliable()) {
        await interaction.reply({
          content: "I do not know that one.",
          flags: onlyForAuthor,
          allowedMentions: pingNobody,
        });
      }
      return;
    }
    const visit = visitOf(interaction as Answerable, approach);
    try {
      if (interaction.isButton()) await handlers.onButton(visit as Visit<ButtonInteraction>);
      else if (interaction.isModalSubmit()) await handlers.onModal(visit as Visit<ModalSubmitInteraction>);
      else await handlers.onCommand(visit as Visit<ChatInputCommandInteraction>);
    } catch (error) {
      const { message, hint, code } = describeError(error);
      log("warn", "an interaction failed", { kind, code, error: message });
      const text = code === "internal" ? "That failed; the log of this instance says why." : `${message}. ${hint}`;
      await visit.answer(plain(text, 1_000));
    } finally {
      // Who is refused is on record, even where Discord took no acknowledgement.
      await visit.admission();
    }
  }

  async function complete(interaction: AutocompleteInteraction): Promise<void> {
    const found = await admit(approachOf(interaction, "autocomplete"));
    const choices = found.admitted ? await handlers.onAutocomplete(interaction) : [];
    await again(() => interaction.respond(choices.slice(0, 25)));
  }

  /** Whatever could not even be looked at. */
  async function noteMalformed({ id, user }: Partial<Interaction>): Promise<void> {
    const author = { id: user?.id ?? "unknown", name: "", isBot: false, isWebhook: false, roles: [] };
    const approach: Approach = { kind: "command", id: id ?? "unknown", guild: null, channel: "", parent: null, author };
    await note(approach, "discord.malformed", "an interaction that could not be dealt with");
  }

  return {
    async handle(interaction) {
      const work = dispatch(interaction).catch(async (error: unknown) => {
        log("warn", "an interaction failed", { error: describeError(error).message });
        await noteMalformed(interaction);
      });
      open.add(work);
      await work.finally(() => open.delete(work));
    },
    async idle() {
      while (open.size > 0) await Promise.all(open);
    },
  };
}

function kindOf(interaction: Interaction): Approach["kind"] | null {
  if (interaction.isButton()) return "button";
  if (interaction.isModalSubmit()) return "modal";
  return interaction.isChatInputCommand() ? "command" : null;
}
