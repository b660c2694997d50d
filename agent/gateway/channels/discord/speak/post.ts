/**
 * The one way to send a message: a record in the store first, then the call, then what came of it. Whatever dies in
 * between, the same call made again finds out how far the first one came, so a message is there once.
 *
 * Retries: discord.js's REST waits for short limits of a bucket (`post-limits.ts`) and repeats nothing; that is done here,
 * because before a second attempt this has to look whether the first one arrived.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "discord.js";
import type { Store } from "../../../../../tools/store.ts";
import { again } from "../again.ts";
import { mayWriteIn } from "../visible.ts";
import { type FailureClasses, failureOf } from "./post-failure.ts";
import { findOwn, markOfMessage } from "./post-find.ts";
import { createPostQueue } from "./post-queue.ts";
import {
  createPostRecords,
  markOfPost,
  nonceOf,
  type Post,
  type PostRecord,
  type PostRecords,
  wholeMarkOf,
} from "./post-record.ts";
import { createRefusals, type Refusal } from "./post-refusals.ts";
import { createPostRequests } from "./post-requests.ts";

export type Shown =
  | { state: "shown"; message: string }
  /** Only of a draft: not now. */
  | { state: "later" }
  /** Somebody deleted it; it is not sent again. */
  | { state: "gone" }
  | ({ state: "refused" } & Refusal);

export interface Poster {
  /**
   * Shows messages one after the other with nothing of ours between them, in their turn among those of the channel.
   * `make` is called when the turn has come, so that the newest is shown; null for nothing. Resolves with how the last
   * one ended, when all are there or one cannot be. Throws `Stopped` when this was stopped: whoever comes next goes on.
   */
  show(channel: string, make: () => readonly Post[] | null): Promise<Shown | null>;
  /** Deletes what is shown under a key. */
  remove(channel: string, key: string): Promise<void>;
  /** Shows “typing” for a while, from this very call on. Never throws; false when it was not taken. */
  typing(channel: string): Promise<boolean>;
  records: PostRecords;
  /** False for a while after nothing could be written there. */
  mayTry(channel: string): boolean;
  problems(): string[];
  idle(): Promise<void>;
  /** Nothing is sent from now on; what waits is let go. */
  stop(): void;
}

export class Stopped extends Error {}

/** Pauses between attempts whose outcome is unknown: Discord's outages last minutes, a lost answer milliseconds. */
const firstPauseMs = 250;
const longestPauseMs = 30_000;
const lookMs = 50;
/** Typing that is shown already need not be shown again; Discord shows it for 10 s. */
const typedMs = 4_000;

