/**
 * What a conversation has seen of a document: a whole text that it writes replaces that and nothing else, so that what
 * others wrote meanwhile is merged and never lost. Kept in this process; a conversation that has forgotten reads again.
 */
import type { Memory } from "../memory/index.ts";
import type { ReadContext } from "./tool.ts";

/** Of one memory; those that were used longest ago are forgotten. */
const maxRemembered = 2_000;

const seenIn = new WeakMap<Memory, Map<string, string[]>>();

/** Without `revisions`: it must be read again before it is replaced. */
export function rememberSeen(context: ReadContext, document: string, revisions?: string[]): void {
  const seen = seenIn.get(context.memory) ?? new Map<string, string[]>();
  seenIn.set(context.memory, seen);
  const key = keyOf(context, document);
  seen.delete(key);
  if (revisions) seen.set(key, revisions);
  const [oldest] = seen.keys();
  if (seen.size > maxRemembered && oldest !== undefined) seen.delete(oldest);
}

/** Null where this conversation has not read it. */
export function seenOf(context: ReadContext, document: string): string[] | null {
  return seenIn.get(context.memory)?.get(keyOf(context, document)) ?? null;
}

function keyOf(context: ReadContext, document: string): string {
  return `${context.conversation}\n${document}`;
}

/** A sentence for a document that two wrote at the same time; nothing of its text. */
export async function conflictNote(memory: Memory, document: string): Promise<string> {
  if (!(await memory.read(document))?.isConflicted) return "";
  return (
    `\nIt holds contradicting passages, each between \`<!-- conflict: … -->\` and \`<!-- end of conflict -->\`: ` +
    "read it, and settle them with memory_edit, keeping what is true."
  );
}
