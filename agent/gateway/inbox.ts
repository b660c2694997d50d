/**
 * Messages that wait for an answer, addressed to a name rather than to a process. `messages/<name>/<id>` holds what was
 * said until it is answered; `inbox/<channel>/<id>` is created by whoever claims it and ends as the one answer. Both
 * outlive the instance, so a message sent during a handover is answered by the next holder, once.
 */
import { readName } from "../../tools/fleet/names.ts";
import type { Json } from "../../tools/json.ts";
import { readAll, type Store, update } from "../../tools/store.ts";
import type { Author, RunEvent } from "../protocol.ts";

export interface Message {
  formatVersion: 1;
  id: string;
  kind: "chat" | "notice";
  to: string;
  channel: string;
  conversation: string;
  author: Author;
  text: string;
  /** Of a notice: what a picture may be chosen by. */
  occasion?: string;
  /** What it does with an answer that is being given in its conversation; default as configured. */
  mode?: "interrupt" | "queue";
  /** Where text in it that is not its author's own came from, such as what a stranger wrote and it answers to. */
  publicSources?: string[];
  createdAt: number;
}

type Proposal = Extract<RunEvent, { type: "proposal" }>;
type Done = Extract<RunEvent, { type: "done" }>;

export interface Answer {
  proposals: Proposal[];
  error: Extract<RunEvent, { type: "error" }> | null;
  done: Done;
}

export interface Claim {
  formatVersion: 1;
  message: string;
  state: "claimed" | "answered";
  instance: string;
  epoch: number;
  /** SHA-256 of conversation and text would do; the whole message is small and can be shown. */
  request: { to: string; conversation: string; text: string };
  answer: Answer | null;
  /** By the store's clock; those of earlier versions do not tell. */
  answeredAt?: number;
}

/**
 * How long an answer is kept for whoever sends the same message again: a client that lost its connection, Discord's history
 * after an instance was away. One that is not answered stays.
 */
export const claimKeptMs = 90 * 24 * 3600 * 1000;

export type ClaimResult = "claimed" | "resumed" | "taken" | "answered";

export interface Inbox {
  /** Stores the message unless it is there or answered already. `conflict`: the id belongs to another message. */
  submit(message: Message): Promise<"stored" | "known" | "conflict">;
  /** What is addressed to a name and not answered, oldest first. */
  pending(name: string): Promise<Message[]>;
  /** Makes the message this holder's to answer. A claim of an earlier epoch is taken over. */
  claim(message: Message, holder: { instance: string; epoch: number }): Promise<ClaimResult>;
  /** Records the answer, once; false when the claim is not this holder's any more. */
  answer(message: Message, holder: { instance: string; epoch: number }, answer: Answer): Promise<boolean>;
  outcome(channel: string, id: string): Promise<Answer | null>;
  /** The name whose holder writes a conversation; null before its first message. */
  ownerOf(conversation: string): Promise<string | null>;
  /**
   * Makes a conversation a name's own, because its files are written by that name's holder alone. It passes to another
   * name when nobody holds the former one any more. Returns the name that owns it now.
   */
  takeConversation(conversation: string, name: string): Promise<string>;
}

export function createInbox(store: Store): Inbox {
  const claimKey = (channel: string, id: string): string => `inbox/${channel}/${id}`;
  const messageKey = (message: Message): string => `messages/${message.to}/${message.id}`;
  const readClaim = async (channel: string, id: string): Promise<Claim | null> =>
    ((await store.get(claimKey(channel, id)))?.value ?? null) as Claim | null;

  const inbox: Inbox = {
    async submit(message) {
      const claim = await readClaim(message.channel, message.id);
      if (claim) return isSame(claim.request, message) ? "known" : "conflict";
      const result = await store.put(messageKey(message), message as unknown as Json, { ifAbsent: true });
      if (result.written) return "stored";
      const stored = result.current?.value as unknown as Message | undefined;
      return stored && isSame(stored, message) ? "known" : "conflict";
    },

    async pending(name) {
      const entries = await readAll(store, `messages/${name}/`);
      return entries.map((entry) => entry.value as unknown as Message).sort((a, b) => a.createdAt - b.createdAt);
    },

    async claim(message, { instance, epoch }) {
      const claim: Claim = {
        formatVersion: 1,
        message: message.id,
        state: "claimed",
        instance,
        epoch,
        request: { to: message.to, conversation: message.conversation, text: message.text },
        answer: null,
      };
      const key = claimKey(message.channel, message.id);
      // Asked again and again while the answer is being made: a claim that is this holder's needs no write to show it.
      const before = (await store.get(key))?.value as unknown as Claim | undefined;
      if (before?.state === "claimed" && before.instance === instance && before.epoch === epoch) return "resumed";
      const created = await store.put(key, claim as unknown as Json, { ifAbsent: true });
      if (created.written) return "claimed";
      const { changed, value } = await update<Json>(store, key, (current) => {
        const other = current as unknown as Claim;
        const takeOver = other.state === "claimed" && other.epoch < epoch;
        return takeOver ? ({ ...other, instance, epoch } as unknown as Json) : undefined;
      });
      if (changed) return "resumed";
      const other = value as unknown as Claim;
      if (other.state === "answered") {
        // A crash between answer and deletion left the message behind.
        await store.delete(messageKey(message));
        return "answered";
      }
      return other.instance === instance && other.epoch === epoch ? "resumed" : "taken";
    },

    async answer(message, { instance, epoch }, answer) {
      const answeredAt = await store.now();
      const { changed } = await update<Json>(store, claimKey(message.channel, message.id), (current) => {
        const claim = current as unknown as Claim | null;
        const own = claim?.state === "claimed" && claim.instance === instance && claim.epoch === epoch;
        return own ? ({ ...claim, state: "answered", answer, answeredAt } as unknown as Json) : undefined;
      });
      if (changed) await store.delete(messageKey(message));
      return changed;
    },

    async ownerOf(conversation) {
      const owner = (await store.get(`conversations/${conversation}`))?.value as { name: string } | undefined;
      return owner?.name ?? null;
    },

    async takeConversation(conversation, name) {
      const owner = await inbox.ownerOf(conversation);
      if (owner === name) return name;
      // Whether the former one's name is held is no part of the write below.
      if (owner !== null) store.refresh?.(`names/${owner}`);
      if (owner !== null && (await readName(store, owner))?.holder != null) return owner;
      const { value } = await update<Json>(store, `conversations/${conversation}`, (current) => {
        const latest = (current as { name: string } | null)?.name ?? null;
        return latest === owner ? { formatVersion: 1, name } : undefined;
      });
      return (value as { name: string } | null)?.name ?? name;
    },

    async outcome(channel, id) {
      return (await readClaim(channel, id))?.answer ?? null;
    },
  };
  return inbox;
}

function isSame(a: { to: string; conversation: string; text: string }, b: Message): boolean {
  return a.to === b.to && a.conversation === b.conversation && a.text === b.text;
}
