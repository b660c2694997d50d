/**
 * Messages as they come from outside, looked at once before anything reads them. Discord's types are promises; a field
 * that is read and is not what it should be makes the whole message one that does not fit. Fields that nobody reads are
 * not looked at, and nothing is copied, so that busy channels cost little.
 */

import {
  absentOr,
  type Fields,
  fieldsOf,
  isFields,
  isId,
  isMember,
  isMentioned,
  isNumber,
  isText,
  isUser,
  listOf,
} from "../connection/shape.ts";
import type { SeenMessage } from "./listen-words.ts";

const isAttachment = fieldsOf({
  filename: isText,
  size: (value) => typeof value === "number" && value >= 0,
  url: isText,
  content_type: absentOr(isText),
});

const isAnswered = fieldsOf({
  id: isId,
  author: isUser,
  content: isText,
  attachments: absentOr(Array.isArray),
  embeds: absentOr(Array.isArray),
});

const isSnapshot = fieldsOf({ message: fieldsOf({ content: absentOr(isText) }) });

const isMessage = fieldsOf({
  id: isId,
  channel_id: isId,
  guild_id: absentOr(isId),
  type: isNumber,
  content: isText,
  author: isUser,
  member: absentOr(isMember),
  mentions: absentOr(listOf(isMentioned)),
  attachments: absentOr(listOf(isAttachment)),
  referenced_message: absentOr(isAnswered),
  message_snapshots: absentOr(listOf(isSnapshot)),
  edited_timestamp: absentOr(isText),
});

const isEdit = fieldsOf({ id: isId, channel_id: isId, guild_id: absentOr(isId), edited_timestamp: absentOr(isText) });

/** The message, when everything that is read of one is as it should be; else null. */
export function seenMessage(value: unknown): SeenMessage | null {
  return isMessage(value) ? (value as SeenMessage) : null;
}

/** What an event of an edit says for sure; the rest of it may be left out. */
export type SeenEdit = Pick<SeenMessage, "id" | "channel_id" | "guild_id" | "edited_timestamp">;

/** An event of the gateway. */
export interface Packet {
  t?: unknown;
  d?: unknown;
}

export type News =
  | { kind: "message"; message: SeenMessage }
  | { kind: "edit"; edit: SeenEdit }
  | { kind: "deletion"; channel: string; ids: string[] }
  | { kind: "no channel"; channel: string }
  /** Of another kind. */
  | { kind: "none" };

const readers: Readonly<Record<string, (data: Fields) => News | null>> = {
  MESSAGE_CREATE(data) {
    const message = seenMessage(data);
    return message && { kind: "message", message };
  },
  MESSAGE_UPDATE: (data) => (isEdit(data) ? { kind: "edit", edit: data as unknown as SeenEdit } : null),
  MESSAGE_DELETE: ({ id, channel_id: channel }) =>
    isId(channel) && isId(id) ? { kind: "deletion", channel, ids: [id] } : null,
  MESSAGE_DELETE_BULK: ({ ids, channel_id: channel }) =>
    isId(channel) && Array.isArray(ids) ? { kind: "deletion", channel, ids: ids.filter(isId) } : null,
  CHANNEL_DELETE: ({ id }) => (isId(id) ? { kind: "no channel", channel: id } : null),
  THREAD_DELETE: ({ id }) => (isId(id) ? { kind: "no channel", channel: id } : null),
};

export function isOfInterest({ t }: Packet): boolean {
  return typeof t === "string" && Object.hasOwn(readers, t);
}

/** What an event tells; null when it is of a kind that matters and not as it should be. */
export function newsOf({ t, d }: Packet): News | null {
  const reader = typeof t === "string" && Object.hasOwn(readers, t) ? readers[t] : undefined;
  if (!reader) return { kind: "none" };
  return isFields(d) ? reader(d) : null;
}
