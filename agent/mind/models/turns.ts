/** What all providers share of turning a conversation into their wire format. */
import { sha256 } from "../../../tools/json.ts";
import type { ModelMessage, Replay, ToolCall } from "./model.ts";

export interface AnsweredCall {
  call: string;
  name: string;
  /** Always an object, as every interface wants it. */
  input: { [key: string]: unknown };
  result: { ok: boolean; text: string };
}

/** A conversation in the order that every interface accepts: a call's result follows the turn that made the call. */
export type Turn =
  /** What came before the next answer; each text stays a block of its own where the format has blocks. */
  { role: "user"; texts: string[] } | { role: "assistant"; text: string; calls: AnsweredCall[]; replay?: Replay };

/**
 * Puts each result behind its call, gives a call without one a result that says so, leaves out results without a call
 * and turns that said nothing, and joins user messages that follow each other. The form of a message depends on nothing
 * that comes after it, so that what was sent once is sent the same way again.
 */
export function turnsOf(messages: readonly ModelMessage[]): Turn[] {
  const results = new Map<string, Extract<ModelMessage, { role: "tool" }>>();
  for (const message of messages) if (message.role === "tool") results.set(message.call, message);
  const turns: Turn[] = [];
  for (const message of messages) {
    if (message.role === "user") {
      const last = turns.at(-1);
      const text = userText(message);
      if (last?.role === "user") last.texts.push(text);
      else turns.push({ role: "user", texts: [text] });
    } else if (message.role === "assistant" && isSaid(message)) {
      const { text, calls, replay } = message;
      turns.push({
        role: "assistant",
        text: text.toWellFormed(),
        calls: calls.map((call) => answered(call, results.get(call.call))),
        ...(replay === undefined ? {} : { replay }),
      });
    }
  }
  return turns;
}

/** A turn without text and calls is no turn to any interface. */
export function isSaid({ text, calls }: Extract<ModelMessage, { role: "assistant" }>): boolean {
  return calls.length > 0 || text.trim() !== "";
}

function answered(
  { call, name, input }: ToolCall,
  result: Extract<ModelMessage, { role: "tool" }> | undefined,
): AnsweredCall {
  const { ok, text } = result ?? { ok: false, text: "not run: the answer was interrupted" };
  return {
    call,
    name,
    input: objectInput(input),
    result: { ok, text: text.trim() === "" ? "(no output)" : text.toWellFormed() },
  };
}

/** An input that could not be read as an object is still shown to the model, below a name of its own. */
function objectInput(input: unknown): { [key: string]: unknown } {
  if (typeof input === "object" && input !== null && !Array.isArray(input)) return input as { [key: string]: unknown };
  return input === undefined || input === null || input === "" ? {} : { unreadable_arguments: input };
}

const contextTag = "message-context";

/**
 * A message as a model reads it. What the program knows about the message stands before it between tags that nobody
 * else can write: the same tag in the message or in a name is written `&lt;`.
 */
function userText({ text, context }: { text: string; context?: string }): string {
  const own = withoutTag(text.trim() === "" ? "(an empty message)" : text);
  if (context === undefined || context.trim() === "") return own;
  return `<${contextTag}>\n${withoutTag(context.trim())}\n</${contextTag}>\n\n${own}`;
}

function withoutTag(text: string): string {
  const whole = text.toWellFormed();
  return whole.includes("<") ? whole.replace(/<(\/?\s*message-context)/gi, "&lt;$1") : whole;
}

/** A result as text, for interfaces that have no mark for a failed one. */
export function resultText({ ok, text }: AnsweredCall["result"]): string {
  return ok ? text : `Error: ${text}`;
}

/** A call's id as an interface accepts it: itself where it may be, else one derived from it, always the same. */
export function wireId(id: string, maxCharacters: number): string {
  return /^[A-Za-z0-9_-]+$/.test(id) && id.length <= maxCharacters ? id : `call_${sha256(id).slice(0, 32)}`;
}

/** A tool's name as interfaces accept it; a model may have called a name that no tool can have. */
export function wireName(name: string): string {
  return /^[A-Za-z0-9_-]{1,64}$/.test(name) ? name : name.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 64) || "unnamed";
}

/** A call whose arguments came as text. */
export function parseCall({ id, name, input }: { id: string; name: string; input: string }): ToolCall {
  const head = { call: id, name };
  if (input.trim() === "") return { ...head, input: {} };
  try {
    return { ...head, input: JSON.parse(input) as unknown };
  } catch (error) {
    return { ...head, input, problem: `the arguments are not JSON: ${(error as Error).message}` };
  }
}
