/**
 * Hears what is said in Discord: every message of the gateway, and after each new session those that came while nobody
 * listened. Packets are read as they come, before discord.js makes objects of them, so that history and live messages
 * take one path. Nothing here throws into discord.js.
 */
import type { Client } from "discord.js";
import { describeError } from "../../../../../tools/errors.ts";
import type { Store } from "../../../../../tools/store.ts";
import type { DiscordSettings } from "../../../../discord-settings.ts";
import type { Log } from "../../../../log.ts";
import type { Inbox, Message } from "../../../inbox.ts";
import type { Connection } from "../contract.ts";
import { backfill, misfitCode, type Past, readMessage } from "./backfill.ts";
import { channelOf, ruleFor, type SeenChannel } from "./conversation.ts";
import type { Cursors } from "./cursor.ts";
import { isOfInterest, newsOf, type Packet, type SeenEdit, seenMessage } from "./listen-border.ts";
import { fetchChannel, isGone, oldestKept, placesToRead, seenChannel } from "./listen-channels.ts";
import { createChannelQueue } from "./listen-queue.ts";
import { discordChannel, discordId, type Heard, type Taker } from "./listen-take.ts";
import type { Names, SeenMessage } from "./listen-words.ts";
import type { Siblings } from "./unaddressed.ts";

/** Ordinary messages and answers; the others are Discord's own, such as “pinned a message”. */
const spokenTypes = new Set([0, 19]);

/** How often it is asked who else of the fleet has a bot. */
const siblingsMs = 30_000;

/** While a session begins. More are not kept: history has them. */
const mostHeld = 20_000;

/** However many packets are not as they should be, the log says so once in this time. */
const tellMisfitsMs = 60_000;

export interface ListenerOptions {
  settings: DiscordSettings;
  name: string;
  store: Store;
  inbox: Pick<Inbox, "pending">;
  connection: Pick<Connection, "onClient">;
  taker: Taker;
  siblings: Siblings;
  cursors: Cursors;
  epoch(): number | null;
  log: Log;
}

export interface Listener {
  /** When what was heard so far is in the inbox, history included. */
  idle(): Promise<void>;
  /** Hears nothing from now on; what is being taken is finished, what comes is left to the next holder. */
  stop(): Promise<void>;
}

