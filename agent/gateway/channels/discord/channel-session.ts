/** Everything of Discord for as long as this instance holds its name, put together; a new one for each time. */
import type { Interaction } from "discord.js";
import { describeError } from "../../../../tools/errors.ts";
import { readName } from "../../../../tools/fleet/names.ts";
import { createCardButtons } from "./cards/card-buttons.ts";
import { type CardRecords, createCardRecords } from "./cards/card-records.ts";
import { type Cards, createCards } from "./cards/cards.ts";
import type { ChannelOptions } from "./channel.ts";
import { createInteractions } from "./commands/interactions.ts";
import { createOnce } from "./commands/interactions-once.ts";
import { createConnection } from "./connection/connection.ts";
import type { Connection } from "./contract.ts";
import { createCourtesy } from "./courtesy.ts";
import { createDiscordDoor } from "./door/door.ts";
import { watchElsewhere } from "./door/door-elsewhere.ts";
import { channelOf, ruleFor } from "./listen/conversation.ts";
import { createCursors } from "./listen/cursor.ts";
import { startListener } from "./listen/listen.ts";
import { seenChannel } from "./listen/listen-channels.ts";
import { createTaker, type Taker } from "./listen/listen-take.ts";
import { createSiblings } from "./listen/unaddressed.ts";
import { createSpeaker, type DiscordSpeaker } from "./speak/speak.ts";

export interface ChannelSession {
  connection: Connection;
  speaker: DiscordSpeaker;
  taker: Taker;
  cards: Cards;
  /** Nothing more is heard; what was heard is in the inbox. */
  deafen(): Promise<void>;
  /** With `deliverMs`, what is answered by then is still posted. */
  close(options: { deliverMs: number }): Promise<void>;
}

export function openSession(options: ChannelOptions): ChannelSession {
  const { settings, store, inbox, approvals, audit, presence, name, instance, log } = options;
  const over = new AbortController();
  const warn = (what: string) => (error: unknown) => log("warn", what, { error: describeError(error).message });
  const holds = (): boolean => presence.heldEpoch() !== null;
  const connection = createConnection({ ...options, mayAct: holds });
  const door = createDiscordDoor({ ...options, connection });
  const records: CardRecords = createCardRecords(store);

  const speaker: DiscordSpeaker = createSpeaker({
    ...options,
    connection,
    presence: { epoch: () => presence.heldEpoch() },
    showCard: async (approval) => cards.keep(approval),
    operations: () => options.operations.list(),
    onProblem() {
      const problems = speaker.problems();
      options.onCheck({ name: "discord posts", ok: problems.length === 0, detail: problems.join(" · ") || "posted" });
    },
  });
  const cards: Cards = createCards({
    store,
    approvals,
    records,
    poster: speaker.poster,
    name,
    mayPost: () => connection.client() !== null && holds(),
    reportTo: settings.reportTo ?? null,
    channelOf,
    ownerOf: (conversation) => inbox.ownerOf(conversation),
    isGone: async (other) =>
      (await readName(store, other))?.holder == null && !(await options.fleet.desired()).instances[other],
    linkTo({ channel, message }) {
      const found = connection.client()?.channels.cache.get(channel);
      return found && "guildId" in found ? `https://discord.com/channels/${found.guildId}/${channel}/${message}` : null;
    },
    log,
  });
  const siblings = createSiblings({ store, name });
  const courtesy = createCourtesy();
  const cursors = createCursors({ store, name, onError: warn("discord.cursor_not_written") });
  const taker = createTaker({
    ...options,
    door,
    speaker,
    siblings,
    turn: courtesy.turn,
    epoch: () => presence.epoch(),
    onError: warn("discord.message_failed"),
    signal: over.signal,
  });
  const listener = startListener({ ...options, connection, taker, siblings, cursors, epoch: () => presence.epoch() });
  watchElsewhere({
    connection,
    door,
    isListenedTo(client, { channel, guild }) {
      const seen = seenChannel(client, channel, guild);
      // What is not known yet is looked up by the listener.
      return seen === null || ruleFor(settings, seen) !== null;
    },
  });
  const commands = options.makeCommands({ connection, door, cards, speaker });
  const interactions = createInteractions({
    door,
    once: createOnce(store),
    handlers: { ...createCardButtons({ approvals, records, cards, wake: options.wake }), ...commands },
    audit,
    courtesy,
    log,
  });
  connection.onClient((client) => {
    client.on("interactionCreate", (interaction: Interaction) => void interactions.handle(interaction));
    client.on("shardReady", () => cards.wake());
  });
  cards.start();
  void connection.open().catch(warn("discord.not_opened"));
  void speaker.catchUp().catch(warn("discord.catch_up_failed"));
  log("info", "discord.opened", { name, instance });

  let deafened: Promise<void> | null = null;
  const deafen = (): Promise<void> => {
    // What is being taken is finished first; only whoever waits for a turn is let go.
    deafened ??= listener.stop().finally(() => over.abort());
    return deafened;
  };

  return {
    connection,
    speaker,
    taker,
    cards,
    deafen,
    async close({ deliverMs }) {
      await deafen();
      await within(deliverMs, Promise.all([speaker.idle(), cards.idle(), interactions.idle()]));
      await cards.stop();
      await speaker.stop();
      await connection.close();
    },
  };
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  await Promise.race([work.catch(() => {}), promise]);
  clearTimeout(timer);
}
