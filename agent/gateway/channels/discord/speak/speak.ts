/** Everything that the bot says: answers as they are made, notices, results of the schedule, progress of operations. */
import { setTimeout as sleep } from "node:timers/promises";
import { describeError } from "../../../../../tools/errors.ts";
import type { DiscordSettings } from "../../../../discord-settings.ts";
import type { Log } from "../../../../log.ts";
import type { OperationView, RunEvent } from "../../../../protocol.ts";
import { scheduleConversation } from "../../../../schedule-news.ts";
import type { Inbox } from "../../../inbox.ts";
import type { Runs } from "../../../runs.ts";
import type { Connection, Place, Speaker } from "../contract.ts";
import { channelOf } from "../listen/conversation.ts";
import { createDeliveries, type Delivery } from "./deliver.ts";
import { createPoster, type Poster, Stopped } from "./post.ts";
import { type Followed, followDelivery } from "./speak-follow.ts";
import { createTeller } from "./speak-operations.ts";
import { createSayer } from "./speak-say.ts";
import { createSeen, type Seen, see } from "./speak-seen.ts";
import { createTyping, type Typing } from "./typing.ts";

/** Operations that ended longer ago are old news. */
const newsMs = 24 * 3600 * 1000;
const firstPauseMs = 500;
const longestPauseMs = 30_000;

/** What a message's inbox channel is called; notices and the schedule have their own. */
const discordChannel = "discord";
const noticeChannel = "notice";
const scheduleChannel = "schedule";

export interface DiscordSpeaker extends Speaker {
  /**
   * Makes it durable that a message's answer is to be delivered. Awaited before the message goes into the inbox, no
   * answer can be recorded that nobody delivers. `follow` does it as well, a little later.
   */
  expect(options: { message: string; conversation: string; place: Place }): Promise<void>;
  /** Shows at once that something is coming, before anything is written; `follow` goes on with it. */
  greet(channel: string): void;
  /** A message was taken back by who wrote it: what was shown of its answer goes, and nothing more comes. */
  withdraw(message: string): Promise<void>;
  /** Every event of every run of this instance; what nobody follows (notices, the schedule) is shown from here. */
  onEvent(conversation: string, message: string, event: RunEvent): void;
  /** Every change of an operation that was asked for in Discord. */
  onOperation(operation: OperationView): Promise<void>;
  /** For a channel that nothing can be written to: what and how to mend it. */
  problems(): string[];
  poster: Poster;
  /** Lets go of everything at once; the next holder goes on with it. */
  stop(): Promise<void>;
}

export interface SpeakerOptions {
  store: Parameters<typeof createPoster>[0]["store"];
  audit: Parameters<typeof createPoster>[0]["audit"];
  inbox: Pick<Inbox, "outcome" | "ownerOf">;
  runs: Pick<Runs, "watch">;
  connection: Pick<Connection, "client">;
  presence: { epoch(): number | null };
  settings: Pick<DiscordSettings, "reportTo">;
  instance: string;
  name: string;
  /** The longest a call outside may take before the next holder may act. */
  callMs: number;
  /** As the poster's. */
  retryPauseMs?: number;
  log: Log;
  showCard(approval: string, place: Place): Promise<void>;
  /** For catching up with what ended while nobody listened. */
  operations(): Promise<OperationView[]>;
  /** `problems()` may say something else. */
  onProblem?: () => void;
}

