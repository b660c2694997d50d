/** From stored entries to a model's messages. */
import type { Json } from "../../tools/json.ts";
import type { ConversationEntry } from "../protocol.ts";
import type { ModelMessage } from "./models/model.ts";

/** What one message's run has stored so far. */
export interface StoredRun {
  hasUserEntry: boolean;
  /** Texts of its finished turns, joined as they were shown. */
  text: string;
  /** Results of its finished calls, in order. */
  results: Extract<ConversationEntry["body"], { role: "tool" }>[];
  end: { reason: string; text: string } | null;
}

export function storedRun(entries: readonly ConversationEntry[], message: string): StoredRun {
  const bodies = entries.filter((entry) => entry.message === message).map((entry) => entry.body);
  const end = bodies.find((body) => body.role === "end");
  return {
    hasUserEntry: bodies.some((body) => body.role === "user"),
    text: bodies.flatMap((body) => (body.role === "assistant" && body.text !== "" ? [body.text] : [])).join("\n\n"),
    results: bodies.filter((body) => body.role === "tool"),
    end: end ? { reason: end.reason, text: end.text } : null,
  };
}

/**
 * The conversation as the model sees it when it answers `message`. Entries of other messages that came meanwhile stay
 * before it, so that the answered message and its own turns come last. A call of an ended run that has no result gets
 * one that says so, because endpoints refuse a conversation with a call left open.
 */
export function modelMessages(entries: readonly ConversationEntry[], message: string): ModelMessage[] {
  const others = entries.filter((entry) => entry.message !== message);
  const own = entries.filter((entry) => entry.message === message);
  return [...closeCalls(others.flatMap(toMessage)), ...own.flatMap(toMessage)];
}

function toMessage({ body }: ConversationEntry): ModelMessage[] {
  if (body.role === "user") return [{ role: "user", text: body.text }];
  if (body.role === "assistant")
    return [{ role: "assistant", text: body.text, calls: body.calls.map((call) => ({ ...call, input: call.input })) }];
  if (body.role === "tool") {
    const { call, name, ok, text } = body;
    return [{ role: "tool", call, name, ok, text, data: body.data as Json | undefined }];
  }
  if (body.role === "notice")
    return [{ role: "user", text: `[notice from the program, not from a person]\n${body.text}` }];
  return [];
}

function closeCalls(messages: ModelMessage[]): ModelMessage[] {
  const results = new Map(messages.flatMap((entry) => (entry.role === "tool" ? [[entry.call, entry] as const] : [])));
  return messages.flatMap((entry): ModelMessage[] => {
    if (entry.role === "tool") return [];
    if (entry.role !== "assistant") return [entry];
    const closed = entry.calls.map(
      ({ call, name }): ModelMessage =>
        results.get(call) ?? { role: "tool", call, name, ok: false, text: "not run: the answer was interrupted" },
    );
    return [entry, ...closed];
  });
}
