/** What was said in a channel while nobody listened: the history after the cursor, oldest first. */
import type { Client } from "discord.js";
import type { Cursors } from "./cursor.ts";
import { isLater } from "./cursor.ts";
import { isGone } from "./listen-take.ts";
import type { SeenMessage } from "./listen-words.ts";

/** As many as Discord gives at once. */
const pageSize = 100;
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
  signal: AbortSignal;
}): Promise<{ found: number; isCut: boolean }> {
  const { client, cursors, past, hear, signal } = options;
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
    const messages = await readPage(client, { channel, after, signal });
    for (const message of messages) {
      signal.throwIfAborted();
      await hear(message);
      cursors.heard({ channel, parent, message: message.id });
      after = message.id;
      found++;
    }
    if (messages.length < pageSize) return { found, isCut: false };
  }
  return { found, isCut: true };
}

/** The messages that follow one, oldest first. */
async function readPage(
  client: Client,
  { channel, after, signal }: { channel: string; after: string; signal: AbortSignal },
): Promise<SeenMessage[]> {
  const query = new URLSearchParams({ after, limit: String(pageSize) });
  try {
    const messages = (await client.rest.get(`/channels/${channel}/messages`, { query, signal })) as SeenMessage[];
    return messages.filter(({ id }) => isLater(id, after)).sort((a, b) => (isLater(a.id, b.id) ? 1 : -1));
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** One message as it is now; null when it was deleted or cannot be seen any more. */
export async function readMessage(
  client: Client,
  { channel, id }: { channel: string; id: string },
): Promise<SeenMessage | null> {
  try {
    return (await client.rest.get(`/channels/${channel}/messages/${id}`)) as SeenMessage;
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}
