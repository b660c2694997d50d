/**
 * Messages as they come from outside, looked at once before anything reads them. Discord's types are promises; a field
 * that is read and is not what it should be makes the whole message one that does not fit. Fields that nobody reads are
 * not looked at, and nothing is copied, so that busy channels cost little.
 */
import type { SeenMessage } from "./listen-words.ts";

type Fields = Record<string, unknown>;
type Test = (value: unknown) => boolean;

const isText: Test = (value) => typeof value === "string";
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const absentOr =
  (test: Test): Test =>
  (value) =>
    value === undefined || value === null || test(value);
const listOf =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) && value.every(test);
const fieldsOf =
  (tests: Record<string, Test>): Test =>
  (value) => {
    if (!isFields(value)) return false;
    for (const name in tests) if (!tests[name]?.(value[name])) return false;
    return true;
  };

/** A snowflake as text. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9]{1,20}$/.test(value);
}

const isUser = fieldsOf({
  id: isId,
  username: isText,
  global_name: absentOr(isText),
  bot: absentOr((value) => typeof value === "boolean"),
});

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
  type: (value) => typeof value === "number",
  content: isText,
  author: isUser,
  member: absentOr(fieldsOf({ roles: absentOr(listOf(isId)) })),
  mentions: absentOr(listOf(isUser)),
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
