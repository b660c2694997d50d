/** Conversations listed and searched, newest first, page by page, straight from their files. */
import { firstLine } from "../../tools/shorten.ts";
import type { ConversationEntry } from "../protocol.ts";
import { type ConversationFiles, listFiles, parseLine, readLines } from "./files.ts";

export interface FoundConversation {
  id: string;
  /** First line of what was said first. */
  title: string;
  /** Milliseconds since 1970. */
  updatedAt: number;
  /** Where the text that was searched for stands, at most `maxMatches`; empty in a plain list. */
  matches: ConversationMatch[];
}

export interface ConversationMatch {
  entry: string;
  at: number;
  /** Who said it: a person's name, `assistant`, `notice`, `summary` or a tool's name. */
  by: string;
  /** One line around the place. */
  snippet: string;
}

export interface FindOptions {
  directory: string;
  /** Any case; without it all are listed. */
  text?: string;
  /** Conversations on a page. */
  limit: number;
  /** `next` of the page before. */
  after?: string;
  signal?: AbortSignal;
}

export interface FoundPage {
  conversations: FoundConversation[];
  /** Where the next page begins; null on the last one. */
  next: string | null;
}

const maxTitleCharacters = 80;
const maxMatches = 3;
const snippetBefore = 40;
const snippetCharacters = 160;
/** A conversation whose first this many characters hold no question gets its id as title. */
const titleSearchCharacters = 1_000_000;

export async function findConversations(options: FindOptions): Promise<FoundPage> {
  const { directory, text, limit, after, signal } = options;
  const files = (await listFiles(directory)).filter((one) => after === undefined || isBehind(one, after));
  const conversations: FoundConversation[] = [];
  for (const [index, one] of files.entries()) {
    signal?.throwIfAborted();
    const matches = text === undefined ? [] : await matchesIn(one, text);
    if (text !== undefined && matches.length === 0) continue;
    conversations.push({ id: one.conversation, title: await titleOf(one), updatedAt: one.updatedAt, matches });
    if (conversations.length === limit) return { conversations, next: index + 1 < files.length ? cursorOf(one) : null };
  }
  return { conversations, next: null };
}

function cursorOf({ updatedAt, conversation }: ConversationFiles): string {
  return `${updatedAt}.${conversation}`;
}

/** A conversation that changes while somebody pages moves to the front, and no other is missed for it. */
function isBehind({ updatedAt, conversation }: ConversationFiles, cursor: string): boolean {
  const separator = cursor.indexOf(".");
  const at = Number(cursor.slice(0, separator));
  return updatedAt < at || (updatedAt === at && conversation > cursor.slice(separator + 1));
}

async function titleOf({ conversation, paths }: ConversationFiles): Promise<string> {
  let read = 0;
  for (const path of paths) {
    for await (const lines of readLines(path)) {
      for (const line of lines.split("\n")) {
        // Without parsing every entry of a conversation that begins with much else.
        if (!line.includes('"role":"user"')) continue;
        const body = parseLine(line)?.body;
        if (body?.role === "user") return firstLine(body.text, maxTitleCharacters);
      }
      read += lines.length;
      if (read > titleSearchCharacters) return conversation;
    }
  }
  return conversation;
}

async function matchesIn({ paths }: ConversationFiles, text: string): Promise<ConversationMatch[]> {
  const wanted = text.toLowerCase();
  // As it stands inside a line of JSON; a piece without it need not be parsed.
  const escaped = JSON.stringify(wanted).slice(1, -1);
  const matches: ConversationMatch[] = [];
  for (const path of paths) {
    for await (const lines of readLines(path)) {
      if (!lines.toLowerCase().includes(escaped)) continue;
      for (const line of lines.split("\n")) {
        if (!line.toLowerCase().includes(escaped)) continue;
        const entry = parseLine(line);
        const match = entry && matchIn(entry, wanted);
        if (match) matches.push(match);
        if (matches.length === maxMatches) return matches;
      }
    }
  }
  return matches;
}

function matchIn(entry: ConversationEntry, wanted: string): ConversationMatch | null {
  const said = saidIn(entry);
  const place = said?.text.toLowerCase().indexOf(wanted) ?? -1;
  if (said === null || place === -1) return null;
  const start = Math.max(0, place - snippetBefore);
  const piece = said.text
    .slice(start, start + snippetCharacters)
    .replace(/\s+/g, " ")
    .trim()
    .toWellFormed();
  const end = start + snippetCharacters < said.text.length ? "…" : "";
  return { entry: entry.id, at: entry.at, by: said.by, snippet: `${start > 0 ? "…" : ""}${piece}${end}` };
}

function saidIn({ body }: ConversationEntry): { by: string; text: string } | null {
  if (body.role === "user") return { by: body.author.name, text: body.text };
  if (body.role === "tool") return { by: body.name, text: body.text };
  if (body.role === "assistant" || body.role === "notice" || body.role === "summary")
    return { by: body.role, text: body.text };
  return null;
}
