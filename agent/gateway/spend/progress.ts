/** Whether an answer gets anywhere: text for the person, or a tool call that succeeded and was not made before. */
import type { RunEvent } from "../../protocol.ts";

/** Calls that are remembered of one answer, and answers of which they are; older ones count as new again. */
const mostCalls = 2_000;
const mostAnswers = 200;

export interface Progress {
  isProgress(message: string, event: RunEvent): boolean;
  forget(message: string): void;
}

export function createProgress(): Progress {
  const seen = new Map<string, Set<string>>();
  const callsOf = (message: string): Set<string> => {
    const known = seen.get(message);
    if (known) return known;
    if (seen.size >= mostAnswers) seen.delete(seen.keys().next().value ?? message);
    const calls = new Set<string>();
    seen.set(message, calls);
    return calls;
  };

  return {
    isProgress(message, event) {
      if (event.type === "text") return event.text.trim() !== "";
      if (event.type !== "tool" || event.state !== "succeeded") return false;
      const calls = callsOf(message);
      // Without a digest of the input, the same result of the same tool is the same call.
      const key = `${event.name}\n${event.input ?? event.text}`;
      if (calls.has(key)) return false;
      if (calls.size >= mostCalls) calls.clear();
      calls.add(key);
      return true;
    },

    forget(message) {
      seen.delete(message);
    },
  };
}
