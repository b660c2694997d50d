/** One message of Discord's into the inbox, and what its author does to it afterwards. Everything is safe to repeat. */
import type { Client } from "discord.js";
import type { Json } from "../../../../../tools/json.ts";
import { type Store, update } from "../../../../../tools/store.ts";
import type { DiscordSettings } from "../../../../discord-settings.ts";
import { mergeSources } from "../../../../public-sources.ts";
import type { Inbox, Message } from "../../../inbox.ts";
import { type Actor, authorOf } from "../../../maintainers.ts";
import { type Pause, waitsText } from "../../../pause.ts";
import type { Runs } from "../../../runs.ts";
import type { Door, Place } from "../contract.ts";
import type { DiscordSpeaker } from "../speak/speak.ts";
import { readAttachments } from "./attachments.ts";
import { type ChannelRule, channelOf, channelOwner, conversationIn, type SeenChannel } from "./conversation.ts";
import { fetchRoles, nameIn } from "./listen-channels.ts";
import { quotesOf, withQuotes } from "./listen-quotes.ts";
import { type Addressee, addresseeOf, displayName, type Names, type SeenMessage, wordsOf } from "./listen-words.ts";
import type { Siblings } from "./unaddressed.ts";

/** The inbox's name for messages from here. */
export const discordChannel = "discord";

const noUsage = { turns: 0, inputTokens: 0, outputTokens: 0, usd: 0 };

/** A message in its place. */
export interface Heard {
  client: Client;
  message: SeenMessage;
  channel: SeenChannel;
  rule: ChannelRule;
  names: Names;
  /** It was said while nobody listened. */
  isPast?: boolean;
}

export interface TakerOptions {
  settings: DiscordSettings;
  store: Store;
  inbox: Inbox;
  runs: Pick<Runs, "interrupt" | "running">;
  pause: Pick<Pause, "current">;
  door: Door;
  speaker: Pick<DiscordSpeaker, "expect" | "follow" | "greet" | "withdraw" | "say">;
  siblings: Siblings;
  /** Awaited before work that others may go before. */
  turn(): Promise<void>;
  instance: string;
  name: string;
  epoch(): number | null;
  wake(): void;
  onError(error: unknown): void;
  signal: AbortSignal;
  fetch?: typeof globalThis.fetch;
}

export interface Taker {
  addressee(heard: Heard): Addressee;
  /** Resolves when the message is in the inbox, was there, or is not for this bot. */
  take(heard: Heard): Promise<void>;
  /** The text that is being answered, or waits, has changed. */
  edit(heard: Heard): Promise<void>;
  /** The message is gone, and with it the question. */
  remove(id: string): Promise<void>;
  /** Whether the message with this id of Discord's may still be unanswered. */
  isOpen(id: string): boolean;
  /** Messages of a channel that may still be unanswered. */
  openIn(channel: string): string[];
  /** Shows the answer of what is being answered. */
  follow(message: Message): void;
}

/** Ids that are remembered as unanswered: far more than can wait in a channel that people still read. */
const mostOpen = 2_000;
/** A message that was taken so lately may be about to be begun. */
const justNowMs = 2_000;

