/** What of a scheduled job's conversation is news: a run that ended with nothing to say is stored and not shown as such. */
import { silentAnswer } from "../tools/sitrep.ts";
import type { ConversationEntry } from "./protocol.ts";

/** What the conversations of scheduled jobs begin with. */
export const scheduleConversation = "schedule-";

/** Whether an answer says no more than that there is nothing to say. */
export function isSilentAnswer(text: string): boolean {
  return text.trim() === silentAnswer;
}

/**
 * The entries that a list of conversations should count: in a job's conversation those of runs that ended with something
 * to say, and notices; in any other one all of them.
 */
export function newsOf(conversation: string, entries: readonly ConversationEntry[]): readonly ConversationEntry[] {
  if (!conversation.startsWith(scheduleConversation)) return entries;
  const told = new Set(
    entries.flatMap(({ message, body }) =>
      body.role === "notice" || (body.role === "end" && !isSilentAnswer(body.text)) ? [message] : [],
    ),
  );
  return entries.filter(({ message }) => told.has(message));
}
