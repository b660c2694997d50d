/** One run: from a message to its stored and shown answer. Picks up what an earlier attempt stored. */
import { join } from "node:path";
import type { Memory } from "../../memory/index.ts";
import { describeError } from "../../tools/errors.ts";
import { lowestTrustOf } from "../../tools/memory-provenance.ts";
import { isOccasion } from "../../tools/picture-occasions.ts";
import type { ReadContext, ReadTool } from "../../tools/tool.ts";
import type { Log } from "../log.ts";
import { isPraise } from "../pictures/words.ts";
import type { PictureMode } from "../pictures.ts";
import type { ConversationEntry, HelloAnswer, Propose, ProposeAnswer, RunEvent, Work } from "../protocol.ts";
import { makeCompaction } from "./compaction.ts";
import type { OpenConversation, OpenedConversation } from "./conversation-pool.ts";
import type { History, StoredRun, ViewTrust } from "./history.ts";
import { interruptionOf, type LoopLimits, type LoopResult, runLoop } from "./loop.ts";
import { proposalEvent } from "./loop-calls.ts";
import type { Models } from "./models/select.ts";
import { type PostPicture, picturePoster } from "./picture-poster.ts";
import { systemPrompt } from "./prompt.ts";
import { makeToolbox } from "./toolbox.ts";

export type RunWork = Extract<Work, { type: "run" }>;

export interface RunServices {
  models: Models;
  readTools: ReadTool[];
  memory: Memory;
  log: Log;
  limits: LoopLimits;
  /** Of an endpoint that does not say how much it takes: small enough for most, and one that takes less says so. */
  contextTokens: number;
  /** The name's workspace. */
  workspace: string;
  /** This instance's own directory, for small things that may be lost. */
  stateDirectory?: string;
  conversations: string;
  /** How readily a picture is posted; default `seldom`. */
  pictureMode?: PictureMode;
  openConversation: OpenConversation;
  hello(): HelloAnswer;
  fleet: ReadContext["fleet"];
  cost: ReadContext["cost"];
  sitrep: ReadContext["sitrep"];
  propose(proposal: Propose): Promise<ProposeAnswer>;
}

export const noUsage = { turns: 0, inputTokens: 0, outputTokens: 0, usd: 0 };

/** Never throws. Emits `done` last, except when the run was dropped: then its gateway will ask again. */
export async function performRun(
  work: RunWork,
  services: RunServices,
  signal: AbortSignal,
  emit: (event: RunEvent) => void,
): Promise<void> {
  const say = (event: RunEvent) => {
    if (interruptionOf(signal) !== "dropped") emit(event);
  };
  let conversation: OpenedConversation | null = null;
  try {
    conversation = await services.openConversation({
      directory: services.conversations,
      conversation: work.conversation,
      epoch: work.epoch,
    });
    await perform(work, { services, conversation, signal, emit: say });
  } catch (error) {
    const failure = describeError(error);
    say({ type: "error", ...failure });
    say({ type: "done", reason: "failed", text: `${failure.message}. ${failure.hint}`, usage: noUsage });
  } finally {
    await conversation?.close();
  }
}

interface Running {
  services: RunServices;
  conversation: OpenedConversation;
  signal: AbortSignal;
  emit(event: RunEvent): void;
}

async function perform(work: RunWork, running: Running): Promise<void> {
  const { services, conversation, signal, emit } = running;
  const stored = conversation.history.stored(work.message);
  const append = appender(conversation, work.message);
  const shown = shownOf(stored);
  const postPicture = picturePoster({
    conversation,
    message: work.message,
    mode: services.pictureMode ?? "seldom",
    append,
    emit(event) {
      shown.push(event);
      emit(event);
    },
  });
  const showAgain = (text: string) => {
    if (text !== "") emit({ type: "text", text });
    for (const event of shown) emit(event);
  };
  if (stored.hasUserEntry || work.resumed) emit({ type: "restart", reason: "the answer was begun by another process" });
  if (stored.end) {
    showAgain(stored.end.text);
    emit({ type: "done", reason: doneReason(stored.end.reason), text: stored.end.text, usage: noUsage });
    return;
  }
  // The request may be made while the disk works; whatever comes of it waits.
  const questionStored = stored.hasUserEntry
    ? Promise.resolve()
    : append({ role: "user", author: work.author, channel: work.channel, text: work.text });
  questionStored.catch(() => undefined);
  showAgain(stored.text);
  const model = services.models.personality;
  // Once for the whole run: a key that appears meanwhile is for the next one.
  const readsPrompt = model.readsPrompt;
  const system = readsPrompt ? await promptOnce(conversation.history, () => promptFor(work, services)) : "";
  const tools = toolsFor(work, { services, readsPrompt, history: conversation.history, postPicture });
  const result = await runLoop({
    model,
    system,
    message: work.message,
    conversation: work.conversation,
    run: work.run,
    messages: conversation.history.messagesFor(work.message),
    textSoFar: stored.text,
    shown,
    isKnownCall: (call) => conversation.history.hasCall(call),
    startedCalls: stored.started,
    tools,
    ready: questionStored,
    limits: services.limits,
    mayBeSilent: work.author.kind === "schedule",
    signal,
    emit,
    record: append,
    beforeTurn: makeCompaction({
      history: conversation.history,
      message: work.message,
      conversation: work.conversation,
      run: work.run,
      model,
      summaries: services.models.summaries,
      contextTokens: services.contextTokens,
      system,
      tools: () => tools.map((tool) => tool.spec()),
      append,
      onFallback: ({ code, message }) => services.log("warn", "compaction.without_model", { code, reason: message }),
    }),
  });
  await questionStored;
  if (result.reason === "parked") {
    emit({ type: "done", reason: "parked", text: result.text, usage: result.usage });
    return;
  }
  const text = wholeText(result);
  if (result.reason === "answered" && work.author.kind === "maintainer" && isPraise(work.text)) {
    await postPicture({ occasion: "praise", mood: null });
  }
  await append(...result.unstored, { role: "end", reason: result.reason, text });
  emit({ type: "done", reason: result.reason, text, usage: result.usage });
}

