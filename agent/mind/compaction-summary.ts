/** Shortens entries with a model, piece by piece where they are more than it can take at once. */
import type { ConversationEntry } from "../protocol.ts";
import { digestOf, transcriptOf } from "./compaction-digest.ts";
import { carryFacts, type Fact, isMergeable, manyFacts, mergeFacts } from "./compaction-facts.ts";
import { tokensOfText } from "./compaction-tokens.ts";
import type { ModelFailure } from "./models/model.ts";
import { type SummarizerCall, summarizeFacts, summarizePart } from "./summarize.ts";

/** Of the summarizer's context, for the record; the rest is for the summary so far, the facts and the answer. */
const recordShare = 0.5;
/** With an endpoint whose limit nobody knows: how often the pieces are halved when it says that they are too long. */
const mostHalvings = 6;
const leastPieceTokens = 500;
const charactersPerToken = 3.5;

export interface SummarizedPart {
  text: string;
  facts: Fact[];
  /** Who wrote it; null for the program itself. */
  model: string | null;
}

export interface SummarizeEntriesOptions {
  call: SummarizerCall;
  contextTokens: number;
  /** The summary that these entries go on from. */
  before: string;
  facts: Fact[];
  entries: ConversationEntry[];
  maxCharacters: number;
  now: number;
}

export type Summarized =
  | { ok: true; value: SummarizedPart }
  /** `partly`: what the pieces before the failure gave, with the rest shortened by rule. */
  | { ok: false; failure: ModelFailure; partly: SummarizedPart | null };

export async function summarizeEntries(options: SummarizeEntriesOptions): Promise<Summarized> {
  const { call, entries, maxCharacters, now } = options;
  let { before: text, facts } = options;
  let pieceTokens = Math.max(leastPieceTokens, options.contextTokens * recordShare);
  let halvings = 0;
  let done = 0;
  let rest = pieces(entries, 0, pieceTokens);
  while (rest.length > 0) {
    const [piece, ...after] = rest;
    if (!piece) break;
    const answer = await summarizePart(call, { before: text, facts, transcript: piece.text, maxCharacters });
    if (!answer.ok) {
      const { failure } = answer;
      if (failure.code === "model_context_full" && halvings < mostHalvings && pieceTokens > leastPieceTokens) {
        halvings += 1;
        pieceTokens = Math.max(leastPieceTokens, Math.min(pieceTokens, tokensOfText(piece.text)) / 2);
        rest = pieces(entries, done, pieceTokens);
        continue;
      }
      if (done === 0) return { ok: false, failure, partly: null };
      const digest = digestOf({ before: text, entries: entries.slice(done), maxCharacters });
      return { ok: false, failure, partly: { text: digest, facts, model: null } };
    }
    const { text: said, found, settled } = answer.value;
    text = said.length > maxCharacters * 2 ? `${said.slice(0, maxCharacters * 2 - 1)}…` : said;
    facts = carryFacts({ before: facts, found, settled, entries: [], now });
    done = piece.end;
    rest = after;
  }
  return { ok: true, value: { text, facts: await merged(call, facts), model: call.model.name } };
}

/** A summarizer that cannot merge them leaves them as they are. */
async function merged(call: SummarizerCall, facts: Fact[]): Promise<Fact[]> {
  if (facts.length <= manyFacts) return facts;
  const answer = await summarizeFacts(call, facts.filter(isMergeable), Math.floor(manyFacts / 2));
  return answer.ok ? mergeFacts(facts, answer.value) : facts;
}

interface Piece {
  text: string;
  /** Entries that are wholly told once this piece is. */
  end: number;
}

/** Entries from `start` on as texts of at most so many tokens; a single one that is longer is cut. */
function pieces(entries: ConversationEntry[], start: number, pieceTokens: number): Piece[] {
  const all: Piece[] = [];
  let lines: string[] = [];
  let tokens = 0;
  const close = (end: number) => {
    if (lines.length > 0) all.push({ text: lines.join("\n"), end });
    lines = [];
    tokens = 0;
  };
  for (const [index, entry] of entries.entries()) {
    if (index < start) continue;
    const line = transcriptOf(entry);
    if (line === "") continue;
    const cuts = cut(line, pieceTokens);
    for (const [number, one] of cuts.entries()) {
      const own = tokensOfText(one);
      if (tokens + own > pieceTokens) close(index);
      lines.push(one);
      tokens += own;
      if (number < cuts.length - 1) close(index);
    }
  }
  close(entries.length);
  return all;
}

function cut(text: string, pieceTokens: number): string[] {
  if (tokensOfText(text) <= pieceTokens) return [text];
  // A third of the characters: none of them has more than three bytes for each of its two code units.
  const size = Math.max(1, Math.floor((pieceTokens * charactersPerToken) / 3));
  const parts: string[] = [];
  for (let start = 0; start < text.length; start += size) parts.push(text.slice(start, start + size).toWellFormed());
  return parts;
}
