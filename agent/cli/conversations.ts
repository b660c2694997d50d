/** Conversations from the command line: straight from their files, so that it works while no gateway runs. */

import { ToolError } from "../../tools/errors.ts";
import { type FoundPage, findConversations } from "../conversations/find.ts";
import { transcriptLines } from "../conversations/transcript.ts";
import { readConversation } from "../conversations.ts";
import { fleetPaths } from "../paths.ts";
import { conversationIdSchema } from "../protocol.ts";
import type { CommandContext } from "./context.ts";
import { table, timeOf, UsageError } from "./output.ts";
import { readConfig } from "./read-config.ts";

const listed = 50;
const found = 20;

export async function list(context: CommandContext, options: Record<string, unknown>): Promise<void> {
  const page = await findConversations({ directory: directoryOf(context), ...paging(options, listed) });
  const conversations = page.conversations.map(({ matches: _, ...one }) => one);
  context.output.result({ conversations, next: page.next }, () =>
    page.conversations.length === 0
      ? "nobody has said anything yet; `clawdinator ask help` begins"
      : `${tableOf(page)}${more(page, "list")}`,
  );
}

export async function show(context: CommandContext, id: string): Promise<void> {
  const conversation = conversationIdSchema.safeParse(id).data;
  const entries = conversation ? await readConversation({ directory: directoryOf(context), conversation }) : [];
  if (entries.length === 0) {
    throw new ToolError(`there is no conversation ${id}`, {
      code: "unknown_conversation",
      hint: "`clawdinator conversations list` shows them",
    });
  }
  context.output.result({ conversation, entries }, () => transcriptLines(entries).join("\n"));
}

export async function search(context: CommandContext, text: string, options: Record<string, unknown>): Promise<void> {
  const wanted = text.trim();
  if (wanted === "") throw new UsageError("there is nothing to search for", "give a word or a part of a sentence");
  const page = await findConversations({ directory: directoryOf(context), text: wanted, ...paging(options, found) });
  context.output.result(page, () => {
    if (page.conversations.length === 0) return `no conversation holds “${wanted}”`;
    const parts = page.conversations.map(({ id, title, matches }) => {
      const lines = matches.map(({ at, by, snippet }) => `  ${timeOf(at)}  ${by}: ${snippet}`);
      return [`${id}  ${title}`, ...lines].join("\n");
    });
    return `${parts.join("\n\n")}${more(page, `search "${wanted}"`)}`;
  });
}

function directoryOf(context: CommandContext): string {
  return fleetPaths(context.home, readConfig(context.home)).conversations;
}

function paging({ limit, after }: Record<string, unknown>, most: number): { limit: number; after?: string } {
  return { limit: typeof limit === "number" ? limit : most, ...(typeof after === "string" ? { after } : {}) };
}

function tableOf(page: FoundPage): string {
  return table(
    ["CONVERSATION", "CHANGED (UTC)", "BEGAN WITH"],
    page.conversations.map(({ id, updatedAt, title }) => [id, timeOf(updatedAt), title]),
  );
}

function more({ next }: FoundPage, command: string): string {
  return next === null ? "" : `\n\nThere are more: clawdinator conversations ${command} --after ${next}`;
}