export function createPoster(options: {
  store: Store;
  name: string;
  instance: string;
  audit: Parameters<typeof createRefusals>[0]["audit"];
  client(): Client<true> | null;
  /** Whether this instance may act under its name now. */
  mayAct(): boolean;
  /** The longest a call may take before the next holder may act, milliseconds. */
  callMs: number;
  /** The first pause after an attempt whose outcome is unknown; each further one is twice as long. */
  retryPauseMs?: number;
  /** `problems()` may say something else. */
  onProblem?: () => void;
  /** A channel that nothing could be written to may be tried again. */
  onOpen?: () => void;
}): Poster {
  const { store, name, client, mayAct, retryPauseMs = firstPauseMs } = options;
  const requests = createPostRequests(options);
  const records = createPostRecords({ store, name });
  const refusals = createRefusals({
    ...options,
    mayWrite(channel) {
      const present = client();
      return present && mayWriteIn(present, channel);
    },
    onChange: () => options.onProblem?.(),
    onOpen: () => options.onOpen?.(),
  });
  const queue = createPostQueue();
  const stopping = new AbortController();
  const notBefore = new Map<string, number>();
  const lastSent = new Map<string, string>();
  /** When typing was last shown in a channel, monotonic; a message of ours there ends it. */
  const typedAt = new Map<string, number>();
  let classes: FailureClasses | null = null;

  const waitMs = (channel: string): number =>
    Math.max(notBefore.get(channel) ?? 0, notBefore.get("") ?? 0) - performance.now();
  const pause = async (ms: number): Promise<void> => {
    await sleep(ms, undefined, { signal: stopping.signal }).catch(() => {});
    if (stopping.signal.aborted) throw new Stopped("the channel was stopped");
  };

  /** Resolves when a call may be made. */
  const turn = async (channel: string): Promise<Client<true>> => {
    for (;;) {
      if (stopping.signal.aborted) throw new Stopped("the channel was stopped");
      const present = client();
      const ms = waitMs(channel);
      if (ms > 0) await pause(Math.min(ms, longestPauseMs));
      else if (!present || !mayAct()) await pause(lookMs);
      else {
        classes ??= await import("discord.js");
        return present;
      }
    }
  };

  /** What is sent next comes after it. */
  const newestIn = (present: Client<true>, { channel, replyTo }: Post): string | null => {
    const seen = present.channels.cache.get(channel);
    const ids = [replyTo, lastSent.get(channel), seen && "lastMessageId" in seen ? seen.lastMessageId : null];
    const known = ids.filter((id) => typeof id === "string").map(BigInt);
    const newest = known.sort((a, b) => (a < b ? -1 : 1)).at(-1);
    return newest === undefined ? null : String(newest);
  };

  const find = ({ rest, user }: Client<true>, post: Post, record: PostRecord) =>
    findOwn({
      self: user.id,
      record,
      nonce: nonceOf(name, post.key),
      page: (query) => requests.page(rest, { channel: post.channel, query }),
    });

  /** One step: look, send or edit. Undefined when there is more to do. */
  const step = async (post: Post, mark: string, seen: { mayBeThere: boolean | null }): Promise<Shown | undefined> => {
    const present = await turn(post.channel);
    const { rest } = present;
    store.refresh?.(`discord/posts/${name}/${post.key}`);
    const whole = wholeMarkOf(post);
    const { record, isNew } = await records.begin(post, { mark, after: newestIn(present, post) });
    seen.mayBeThere ??= !isNew;
    if (record.isGone) return { state: "gone" };
    if (record.message !== null) {
      if (record.shows !== whole) {
        // While it is being edited nobody knows what it shows.
        if (record.shows !== null) await records.change(post.key, { shows: null });
        await requests.edit(rest, post, record.message);
        if (!post.isDraft) await records.change(post.key, { shows: whole });
      }
      refusals.clear(post.channel);
      return { state: "shown", message: record.message };
    }
    const found = seen.mayBeThere ? await find(present, post, record).catch(notForbidden) : null;
    if (found) {
      await records.change(post.key, { message: found.id, shows: post.isDraft || post.components ? null : found.mark });
      return undefined;
    }
    const sent = await requests.create(rest, post, record.replyTo);
    // The same nonce finds what an earlier attempt sent, which may have said something else.
    const isSure = !post.isDraft && !(seen.mayBeThere && post.components) && markOfMessage(sent) === mark;
    const shows = isSure ? whole : null;
    lastSent.set(post.channel, sent.id);
    typedAt.delete(post.channel);
    await records.change(post.key, { message: sent.id, shows });
    refusals.clear(post.channel);
    return shows !== null || post.isDraft ? { state: "shown", message: sent.id } : undefined;
  };

  /** Who may not read the history still has the nonce. */
  const notForbidden = (error: unknown): null => {
    if (classes && failureOf(error, classes).kind === "refused") return null;
    throw error;
  };

  const put = async (post: Post): Promise<Shown> => {
    const mark = markOfPost(post);
    const seen: { mayBeThere: boolean | null } = { mayBeThere: null };
    for (let attempt = 0; ; ) {
      const refusal = refusals.of(post.channel);
      if (refusal) {
        const { code, reason, mayPass } = refusal;
        return { state: "refused", code, reason, mayPass };
      }
      if (post.isDraft && (waitMs(post.channel) > 0 || !client() || !mayAct())) return { state: "later" };
      try {
        const shown = await step(post, mark, seen);
        if (shown) return shown;
      } catch (error) {
        if (error instanceof Stopped || !classes) throw error;
        const failure = failureOf(error, classes);
        if (failure.kind === "gone") {
          await records.change(post.key, { isGone: true });
          return { state: "gone" };
        }
        if (failure.kind === "refused") {
          return { state: "refused", ...(await refusals.add(post.channel, failure)) };
        }
        if (failure.kind === "limited") {
          const until = performance.now() + failure.afterMs;
          notBefore.set(failure.everywhere ? "" : post.channel, until);
        }
        if (failure.kind === "no_reply") await records.change(post.key, { replyTo: null });
        if (post.isDraft) return { state: "later" };
        if (failure.kind === "uncertain") {
          seen.mayBeThere = true;
          const ms = Math.min(longestPauseMs, retryPauseMs * 2 ** attempt++);
          await pause(ms / 2 + (Math.random() * ms) / 2);
        }
      }
    }
  };

  return {
    records,

    show: (channel, make) =>
      queue.run(channel, async () => {
        let last: Shown | null = null;
        for (const post of make() ?? []) {
          last = await put(post);
          if (last.state === "refused") break;
        }
        return last;
      }),

    remove: (channel, key) =>
      queue.run(channel, async () => {
        const record = await records.read(key);
        if (!record?.message || record.isGone) return;
        const { message } = record;
        const { rest } = await turn(channel);
        await records.change(key, { isGone: true });
        // What cannot be deleted now stays: it says nothing wrong.
        await again(() => requests.remove(rest, { channel, message })).catch(() => {});
      }),

    async typing(channel) {
      const present = client();
      if (!present || !mayAct() || stopping.signal.aborted || refusals.of(channel) || waitMs(channel) > 0) return false;
      const now = performance.now();
      if (now - (typedAt.get(channel) ?? -typedMs) < typedMs) return true;
      typedAt.set(channel, now);
      return requests.typing(present.rest, channel).then(
        () => true,
        () => false,
      );
    },

    mayTry: (channel) => refusals.of(channel) === null,
    problems: refusals.problems,
    idle: queue.idle,
    stop() {
      stopping.abort();
      refusals.stop();
    },
  };
}
