/**
 * Keeps a conversation within what its model can take: before a turn that would be too long, the oldest entries are
 * shortened into an appended `summary` entry that stands for them from then on. Nothing is removed, and between two
 * compactions what is sent only grows at its end.
 */
import { findBoundary } from "./compaction-boundary.ts";
import { digestOf } from "./compaction-digest.ts";
import { boundFacts, carryFacts } from "./compaction-facts.ts";
import { type SummarizedPart, summarizeEntries } from "./compaction-summary.ts";
import { tokensOfMessages, tokensOfText, tokensOfTools } from "./compaction-tokens.ts";
import { type Body, type History, trustOf } from "./history.ts";
import type { TurnView } from "./loop.ts";
import type { Model, ModelFailure, ModelMessage, ToolSpec } from "./models/model.ts";

/** A request of this share of the context is the last one that is made without compaction. */
const fullShare = 0.75;
/** Of the context, for what stays word for word; less when that is not enough. */
const keptShares = [0.25, 0.1, 0];
const summaryShare = 0.1;
const charactersPerToken = 3.5;
const mostSummaryCharacters = 12_000;
const leastSummaryCharacters = 800;
/** An endpoint that says "too long" takes less than what it was sent. */
const shrinkWhenRefused = 0.8;
const mostSources = 50;
const maxSourceCharacters = 500;

export interface CompactionOptions {
  history: History;
  /** The message that is answered. */
  message: string;
  conversation: string;
  run: string | null;
  model: Model;
  /** Who shortens; one that does not read prompts is not asked. */
  summaries: Model;
  /** Taken where the model's own limit is not known. */
  contextTokens: number;
  system: string;
  tools(): ToolSpec[];
  /** Stores an entry of the message that is answered. */
  append(body: Body<"summary">): Promise<void>;
  now?: () => number;
  /** Told what a summary cost, in US dollars. */
  onCost?(usd: number): void;
  /** Told why a conversation was shortened without a model. */
  onFallback?(failure: ModelFailure): void;
}

/** Called before each turn of a run. The messages to go on with, or null where those at hand are right. */
export type BeforeTurn = (turn: TurnView) => Promise<ModelMessage[] | null>;

/** By how much our estimate was wrong at the last request in a conversation, and what a model without a limit refused. */
const corrections = new WeakMap<History, number>();
const learnedLimits = new WeakMap<Model, number>();

export function makeCompaction(options: CompactionOptions): BeforeTurn {
  const { history, message, model } = options;
  // An interpreter reads only the last message.
  if (!model.readsPrompt) return async () => null;
  let sent: { estimate: number } | null = null;
  let refusals = 0;

  const fixedTokens = () => tokensOfText(options.system) + tokensOfTools(options.tools());

  const estimateOf = (messages: readonly ModelMessage[]) => fixedTokens() + tokensOfMessages(history, messages);

  return async (turn) => {
    if (turn.inputTokens !== null && turn.inputTokens > 0 && sent !== null)
      corrections.set(history, Math.min(3, Math.max(0.3, turn.inputTokens / sent.estimate)));
    const estimate = estimateOf(turn.messages);
    const correction = corrections.get(history) ?? 1;
    sent = { estimate };
    refusals = turn.isFull ? refusals + 1 : 0;
    if (refusals > keptShares.length) return null;
    let context = contextOf(options);
    if (turn.isFull) {
      context = Math.min(context, estimate * correction * shrinkWhenRefused);
      if (model.contextTokens === null) learnedLimits.set(model, context);
    }
    // A long answer needs its room, too.
    const limit = Math.max(context * 0.3, Math.min(context * fullShare, context - model.maxOutputTokens));
    if (!turn.isFull && estimate * correction <= limit) return null;
    let messages: ModelMessage[] | null = null;
    for (const share of keptShares.slice(Math.max(0, refusals - 1))) {
      const keepTokens = (context * share) / correction;
      if (!(await compact(options, { keepTokens, context, signal: turn.signal }))) {
        if (turn.signal.aborted) return null;
        continue;
      }
      messages = history.messagesFor(message);
      const left = estimateOf(messages);
      sent = { estimate: left };
      if (left * correction <= limit) break;
    }
    return messages;
  };
}

function contextOf({ model, contextTokens }: CompactionOptions): number {
  return model.contextTokens ?? learnedLimits.get(model) ?? contextTokens;
}

interface CompactionSize {
  keepTokens: number;
  context: number;
  signal: AbortSignal;
}

/** Whether a summary was stored. */
async function compact(options: CompactionOptions, size: CompactionSize): Promise<boolean> {
  const { signal } = size;
  const { history, message, now = Date.now } = options;
  const { summary: before, entries } = history.viewFor(message);
  const boundary = findBoundary({ entries, message, keepTokens: size.keepTokens });
  if (boundary === null) return false;
  const wanted = Math.round(size.context * summaryShare * charactersPerToken);
  const maxCharacters = Math.min(mostSummaryCharacters, Math.max(leastSummaryCharacters, wanted));
  // Ends of operations count from wherever they were told.
  const carried = carryFacts({ before: before?.facts ?? [], entries, now: now() });
  let part: SummarizedPart | null = null;
  if (options.summaries.readsPrompt) {
    const { summaries: model, conversation, run, onCost } = options;
    const made = await summarizeEntries({
      call: { model, message, conversation, run, signal, ...(onCost ? { onCost } : {}) },
      contextTokens: Math.min(model.contextTokens ?? options.contextTokens, learnedLimits.get(model) ?? Infinity),
      before: before?.text ?? "",
      facts: carried,
      entries: boundary.covered,
      maxCharacters,
      now: now(),
    });
    if (signal.aborted) return false;
    if (made.ok) part = made.value;
    else {
      options.onFallback?.(made.failure);
      part = made.partly ? { ...made.partly, model: null } : null;
    }
  }
  const text = part?.text ?? digestOf({ before: before?.text ?? "", entries: boundary.covered, maxCharacters });
  const { trust, publicSources } = trustOf([...(before ? [before] : []), ...boundary.covered.map(({ body }) => body)]);
  await options.append({
    role: "summary",
    through: boundary.through,
    text,
    facts: boundFacts(part?.facts ?? carried),
    model: part?.model ?? "program",
    ...(trust === "maintainer" ? {} : { trust }),
    ...(publicSources.length === 0 ? {} : { sources: boundSources(publicSources) }),
  });
  return true;
}

function boundSources(sources: string[]): string[] {
  const short = sources.map((source) => source.slice(0, maxSourceCharacters));
  if (short.length <= mostSources) return short;
  return [...short.slice(0, mostSources - 1), `and ${short.length - mostSources + 1} more`];
}
