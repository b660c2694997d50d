/**
 * What the parts of the Discord channel say to each other. One file a part; `channel.ts` puts them together.
 *
 *   connection  discord.js client: identify, resume, back-off, what the bot can see; nothing else touches the socket
 *   door        the one author check: every message, command, button, autocomplete and modal passes here first
 *   listen      messages of the gateway, and those missed while nobody listened, into the inbox
 *   speak       answers and notices out: streamed by editing, split, posted once
 *   cards       approvals as messages with buttons
 *   commands    slash commands and autocomplete
 */
import type { Client } from "discord.js";
import type { Actor } from "../../maintainers.ts";

/** A message, command, button, autocomplete or modal, as far as the author check needs it. Snowflakes as text. */
export interface Approach {
  kind: "message" | "command" | "button" | "autocomplete" | "modal";
  /** Discord's id of the message or interaction. */
  id: string;
  guild: string | null;
  /** The channel itself; for a thread its own id, with the channel it belongs to in `parent`. */
  channel: string;
  parent: string | null;
  author: { id: string; name: string; isBot: boolean; isWebhook: boolean; roles: readonly string[] };
  /** Of an interaction: the application that it is meant for. */
  application?: string;
}

export type Admission =
  | { admitted: true; actor: Actor }
  /** `silent`: nobody spoke to us (another bot's chatter); nothing is audited or answered. */
  | { admitted: false; silent: boolean; code: string; reason: string };

export interface Door {
  /** Never throws. A refusal that is not silent leaves an audit line, at most one a minute for each author and reason. */
  admit(approach: Approach): Promise<Admission>;
}

export interface Connection {
  /** Null while there is none. */
  client(): Client<true> | null;
  /** This bot's own user id, once it has been ready. */
  self(): string | null;
  /** Connects when this instance holds the name; resolves when it is ready or has given its reason as a check. */
  open(): Promise<void>;
  close(): Promise<void>;
  /** Problems with their fixes: a missing intent, permission, channel; empty when all is well. */
  problems(): string[];
  /**
   * Calls back with each new client before it connects, so that none of its events is missed; at once with one that is
   * there. A new token or a long outage makes a new client; a resumed session does not.
   */
  onClient(attach: (client: Client) => void): void;
  /** Shows as the check `discord` that the token is accepted, without connecting: for a candidate. Never throws. */
  prove(): Promise<void>;
  /** A channel's name where this bot sees it; null where it does not, and for a thread. */
  nameOf(channel: string): string | null;
  /** This bot's application; null while it is unknown. */
  application(): string | null;
}

/** Where an answer goes: the conversation's channel or thread, as an answer to a message where there is one. */
export interface Place {
  channel: string;
  replyTo: string | null;
}

export interface Speaker {
  /** Follows a run from its beginning and shows it by editing; safe to call again for the same message after a crash. */
  follow(options: { message: string; conversation: string; place: Place }): void;
  /** One message, once for each key, edited when called again with another text. */
  say(options: { key: string; place: Place; text: string; picture?: string }): Promise<void>;
  /** Posts what was answered but not delivered when a former holder died. */
  catchUp(): Promise<void>;
  idle(): Promise<void>;
}
