/** A model whose requests are asked for and told to the ledger. Nothing is sent that was not allowed. */
import { describeError } from "../../../tools/errors.ts";
import type { Usage } from "../../protocol.ts";
import type { Model, ModelEvent, ModelFailure, ModelMessage, ModelRequest } from "./model.ts";
import type { Spend, SpendRequest } from "./spend.ts";

/** Of English text and JSON, near enough for an estimate that the real figure replaces. */
const charactersPerToken = 4;
/** Few answers are longer; the most that a model can write would refuse requests long before a limit is reached. */
const likelyOutputTokens = 4_000;
/** A person who interrupts does not wait for a price. */
const priceWaitMs = 200;

export function meteredModel(model: Model, { spend }: { spend: Spend }): Model {
  async function* stream(request: ModelRequest): AsyncGenerator<ModelEvent> {
    const estimate = estimateOf(request, model);
    const { run, purpose, signal } = request;
    const begun = await begin(spend, { run, purpose, model: model.identity(), estimate }, signal);
    if (begun === null) {
      yield { type: "stop", reason: "interrupted" };
      return;
    }
    if (!begun.allowed) {
      yield { type: "stop", reason: "error", error: begun.failure };
      return;
    }
    const meter = makeMeter(estimate);
    let isTold = false;
    const end = (stop: Stop | null): Promise<number> => {
      isTold = true;
      return spend.end(begun.request, meter.used(stop)).catch(() => 0);
    };
    try {
      for await (const event of model.stream(request)) {
        if (event.type !== "stop") {
          meter.count(event);
          yield event;
          continue;
        }
        const price = end(event);
        const usd = signal.aborted ? await within(priceWaitMs, price) : await price;
        if (meter.used(event) !== null) yield { type: "cost", usd, model: model.identity() };
        yield event;
        return;
      }
    } finally {
      if (!isTold) void end(null);
    }
  }

  return {
    get name() {
      return model.name;
    },
    identity: () => model.identity(),
    get contextTokens() {
      return model.contextTokens;
    },
    get maxOutputTokens() {
      return model.maxOutputTokens;
    },
    get readsPrompt() {
      return model.readsPrompt;
    },
    stream,
  };
}

/** What may be spent is spent: final for its period. */
export function isBudget(failure: ModelFailure): boolean {
  return failure.code.startsWith("budget_");
}

type Stop = Extract<ModelEvent, { type: "stop" }>;

interface Meter {
  count(event: ModelEvent): void;
  /** Null: the request never reached the model. `stop` null: it was given up before its end. */
  used(stop: Stop | null): Usage | null;
}

function makeMeter(estimate: Usage): Meter {
  let usage: Usage | null = null;
  let characters = 0;
  let wasHeard = false;
  return {
    count(event) {
      if (event.type === "usage") usage = event.usage;
      else if (event.type === "text") characters += event.text.length;
      else if (event.type === "call") characters += lengthOf(event.call.input);
      else return;
      wasHeard = true;
    },
    used(stop) {
      if (usage && stop !== null && (stop.reason === "end" || stop.reason === "calls" || stop.reason === "length"))
        return usage;
      // Broken off: what was written is paid for, whatever the endpoint last said.
      const written = Math.ceil(characters / charactersPerToken);
      if (usage) return { ...usage, outputTokens: Math.max(usage.outputTokens, written) };
      const wasRefused = stop?.reason === "error" && stop.error.code !== "model_stream_broken" && !wasHeard;
      if (wasRefused) return null;
      return { ...estimate, outputTokens: written };
    },
  };
}

/** Null when the signal came first. A permission that comes too late is given back. */
async function begin(
  spend: Spend,
  request: SpendRequest,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<Spend["begin"]>> | null> {
  if (signal.aborted) return null;
  const asked = spend
    .begin(request)
    .catch((error: unknown) => ({ allowed: false as const, failure: { ...describeError(error), retryable: false } }));
  const aborted = Promise.withResolvers<null>();
  const stop = () => aborted.resolve(null);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const first = await Promise.race([asked, aborted.promise]);
    if (first === null)
      void asked.then((answer) => (answer.allowed ? spend.end(answer.request, null) : 0)).catch(() => 0);
    return first;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function estimateOf(request: ModelRequest, model: Model): Usage {
  const characters = request.system.length + toolCharacters(request) + messageCharacters(request);
  return {
    inputTokens: Math.ceil(characters / charactersPerToken),
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: Math.min(model.maxOutputTokens, likelyOutputTokens),
  };
}

/** Tools are a few thousand characters that hardly ever change: measured by their descriptions, which are most of it. */
function toolCharacters(request: ModelRequest): number {
  return request.tools().reduce((sum, { name, description }) => sum + name.length + 2 * description.length, 0);
}

interface Counted {
  first: string;
  length: number;
  characters: number;
}

/** By conversation. A long one is not counted again from its beginning for each request. */
const counted = new Map<string, Counted>();
const mostCounted = 200;

function messageCharacters({ conversation, messages }: ModelRequest): number {
  const first = messages[0]?.text ?? "";
  const known = counted.get(conversation);
  // Only a summary changes what stands at the beginning; otherwise a conversation grows.
  const isLonger = known !== undefined && known.first === first && known.length <= messages.length;
  let characters = isLonger ? known.characters : 0;
  for (let index = isLonger ? known.length : 0; index < messages.length; index++) {
    const message = messages[index];
    if (message) characters += charactersOf(message);
  }
  counted.delete(conversation);
  counted.set(conversation, { first, length: messages.length, characters });
  const oldest = counted.size > mostCounted ? counted.keys().next().value : undefined;
  if (oldest !== undefined) counted.delete(oldest);
  return characters;
}

function charactersOf(message: ModelMessage): number {
  const { length } = message.text;
  if (message.role === "assistant") return message.calls.reduce((sum, { input }) => sum + lengthOf(input), length);
  return length + (message.role === "user" ? (message.context?.length ?? 0) : 0);
}

function lengthOf(input: unknown): number {
  return (JSON.stringify(input) ?? "").length;
}

async function within(milliseconds: number, price: Promise<number>): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<number>((resolve) => {
    timer = setTimeout(() => resolve(0), milliseconds);
  });
  try {
    return await Promise.race([price, late]);
  } finally {
    clearTimeout(timer);
  }
}