/** Of conversations that are open: a prompt stays the same for as long as its conversation. */
const prompts = new WeakMap<History, string>();

async function promptOnce(history: History, read: () => Promise<string>): Promise<string> {
  const known = prompts.get(history);
  if (known !== undefined) return known;
  const prompt = await read();
  prompts.set(history, prompt);
  return prompt;
}

function promptFor(work: RunWork, services: RunServices): Promise<string> {
  const { workspace, memory, conversations, log } = services;
  const { name, instance } = services.hello();
  return systemPrompt({
    workspace,
    values: { name, instance },
    memory,
    conversationFolder: join(conversations, work.conversation),
    warn: (reason) => log("warn", "prompt.left_out", { reason }),
  });
}

function toolsFor(
  work: RunWork,
  options: { services: RunServices; readsPrompt: boolean; history: History; postPicture: PostPicture },
) {
  const { services, readsPrompt, history, postPicture } = options;
  const { instance, name, program, operations } = services.hello();
  const { trust, publicSources } = startOf(work, readsPrompt, history);
  return makeToolbox({
    readTools: services.readTools,
    operations,
    context: {
      memory: services.memory,
      fleet: services.fleet,
      cost: services.cost,
      sitrep: services.sitrep,
      postPicture,
      program: { ...program, instance, name },
      workspace: {
        directory: services.workspace,
        ...(services.stateDirectory === undefined ? {} : { state: services.stateDirectory }),
      },
      author: work.author,
      trust,
      conversation: work.conversation,
    },
    publicSources,
    propose: (call, operation, input, publicSources) =>
      services.propose({ run: work.run, call, operation, input, publicSources }),
  });
}

/**
 * How far a run can be trusted before its first call, from what is stored, so that it is the same after a restart. A
 * model that reads prompts is influenced by all that it sees of the conversation. One that takes only the last sentence,
 * and that literally, is not: there a maintainer's sentence is the maintainer's own word.
 */
function startOf(work: RunWork, readsPrompt: boolean, history: History): ViewTrust {
  if (!readsPrompt) return { trust: work.author.kind === "maintainer" ? "maintainer" : "self", publicSources: [] };
  const seen = history.trust(work.message);
  return { ...seen, trust: lowestTrustOf([seen, { trust: "self" }]) };
}

/** Stores entries of a message in one write. */
function appender(
  conversation: OpenedConversation,
  message: string,
): (...bodies: ConversationEntry["body"][]) => Promise<void> {
  let next = conversation.history.countOf(message);
  return async (...bodies) => {
    const entry = (body: ConversationEntry["body"]): ConversationEntry => {
      return { formatVersion: 1, id: `${message}.${next++}`, at: Date.now(), message, body };
    };
    await Promise.all(bodies.map((body) => conversation.append(entry(body))));
  };
}

/** What an earlier attempt showed besides its text. */
function shownOf(stored: StoredRun): RunEvent[] {
  const proposals = stored.results.flatMap(({ data }) => proposalEvent(data) ?? []);
  const pictures = stored.pictures.map(({ picture, alt }): RunEvent => ({ type: "picture", picture, alt }));
  return [...proposals, ...pictures];
}

function doneReason(stored: string): Extract<RunEvent, { type: "done" }>["reason"] {
  return stored === "interrupted" || stored === "limit" || stored === "failed" ? stored : "answered";
}

/** A run that said nothing is answered with the reason. */
function wholeText(result: LoopResult): string {
  return result.text === "" && result.error ? `${result.error.message}. ${result.error.hint}` : result.text;
}

/** Stores a notice once, and below it a picture where the rule has one for its occasion. */
export async function storeNotice(
  work: Extract<Work, { type: "notice" }>,
  services: RunServices,
  emit: (event: RunEvent) => void,
): Promise<void> {
  const { conversation: id, epoch, message, text, occasion } = work;
  const conversation = await services.openConversation({ directory: services.conversations, conversation: id, epoch });
  try {
    const append = appender(conversation, message);
    if (!conversation.history.stored(message).hasNotice) await append({ role: "notice", text });
    if (occasion === undefined || !isOccasion(occasion)) return;
    const mode = services.pictureMode ?? "seldom";
    const post = picturePoster({ conversation, message, mode, append, emit });
    // What was undone had failed: no time for jokes.
    await post({ occasion, mood: null, isSerious: occasion === "rollback-done" });
  } finally {
    await conversation.close();
  }
}
