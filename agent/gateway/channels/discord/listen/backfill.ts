/** What was said in a channel while nobody listened: the history after the cursor, oldest first. */
import type { Client } from "discord.js";
import { ProviderError } from "../../../../../tools/errors.ts";
import { isId } from "../connection/shape.ts";
import type { Cursors } from "./cursor.ts";
import { isLater } from "./cursor.ts";
import { seenMessage } from "./listen-border.ts";
import { isGone } from "./listen-channels.ts";
import type { SeenMessage } from "./listen-words.ts";

/** As many as Discord gives at once. */
const pageSize = 100;
/** Of an error: Discord has the message, and what it shows of it cannot be read. Asking again would not help. */
export const misfitCode = "discord_message_not_understood";
/** 5,000 messages: whoever was away for longer reads the rest by hand. */
const mostPages = 50;

export interface Past {
  channel: string;
  parent: string | null;
  /** Where a channel begins that was never heard: what is older was not for this bot. */
  start: string;
  /** The newest message as far as Discord said; null where it did not. */
  newest: string | null;
}

/**
 * Hands every message after the cursor to `hear`, in order, and moves the cursor behind it. Returns how many were found;
 * `isCut` when there were more than are fetched. A channel that cannot be read (any more) has none.
 */
export async function backfill(options: {
  client: Client;
  cursors: Cursors;
  past: Past;
  hear(message: SeenMessage): Promise<void>;
  /** A message that is not as Discord promises is left out. */
  onMisfit(): void;
  signal: AbortSignal;
}): Promise<{ found: number; isCut: boolean }> {
  const { client, cursors, past, hear, onMisfit, signal } = options;
  const { channel, parent } = past;
  const cursor = await cursors.get(channel);
  if (cursor === null) {
    cursors.heard({ channel, parent, message: past.start });
    // At once: a process that dies within the next second must not leave a channel without a beginning.
    await cursors.flush();
  }
  let after = cursor ?? past.start;
  if (past.newest !== null && !isLater(past.newest, after)) return { found: 0, isCut: false };
  let found = 0;
  for (let page = 0; page < mostPages; page++) {
    const { entries, isLast } = await readPage(client, { channel, after, signal });
    for (const { id, message } of entries) {
      signal.throwIfAborted();
      if (message) await hear(message);
      else onMisfit();
      cursors.heard({ channel, parent, message: id });
      after = id;
      found++;
    }
    if (isLast || entries.length === 0) return { found, isCut: false };
  }
  return { found, isCut: true };
}

/** The messages that follow one, oldest first. */
async function readPage(
  client: Client,
  { channel, after, signal }: { channel: string; after: string; signal: AbortSignal },
): Promise<{ entries: { id: string; message: SeenMessage | null }[]; isLast: boolean }> {
  const query = new URLSearchParams({ after, limit: String(pageSize) });
  try {
    const page = await client.rest.get(`/channels/${channel}/messages`, { query, signal });
    if (!Array.isArray(page)) throw notUnderstood(`the history of the channel ${channel}`, "discord_no_history");
    const entries = page
      .map((message: unknown) => ({ id: (message as { id?: unknown } | null)?.id, message: seenMessage(message) }))
      .filter((entry): entry is { id: string; message: SeenMessage | null } => isId(entry.id))
      .filter(({ id }) => isLater(id, after))
      .sort((a, b) => (isLater(a.id, b.id) ? 1 : -1));
    return { entries, isLast: page.length < pageSize };
  } catch (error) {
    if (isGone(error)) return { entries: [], isLast: true };
    throw error;
  }
}

/** One message as it is now; null when it was deleted or cannot be seen any more. */
export async function readMessage(
  client: Client,
  { channel, id }: { channel: string; id: string },
): Promise<SeenMessage | null> {
  try {
    const message = seenMessage(await client.rest.get(`/channels/${channel}/messages/${id}`));
    if (!message) throw notUnderstood(`the message ${id}`, misfitCode);
    return message;
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

function notUnderstood(what: string, code: string): ProviderError {
  return new ProviderError(`Discord's answer about ${what} is not what it promises`, {
    code,
    hint: "look whether `channels.discord.apiUrl` leads to Discord",
  });
}
