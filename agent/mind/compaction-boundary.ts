/** Where a conversation may be cut: never between a call and its result. */
import type { ConversationEntry } from "../protocol.ts";
import { tokensOfText } from "./compaction-tokens.ts";

export interface Boundary {
  /** Id of the last entry that the summary stands for. */
  through: string;
  covered: ConversationEntry[];
}

export interface BoundaryOptions {
  /** What is in the model's view, in its order. */
  entries: ConversationEntry[];
  /** The message that is answered: what was asked always stays word for word. */
  message: string;
  /** What shall stay as it is may have this many tokens, by our estimate. */
  keepTokens: number;
}

/** The least that has to be covered so that the rest is small enough, or as much as can be; null where nothing can. */
export function findBoundary({ entries, message, keepTokens }: BoundaryOptions): Boundary | null {
  const isQuestion = (entry: ConversationEntry) => entry.message === message && entry.body.role === "user";
  const safe = safePlaces(entries, message).filter((place) => {
    const entry = entries[place];
    return entry !== undefined && !isQuestion(entry);
  });
  const sizes = entries.map((entry) => (isQuestion(entry) ? 0 : tokensOfEntry(entry)));
  let kept = sizes.reduce((sum, size) => sum + size, 0);
  const cut = (place: number): Boundary | null => {
    const through = entries[place];
    const covered = entries.slice(0, place + 1).filter((entry) => !isQuestion(entry));
    return through && covered.some(isSaid) ? { through: through.id, covered } : null;
  };
  let best: Boundary | null = null;
  let next = 0;
  for (const place of safe) {
    while (next <= place) kept -= sizes[next++] ?? 0;
    best = cut(place) ?? best;
    if (best !== null && kept <= keepTokens && !isFollowedByNothingSaid(entries, place)) break;
  }
  return best;
}

/** Indexes of entries behind which no result of an earlier call stands or is still to come. */
function safePlaces(entries: ConversationEntry[], message: string): number[] {
  const results = new Map<string, number>();
  for (const [index, { message: own, body }] of entries.entries())
    if (body.role === "tool") results.set(`${own} ${body.call}`, index);
  const lastTurn = entries.findLastIndex((entry) => entry.message === message && entry.body.role === "assistant");
  const places: number[] = [];
  let reach = -1;
  for (const [index, { message: own, body }] of entries.entries()) {
    if (body.role === "assistant") {
      for (const { call } of body.calls) {
        const result = results.get(`${own} ${call}`);
        // The loop still makes the open calls of the last turn; those of others never get a result.
        if (result === undefined && index === lastTurn) reach = Number.POSITIVE_INFINITY;
        else reach = Math.max(reach, result ?? -1);
      }
    }
    if (reach <= index) places.push(index);
  }
  return places;
}

function isSaid({ body }: ConversationEntry): boolean {
  return body.role === "user" || body.role === "assistant" || body.role === "tool" || body.role === "notice";
}

/** The end of an answer belongs to what is covered with it. */
function isFollowedByNothingSaid(entries: ConversationEntry[], place: number): boolean {
  const next = entries[place + 1];
  return next !== undefined && next.message === entries[place]?.message && !isSaid(next);
}

function tokensOfEntry({ body }: ConversationEntry): number {
  if (body.role === "assistant")
    return tokensOfText(body.text) + tokensOfText(JSON.stringify([body.calls, body.replay?.items ?? []]));
  if (body.role === "user" || body.role === "notice" || body.role === "tool") return tokensOfText(body.text);
  return 0;
}
