/** Follows one message from the asking to the last part of its answer. The record in the inbox decides what that is. */
import type { Store } from "../../../../../tools/store.ts";
import type { RunEvent } from "../../../../protocol.ts";
import { isSilentAnswer } from "../../../../schedule-news.ts";
import { onAbandoned } from "../../../http/abandoned.ts";
import type { Answer, Inbox } from "../../../inbox.ts";
import type { Runs } from "../../../runs.ts";
import type { Place } from "../contract.ts";
import { type Deliveries, type Delivery, type Extras, noExtras } from "./deliver.ts";
import type { Poster, Shown } from "./post.ts";
import { createDraft } from "./speak-draft.ts";
import { draftOf, postsOf, subtle } from "./speak-render.ts";
import { createSeen, type Seen, see } from "./speak-seen.ts";
import type { Typing } from "./typing.ts";

/** A run that begins here is seen this soon: a look in memory. */
const lookMs = 25;
/** An answer that another process gave, or one to a message that waits for its turn: a look in the store. */
const outcomeMs = { cheap: 500, costly: 5_000 };
/** A message that nobody took up is not typed for any longer. */
const typingMs = 60_000;
/** A message that was taken and has neither an answer nor a run after this long is none any more. */
const giveUpMs = 24 * 3600 * 1000;

export interface FollowOptions {
  store: Store;
  inbox: Pick<Inbox, "outcome">;
  runs: Pick<Runs, "watch">;
  poster: Poster;
  deliveries: Deliveries;
  /** Shows an approval's card; safe to repeat. */
  showCard(approval: string, place: Place): Promise<void>;
  /** Tells in an operation's own message how it ended, with a picture; null for what is no such end. */
  tellEnd(message: string, picture: string | undefined): Promise<Shown | null>;
  warn(message: string, error: unknown): void;
  /** Resolves when the answers that go before this one have been shown. */
  earlier(): Promise<void>;
}

/** `blocked`: its place takes nothing now and may again; what is left is still on record. */
export type Followed = "ended" | "blocked";

/**
 * `heard` is what was heard of the run by who hears all runs here; it is up to date when an answer is on record.
 * Resolves when nothing is left to deliver, or nothing can be now. Throws when it was aborted or something failed; it may be called again.
 */
export async function followDelivery(
  options: FollowOptions,
  { delivery, typing, heard, signal }: { delivery: Delivery; typing: Typing; heard: Seen; signal: AbortSignal },
): Promise<Followed> {
  const { store, inbox, runs, poster, deliveries } = options;
  const { message, place, isQuiet } = delivery;
  const firstKey = `${message}.0`;
  if ((await poster.records.read(firstKey))?.isComplete) return end();

  const draft = createDraft({ poster, place, key: firstKey });
  const cards = new Map<string, Promise<void>>();
  let saved: Promise<void> = Promise.resolve();
  let lookAt = 0;
  const since = performance.now();
  try {
    for (;;) {
      signal.throwIfAborted();
      const watched = relay();
      if (watched) {
        if (!isQuiet) typing.start();
        await watched;
        lookAt = 0;
        signal.throwIfAborted();
      }
      if (heard.isDone) lookAt = 0;
      heard.isDone = false;
      if (performance.now() >= lookAt) {
        const answer = await inbox.outcome(delivery.channel, message);
        if (answer) return await finish(answer);
        if (performance.now() - since > typingMs) typing.stop();
        if ((await store.now()) - delivery.at > giveUpMs) return await end();
        lookAt = performance.now() + outcomeMs[store.listing ?? "cheap"];
      }
      if (!watched && !heard.isDone) await nextLook();
    }
  } finally {
    typing.stop();
    await draft.close();
  }

  /** Soon, and at once when the run has ended: answers that end one after the other are posted in that order. */
  function nextLook(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, lookMs);
    heard.onDone = resolve;
    return promise.finally(() => {
      clearTimeout(timer);
      heard.onDone = null;
    });
  }

  /** Null when it does not run here. Resolves when it has ended here, one way or another. */
  function relay(): Promise<void> | null {
    const { promise, resolve } = Promise.withResolvers<void>();
    const seen = createSeen();
    const stop = runs.watch(message, (event) => {
      if (event.type === "done") resolve();
      else onEvent(event, seen);
    });
    if (!stop) return null;
    const forget = onAbandoned(message, resolve);
    const onAbort = (): void => resolve();
    signal.addEventListener("abort", onAbort);
    return promise.finally(() => {
      stop();
      forget();
      signal.removeEventListener("abort", onAbort);
    });
  }

  function onEvent(event: Exclude<RunEvent, { type: "done" }>, seen: Seen): void {
    if (event.type === "proposal") void showCard(event.approval);
    const before = seen.extras;
    see(seen, event);
    if (seen.extras !== before) saveExtras(seen.extras);
    if (isQuiet) return;
    const content = seen.text === "" && seen.isAgain ? subtle("… starting again") : draftOf(seen);
    if (content !== null) draft.want(content);
  }

  function saveExtras(extras: Extras): void {
    saved = saved
      .then(() => deliveries.setExtras(message, extras))
      .catch((error: unknown) => options.warn("what belongs to an answer was not noted", error));
  }

  function showCard(approval: string): Promise<void> {
    const shown = cards.get(approval) ?? options.showCard(approval, place);
    cards.set(approval, shown);
    return shown.catch((error: unknown) => {
      cards.delete(approval);
      options.warn("a card was not shown and will be tried again", error);
    });
  }

  async function end(): Promise<Followed> {
    await deliveries.end(message);
    return "ended";
  }

  async function finish(answer: Answer): Promise<Followed> {
    await draft.close();
    await options.earlier();
    for (const { approval } of answer.proposals) await showCard(approval);
    const shown = isQuiet && isSilentAnswer(answer.done.text) ? null : await post(answer);
    const isLate = (await store.now()) - delivery.at > giveUpMs;
    return shown?.state === "refused" && shown.mayPass && !isLate ? "blocked" : end();
  }

  async function post(answer: Answer): Promise<Shown | null> {
    await saved;
    // A run may be over before anything looks at it.
    if (heard.extras !== noExtras) await deliveries.setExtras(message, heard.extras);
    const extras = await deliveries.extras(message);
    const told = isQuiet ? await options.tellEnd(message, extras.pictures[0]?.picture) : null;
    if (told) return told;
    const posts = await postsOf({ message, place, answer, extras });
    if (posts.length === 0) {
      await poster.remove(place.channel, firstKey);
      return null;
    }
    const shown = await poster.show(place.channel, () => posts);
    if (shown?.state !== "refused" || !shown.mayPass) await poster.records.change(firstKey, { isComplete: true });
    return shown;
  }
}
