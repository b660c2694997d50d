/** One request to an endpoint, from key to stop event. */
import { failureOf } from "./failure.ts";
import type { ModelEvent, ModelFailure, ModelRequest } from "./model.ts";

export interface AttemptState {
  /** Set by the turn once the endpoint has begun to answer. */
  hasBegun: boolean;
  key: string | null;
}

export interface AttemptOptions {
  endpoint: string;
  readKey(): Promise<string | null>;
  /** The request itself; may throw. */
  turn(state: AttemptState): AsyncIterable<ModelEvent>;
  /** May change a failure for the better, when the provider knows more about it. */
  amend?(failure: ModelFailure, error: unknown): ModelFailure;
}

/** Never throws and never repeats: whatever goes wrong is the last event. */
export async function* oneAttempt(request: ModelRequest, options: AttemptOptions): AsyncGenerator<ModelEvent> {
  const state: AttemptState = { hasBegun: false, key: null };
  try {
    request.signal.throwIfAborted();
    state.key = await options.readKey();
    for await (const event of options.turn(state)) {
      if (event.type === "stop") request.signal.throwIfAborted();
      yield event;
      if (event.type === "stop") return;
    }
    throw new Error("the turn had no end");
  } catch (error) {
    if (request.signal.aborted) {
      yield { type: "stop", reason: "interrupted" };
      return;
    }
    const failure = failureOf(error, { endpoint: options.endpoint, ...state, nowMs: Date.now() });
    yield { type: "stop", reason: "error", error: options.amend?.(failure, error) ?? failure };
  }
}

/** Time until the endpoint begins to answer; large local models load for minutes before they speak. */
export const requestTimeoutMs = 300_000;
