/** One run: from a message to its stored and shown answer. Picks up what an earlier attempt stored. */
import { join } from "node:path";
import type { Memory } from "../../memory/index.ts";
import { describeError } from "../../tools/errors.ts";
import { readTools } from "../../tools/read-tools.ts";
import type { ReadContext } from "../../tools/tool.ts";
import type { ConversationWriter } from "../conversations.ts";
import type { ConversationEntry, HelloAnswer, ProposeAnswer, RunEvent, Work } from "../protocol.ts";
import type { OpenConversation } from "./conversation-pool.ts";
import { modelMessages, type StoredRun, storedRun } from "./history.ts";
import { emitProposal, interruptionOf, type LoopLimits, type LoopResult, runLoop } from "./loop.ts";
import type { Model } from "./models/model.ts";
import { systemPrompt } from "./prompt.ts";
import { makeToolbox } from "./toolbox.ts";

export type RunWork = Extract<Work, { type: "run" }>;

export interface RunServices {
  model: Model;
  memory: Memory;
  limits: LoopLimits;
  workspace: string;
  conversations: string;
  openConversation: OpenConversation;
  hello(): HelloAnswer;
  fleet: ReadContext["fleet"];
  propose(run: string, call: string, operation: string, input: unknown): Promise<ProposeAnswer>;
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
  let conversation: ConversationWriter | null = null;
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
  conversation: ConversationWriter;
  signal: AbortSignal;
  emit(event: RunEvent): void;
}

async function perform(work: RunWork, running: Running): Promise<void> {
  const { services, conversation, signal, emit } = running;
  const stored = storedRun(conversation.entries, work.message);
  const append = appender(conversation, work.message);
  if (stored.hasUserEntry || work.resumed) emit({ type: "restart", reason: "the answer was begun by another process" });
  if (stored.end) {
    showAgain(stored, stored.end.text, emit);
    emit({ type: "done", reason: doneReason(stored.end.reason), text: stored.end.text, usage: noUsage });
    return;
  }
  if (!stored.hasUserEntry) await append({ role: "user", author: work.author, channel: work.channel, text: work.text });
  showAgain(stored, stored.text, emit);
  const { model, memory } = services;
  const folder = join(services.conversations, work.conversation);
  const result = await runLoop({
    model,
    system: model.readsPrompt
      ? await systemPrompt({ workspace: services.workspace, memory, conversationFolder: folder })
      : "",
    message: work.message,
    conversation: work.conversation,
    run: work.run,
    messages: modelMessages(conversation.entries, work.message),
    textSoFar: stored.text,
    tools: toolsFor(work, services),
    limits: services.limits,
    signal,
    emit,
    record: append,
  });
  if (result.reason === "parked") {
    emit({ type: "done", reason: "parked", text: result.text, usage: result.usage });
    return;
  }
  const text = wholeText(result);
  await append({ role: "end", reason: result.reason, text });
  emit({ type: "done", reason: result.reason, text, usage: result.usage });
}

function toolsFor(work: RunWork, services: RunServices) {
  const { instance, name, program, operations } = services.hello();
  return makeToolbox({
    readTools,
    operations,
    context: {
      memory: services.memory,
      fleet: services.fleet,
      program: { ...program, instance, name },
      author: work.author,
      // Only a sentence that a maintainer typed, taken literally, is the maintainer's own word.
      trust: work.author.kind === "maintainer" && !services.model.readsPrompt ? "maintainer" : "self",
      conversation: work.conversation,
    },
    propose: (call, operation, input) => services.propose(work.run, call, operation, input),
  });
}

function appender(
  conversation: ConversationWriter,
  message: string,
): (body: ConversationEntry["body"]) => Promise<void> {
  return (body) => {
    const count = conversation.entries.filter((entry) => entry.message === message).length;
    return conversation.append({ formatVersion: 1, id: `${message}.${count}`, at: Date.now(), message, body });
  };
}

function showAgain(stored: StoredRun, text: string, emit: (event: RunEvent) => void): void {
  if (text !== "") emit({ type: "text", text });
  for (const result of stored.results) emitProposal(result.data, emit);
}

function doneReason(stored: string): Extract<RunEvent, { type: "done" }>["reason"] {
  return stored === "interrupted" || stored === "limit" || stored === "failed" ? stored : "answered";
}

/** A run that said nothing is answered with the reason. */
function wholeText(result: LoopResult): string {
  return result.text === "" && result.error ? `${result.error.message}. ${result.error.hint}` : result.text;
}

/** Stores a notice once. */
export async function storeNotice(work: Extract<Work, { type: "notice" }>, services: RunServices): Promise<void> {
  const { conversation: id, epoch, message, text } = work;
  const conversation = await services.openConversation({ directory: services.conversations, conversation: id, epoch });
  try {
    if (conversation.entries.some((entry) => entry.message === message && entry.body.role === "notice")) return;
    await appender(conversation, message)({ role: "notice", text });
  } finally {
    await conversation.close();
  }
}
