/**
 * What the store knows of cards: `discord/cards/<approval>` says where a card is and what it shows, and
 * `discord/buttons/<custom id>` what a button stands for. A custom id is random and authorizes nothing: whoever presses
 * it passes the door, and the vote is theirs. Both are written before the card is sent.
 */
import { randomBytes } from "node:crypto";
import type { Json } from "../../../../../tools/json.ts";
import { type Store, update } from "../../../../../tools/store.ts";

/** Custom ids. */
export interface CardButtons {
  approve: string;
  reject: string;
  details: string;
}

export type ButtonAction = keyof CardButtons;

export interface CardRecord {
  formatVersion: 1;
  approval: string;
  /** The digest that the card shows and a vote through it carries. */
  digest: string;
  /** The name whose bot posts and edits it. */
  name: string;
  channel: string;
  /** Counts the messages of this card: a deleted one is posted anew, and one that another name took over. */
  edition: number;
  /** Discord's id; null until it is known to be there. */
  message: string | null;
  /** Of what it surely shows; null before the first. */
  hash: string | null;
  buttons: CardButtons;
  /** When it showed its terminal state; null while it can change. */
  closedAt: number | null;
}

export interface ButtonRecord {
  formatVersion: 1;
  approval: string;
  digest: string;
  action: ButtonAction;
}

/** Of the form that `randomId` gives: anything else is not worth asking the store for. */
const customIdPattern = /^clawd-[0-9a-f]{32}$/;

/** A card that was closed this long ago is forgotten; its buttons are long gone by then. */
export const cardKeptMs = 7 * 24 * 3600 * 1000;

const cardKey = (approval: string): string => `discord/cards/${approval}`;
const buttonKey = (customId: string): string => `discord/buttons/${customId}`;

export interface CardRecords {
  get(approval: string): Promise<CardRecord | null>;
  /** The record that is there afterwards: this one, or whoever's came first. */
  create(card: Pick<CardRecord, "approval" | "digest" | "name" | "channel">): Promise<CardRecord>;
  /** Compare-and-swap; `change` returns undefined to leave it. */
  change(approval: string, change: (card: CardRecord) => CardRecord | undefined): Promise<CardRecord | null>;
  button(customId: string): Promise<ButtonRecord | null>;
  /** As far as this process knows it, without waiting. */
  peek(customId: string): ButtonRecord | null;
  /** Forgets the card when it was closed long ago; whether it did. */
  forgetOld(card: CardRecord): Promise<boolean>;
}

export function createCardRecords(store: Store): CardRecords {
  // What a button stands for never changes, and a modal must be shown without waiting for anything.
  const known = new Map<string, ButtonRecord>();

  const remember = (card: CardRecord): void => {
    for (const [action, customId] of buttonsOf(card)) known.set(customId, buttonOf(card, action));
  };

  const records: CardRecords = {
    async get(approval) {
      const card = ((await store.get(cardKey(approval)))?.value ?? null) as unknown as CardRecord | null;
      if (card && card.closedAt === null) remember(card);
      return card;
    },

    async create({ approval, digest, name, channel }) {
      const existing = await records.get(approval);
      if (existing) return existing;
      const card: CardRecord = {
        formatVersion: 1,
        approval,
        digest,
        name,
        channel,
        edition: 0,
        message: null,
        hash: null,
        buttons: { approve: randomId(), reject: randomId(), details: randomId() },
        closedAt: null,
      };
      for (const [action, customId] of buttonsOf(card)) {
        await store.put(buttonKey(customId), buttonOf(card, action) as unknown as Json, { ifAbsent: true });
      }
      const created = await store.put(cardKey(approval), card as unknown as Json, { ifAbsent: true });
      if (created.written) {
        remember(card);
        return card;
      }
      for (const [, customId] of buttonsOf(card)) await store.delete(buttonKey(customId));
      return (await records.get(approval)) ?? card;
    },

    async change(approval, change) {
      const { value } = await update<Json>(store, cardKey(approval), (current) =>
        current === null ? undefined : (change(current as unknown as CardRecord) as unknown as Json | undefined),
      );
      return value as unknown as CardRecord | null;
    },

    async button(customId) {
      if (!customIdPattern.test(customId)) return null;
      const found = known.get(customId);
      if (found) return found;
      return ((await store.get(buttonKey(customId)))?.value ?? null) as unknown as ButtonRecord | null;
    },

    peek: (customId) => known.get(customId) ?? null,

    async forgetOld(card) {
      if (card.closedAt === null || (await store.now()) - card.closedAt < cardKeptMs) return false;
      for (const [, customId] of buttonsOf(card)) {
        await store.delete(buttonKey(customId));
        known.delete(customId);
      }
      return store.delete(cardKey(card.approval));
    },
  };
  return records;
}

function buttonsOf({ buttons }: CardRecord): [ButtonAction, string][] {
  return [
    ["approve", buttons.approve],
    ["reject", buttons.reject],
    ["details", buttons.details],
  ];
}

function buttonOf({ approval, digest }: CardRecord, action: ButtonAction): ButtonRecord {
  return { formatVersion: 1, approval, digest, action };
}

function randomId(): string {
  return `clawd-${randomBytes(16).toString("hex")}`;
}