export function createSpeaker(options: SpeakerOptions): DiscordSpeaker {
  const { store, inbox, name, settings, log } = options;
  const stopping = new AbortController();
  const deliveries = createDeliveries(options);
  const poster = createPoster({
    ...options,
    client: () => options.connection.client(),
    mayAct: () => options.presence.epoch() !== null,
    onOpen: () => goOn(),
  });
  const sayer = createSayer({ poster, signal: stopping.signal });
  /** In the order in which it was asked. */
  const following = new Map<string, { asked: Asked; done: Promise<void>; abort: AbortController; heard: Seen }>();
  const warn = (message: string, error: unknown): void => log("warn", message, { error: describeError(error).message });

  /** What could not be shown where it belongs; it is on record, too, for whoever comes next. */
  const blocked = new Map<string, Asked>();

  type Asked = Pick<Delivery, "message" | "channel" | "conversation" | "place" | "isQuiet">;

  /** Resolves when what was asked earlier there and is answered has been shown: answers come in the order of questions. */
  const earlier = async ({ message, place }: Asked): Promise<void> => {
    for (const { asked, done } of [...following.values()]) {
      if (asked.message === message) return;
      if (asked.place.channel !== place.channel) continue;
      if (await inbox.outcome(asked.channel, asked.message)) await done;
    }
  };

  const followOne = async (
    asked: Asked,
    { typing, heard, signal }: { typing: Typing; heard: Seen; signal: AbortSignal },
  ): Promise<Followed> => {
    for (let attempt = 0; ; attempt++) {
      try {
        const delivery = await deliveries.begin(asked);
        const { tellEnd } = teller;
        const follow = { ...options, poster, deliveries, tellEnd, warn, earlier: () => earlier(asked) };
        return await followDelivery(follow, { delivery, typing, heard, signal });
      } catch (error) {
        if (signal.aborted || error instanceof Stopped) return "ended";
        warn("an answer was not delivered yet", error);
        await sleep(Math.min(longestPauseMs, firstPauseMs * 2 ** attempt), undefined, { signal }).catch(() => {});
      }
    }
  };

  const begin = (asked: Asked, { isFresh }: { isFresh: boolean }): void => {
    if (stopping.signal.aborted || following.has(asked.message)) return;
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, stopping.signal]);
    const typing = createTyping(() => poster.typing(asked.place.channel));
    if (isFresh && !asked.isQuiet) typing.start();
    const heard = createSeen();
    const done = followOne(asked, { typing, heard, signal })
      .then((how) => {
        if (how === "blocked" && !signal.aborted) blocked.set(asked.message, asked);
      })
      .finally(() => {
        typing.stop();
        following.delete(asked.message);
        // It may have been opened before this was known to wait.
        if (blocked.has(asked.message) && poster.mayTry(asked.place.channel)) goOn();
      });
    following.set(asked.message, { asked, done, abort, heard });
  };

  /** A channel takes messages again, or may: what was left is shown now. */
  const goOn = (): void => {
    const left = [...blocked.values()];
    blocked.clear();
    for (const asked of left) begin(asked, { isFresh: false });
  };

  const placeOf = (conversation: string): Place | null => {
    const channel = channelOf(conversation);
    return channel === null ? null : { channel, replyTo: null };
  };
  const reportPlace = (): Place | null => (settings.reportTo ? { channel: settings.reportTo, replyTo: null } : null);

  /** What nobody asked for here: null for what is followed by whoever took it, or is told nowhere. */
  const unasked = (conversation: string, message: string): Asked | null => {
    const isNotice = message.startsWith("notice-");
    const isScheduled = conversation.startsWith(scheduleConversation);
    if (!isNotice && !isScheduled) return null;
    const place = (isNotice ? placeOf(conversation) : null) ?? reportPlace();
    const channel = isNotice ? noticeChannel : scheduleChannel;
    return place && { message, channel, conversation, place, isQuiet: true };
  };

  const teller = createTeller({ ...options, poster, sayer, placeOf, warn, signal: stopping.signal });

  /** Operations that ended, and whose notice may have been stored with nobody here to show it. */
  const catchUpOperations = async (): Promise<void> => {
    const since = (await store.now()) - newsMs;
    for (const operation of await options.operations()) {
      if (operation.conversation === null || (operation.endedAt ?? Infinity) < since) continue;
      if (!placeOf(operation.conversation)) continue;
      void teller.tell(operation);
      if (operation.endedAt === null || (await inbox.ownerOf(operation.conversation)) !== name) continue;
      const asked = unasked(operation.conversation, `notice-${operation.id}`);
      if (asked && (await inbox.outcome(asked.channel, asked.message))) begin(asked, { isFresh: false });
    }
  };

  return {
    poster,
    problems: poster.problems,

    follow({ message, conversation, place }) {
      const asked = unasked(conversation, message);
      if (asked) begin({ ...asked, place }, { isFresh: false });
      else begin({ message, channel: discordChannel, conversation, place, isQuiet: false }, { isFresh: true });
    },

    async expect({ message, conversation, place }) {
      await deliveries.begin({ message, channel: discordChannel, conversation, place, isQuiet: false });
    },

    greet: (channel) => void poster.typing(channel),

    async withdraw(message) {
      blocked.delete(message);
      const followed = following.get(message);
      followed?.abort.abort();
      await followed?.done;
      const record = await poster.records.read(`${message}.0`);
      await deliveries.end(message);
      if (record) await poster.remove(record.channel, `${message}.0`);
    },

    async say(saying) {
      await sayer.say(saying).catch((error: unknown) => {
        if (!stopping.signal.aborted) throw error;
      });
    },

    onEvent(conversation, message, event) {
      const asked = following.has(message) ? null : unasked(conversation, message);
      if (asked) begin(asked, { isFresh: false });
      const followed = following.get(message);
      if (followed) see(followed.heard, event);
    },

    onOperation: teller.tell,

    async catchUp() {
      for (const { message, channel, conversation, place, isQuiet } of await deliveries.open()) {
        begin({ message, channel, conversation, place, isQuiet }, { isFresh: false });
      }
      await catchUpOperations();
    },

    async idle() {
      while (following.size > 0) await Promise.all([...following.values()].map(({ done }) => done));
      await poster.idle();
    },

    async stop() {
      stopping.abort();
      poster.stop();
      const ended = Promise.allSettled([...following.values()].map(({ done }) => done)).then(() => poster.idle());
      // A store that hangs must not keep a name from being given up.
      await Promise.race([ended, sleep(options.callMs, undefined, { ref: false })]);
    },
  };
}
