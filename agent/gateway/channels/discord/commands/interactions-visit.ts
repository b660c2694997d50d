/** One interaction on its way through: acknowledged, admitted or refused, and answered, to its author only. */
import type {
  AutocompleteInteraction,
  BaseInteraction,
  ButtonInteraction,
  ChatInputCommandInteraction,
  ModalSubmitInteraction,
} from "discord.js";
import type { Actor } from "../../../maintainers.ts";
import type { Admission, Approach } from "../contract.ts";

/** What can be deferred and answered. */
export type Answerable = ButtonInteraction | ChatInputCommandInteraction | ModalSubmitInteraction;

/** Only its author sees the answer (discord-api-docs, message flags). */
export const onlyForAuthor = 64;

/** Nobody is ever pinged by an answer. */
export const pingNobody = { parse: [] as const };

/** Discord wants a first answer within 3 s; a modal can only be that first answer. */
export const modalDeadlineMs = 2_000;

export interface Visit<I extends Answerable = Answerable> {
  interaction: I;
  /** What the door says. It is asked once, when somebody wants to know: not before the acknowledgement is on its way. */
  admission(): Promise<Admission>;
  /**
   * Acknowledges at once and waits for the door. Null: not admitted, or Discord knows it no more; that has been
   * answered and told. With `changes`, also null for one that acted before.
   */
  enter(options: { changes: boolean }): Promise<Actor | null>;
  /** Puts the answer in the acknowledgement's place, or gives it as the first one. Never throws. */
  answer(answer: string | { content: string; files?: { name: string; attachment: Buffer }[] }): Promise<void>;
  /** One line in the audit log; the subject is the interaction. */
  note(action: string, detail: string): Promise<void>;
}

/** What the author check needs to know. Ids are text; a thread's channel is its parent. */
export function approachOf(
  interaction: Answerable | AutocompleteInteraction | BaseInteraction,
  kind: Approach["kind"],
): Approach {
  const { member, user, channel } = interaction;
  const roles = member === null ? [] : Array.isArray(member.roles) ? member.roles : [...member.roles.cache.keys()];
  const parent = channel !== null && "parentId" in channel && channel.isThread() ? channel.parentId : null;
  return {
    kind,
    id: interaction.id,
    guild: interaction.guildId,
    channel: interaction.channelId ?? "",
    parent,
    author: { id: user.id, name: user.username, isBot: user.bot, isWebhook: false, roles },
    application: interaction.applicationId,
  };
}

export const refusalText = "Only this fleet's maintainers can do that here.";
