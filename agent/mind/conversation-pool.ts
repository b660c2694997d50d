/**
 * One writer for each conversation in this process, however many parts of it write there. A conversation stays open and
 * parsed between runs, so that a run costs the same in a long one as in a short one; files that somebody else changed
 * meanwhile are read again.
 */
import { type ConversationPlace, openConversation } from "../conversations.ts";
import type { ConversationEntry } from "../protocol.ts";
import { type History, makeHistory } from "./history.ts";

export interface OpenedConversation {
  /** Everything stored, of all epochs in order; grows with each append. */
  entries: readonly ConversationEntry[];
  history: History;
  /**
   * Resolves when the entry is on disk; it is in `history` at once. Appends are written in the order of the calls, and
   * after one that failed all fail, until everybody has closed the conversation.
   */
  append(entry: ConversationEntry): Promise<void>;
  /** Must be called; the conversation may stay open for the next one. */
  close(): Promise<void>;
}

export type OpenConversation = (place: ConversationPlace & { epoch: number }) => Promise<OpenedConversation>;

export interface ConversationPool {
  open: OpenConversation;
  /** Closes what nobody uses, and the rest when it is no longer used; nothing stays open from here on. */
  close(): Promise<void>;
}

export interface PoolOptions {
  open?: typeof openConversation;
  /** Conversations that stay open without being used, and their bytes on disk together. */
  mostIdle?: number;
  mostIdleBytes?: number;
  idleMs?: number;
}

/** Parsed, a conversation takes about twice its bytes on disk: a mind's memory stays small. */
const defaultMostIdle = 32;
const defaultMostIdleBytes = 8 * 1024 * 1024;
const defaultIdleMs = 10 * 60 * 1000;

interface Shared {
  key: string;
  opening: Promise<Opened>;
  opened: Opened | null;
  users: number;
  idleTimer: NodeJS.Timeout | null;
}

interface Opened {
  writer: Awaited<ReturnType<typeof openConversation>>;
  history: History;
}

export function makeConversationPool(options: PoolOptions = {}): ConversationPool {
  const { open = openConversation, mostIdle = defaultMostIdle } = options;
  const { mostIdleBytes = defaultMostIdleBytes, idleMs = defaultIdleMs } = options;
  /** The least recently used first. */
  const shared = new Map<string, Shared>();
  let isClosed = false;

  async function openNew(place: ConversationPlace & { epoch: number }): Promise<Opened> {
    const writer = await open(place);
    return { writer, history: makeHistory(writer.entries) };
  }

  /** What is open already, if nobody else has changed its files; else they are read again. */
  async function openAgain(place: ConversationPlace & { epoch: number }, before: Opened): Promise<Opened> {
    if (await before.writer.isCurrent()) return before;
    await before.writer.close();
    return openNew(place);
  }

  function take(place: ConversationPlace & { epoch: number }): Shared {
    const key = JSON.stringify([place.directory, place.conversation, place.epoch]);
    const known = shared.get(key);
    const entry: Shared = known ?? { key, opening: openNew(place), opened: null, users: 0, idleTimer: null };
    if (known && known.users === 0 && known.opened) {
      known.opening = openAgain(place, known.opened);
      known.opened = null;
    }
    if (entry.idleTimer) clearTimeout(entry.idleTimer);
    entry.idleTimer = null;
    entry.users += 1;
    shared.delete(key);
    shared.set(key, entry);
    return entry;
  }

  async function leave(entry: Shared, opened: Opened): Promise<void> {
    await opened.writer.rest();
    entry.users -= 1;
    if (entry.users > 0) return;
    entry.opened = opened;
    entry.idleTimer = setTimeout(() => void drop(entry).catch(() => undefined), idleMs);
    entry.idleTimer.unref();
    await dropWhatIsTooMuch();
  }

  async function dropWhatIsTooMuch(): Promise<void> {
    const idle = [...shared.values()].filter(({ users, opened }) => users === 0 && opened !== null);
    let count = idle.length;
    let bytes = idle.reduce((sum, { opened }) => sum + (opened?.writer.bytes() ?? 0), 0);
    for (const entry of idle) {
      if (!isClosed && count <= mostIdle && bytes <= mostIdleBytes) return;
      count -= 1;
      bytes -= entry.opened?.writer.bytes() ?? 0;
      await drop(entry);
    }
  }

  async function drop(entry: Shared): Promise<void> {
    if (entry.users > 0 || shared.get(entry.key) !== entry) return;
    if (entry.idleTimer) clearTimeout(entry.idleTimer);
    shared.delete(entry.key);
    await entry.opened?.writer.close();
  }

  return {
    async open(place) {
      const entry = take(place);
      let opened: Opened;
      try {
        opened = await entry.opening;
      } catch (error) {
        entry.users -= 1;
        if (entry.users === 0 && shared.get(entry.key) === entry) shared.delete(entry.key);
        throw error;
      }
      let hasLeft = false;
      return {
        entries: opened.writer.entries,
        history: opened.history,
        async append(stored) {
          const written = opened.writer.append(stored);
          opened.history.add(stored);
          await written;
        },
        async close() {
          if (hasLeft) return;
          hasLeft = true;
          await leave(entry, opened);
        },
      };
    },
    async close() {
      isClosed = true;
      await dropWhatIsTooMuch();
    },
  };
}
