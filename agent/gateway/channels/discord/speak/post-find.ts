/** Looking for a message of one's own whose send was not answered. */
import type { APIMessage } from "discord.js";
import { markOf, type PostRecord } from "./post-record.ts";

const pageSize = 100;
/** A thousand messages after the one that is answered, or before now. */
const mostPages = 10;
/** Discord's epoch: a message's id holds when it was made (discord-api-docs, “Snowflakes”). */
const discordEpochMs = 1_420_070_400_000;
/** Clocks may differ by an hour and more. */
const clocksDifferMs = 2 * 3_600_000;

export interface Found {
  id: string;
  mark: string;
}

/**
 * The message that `record` tells of, by its nonce where history shows it, else by author, what it answers and what it
 * says. `page` reads history, newest first; `after` gives what follows a message, `before` what precedes one.
 */
export async function findOwn(options: {
  self: string;
  nonce: string;
  record: PostRecord;
  page(query: { limit: string; after?: string; before?: string }): Promise<APIMessage[]>;
}): Promise<Found | null> {
  const { self, nonce, record } = options;
  const limit = String(pageSize);
  const isIt = (message: APIMessage): boolean => {
    if (message.author.id !== self) return false;
    if (message.nonce != null) return String(message.nonce) === nonce;
    // What it answers may be gone: then it is a message of its own.
    const reference = message.message_reference?.message_id ?? record.replyTo;
    return reference === record.replyTo && record.tried.includes(markOfMessage(message));
  };
  let { after }: { after: string | null } = record;
  let before: string | undefined;
  for (let pages = 0; pages < mostPages; pages++) {
    const messages = await options.page(after ? { limit, after } : { limit, ...(before ? { before } : {}) });
    const found = messages.find(isIt);
    if (found) return { id: found.id, mark: markOfMessage(found) };
    if (messages.length < pageSize) return null;
    const ids = messages.map(({ id }) => BigInt(id)).sort((a, b) => (a < b ? -1 : 1));
    const [oldest = 0n, newest = 0n] = [ids[0], ids.at(-1)];
    if (after) after = String(newest);
    else if (Number(oldest >> 22n) + discordEpochMs < record.at - clocksDifferMs) return null;
    else before = String(oldest);
  }
  return null;
}

export function markOfMessage(message: Pick<APIMessage, "content" | "attachments">): string {
  return markOf(
    message.content,
    message.attachments.map(({ filename }) => filename),
  );
}
