/** What the loop knows of a model: messages in, a stream of events out. Providers translate. */
import type { Json } from "../../../tools/json.ts";

export interface ToolCall {
  call: string;
  name: string;
  /** As the model gave it; a text that was not JSON stays a text. */
  input: unknown;
  /** Why the input could not be read, when it could not. */
  problem?: string;
}

export type ModelMessage =
  | { role: "user"; text: string }
  | { role: "assistant"; text: string; calls: ToolCall[] }
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
  system: string;
  messages: ModelMessage[];
  /** Asked for only by models that send them. */
  tools(): ToolSpec[];
  signal: AbortSignal;
}

export interface ModelFailure {
  code: string;
  message: string;
  hint: string;
}

export type ModelEvent =
  | { type: "text"; text: string }
  | { type: "call"; call: ToolCall }
  /** Of this turn so far; a later one replaces it. */
  | { type: "usage"; inputTokens: number; outputTokens: number }
  /** Always the last. A failure is a reason to stop, never a throw. */
  | { type: "stop"; reason: "end" | "calls" | "length" | "interrupted" }
  | { type: "stop"; reason: "error"; error: ModelFailure };

export interface Model {
  /** `interpreter`, or provider and model. */
  name: string;
  /** Whether it reads the system prompt and tool descriptions; the interpreter does not. */
  readsPrompt: boolean;
  /** One turn. Must not throw; the last event says how it ended. */
  stream(request: ModelRequest): AsyncIterable<ModelEvent>;
}
