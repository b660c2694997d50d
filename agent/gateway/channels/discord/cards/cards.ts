/**
 * Approvals as messages: posted where they were asked for, else in the channel for reports, and edited whenever they
 * change, by whomever and wherever. The approval is the truth; a card only shows it, and everything that is needed to go
 * on with it is in the store, so that a restart or another holder of the name edits the same message.
 */
import { describeError, ProviderError } from "../../../../../tools/errors.ts";
import { digestOf, type Json } from "../../../../../tools/json.ts";
import type { Store } from "../../../../../tools/store.ts";
import type { Log } from "../../../../log.ts";
import type { ApprovalView } from "../../../../protocol.ts";
import type { Approvals } from "../../../approvals.ts";
import { createLoop } from "../../../loop.ts";
import { type Poster, type Shown, Stopped } from "../speak/post.ts";
import type { CardRecord, CardRecords } from "./card-records.ts";
import { renderCard } from "./card-render.ts";

/** Looks again this often even when nobody says that something changed, and at what failed. */
const lookAgainMs = 15_000;

/** Discord's codes for a channel that is gone or closed to the bot. */
const outOfReach: readonly string[] = ["10003", "10004", "50001", "50013", "50083", "160005"];

export interface Cards {
  start(): void;
  /** Something may have changed. */
  wake(): void;
  /** Brings one card up to date now. Never throws. */
  keep(approval: string): Promise<void>;
  /** Address of an approval's card; null while it has none. */
  addressOf(approval: string): Promise<string | null>;
  /** Resolves when nothing is being posted or edited. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export function createCards(options: {
  store: Store;
  approvals: Pick<Approvals, "get">;
  records: CardRecords;
  poster: Pick<Poster, "show">;
  /** This instance's. */
  name: string;
  /** Connected, and the name is this instance's. */
  mayPost(): boolean;
  /** Where what nobody asked for in Discord is shown; null: nowhere. */
  reportTo: string | null;
  /** The channel or thread that a conversation is held in; null for one that is not Discord's. */
  channelOf(conversation: string): string | null;
  ownerOf(conversation: string): Promise<string | null>;
  /** Nobody holds the name and nobody is meant to. */
  isGone(name: string): Promise<boolean>;
  /** Address of a message for people; null where the guild is not known. */
  linkTo(place: { channel: string; message: string }): string | null;
  log: Log;
}): Cards {
  const { store, approvals, records, poster, name, log } = options;
  const seen = new Map<string, string>();
  const notBefore = new Map<string, number>();
  const active = new Map<string, { again: boolean; ended: Promise<void> }>();
  /** Superseded approvals whose card could not name the new one's card yet, by the new one. */
  const waiting = new Map<string, string>();
  let timer: NodeJS.Timeout | null = null;
  let stopWatching = (): void => {};

  const loop = createLoop(look, (error) =>
    log("error", "cards could not be looked at", { error: describeError(error).message }),
  );

  async function look(): Promise<void> {
    if (!options.mayPost()) {
      // Whoever comes to hold the name looks at everything once.
      seen.clear();
      return;
    }
    const changed = (await store.list("approvals/")).filter(({ key, version }) => seen.get(key) !== version);
    if (changed.length === 0) return;
    const carded = new Set((await store.list("discord/cards/")).map(({ key }) => key.slice("discord/cards/".length)));
    for (const { key, version } of changed) {
      const id = key.slice("approvals/".length);
      if (performance.now() < (notBefore.get(id) ?? 0)) continue;
      seen.set(key, version);
      const approval = carded.has(id) ? null : await approvals.get(id).catch(() => null);
      if (carded.has(id) || approval?.state === "pending") void keep(id);
    }
  }

  function keep(id: string): Promise<void> {
    const before = active.get(id);
    if (before) {
      before.again = true;
      return before.ended;
    }
    const entry = { again: false, ended: Promise.resolve() };
    active.set(id, entry);
    const work = async (): Promise<void> => {
      do {
        entry.again = false;
        await keepNow(id).catch((error: unknown) => {
          if (error instanceof Stopped) return;
          seen.delete(`approvals/${id}`);
          notBefore.set(id, performance.now() + lookAgainMs);
          log("warn", "a card could not be brought up to date yet", {
            approval: id,
            error: describeError(error).message,
          });
        });
      } while (entry.again);
      active.delete(id);
    };
    entry.ended = work();
    return entry.ended;
  }

  async function keepNow(id: string): Promise<void> {
    if (!options.mayPost()) return;
    const approval = await approvals.get(id);
    if (!approval) return;
    let card = (await records.get(id)) ?? (await open(approval));
    if (card && card.name !== name) card = await takeOver(card, approval);
    if (!card || (card.closedAt !== null && !(await records.forgetOld(card)))) return;
    if (card.closedAt !== null) return;
    await show(card, approval);
  }

  /** Only what still waits gets a card; the record says whose it is before anything is posted. */
  async function open(approval: ApprovalView): Promise<CardRecord | null> {
    if (approval.state !== "pending") return null;
    const channel = await placeFor(approval);
    if (channel === null) return null;
    return records.create({ approval: approval.id, digest: approval.digest, name, channel });
  }

  async function placeFor({ plan }: ApprovalView): Promise<string | null> {
    const { conversation } = plan.proposer;
    const channel = conversation === null ? null : options.channelOf(conversation);
    if (conversation === null || channel === null) return options.reportTo;
    const owner = await options.ownerOf(conversation);
    return owner === null || owner === name || (await options.isGone(owner)) ? channel : null;
  }

  /** Another bot's message cannot be edited: where its name is gone for good, the card is posted anew. */
  async function takeOver(card: CardRecord, approval: ApprovalView): Promise<CardRecord | null> {
    if (card.closedAt !== null || approval.state !== "pending" || !(await options.isGone(card.name))) return null;
    const former = card.name;
    const taken = await records.change(card.approval, (current) =>
      current.name === former ? anew({ ...current, name }) : undefined,
    );
    return taken?.name === name ? taken : null;
  }

  async function show(card: CardRecord, approval: ApprovalView): Promise<void> {
    const { supersededBy } = approval;
    const successor = supersededBy === null ? null : await addressOf(supersededBy);
    if (supersededBy !== null && successor === null) waiting.set(supersededBy, approval.id);
    const { content, components } = renderCard(approval, { buttons: card.buttons, successor });
    const hash = digestOf({ content, components } as unknown as Json);
    if (card.message === null || card.hash !== hash) {
      const { channel } = card;
      const key = `card-${card.approval}-${card.edition}`;
      const shown = await poster.show(channel, () => [{ key, channel, replyTo: null, content, components }]);
      if (shown?.state !== "shown") return mend(card, approval, shown);
      await note(card, { message: shown.message, hash });
    }
    if (await isFinal(approval, successor)) {
      const now = await store.now();
      await records.change(card.approval, (current) => ({ ...current, closedAt: now }));
    }
    const predecessor = waiting.get(approval.id);
    if (predecessor !== undefined && waiting.delete(approval.id)) void keep(predecessor);
  }

  async function note(card: CardRecord, change: Partial<CardRecord>): Promise<void> {
    await records.change(card.approval, (current) =>
      current.name === card.name && current.edition === card.edition ? { ...current, ...change } : undefined,
    );
  }

  /** What can be done when it cannot be shown: another message, another channel, or nothing where it is over. */
  async function mend(card: CardRecord, approval: ApprovalView, shown: Shown | null): Promise<void> {
    const isLost = shown?.state === "gone";
    const isClosed = shown?.state === "refused" && outOfReach.includes(shown.code);
    if (isLost || isClosed) {
      if (approval.state !== "pending") {
        const now = await store.now();
        return note(card, { closedAt: now });
      }
      const channel = isLost ? card.channel : options.reportTo;
      if (channel !== null && (isLost || channel !== card.channel)) {
        await records.change(card.approval, (current) =>
          current.edition === card.edition ? anew({ ...current, channel }) : undefined,
        );
        const entry = active.get(card.approval);
        if (entry) entry.again = true;
        return;
      }
    }
    throw new ProviderError(`the card of ${card.approval} is not shown in the channel ${card.channel}`, {
      code: "card_not_shown",
      hint: shown?.state === "refused" ? shown.reason : "it is tried again soon",
    });
  }

  /** Nothing about it changes any more, its link to the new plan included. */
  async function isFinal({ state, supersededBy }: ApprovalView, successor: string | null): Promise<boolean> {
    if (state === "pending" || state === "approved") return false;
    if (state !== "superseded" || supersededBy === null || successor !== null) return true;
    const next = await approvals.get(supersededBy);
    return next !== null && next.state !== "pending";
  }

  async function addressOf(approval: string): Promise<string | null> {
    const card = await records.get(approval);
    return card?.message ? options.linkTo({ channel: card.channel, message: card.message }) : null;
  }

  return {
    start() {
      stopWatching = store.watch(loop.wake);
      timer = setInterval(loop.wake, lookAgainMs);
      timer.unref();
      loop.wake();
    },
    wake: loop.wake,
    keep,
    addressOf,
    async idle() {
      while (active.size > 0) await Promise.all([...active.values()].map(({ ended }) => ended));
    },
    /** What is being shown ends by itself when its poster is stopped. */
    async stop() {
      stopWatching();
      if (timer) clearInterval(timer);
      await loop.stop();
    },
  };
}

/** The next message of the same card. */
function anew(card: CardRecord): CardRecord {
  return { ...card, edition: card.edition + 1, message: null, hash: null };
}
