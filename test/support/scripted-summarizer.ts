/** A summarizer as models are: keeps to the form, takes what the record plants, and is lazy about what it knew before. */
import type { Model, ModelEvent, ModelRequest } from "../../agent/mind/models/model.ts";

export interface ScriptedSummarizer extends Model {
  requests: ModelRequest[];
}

/** In a record, `FACT(promise): words.` plants a fact and `SETTLED(words)` settles the one with these words. */
export function scriptedSummarizer(over: Partial<Model> = {}): ScriptedSummarizer {
  const requests: ModelRequest[] = [];
  return {
    ...scriptedModelBase,
    ...over,
    requests,
    async *stream(request) {
      requests.push(request);
      yield* saves(answerTo(request));
    },
  };
}

/** Each request gets the next of these; the last one goes on. */
export function stubbornSummarizer(answers: ModelEvent[][], over: Partial<Model> = {}): ScriptedSummarizer {
  const requests: ModelRequest[] = [];
  return {
    ...scriptedModelBase,
    ...over,
    requests,
    async *stream(request) {
      requests.push(request);
      yield* answers[Math.min(requests.length, answers.length) - 1] ?? [];
    },
  };
}

export function saves(input: unknown, name = "save_summary"): ModelEvent[] {
  return [
    { type: "call", call: { call: "s1", name, input } },
    { type: "stop", reason: "calls" },
  ];
}

const scriptedModelBase = {
  name: "scripted summarizer",
  identity: () => ({ provider: "scripted", model: "summarizer" }),
  contextTokens: null,
  maxOutputTokens: 1_000,
  readsPrompt: true,
};

function answerTo(request: ModelRequest): unknown {
  const text = request.messages[0]?.text ?? "";
  const part = (name: string) => text.split(`<${name}>\n`)[1]?.split(`\n</${name}>`)[0] ?? "";
  const record = part("record");
  const newFacts = [...record.matchAll(/FACT\((\w+)\): ([^.]*)\./g)].map(([, kind, words]) => ({ kind, text: words }));
  const known = [...part("facts-so-far").matchAll(/^(\S+) \(\w+\): (.*)$/gm)];
  const settled = [...record.matchAll(/SETTLED\(([^)]*)\)/g)].flatMap(([, words = ""]) =>
    known.flatMap(([, id, fact]) => (fact?.includes(words) ? [id] : [])),
  );
  return { summary: `They talked: ${record.split("\n").length} lines.`, newFacts, settled };
}
