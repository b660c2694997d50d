/** Chat: a message goes into the inbox first; then whoever sent it follows its run, wherever that happens. */
import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import { instanceNamePattern } from "../../../tools/fleet/model.ts";
import { readName } from "../../../tools/fleet/names.ts";
import { waitForStore } from "../../../tools/fleet/wait.ts";
import { chatRequestSchema, type RunEvent } from "../../protocol.ts";
import type { Answer, Message } from "../inbox.ts";
import { authorOf } from "../maintainers.ts";
import { waitsText } from "../pause.ts";
import { onAbandoned } from "./abandoned.ts";
import type { Api, Environment } from "./context.ts";
import { HttpProblem, readJson } from "./problem.ts";

/** Messages from console and command line are one channel: whoever knows an id may follow it on either. */
const channel = "console";

/** Longer than any run may take; a message whose name nobody takes up is reported, and stays in the inbox. */
const followMs = 24 * 3600 * 1000;

/** Keeps proxies and browsers from taking a thinking model for a dead connection. */
const keepAliveMs = 15_000;

export async function postChat(context: Context<Environment>, api: Api): Promise<Response> {
  const request = chatRequestSchema.parse(await readJson(context));
  const to = await addressee(api, request.to);
  const message: Message = {
    formatVersion: 1,
    id: request.message ?? randomUUID(),
    kind: "chat",
    to,
    channel,
    conversation: request.conversation,
    author: authorOf(context.get("actor")),
    text: request.text,
    createdAt: await api.store.now(),
  };
  const owner = await api.inbox.takeConversation(message.conversation, to);
  if (owner !== to) {
    throw new HttpProblem(
      409,
      "other_conversation",
      `the conversation ${message.conversation} is one with ${owner}`,
      `go on with ${owner}, or choose another conversation`,
    );
  }
  const paused = await api.pause.current();
  // Several that waited are answered one after the other: none of them interrupts.
  const submitted = await api.inbox.submit(paused ? { ...message, mode: "queue" } : message);
  if (submitted === "conflict") {
    throw new HttpProblem(
      409,
      "message_id_used",
      `the message id ${message.id} belongs to another message`,
      "choose a new id for a new message",
    );
  }
  api.scheduler.wake();
  return streamSSE(context, async (stream) => {
    const abort = new AbortController();
    stream.onAbort(() => abort.abort());
    if (paused && submitted === "stored") await send(stream, { type: "notice", text: waitsText(paused) });
    const keepAlive = setInterval(() => void stream.write(": waiting\n\n"), keepAliveMs);
    try {
      await follow({ api, message, stream, signal: abort.signal });
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    } finally {
      clearInterval(keepAlive);
    }
  });
}

/** The name that shall answer: this instance's, or an existing other one's. */
async function addressee(api: Api, to: string | undefined): Promise<string> {
  if (to === undefined) return api.identity.name;
  const name = to.toUpperCase();
  const known = instanceNamePattern.test(name) && (await readName(api.store, name));
  if (!known || (known.holder === null && !(await api.fleet.desired()).instances[name])) {
    const names = (await api.fleet.status()).instances.filter((one) => one.epoch !== null).map((one) => one.name);
    throw new HttpProblem(404, "unknown_instance", `there is no instance ${to}`, `running: ${names.join(", ")}`);
  }
  return name;
}

/**
 * Relays the run's events until its answer is recorded. The record, not the stream, decides what the answer is: when
 * the run goes to another process the reader is told to start over and then gets the recorded answer.
 */
async function follow(options: {
  api: Api;
  message: Message;
  stream: SSEStreamingApi;
  signal: AbortSignal;
}): Promise<void> {
  const { api, message, stream, signal } = options;
  const { inbox, runs } = api;
  let shown = false;
  for (;;) {
    const found = await waitForStore<Answer | "running">(api.store, {
      what: `an answer of ${message.to}`,
      hint: "`clawdinator fleet status` shows whether it runs; the message stays in its inbox",
      deadlineMs: followMs,
      signal,
      check: async () => {
        const outcome = await inbox.outcome(message.channel, message.id);
        if (outcome) return outcome;
        return runs.running(message.conversation).includes(message.id) ? "running" : null;
      },
    });
    if (found !== "running") {
      for (const event of eventsOf(found, shown)) await send(stream, event);
      return;
    }
    if (shown) await send(stream, { type: "restart", reason: "another process took the message over" });
    shown = true;
    if ((await relay({ api, message, stream, signal })) === "done") return;
  }
}

/** Until the run ends here; `lost` when it ended without an answer, so that another process will give it. */
function relay(options: {
  api: Api;
  message: Message;
  stream: SSEStreamingApi;
  signal: AbortSignal;
}): Promise<"done" | "lost"> {
  const { api, message, stream, signal } = options;
  return new Promise((resolve) => {
    let tail: Promise<void> = Promise.resolve();
    const forget = onAbandoned(message.id, () => end("lost"));
    const end = (how: "done" | "lost"): void => {
      stop?.();
      forget();
      void tail.then(() => resolve(how));
    };
    const stop = api.runs.watch(message.id, (event) => {
      tail = tail.then(() => send(stream, event));
      if (event.type === "done") end("done");
    });
    signal.addEventListener("abort", () => end("lost"), { once: true });
    if (!stop) end("lost");
  });
}

function eventsOf(answer: Answer, shown: boolean): RunEvent[] {
  return [
    ...(shown ? [{ type: "restart" as const, reason: "the recorded answer follows" }] : []),
    ...answer.proposals,
    ...(answer.error ? [answer.error] : []),
    ...(answer.done.text ? [{ type: "text" as const, text: answer.done.text }] : []),
    answer.done,
  ];
}

async function send(stream: SSEStreamingApi, event: RunEvent): Promise<void> {
  await stream.writeSSE({ data: JSON.stringify(event) });
}
