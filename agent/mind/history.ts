/**
 * From stored entries to a model's messages, entry by entry.
 *
 * Entries are grouped by message, in the order of each message's first entry. A run that answers a message sees the
 * groups before it and then its own; so what was sent once never changes from turn to turn or from run to run, whatever
 * came in between: a notice that comes during a run stands behind it in the next one.
 */
import { lowestTrustOf } from "../../tools/memory-provenance.ts";
import type { Trust } from "../../tools/tool.ts";
import type { ConversationEntry } from "../protocol.ts";
import { messagesOf, summaryMessage } from "./history-messages.ts";
import type { ModelMessage } from "./models/model.ts";

export type Body<Role extends ConversationEntry["body"]["role"]> = Extract<ConversationEntry["body"], { role: Role }>;

/** What one message's run has stored so far. */
export interface StoredRun {
  hasUserEntry: boolean;
  hasNotice: boolean;
  /** Texts of its finished turns, joined as they were shown. */
  text: string;
  /** Results of its finished calls, in order. */
  results: Body<"tool">[];
  /** Calls of tools that must not run twice which began and have no result: nobody knows whether they ran. */
  started: string[];
  pictures: Body<"picture">[];
  end: { reason: string; text: string } | null;
}

/** What a model sees when it answers a message, as entries. */
export interface HistoryView {
  summary: Body<"summary"> | null;
  /** In the model's order; without those that the summary stands for. */
  entries: ConversationEntry[];
}

export interface ViewTrust {
  /** The lowest of what is in view; `maintainer` where nothing lowers it. */
  trust: Trust;
  /** Where public text in view came from, each once, in order. */
  publicSources: string[];
}

export interface History {
  /** In the order in which entries are stored. */
  add(entry: ConversationEntry): void;
  /**
   * The conversation as the model sees it when it answers `message`: a new array each time. Calls of other messages
   * that have no result get one that says so, because endpoints refuse a conversation with a call left open; those of
   * this message's last turn stay open, for the loop to make.
   */
  messagesFor(message: string): ModelMessage[];
  viewFor(message: string): HistoryView;
  stored(message: string): StoredRun;
  /** How many entries a message has: the next one's id is `<message>.<count>`. */
  countOf(message: string): number;
  /** Whether any call of the conversation has this id, in view or not. */
  hasCall(call: string): boolean;
  /** Of everything in the model's view when it answers `message`; without one, of the whole conversation's view. */
  trust(message?: string): ViewTrust;
}

interface Group {
  index: number;
  entries: { entry: ConversationEntry; place: number }[];
  /** What of it is seen when another message is answered, under the summary at that place (-1: none). */
  closed: { summaryPlace: number; messages: ModelMessage[]; trust: ViewTrust } | null;
}

/** The closed groups before a place, put together once. */
interface Before {
  summaryPlace: number;
  /** How many groups. */
  count: number;
  messages: ModelMessage[];
  trust: ViewTrust;
}

interface Summary {
  body: Body<"summary">;
  /** The message in whose run it was made: the question itself stays in view. */
  message: string;
  place: number;
  through: Place;
  /** The one that was in view when it was made: what that stands for, this one does, too. */
  before: Summary | null;
  /** As far as any of these reaches. */
  reach: Place;
}

/** Of an entry in the model's order. */
interface Place {
  group: number;
  entry: number;
}

