/** Conversations over HTTP: read from their files, which their holders' minds write. */
import { z } from "zod";
import { type FoundConversation, findConversations } from "../../conversations/find.ts";
import { readConversation } from "../../conversations.ts";
import { conversationIdSchema } from "../../protocol.ts";
import { newsOf, scheduleConversation } from "../../schedule-news.ts";
import type { Api } from "./context.ts";
import type { Guarded } from "./route.ts";

const querySchema = z.strictObject({
  q: z.string().trim().max(200).default(""),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  after: z.string().max(200).optional(),
});

/** News of a job's conversation at its last change; there are few jobs, and their conversations grow for years. */
type News = Map<string, { updatedAt: number; shown: FoundConversation | null }>;

export function conversationRoutes(api: Api, guarded: Guarded): void {
  const news: News = new Map();
  guarded(
    "GET",
    "/api/conversations",
    "conversations, newest first; `?q=` those that hold a text, `?limit=`, `?after=` goes on from an answer's `next`",
    async (context) => {
      const { q, limit, after } = querySchema.parse(context.req.query());
      const page = await findConversations({
        directory: api.paths.conversations,
        limit,
        // Nobody waits for the end of a search that the next letter has replaced.
        signal: context.req.raw.signal,
        ...(q === "" ? {} : { text: q }),
        ...(after === undefined ? {} : { after }),
      });
      const shown = await Promise.all(page.conversations.map((one) => withNews(api, news, one)));
      const conversations = shown.filter((one) => one !== null).sort((a, b) => b.updatedAt - a.updatedAt);
      return context.json({ ...page, conversations });
    },
  );
  guarded(
    "GET",
    "/api/conversations/:id",
    "one conversation and the messages being answered in it",
    async (context) => {
      const conversation = conversationIdSchema.parse(context.req.param("id"));
      const entries = await readConversation({ directory: api.paths.conversations, conversation });
      const waiting = (await api.inbox.pending(api.identity.name)).filter(
        (one) => one.conversation === conversation && one.kind === "chat",
      );
      const running = [...new Set([...api.runs.running(conversation), ...waiting.map((one) => one.id)])];
      return context.json({ conversation, entries, running });
    },
  );
}

/** A job that had nothing to say is no news: its conversation stands where it last had, and one that never had is left out. */
async function withNews(api: Api, news: News, found: FoundConversation): Promise<FoundConversation | null> {
  const { id, updatedAt } = found;
  if (!id.startsWith(scheduleConversation) || found.matches.length > 0) return found;
  const known = news.get(id);
  if (known?.updatedAt === updatedAt) return known.shown;
  const entries = await readConversation({ directory: api.paths.conversations, conversation: id }).catch(() => null);
  const told = entries === null ? null : newsOf(id, entries);
  const last = told?.at(-1);
  const shown = told === null ? found : last === undefined ? null : { ...found, updatedAt: last.at };
  news.set(id, { updatedAt, shown });
  return shown;
}
