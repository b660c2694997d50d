import { expect } from "vitest";
import type { ModelMessage } from "../../agent/mind/models/model.ts";

/** Every call has its result right behind its turn, in order, and every result has its call: as endpoints demand it. */
export function expectWholePairs(messages: ModelMessage[]): void {
  const wanted: string[] = [];
  for (const message of messages) {
    if (message.role === "tool") expect(message.call).toBe(wanted.shift());
    else {
      expect(wanted).toEqual([]);
      if (message.role === "assistant") wanted.push(...message.calls.map(({ call }) => call));
    }
  }
  expect(wanted).toEqual([]);
}
