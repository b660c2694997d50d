/**
 * A model made of a first choice and others that take over while it cannot answer. Here, and nowhere else, a request to
 * an endpoint is made again. Nothing of a turn is executed before it has ended, so one that broke off is void and begins
 * anew without repeating anything.
 */
import { describeError } from "../../../tools/errors.ts";
import { parseCommand } from "../../commands.ts";
import { interpreterModel } from "./interpreter.ts";
import { isBudget } from "./metered.ts";
import type { Model, ModelEvent, ModelFailure, ModelMessage, ModelRequest } from "./model.ts";
import { lastResort, onceOnly, pause, type RetryLimits, waitBefore, withFallback } from "./retry.ts";
import { freeNotice, nameOf, switchNotice } from "./route-notice.ts";

export interface Cooldowns {
  /** Why the model is skipped for now, or null when it is not. */
  of(model: Model): ModelFailure | null;
  add(model: Model, failure: ModelFailure): void;
  clear(model: Model): void;
}

export interface RouteOptions {
  /** First choice first; asked for at every turn, because keys come and go. Never empty. */
  models(): Model[];
  /** Shared between routes that use the same models. */
  cooldowns?: Cooldowns;
  /** Answers documented commands, for free, when nobody else can or may. */
  interpreter?: Model;
  random?: () => number;
}

/** So that not each turn waits again for a model that has just failed. */
const cooldownMs = 60_000;
/** A key or a name is mended by a person, who then wants to see it work. */
const misconfiguredCooldownMs = 15_000;
const longestCooldownMs = 10 * 60_000;
/** Messages whose choices are remembered; a run asks again within seconds. */
const rememberedMessages = 200;

/** `now`: milliseconds since 1970. */
export function makeCooldowns(now: () => number = Date.now): Cooldowns {
  const cooling = new WeakMap<Model, { until: number; failure: ModelFailure }>();
  return {
    of(model) {
      const entry = cooling.get(model);
      return entry && now() < entry.until ? entry.failure : null;
    },
    add(model, failure) {
      const least = isUsedUp(failure) ? longestCooldownMs : isRetryable(failure) ? cooldownMs : misconfiguredCooldownMs;
      const ms = Math.min(longestCooldownMs, Math.max(least, failure.retryAfterMs ?? 0));
      cooling.set(model, { until: now() + ms, failure });
    },
    clear: (model) => void cooling.delete(model),
  };
}

export function routeModel(options: RouteOptions): Model {
  const { models, cooldowns = makeCooldowns(), interpreter = interpreterModel(), random } = options;
  const choices = rememberLast(rememberedMessages, newChoice);

  async function* stream(request: ModelRequest): AsyncGenerator<ModelEvent> {
    const choice = choices(`${request.purpose} ${request.message}`);
    const turn: TurnState = { isOpen: false };
    if (choice.refusal) return yield* answerFree(request, choice.refusal, choice, turn);
    const all = models();
    const failed: Failed[] = [];
    const order = inOrder(all, choice, cooldowns);
    for (const [index, model] of order.entries()) {
      const hasNext = index + 1 < order.length;
      const limits = cooldowns.of(model) ? onceOnly : hasNext ? withFallback : lastResort;
      const first = failed[0] ?? whySkipped(all, model, choice, cooldowns);
      const notice = first ? noticeOf(first, model) : null;
      const ended = yield* withRetries({ model, request, limits, turn, notice, choice, random });
      if (ended === "interrupted") {
        yield { type: "stop", reason: "interrupted" };
        return;
      }
      if (ended === "done") return cooldowns.clear(model);
      if (ended.code === "model_context_full") {
        yield { type: "stop", reason: "error", error: ended };
        return;
      }
      if (isBudget(ended)) {
        choice.refusal = ended;
        return yield* answerFree(request, ended, choice, turn);
      }
      if (concernsRequest(ended)) choice.skipped.set(model, ended);
      else cooldowns.add(model, ended);
      failed.push({ model, failure: ended });
      if (hasNext) yield* beginAgain(turn, ended);
    }
    if (failed.length === 0) failed.push(...usedUp(all, cooldowns));
    yield* answerFree(request, together(failed), choice, turn, failed[0]);
  }

  async function* answerFree(
    request: ModelRequest,
    failure: ModelFailure,
    choice: Choice,
    turn: TurnState,
    first?: Failed,
  ): AsyncGenerator<ModelEvent> {
    const messages = request.purpose === "personality" ? commandOf(request.messages) : null;
    if (messages === null) {
      yield { type: "stop", reason: "error", error: failure };
      return;
    }
    yield* beginAgain(turn, failure);
    if (!choice.told.has(interpreter)) {
      choice.told.add(interpreter);
      const text = first ? noticeOf(first, interpreter) : freeNotice(failure);
      yield { type: "notice", text };
    }
    for await (const event of interpreter.stream({ ...request, messages }))
      yield event.type === "stop" && event.reason !== "error" ? { ...event, model: interpreter.name } : event;
  }

  /** Who would be asked now. */
  const preferred = (): Model => {
    const all = models();
    const found = all.find((model) => cooldowns.of(model) === null) ?? all[0];
    return found ?? interpreter;
  };
  return {
    get name() {
      return preferred().name;
    },
    identity: () => preferred().identity(),
    get contextTokens() {
      return preferred().contextTokens;
    },
    get maxOutputTokens() {
      return preferred().maxOutputTokens;
    },
    get readsPrompt() {
      return models().some((model) => model.readsPrompt);
    },
    stream,
  };
}

