/** What the loop itself says when a run ends otherwise than with the model's answer. */
import type { ModelFailure, ModelMessage, ToolCall } from "./models/model.ts";

/** A model that repeats itself this often does not notice that nothing comes of it. */
export const mostIdenticalRounds = 5;

export function limitReached(what: string, setting: string): ModelFailure {
  return {
    code: "limit_reached",
    message: `stopped at the limit of ${what} for one run`,
    hint: `ask in smaller steps, or raise ${setting}`,
  };
}

export function repeatsItself(calls: ToolCall[]): ModelFailure {
  const names = [...new Set(calls.map(({ name }) => name))].join(", ");
  return {
    code: "repeated_calls",
    message: `stopped: the model called ${names} ${mostIdenticalRounds} times in a row with the same input`,
    hint: "ask again in other words, or for a smaller step",
  };
}

export function noAnswer(messages: ModelMessage[]): string {
  const hasResults = messages.at(-1)?.role === "tool";
  return `${hasResults ? "The tools ran, but the model" : "The model"} said nothing. Please ask again, perhaps in other words.`;
}