export function makeHistory(entries: Iterable<ConversationEntry> = []): History {
  const groups: Group[] = [];
  const byMessage = new Map<string, Group>();
  const summaries: Summary[] = [];
  const calls = new Set<string>();
  let places = 0;
  let before: Before | null = null;

  function add(entry: ConversationEntry): void {
    let group = byMessage.get(entry.message);
    if (!group) {
      group = { index: groups.length, entries: [], closed: null };
      groups.push(group);
      byMessage.set(entry.message, group);
    }
    const place = places++;
    group.entries.push({ entry, place });
    group.closed = null;
    if (before !== null && group.index < before.count) before = null;
    if (entry.body.role === "summary") addSummary(entry.body, entry.message, place);
    if (entry.body.role === "assistant") for (const { call } of entry.body.calls) calls.add(call);
  }

  /** One whose entry is not there (an edited file) stands for nothing. */
  function addSummary(body: Body<"summary">, message: string, place: number): void {
    for (const group of groups.toReversed()) {
      const index = group.entries.findIndex(({ entry }) => entry.id === body.through);
      if (index === -1) continue;
      const through = { group: group.index, entry: index };
      const earlier = summaryFor(limitOf(message));
      const reach = earlier !== null && isBefore(through, earlier.reach) ? earlier.reach : through;
      summaries.push({ body, message, place, through, before: earlier, reach });
      return;
    }
  }

  /** Groups up to the message's own; all of them for a message that has no entry yet. */
  function limitOf(message: string | undefined): number {
    return message === undefined ? groups.length : (byMessage.get(message)?.index ?? groups.length - 1) + 1;
  }

  /** Of those that were made up to this message the one that reaches furthest, the latest of several. */
  function summaryFor(limit: number): Summary | null {
    let best: Summary | null = null;
    for (const one of summaries) {
      if ((byMessage.get(one.message)?.index ?? limit) >= limit) continue;
      if (best === null || !isBefore(one.reach, best.reach)) best = one;
    }
    return best;
  }

  function visibleOf(group: Group, summary: Summary | null): ConversationEntry[] {
    const visible: ConversationEntry[] = [];
    for (const [index, { entry, place }] of group.entries.entries()) {
      if (entry.body.role === "summary") continue;
      if (!isCovered(entry, place, { group: group.index, entry: index }, summary)) visible.push(entry);
    }
    return visible;
  }

  /** As another message sees it; made once, until an entry or a summary comes. */
  function closedOf(group: Group, summary: Summary | null): { messages: ModelMessage[]; trust: ViewTrust } {
    const summaryPlace = summary?.place ?? -1;
    if (group.closed?.summaryPlace !== summaryPlace) {
      const visible = visibleOf(group, summary);
      const trust = trustOf(visible.map(({ body }) => body));
      group.closed = { summaryPlace, messages: messagesOf(visible, { isOpen: false }), trust };
    }
    return group.closed;
  }

  /** Only what came since it was last asked for is put together; what is asked for of the past is not kept. */
  function closedBefore(count: number, summary: Summary | null): Before {
    const summaryPlace = summary?.place ?? -1;
    if (before === null || before.summaryPlace !== summaryPlace || before.count > count) {
      const messages = summary ? [summaryMessage(summary.body)] : [];
      before = { summaryPlace, count: 0, messages, trust: summary ? trustOf([summary.body]) : own };
    }
    for (; before.count < count; before.count++) {
      const group = groups[before.count];
      if (group === undefined) continue;
      const closed = closedOf(group, summary);
      for (const one of closed.messages) before.messages.push(one);
      if (closed.trust !== own) before.trust = lowestOf([before.trust, closed.trust]);
    }
    return before;
  }

  function messagesFor(message: string): ModelMessage[] {
    const limit = limitOf(message);
    const own = byMessage.get(message);
    const summary = summaryFor(limit);
    const messages = closedBefore(own?.index ?? limit, summary).messages.slice();
    if (own) messages.push(...messagesOf(visibleOf(own, summary), { isOpen: true }));
    return messages;
  }

  function trust(message?: string): ViewTrust {
    const limit = limitOf(message);
    const summary = summaryFor(limit);
    const last = groups[limit - 1];
    const { trust: lowest } = closedBefore(Math.max(0, limit - 1), summary);
    return last ? lowestOf([lowest, trustOf(visibleOf(last, summary).map(({ body }) => body))]) : lowest;
  }

  function viewFor(message: string | undefined): HistoryView {
    const limit = limitOf(message);
    const summary = summaryFor(limit);
    return {
      summary: summary?.body ?? null,
      entries: groups.slice(0, limit).flatMap((group) => visibleOf(group, summary)),
    };
  }

  for (const entry of entries) add(entry);
  return {
    add,
    messagesFor,
    viewFor,
    stored: (message) => storedRun((byMessage.get(message)?.entries ?? []).map(({ entry }) => entry)),
    hasCall: (call) => calls.has(call),
    countOf: (message) => byMessage.get(message)?.entries.length ?? 0,
    trust,
  };
}

const own: ViewTrust = { trust: "maintainer", publicSources: [] };

/** The lowest trust of these entries and the public sources among them. */
export function trustOf(bodies: ConversationEntry["body"][]): ViewTrust {
  const parts = bodies.flatMap((body): ViewTrust[] => {
    if ((body.role !== "tool" && body.role !== "summary") || body.trust === undefined) return [];
    if (body.trust !== "public") return [{ trust: body.trust, publicSources: [] }];
    const sources = body.role === "tool" ? [body.source ?? body.name] : (body.sources ?? []);
    return [{ trust: body.trust, publicSources: sources }];
  });
  return parts.length === 0 ? own : lowestOf(parts);
}

function lowestOf(parts: ViewTrust[]): ViewTrust {
  const sources = new Set(parts.flatMap(({ publicSources }) => publicSources));
  return { trust: lowestTrustOf(parts), publicSources: [...sources] };
}

function isBefore(a: Place, b: Place): boolean {
  return a.group < b.group || (a.group === b.group && a.entry < b.entry);
}

/** What was stored after a summary is never covered by it, even where it belongs to an earlier message. */
function isCovered(entry: ConversationEntry, storedAt: number, place: Place, summary: Summary | null): boolean {
  for (let one = summary; one !== null; one = one.before) {
    if (storedAt > one.place || isBefore(one.through, place)) continue;
    if (entry.body.role !== "user" || entry.message !== one.message) return true;
  }
  return false;
}

function storedRun(entries: ConversationEntry[]): StoredRun {
  const bodies = entries.map(({ body }) => body);
  const end = bodies.find((body) => body.role === "end");
  const results = bodies.filter((body) => body.role === "tool");
  const finished = new Set(results.map(({ call }) => call));
  return {
    hasUserEntry: bodies.some((body) => body.role === "user"),
    hasNotice: bodies.some((body) => body.role === "notice"),
    text: bodies.flatMap((body) => (body.role === "assistant" && body.text !== "" ? [body.text] : [])).join("\n\n"),
    results,
    started: bodies.flatMap((body) => (body.role === "started" && !finished.has(body.call) ? [body.call] : [])),
    pictures: bodies.filter((body) => body.role === "picture"),
    end: end ? { reason: end.reason, text: end.text } : null,
  };
}