export function createTaker(options: TakerOptions): Taker {
  const { settings, store, inbox, runs, door, speaker, name } = options;
  const patterns = settings.mentionPatterns.flatMap((pattern) => compile(pattern));
  /** The inbox's message by Discord's id: another one after an edit. */
  const open = new Map<string, Message>();

  const addressee = ({ message, rule, channel, names }: Heard): Addressee =>
    addresseeOf(message, {
      ...names,
      isDirect: channel.guild === null,
      requireMention: rule.requireMention,
      patterns,
    });

  const remember = (message: Message): void => {
    open.set(discordId(message.id), message);
    const oldest = open.keys().next();
    if (open.size > mostOpen && !oldest.done) open.delete(oldest.value);
  };

  const placeOf = ({ id, conversation }: Message): Place => ({
    channel: channelOf(conversation) ?? "",
    replyTo: discordId(id),
  });

  const follow = (message: Message): void => {
    if (message.channel !== discordChannel) return;
    remember(message);
    speaker.follow({ message: message.id, conversation: message.conversation, place: placeOf(message) });
  };

  const admit = async (heard: Heard): Promise<Actor | null> => {
    const { message, channel } = heard;
    const admission = await door.admit({
      kind: "message",
      id: message.id,
      guild: channel.guild,
      channel: channel.id,
      parent: channel.parent?.id ?? null,
      author: {
        id: message.author.id,
        name: displayName(message.author),
        isBot: message.author.bot === true,
        isWebhook: message.webhook_id !== undefined,
        roles: message.member?.roles ?? (await rolesOf(heard)),
      },
    });
    return admission.admitted ? admission.actor : null;
  };

  /** History comes without its authors' roles. */
  const rolesOf = async ({ client, message, channel }: Heard): Promise<string[]> => {
    if (settings.maintainers.roles.length === 0 || channel.guild === null || message.author.bot) return [];
    return fetchRoles(client, { guild: channel.guild, user: message.author.id });
  };

  /** What else the conversation has been told before stays in it. */
  const sourcesIn = async (conversation: string, fresh: readonly string[]): Promise<string[]> => {
    const key = `discord/sources/${conversation}`;
    const before = (await store.get(key))?.value as { sources: string[] } | undefined;
    if (fresh.length === 0) return before?.sources ?? [];
    const { value } = await update<Json>(store, key, (current) => {
      const sources = (current as { sources: string[] } | null)?.sources ?? [];
      const merged = mergeSources(sources, [...fresh]);
      return merged.length === sources.length ? undefined : { formatVersion: 1, sources: merged };
    });
    return (value as { sources: string[] } | null)?.sources ?? [...fresh];
  };

  /**
   * Several questions that waited are answered one after the other, and so are those of several people: only who asked
   * stops the answer with another question, where that is how the channel is set.
   */
  const modeOf = async (heard: Heard, conversation: string, author: string): Promise<Message["mode"]> => {
    if (heard.isPast || (await options.pause.current()) !== null) return "queue";
    const running = runs.running(conversation);
    const justNow = (await store.now()) - justNowMs;
    const isBusyForOthers = [...open.values()].some(
      (one) =>
        one.conversation === conversation &&
        one.author.id !== author &&
        (running.includes(one.id) || one.createdAt > justNow),
    );
    return isBusyForOthers ? "queue" : heard.rule.mode;
  };

  const messageOf = async (heard: Heard, actor: Actor, id: string): Promise<Message> => {
    const { message, channel, names, client } = heard;
    const words = wordsOf(message, { ...names, nameOf: (kind, of) => nameIn(client, channel, { kind, id: of }) });
    const attachments = await readAttachments(message.attachments ?? [], {
      limits: settings.attachments,
      apiUrl: settings.apiUrl,
      signal: options.signal,
      ...(options.fetch ? { fetch: options.fetch } : {}),
    });
    const quotes = quotesOf(message, { self: names.self, quoted: words.quoted, attachments });
    const conversation = await conversationIn(inbox, { channel: channel.id, name });
    const fresh = quotes.flatMap(({ source }) => (source === null ? [] : [source]));
    const publicSources = await sourcesIn(conversation, fresh);
    const author = authorOf(actor);
    const mode = await modeOf(heard, conversation, author.id);
    return {
      formatVersion: 1,
      id,
      kind: "chat",
      to: name,
      channel: discordChannel,
      conversation,
      author,
      text: withQuotes(words.own, quotes) || "help",
      ...(mode === undefined ? {} : { mode }),
      ...(publicSources.length === 0 ? {} : { publicSources }),
      createdAt: await store.now(),
    };
  };

  const submit = async (message: Message): Promise<void> => {
    if ((await inbox.outcome(message.channel, message.id)) !== null) return;
    const place = placeOf(message);
    // Before it can be answered: an answer must not be recorded that nobody delivers.
    await speaker.expect({ message: message.id, conversation: message.conversation, place });
    // A conflict is another text under the id: edited after it had been taken, while nobody listened.
    await inbox.submit(message);
    follow(message);
    options.wake();
    const paused = await options.pause.current();
    if (!paused) return;
    const saying = speaker.say({ key: `paused-${place.replyTo}`, place, text: waitsText(paused) });
    saying.catch(options.onError);
  };

  /** Answered with nothing, or interrupted where an answer is being given. */
  const withdraw = async (message: Message, reason: string): Promise<void> => {
    if (!runs.interrupt(message.id, reason)) {
      const epoch = options.epoch();
      if (epoch === null) throw new Error("the name is not this instance's now");
      const holder = { instance: options.instance, epoch };
      const claim = await inbox.claim(message, holder);
      if (claim === "claimed" || claim === "resumed") {
        const done = { type: "done" as const, reason: "interrupted" as const, text: "", usage: noUsage };
        await inbox.answer(message, holder, { proposals: [], error: null, done });
      }
      // It may have been begun meanwhile.
      runs.interrupt(message.id, reason);
    }
    await speaker.withdraw(message.id);
  };

  const isAnswered = async ({ channel, id }: Message): Promise<boolean> => (await inbox.outcome(channel, id)) !== null;

  return {
    addressee,

    async take(heard) {
      const { message, channel } = heard;
      const to = addressee(heard);
      if (to !== "me" && to !== "anyone") return;
      const actor = await admit(heard);
      if (!actor) return;
      // Before anything is written; history may have been answered long ago.
      const greet = (): void => {
        if (!heard.isPast) speaker.greet(channel.id);
      };
      if (to === "me") {
        greet();
        await options.turn();
        return submit(await messageOf(heard, actor, message.id));
      }
      const owner = await channelOwner(inbox, channel.id);
      const turn = await options.siblings.turn({ message: message.id, owner });
      if (turn === null) return;
      const answer = async (): Promise<void> => {
        if (!(await options.siblings.take({ message: message.id, turn, signal: options.signal }))) return;
        greet();
        await options.turn();
        await submit(await messageOf(heard, actor, message.id));
      };
      // While others go first, the messages that follow need not wait.
      if (turn === 0) await answer();
      else void answer().catch(options.onError);
    },

    async edit(heard) {
      const { message } = heard;
      const before = open.get(message.id);
      if (!before) return;
      if (await isAnswered(before)) {
        open.delete(message.id);
        return;
      }
      const actor = await admit(heard);
      if (!actor) return;
      const at = Date.parse(message.edited_timestamp ?? "");
      const after = await messageOf(heard, actor, `${message.id}-edit-${Number.isNaN(at) ? 0 : at}`);
      if (after.text === before.text || after.id === before.id) return;
      // First the new question, then the old one goes: a crash in between must not leave none.
      await submit(after);
      await withdraw(before, "the message was edited");
    },

    async remove(id) {
      const message = open.get(id);
      if (!message) return;
      if (!(await isAnswered(message))) await withdraw(message, "the message was deleted");
      open.delete(id);
    },

    isOpen: (id) => open.has(id),
    openIn: (channel) =>
      [...open].flatMap(([id, { conversation }]) => (channelOf(conversation) === channel ? [id] : [])),
    follow,
  };
}

/** Discord's id of a message that was edited, too. */
export function discordId(id: string): string {
  return id.split("-", 1)[0] ?? id;
}

function compile(pattern: string): RegExp[] {
  try {
    return [new RegExp(pattern, "iu")];
  } catch {
    // Named with the other problems of the settings.
    return [];
  }
}
