/** What the loop knows of a model: messages in, a stream of events out. Providers translate. */
import type { Json } from "../../../tools/json.ts";
import type { ModelIdentity, Purpose, Usage } from "../../protocol.ts";

export interface ToolCall {
  call: string;
  name: string;
  /** As the model gave it; a text that was not JSON stays a text. */
  input: unknown;
  /** Why the input could not be read, when it could not. */
  problem?: string;
}

/**
 * What a provider needs back word for word, in its own wire format: thinking blocks with their signatures, encrypted
 * reasoning. Another provider ignores it and sends text and calls; so does the same one for another model, where the
 * format is bound to the model.
 */
export interface Replay {
  provider: string;
  model: string;
  items: unknown[];
}

export type ModelMessage =
  /** `context`: facts about the message (who, where, when) that a model which reads prompts gets before its text. */
  | { role: "user"; text: string; context?: string }
  | { role: "assistant"; text: string; calls: ToolCall[]; replay?: Replay }
  | { role: "tool"; call: string; name: string; ok: boolean; text: string; data?: Json };

export interface ToolSpec {
  name: string;
  description: string;
  /** JSON Schema. */
  inputSchema: { [key: string]: unknown };
}

export interface ModelRequest {
  /** Id of the message that is answered: deterministic models derive call ids from it. */
  message: string;
  /** Stays the same over a conversation: providers that route by it find their cache again. */
  conversation: string;
  /** Null for what belongs to no run. */
  run: string | null;
  purpose: Purpose;
  system: string;
  messages: ModelMessage[];
  /** Asked for only by models that send them. */
  tools(): ToolSpec[];
  signal: AbortSignal;
}

/**
 * Codes that others act on: `model_overloaded`, `model_unavailable`, `model_stream_broken`, `model_unauthorized`,
 * `model_unknown`, `model_refused` (the endpoint does not accept the request), `model_declined` (the model will not
 * serve it), `model_context_full` (the conversation is too long for it), `budget_…` (what may be spent is spent).
 */
export interface ModelFailure {
  code: string;
  message: string;
  hint: string;
  /** The same request may succeed when it is made again. */
  retryable?: boolean;
  /** Milliseconds the endpoint asked to wait before that. */
  retryAfterMs?: number | null;
}

export type ModelEvent =
  | { type: "text"; text: string }
  | { type: "call"; call: ToolCall }
  /** Once, at the end of the turn, where the provider has state to be replayed. */
  | { type: "replay"; replay: Replay }
  /** Of this request so far; a later one of the same request replaces it. */
  | { type: "usage"; usage: Usage }
  /** The turn begins anew: what it said and called so far is void. What is used from here is another request's. */
  | { type: "again"; reason: string }
  /** One line for the person, such as another model having taken over. */
  | { type: "notice"; text: string }
  /** What a request of this turn cost, once it has ended. */
  | { type: "cost"; usd: number; model: ModelIdentity }
  /**
   * Always the last. A failure is a reason to stop, never a throw. `model`: name of the one that made the turn, where
   * several could have.
   */
  | { type: "stop"; reason: "end" | "calls" | "length" | "interrupted"; model?: string }
  | { type: "stop"; reason: "error"; error: ModelFailure };

export interface Model {
  /** `interpreter`, or provider and model. */
  name: string;
  /** As known now: an endpoint may say only with its first answer which model it serves. */
  identity(): ModelIdentity;
  /** Tokens that a request and its answer may have together; null: no limit. */
  contextTokens: number | null;
  /** Tokens that one answer may have. */
  maxOutputTokens: number;
  /** Whether it reads the system prompt and tool descriptions; the interpreter does not. */
  readsPrompt: boolean;
  /** One turn. Must not throw; the last event says how it ended. */
  stream(request: ModelRequest): AsyncIterable<ModelEvent>;
}
