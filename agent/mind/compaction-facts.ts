/**
 * What must outlive a conversation's compaction. Code carries it from summary to summary: a summarizer adds facts and
 * names settled ones, and cannot lose one by forgetting it. Operations that wait or run are no matter of its opinion.
 */
import { shorten } from "../../tools/shorten.ts";
import type { ConversationEntry } from "../protocol.ts";
import type { Body } from "./history.ts";
import { proposalOf } from "./proposal.ts";

export type Fact = Body<"summary">["facts"][number];
export interface FoundFact {
  kind: Fact["kind"];
  text: string;
}

export const maxFactCharacters = 500;
/** More than these are merged; twice as many are never carried. */
export const manyFacts = 80;
export const mostFacts = 2 * manyFacts;

/** Long after its approval could be used; by then its end was told, if it began. */
const forgottenAfterMs = 7 * 24 * 3600 * 1000;

/** Ids of operations' facts are ours, so that no summarizer can name one as settled. */
const operationFactId = /^(ap-[^/]+)\/(op-[^/]+)$/;

export interface CarryOptions {
  before: Fact[];
  /** What a summarizer has found in the entries, and ids of what it says is settled. */
  found?: FoundFact[];
  settled?: string[];
  /** Everything that came since the last summary. */
  entries: ConversationEntry[];
  now: number;
}

/** The facts that hold from here on. */
export function carryFacts({ before, found = [], settled = [], entries, now }: CarryOptions): Fact[] {
  const ended = endedOperations(entries);
  const named = new Set(settled.filter((id) => !operationFactId.test(id)));
  const facts = before.filter((fact) => !named.has(fact.id) && !isEnded(fact, ended));
  for (const fact of openOperations(entries, now)) {
    if (!isEnded(fact, ended) && !facts.some(({ id }) => id === fact.id)) facts.push(fact);
  }
  let number = nextNumber(before);
  for (const { kind, text } of found) {
    const short = asFact(text);
    if (short === "" || facts.some((fact) => sameText(fact.text, short))) continue;
    facts.push({ id: `f${number++}`, kind, text: short });
  }
  return facts;
}

/** Proposals among tool results, whether they wait for a person or were let through. */
function openOperations(entries: ConversationEntry[], now: number): Fact[] {
  return entries.flatMap(({ body }): Fact[] => {
    const proposal = body.role === "tool" ? proposalOf(body.data) : null;
    if (proposal === null || proposal.expiresAt + forgottenAfterMs < now) return [];
    const { approval, digest, operation, summary, state } = proposal;
    const id = `${approval}/op-${digest.slice(0, 12)}`;
    const how = state === "approved" ? "started under policy" : "proposed, waits for approval";
    const text = `${operation}: ${summary} (${how}; approval ${approval}, operation op-${digest.slice(0, 12)})`;
    return [{ id, kind: "operation", text: asFact(text) }];
  });
}

/** A notice's message is named after what it tells the end of. */
function endedOperations(entries: ConversationEntry[]): Set<string> {
  return new Set(
    entries.flatMap(({ message, body }) =>
      body.role === "notice" ? (message.match(/\b(ap|op)-[0-9a-z]+/g) ?? []) : [],
    ),
  );
}

function isEnded(fact: Fact, ended: Set<string>): boolean {
  const [, approval = "", operation = ""] = operationFactId.exec(fact.id) ?? [];
  return ended.has(approval) || ended.has(operation);
}

export interface MergedFact extends FoundFact {
  /** Ids of the facts that it stands for. */
  from: string[];
}

/** Whether a summarizer may say this fact with others in one. */
export function isMergeable(fact: Fact): boolean {
  return !operationFactId.test(fact.id);
}

/** Puts merged facts in the place of those they name; a fact that nobody names stays. */
export function mergeFacts(facts: Fact[], merged: MergedFact[]): Fact[] {
  const mergeable = new Set(facts.filter(isMergeable).map(({ id }) => id));
  let number = nextNumber(facts);
  const added: Fact[] = [];
  for (const { kind, text, from } of merged) {
    const short = asFact(text);
    const named = from.filter((id) => mergeable.has(id));
    if (short === "" || named.length < 2) continue;
    for (const id of named) mergeable.delete(id);
    added.push({ id: `f${number++}`, kind, text: short });
  }
  return [...facts.filter((fact) => !isMergeable(fact) || mergeable.has(fact.id)), ...added];
}

/** No more than can be carried: what was merely a fact goes first, oldest first; an operation's never. */
export function boundFacts(facts: Fact[]): Fact[] {
  const kept = [...facts];
  for (const kind of ["fact", "decision", "promise", "operation"] as const) {
    while (kept.length > mostFacts) {
      const oldest = kept.findIndex((fact) => fact.kind === kind && isMergeable(fact));
      if (oldest === -1) break;
      kept.splice(oldest, 1);
    }
  }
  return kept;
}

function nextNumber(facts: Fact[]): number {
  return 1 + Math.max(0, ...facts.map(({ id }) => Number(/^f(\d{1,9})$/.exec(id)?.[1] ?? 0)));
}

function asFact(text: string): string {
  return shorten(text.replace(/\s+/g, " ").trim(), maxFactCharacters);
}

function sameText(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