/** Listens from now on, to each client of the connection. */
export function startListener(options: ListenerOptions): Listener {
  const { settings, name, taker, siblings, cursors, log } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const queue = createChannelQueue({
    onError: (error, isGivenUp) =>
      log(isGivenUp ? "error" : "warn", isGivenUp ? "discord.message_lost" : "discord.message_delayed", {
        error: describeError(error).message,
      }),
    isFinal: (error) => describeError(error).code === misfitCode,
  });
  let others = new Set<string>(settings.siblings);
  let othersAt = Number.NEGATIVE_INFINITY;
  let misfits = { count: 0, toldAt: Number.NEGATIVE_INFINITY };
  let client: Client | null = null;
  /** Packets that wait until history is queued before them; null: they are taken as they come. */
  let held: Packet[] | null = [];
  let catching: Promise<void> = Promise.resolve();

  const namesOf = (self: string, channel: SeenChannel, of: Client): Names => {
    const role = of.guilds.cache.get(channel.guild ?? "")?.roles.botRoleFor(self);
    return { name, self, selfRoles: role ? [role.id] : [], siblings: others };
  };

  const heardFrom = (of: Client, message: SeenMessage, channel: SeenChannel): Heard | null => {
    const rule = ruleFor(settings, channel);
    const self = of.user?.id;
    if (!rule || self === undefined) return null;
    return { client: of, message, channel, rule, names: namesOf(self, channel, of) };
  };

  const lookForSiblings = (): void => {
    if (performance.now() - othersAt < siblingsMs) return;
    othersAt = performance.now();
    siblings
      .others()
      .then((found) => {
        others = new Set([...settings.siblings, ...found]);
      })
      .catch(() => {
        othersAt = Number.NEGATIVE_INFINITY;
      });
  };

  const take = async (
    of: Client,
    message: SeenMessage,
    { channel, isPast = false }: { channel: SeenChannel; isPast?: boolean },
  ): Promise<void> => {
    if (!isSpoken(message) || message.author.id === of.user?.id) return;
    const heard = heardFrom(of, message, channel);
    if (heard) await taker.take({ ...heard, isPast });
  };

  const hearMessage = (of: Client, message: SeenMessage): void => {
    const { id, channel_id: channelId } = message;
    const guild = message.guild_id ?? null;
    if (guild !== null && !settings.guilds[guild]) return;
    if (guild === null && !settings.dm.enabled) return;
    const channel = seenChannel(of, channelId, guild);
    if (channel && !ruleFor(settings, channel)) return;
    const isOwn = message.author.id === of.user?.id;
    const heard = channel && !isOwn && isSpoken(message) ? heardFrom(of, message, channel) : null;
    const isForNobody = heard ? !["me", "anyone"].includes(taker.addressee(heard)) : channel !== null;
    const parent = channel?.parent?.id ?? null;
    if (isForNobody && queue.isIdle(channelId)) {
      cursors.heard({ channel: channelId, parent, message: id });
      return;
    }
    queue.add(channelId, async () => {
      if (isForNobody) return cursors.heard({ channel: channelId, parent, message: id });
      const place = channel ?? (await findChannel(of, channelId));
      if (!place || !ruleFor(settings, place)) return;
      await take(of, message, { channel: place });
      cursors.heard({ channel: channelId, parent: place.parent?.id ?? null, message: id });
    });
  };

  const findChannel = (of: Client, id: string): Promise<SeenChannel | null> =>
    fetchChannel(of, id).catch((error: unknown) => {
      if (isGone(error)) return null;
      throw error;
    });

  const hearEdit = (of: Client, edit: SeenEdit): void => {
    const { id, channel_id: channelId } = edit;
    // Discord says so too when it has made a preview of a link.
    if (!edit.edited_timestamp || (!taker.isOpen(id) && queue.isIdle(channelId))) return;
    queue.add(channelId, async () => {
      if (!taker.isOpen(id)) return;
      // What an event leaves out, the message itself has.
      const whole = seenMessage(edit) ?? (await readMessage(of, { channel: channelId, id }));
      const channel = seenChannel(of, channelId, edit.guild_id ?? null);
      const heard = whole && channel ? heardFrom(of, whole, channel) : null;
      if (heard) await taker.edit(heard);
    });
  };

  const hearDeletion = (channel: string, ids: readonly string[]): void => {
    for (const id of ids) {
      if (taker.isOpen(id) || !queue.isIdle(channel)) queue.add(channel, () => taker.remove(id));
    }
  };

  /** Not what Discord promises: left out, and never tried again. */
  const leaveOut = (kind: string): void => {
    misfits.count++;
    if (performance.now() - misfits.toldAt < tellMisfitsMs) return;
    log("warn", "discord.not_understood", { kind, count: misfits.count });
    misfits = { count: 0, toldAt: performance.now() };
  };

  const hear = (of: Client, packet: Packet): void => {
    try {
      const news = newsOf(packet);
      if (news === null) leaveOut(String(packet.t));
      else if (news.kind === "message") hearMessage(of, news.message);
      else if (news.kind === "edit") hearEdit(of, news.edit);
      else if (news.kind === "deletion") hearDeletion(news.channel, news.ids);
      else if (news.kind === "no channel") hearDeletion(news.channel, taker.openIn(news.channel));
    } catch (error) {
      log("error", "discord.packet_failed", { kind: String(packet.t), error: describeError(error).message });
    }
  };

  const onPacket = (of: Client, packet: Packet): void => {
    if (signal.aborted || of !== client) return;
    lookForSiblings();
    // A new session: history goes before what comes now.
    if (packet.t === "READY") held = [];
    if (held === null) hear(of, packet);
    else if (held.length < mostHeld && isOfInterest(packet)) held.push(packet);
  };

  /** Queues the history of every place, then what was held back. */
  const catchUp = async (of: Client): Promise<void> => {
    const stored = await cursors.all();
    others = new Set([...settings.siblings, ...(await siblings.others())]);
    const epoch = options.epoch();
    if (epoch !== null && of.user) await siblings.announce(of.user.id, epoch);
    const pending = (await options.inbox.pending(name)).filter(isDiscords);
    if (signal.aborted || of !== client) return;
    const { places, stale } = placesToRead({ client: of, settings, cursors: stored });
    for (const past of places) queue.add(past.channel, () => readPast(of, past));
    for (const message of pending) lookAgain(of, message);
    const packets = held ?? [];
    held = null;
    for (const packet of packets) hear(of, packet);
    // What is left over is removed the next time.
    const oldest = oldestKept(stored);
    if (oldest !== null) void siblings.forgetBefore(oldest).catch(() => {});
    for (const channel of stale) void cursors.forget(channel).catch(() => {});
  };

  const readPast = async (of: Client, past: Past): Promise<void> => {
    let channel: SeenChannel | null | undefined;
    const { found, isCut } = await backfill({
      client: of,
      cursors,
      past,
      signal,
      onMisfit: () => leaveOut("MESSAGE"),
      async hear(message) {
        channel ??= seenChannel(of, past.channel, "") ?? (await findChannel(of, past.channel));
        if (channel) await take(of, message, { channel, isPast: true });
      },
    });
    if (found > 0) log(isCut ? "warn" : "info", "discord.history_read", { channel: past.channel, found, isCut });
  };

  /** A question that waited may have been edited or deleted meanwhile. */
  const lookAgain = (of: Client, message: Message): void => {
    const channelId = channelOf(message.conversation);
    if (channelId === null) return;
    taker.follow(message);
    queue.add(channelId, async () => {
      const id = discordId(message.id);
      const now = await readMessage(of, { channel: channelId, id });
      const channel = now && (seenChannel(of, channelId, "") ?? (await findChannel(of, channelId)));
      if (now === null) return taker.remove(id);
      const heard = channel && now.edited_timestamp ? heardFrom(of, now, channel) : null;
      if (heard) await taker.edit(heard);
    });
  };

  const onReady = (of: Client): void => {
    if (signal.aborted || of !== client) return;
    catching = catching.then(async () => {
      for (let attempt = 1; !signal.aborted && of === client; attempt++) {
        try {
          return await catchUp(of);
        } catch (error) {
          log("warn", "discord.catch_up_delayed", { error: describeError(error).message });
          await new Promise((resolve) => setTimeout(resolve, Math.min(5_000, 100 * 2 ** attempt)));
        }
      }
    });
  };

  options.connection.onClient((of) => {
    if (signal.aborted) return;
    client = of;
    held = [];
    of.on("raw", (packet: Packet) => onPacket(of, packet));
    of.on("shardReady", () => onReady(of));
    if (of.isReady()) onReady(of);
  });

  return {
    async idle() {
      await catching;
      await queue.idle();
    },
    async stop() {
      stopping.abort();
      await queue.stop();
      await catching;
      await cursors.stop();
    },
  };
}

function isDiscords({ channel }: Message): boolean {
  return channel === discordChannel;
}

function isSpoken({ type }: SeenMessage): boolean {
  return spokenTypes.has(type);
}
