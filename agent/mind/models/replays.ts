/** When a turn may be sent back word for word, and when it is told again from its text and calls. */
import type { Replay } from "./model.ts";
import type { Turn } from "./turns.ts";

/** What a provider's own items say: must be what the conversation has, or the items are another turn's. */
export interface ReplayedTurn {
  text: string;
  calls: number;
}

/**
 * The items of a turn, when this very model made them and they still say what the conversation has. A text that was cut
 * or calls that were left out since would come back with them otherwise.
 */
export function replayItems(
  turn: Extract<Turn, { role: "assistant" }>,
  { provider, model, read }: { provider: string; model: string; read(items: unknown[]): ReplayedTurn },
): unknown[] | null {
  const { replay } = turn;
  if (replay?.provider !== provider || replay.model !== model) return null;
  const said = read(replay.items);
  const isSame = said.calls === turn.calls.length && withoutSpace(said.text) === withoutSpace(turn.text);
  return isSame ? replay.items : null;
}

function withoutSpace(text: string): string {
  return text.toWellFormed().replace(/\s+/g, "");
}

const rememberedConversations = 1000;

/**
 * Conversations whose thinking the endpoint did not take back, because another account or an older conversation made
 * it: it is left out from then on. Forgotten at restart, which costs one refused request.
 */
export function rejectedReplays(): { has(conversation: string): boolean; add(conversation: string): void } {
  const rejected = new Set<string>();
  return {
    has: (conversation) => rejected.has(conversation),
    add: (conversation) => {
      rejected.add(conversation);
      const [oldest] = rejected;
      if (rejected.size > rememberedConversations && oldest !== undefined) rejected.delete(oldest);
    },
  };
}

/** Items of a replay as records, whatever was stored. */
export function recordsOf(items: unknown[]): ({ type?: unknown } & { [key: string]: unknown })[] {
  return items.filter((item): item is { [key: string]: unknown } => typeof item === "object" && item !== null);
}

export function replayOf(provider: string, model: string, items: unknown[]): Replay {
  return { provider, model, items };
}