/** What was found out while one message is answered. */
interface Choice {
  /** Models that the person was told of. */
  told: Set<Model>;
  /** Models that will not answer this message, and why. */
  skipped: Map<Model, ModelFailure>;
  /** What may be spent is spent: nobody who costs money is asked again. */
  refusal: ModelFailure | null;
}

function newChoice(): Choice {
  return { told: new Set(), skipped: new Map(), refusal: null };
}

interface TurnState {
  /** Something of this turn was said, so it must be declared void before it begins again. */
  isOpen: boolean;
}

interface Failed {
  model: Model;
  failure: ModelFailure;
}

function noticeOf({ model, failure }: Failed, next: Model): string {
  return switchNotice({ from: model.identity(), to: next.identity(), failure });
}

function* beginAgain(turn: TurnState, failure: ModelFailure): Generator<ModelEvent> {
  if (turn.isOpen) yield { type: "again", reason: failure.message };
  turn.isOpen = false;
}

/** Those that failed just now come last: still better than no answer. One whose credit is used up is not asked at all. */
function inOrder(all: Model[], choice: Choice, cooldowns: Cooldowns): Model[] {
  const willing = all.filter((model) => !choice.skipped.has(model));
  const candidates = willing.length > 0 ? willing : all;
  const failures = new Map(candidates.map((model) => [model, cooldowns.of(model)]));
  const isReady = (model: Model) => failures.get(model) === null;
  const mayBeTried = (model: Model) => {
    const failure = failures.get(model);
    return failure && !isUsedUp(failure);
  };
  return [...candidates.filter(isReady), ...candidates.filter(mayBeTried)];
}

function usedUp(all: Model[], cooldowns: Cooldowns): Failed[] {
  return all.flatMap((model) => {
    const failure = cooldowns.of(model);
    return failure ? [{ model, failure }] : [];
  });
}

/** Why the first choice is not the one that is asked. */
function whySkipped(all: Model[], model: Model, choice: Choice, cooldowns: Cooldowns): Failed | null {
  const first = all[0];
  if (first === undefined || first === model) return null;
  const failure = choice.skipped.get(first) ?? cooldowns.of(first);
  return failure ? { model: first, failure } : null;
}

interface Attempts {
  model: Model;
  request: ModelRequest;
  limits: RetryLimits;
  turn: TurnState;
  /** Said as soon as this model says something. */
  notice: string | null;
  choice: Choice;
  random: (() => number) | undefined;
}

