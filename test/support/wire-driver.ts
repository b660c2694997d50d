/** Leads a conversation with a model by hand, as the loop does, so that tests see every message. */
import type { Model, ModelEvent, ModelMessage, ModelRequest } from "../../agent/mind/models/model.ts";
import { modelRequest } from "./model-request.ts";

export async function eventsOf(stream: AsyncIterable<ModelEvent>): Promise<ModelEvent[]> {
  const all: ModelEvent[] = [];
  for await (const event of stream) all.push(event);
  return all;
}

/** Pieces of text joined, so that two ways of cutting the same answer are equal. */
export function joined(events: ModelEvent[]): ModelEvent[] {
  const all: ModelEvent[] = [];
  for (const event of events) {
    const last = all.at(-1);
    if (event.type === "text" && last?.type === "text") all[all.length - 1] = { ...last, text: last.text + event.text };
    else all.push(event);
  }
  return all;
}

export interface Driver {
  /** Gives a call another id, as the loop does when one comes twice. */
  rename?(id: string, place: number): string;
  result?(name: string): { ok: boolean; text: string };
  rest?: Partial<ModelRequest>;
}

/** One person's message and all turns until the model stops; returns the messages with what came to them. */
export async function say(
  model: Model,
  messages: ModelMessage[],
  text: string,
  { rename = (id) => id, result = (name) => ({ ok: true, text: `${name} is fine` }), rest = {} }: Driver = {},
): Promise<ModelMessage[]> {
  const all: ModelMessage[] = [...messages, { role: "user", text }];
  for (let turn = 0; turn < 10; turn++) {
    const events = await eventsOf(model.stream(modelRequest({ ...rest, messages: all })));
    const end = events.at(-1);
    if (end?.type !== "stop" || end.reason === "error") throw new Error(JSON.stringify(end));
    const calls = events.flatMap((event) => (event.type === "call" ? [event.call] : []));
    const taken = new Set(
      all.flatMap((entry) => (entry.role === "assistant" ? entry.calls.map((call) => call.call) : [])),
    );
    const own = calls.map((call, index) => {
      const place = all.length * 100 + index;
      const id = taken.has(call.call) ? `own-${place}` : call.call;
      return { ...call, call: rename(id, place) };
    });
    const replay = events.find((event) => event.type === "replay")?.replay;
    all.push({
      role: "assistant",
      text: events.flatMap((event) => (event.type === "text" ? [event.text] : [])).join(""),
      calls: own,
      // Through JSON, as it is stored.
      ...(replay === undefined ? {} : { replay: JSON.parse(JSON.stringify(replay)) }),
    });
    for (const { call, name } of own) all.push({ role: "tool", call, name, ...result(name) });
    if (own.length === 0) return all;
  }
  throw new Error("the model goes on calling tools");
}

export const tools: ModelRequest["tools"] = () => [
  {
    name: "look",
    description: "Looks something up.",
    inputSchema: { type: "object", properties: { thing: { type: "string" } }, required: ["thing"] },
  },
  { name: "version", description: "Tells the version.", inputSchema: { type: "object", properties: {} } },
];
