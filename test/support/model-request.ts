import type { ModelRequest } from "../../agent/mind/models/model.ts";

/** A request to a model that says one thing, with what a test does not care about filled in. */
export function modelRequest(rest: Partial<ModelRequest> = {}): ModelRequest {
  return {
    message: "m1",
    conversation: "c1",
    run: "m1.1",
    purpose: "personality",
    system: "You are a test.",
    messages: [{ role: "user", text: "Hello" }],
    tools: () => [],
    signal: new AbortController().signal,
    ...rest,
  };
}