async function* withRetries(options: Attempts): AsyncGenerator<ModelEvent, ModelFailure | "done" | "interrupted"> {
  const { request, limits, turn, random } = options;
  for (let attempt = 1; ; attempt++) {
    const ended = yield* once(options);
    if (ended === "done") return "done";
    if (request.signal.aborted) return "interrupted";
    const wait = isRetryable(ended)
      ? waitBefore(attempt + 1, ended.retryAfterMs ?? null, { limits, ...(random ? { random } : {}) })
      : null;
    if (wait === null) return attempt > 1 ? { ...ended, message: `${ended.message} (${attempt} attempts)` } : ended;
    yield* beginAgain(turn, ended);
    if (!(await pause(wait, request.signal))) return "interrupted";
  }
}

/** One request. What it says goes out; its failure comes back. */
async function* once({
  model,
  request,
  turn,
  notice,
  choice,
}: Attempts): AsyncGenerator<ModelEvent, ModelFailure | "done"> {
  try {
    for await (const event of model.stream(request)) {
      if (event.type === "stop" && event.reason === "error") return event.error;
      if (notice !== null && isSaid(event) && !choice.told.has(model)) {
        choice.told.add(model);
        yield { type: "notice", text: notice };
      }
      if (event.type === "stop") {
        yield { ...event, model: model.name };
        return "done";
      }
      if (event.type !== "cost" && event.type !== "notice") turn.isOpen = true;
      yield event;
    }
    return { code: "model_stream_broken", message: `${model.name} stopped without an end`, hint: "ask again" };
  } catch (error) {
    return { ...describeError(error), retryable: false };
  }
}

/** It answers: from here on it is true to say so. */
function isSaid(event: ModelEvent): boolean {
  return event.type === "text" || event.type === "call" || (event.type === "stop" && event.reason !== "interrupted");
}

const retryableCodes = new Set(["model_overloaded", "model_unavailable", "model_stream_broken"]);

function isRetryable(failure: ModelFailure): boolean {
  return failure.retryable ?? retryableCodes.has(failure.code);
}

/** The provider's own credit: asking again changes nothing until a person does something. */
function isUsedUp(failure: ModelFailure): boolean {
  return failure.code === "model_overloaded" && failure.retryable === false;
}

/** Another message may well be answered. */
function concernsRequest({ code }: ModelFailure): boolean {
  return code === "model_declined" || code === "model_refused";
}

/** The failure of the first choice, and in its message what became of the others. */
function together(failed: Failed[]): ModelFailure {
  const [first, ...others] = failed;
  if (!first)
    return { code: "model_unavailable", message: "no model is configured", hint: "see models in config.json" };
  const rest = others.map(({ model, failure }) => `; ${nameOf(model.identity())}: ${failure.message}`);
  return { ...first.failure, message: `${first.failure.message}${rest.join("")}` };
}

/** The conversation as the interpreter should see it, when the answered message is a command that it understands. */
function commandOf(messages: ModelMessage[]): ModelMessage[] | null {
  const index = messages.findLastIndex(({ role }) => role === "user");
  const question = messages[index];
  if (question?.role !== "user") return null;
  const command = parseCommand(question.text);
  if (command.kind !== "call") return null;
  // What another model has done already is told, not done again.
  const result = messages.findLast(
    (message, at) => at > index && message.role === "tool" && message.name === command.tool && message.ok,
  );
  const own = messages.at(-1);
  const isOwn = own?.role === "tool" && own.name === command.tool;
  return result ? [question, result] : isOwn ? [question, own] : [question];
}

/** One value for each key, made when it is first asked for; the oldest goes when there are too many. */
function rememberLast<Value>(most: number, make: () => Value): (key: string) => Value {
  const values = new Map<string, Value>();
  return (key) => {
    const value = values.get(key) ?? make();
    values.delete(key);
    values.set(key, value);
    const oldest = values.size > most ? values.keys().next().value : undefined;
    if (oldest !== undefined) values.delete(oldest);
    return value;
  };
}
