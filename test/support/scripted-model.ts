import type { Model, ModelEvent, ModelRequest, ToolCall } from "../../agent/mind/models/model.ts";

export type ScriptedTurn = ModelEvent[] | ((request: ModelRequest) => AsyncIterable<ModelEvent>);

/** A model that says what the test wrote, one turn after the other, and records what it was asked. */
export function scriptedModel(turns: ScriptedTurn[]): Model & { requests: ModelRequest[] } {
  const requests: ModelRequest[] = [];
  return {
    name: "scripted",
    identity: () => ({ provider: "scripted", model: "scripted" }),
    contextTokens: null,
    maxOutputTokens: 4_096,
    readsPrompt: true,
    requests,
    async *stream(request) {
      requests.push({ ...request, messages: structuredClone(request.messages) });
      const turn = turns[requests.length - 1];
      if (turn === undefined) throw new Error("the test prepared no further turn");
      yield* typeof turn === "function" ? turn(request) : turn;
    },
  };
}

export const text = (words: string): ModelEvent => ({ type: "text", text: words });
export const usage = (inputTokens: number, outputTokens: number): ModelEvent => ({
  type: "usage",
  usage: { inputTokens, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens },
});
export const call = (id: string, name: string, input: unknown = {}): ModelEvent => {
  const made: ToolCall = { call: id, name, input };
  return { type: "call", call: made };
};
export const says = (words: string): ModelEvent[] => [text(words), { type: "stop", reason: "end" }];
export const calls = (...made: ModelEvent[]): ModelEvent[] => [...made, { type: "stop", reason: "calls" }];
