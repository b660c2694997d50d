/** Entries of a conversation in a few words each; every script counts its own ids. */
import type { ConversationEntry } from "../../agent/protocol.ts";

type Body = ConversationEntry["body"];
type Result = Extract<Body, { role: "tool" }>;
type Summary = Extract<Body, { role: "summary" }>;

const begun = Date.UTC(2026, 0, 1);

export function conversationScript() {
  const counts = new Map<string, number>();
  let minutes = 0;
  const entry = (message: string, body: Body): ConversationEntry => {
    const count = counts.get(message) ?? 0;
    counts.set(message, count + 1);
    minutes += 1;
    return { formatVersion: 1, id: `${message}.${count}`, at: begun + minutes * 60_000, message, body };
  };
  return {
    entry,
    user: (message: string, text: string) =>
      entry(message, {
        role: "user",
        author: { kind: "maintainer", id: "ann", name: "Ann" },
        channel: "console",
        text,
      }),
    assistant: (message: string, text: string, calls: string[] = []) =>
      entry(message, {
        role: "assistant",
        text,
        calls: calls.map((call) => ({ call, name: "look", input: { at: call } })),
        model: "test",
      }),
    started: (message: string, call: string) => entry(message, { role: "started", call, name: "look" }),
    result: (message: string, call: string, text: string, more: Partial<Result> = {}) =>
      entry(message, { role: "tool", call, name: "look", ok: true, text, ...more }),
    notice: (message: string, text: string) => entry(message, { role: "notice", text }),
    end: (message: string, text: string, reason = "answered") => entry(message, { role: "end", reason, text }),
    summary: (message: string, through: string, text: string, more: Partial<Summary> = {}) =>
      entry(message, { role: "summary", through, text, facts: [], model: "test", ...more }),
  };
}
