/** The mind's work: runs by conversation, interruption, drain, proof; over a link that may break at any time. */
import { setTimeout as delay } from "node:timers/promises";
import type { CostReport } from "../../tools/cost-report.ts";
import { describeError } from "../../tools/errors.ts";
import type { FleetDrift, FleetStatus } from "../../tools/fleet/model.ts";
import type { Sitrep } from "../../tools/sitrep.ts";
import {
  type HelloAnswer,
  type Propose,
  type ProposeAnswer,
  proposeAnswerSchema,
  protocolVersion,
  type Work,
} from "../protocol.ts";
import { makeConversationPool } from "./conversation-pool.ts";
import { failureOf, makeLink } from "./link.ts";
import type { Interruption } from "./loop.ts";
import type { Models } from "./models/select.ts";
import type { Spend } from "./models/spend.ts";
import { makeOutbox } from "./outbox.ts";
import { proveMind } from "./proof.ts";
import { noUsage, performRun, type RunServices, type RunWork, storeNotice } from "./run.ts";
import { makeSpend } from "./spend-link.ts";

export interface MindOptions
  extends Omit<RunServices, "hello" | "fleet" | "cost" | "sitrep" | "propose" | "openConversation" | "models"> {
  socketPath: string;
  instance: string;
  memoryDirectory: string;
  /** What a new message in this channel does with an answer that is being given in its conversation. */
  conversationMode(channel: string): "interrupt" | "queue";
  /** Every request that may cost money is asked of `spend` first. */
  selectModels(spend: Spend): Promise<Models>;
  giveUpMs: number;
  /** Awaited before the first run; must not throw. */
  prepare(): Promise<void>;
}

export interface Mind {
  /** Resolves when the mind has nothing more to do: drained, or without a gateway for too long. */
  run(): Promise<"drained" | "gave_up">;
  /** Finishes runs within the deadline, parks the others, and ends. */
  drain(deadlineMs: number): void;
}

interface ActiveRun {
  work: RunWork;
  controller: AbortController;
  finished: Promise<void>;
}

/** A new gateway delivers what it knows at once; sending before that would make it refuse runs it is about to name. */
const holdAfterHelloMs = 100;
/** After parking, a run only has to notice it. */
const parkMs = 1_000;
const lastFlushMs = 2_000;

export async function makeMind(options: MindOptions): Promise<Mind> {
  const { log } = options;
  const active = new Map<string, ActiveRun>();
  const chains = new Map<string, Promise<void>>();
  const background = new Set<Promise<void>>();
  let notices: Promise<void> = Promise.resolve();
  let hello: HelloAnswer | null = null;
  let draining: Promise<void> | null = null;
  let prepared: Promise<void> | null = null;

  const link = makeLink({
    socketPath: options.socketPath,
    hello: () => ({ protocol: protocolVersion, pid: process.pid, model: models.personality.name }),
    log,
    giveUpMs: options.giveUpMs,
    onUp(answer) {
      hello = answer;
      prepared ??= options.prepare();
      outbox.resendAll(holdAfterHelloMs);
      log("info", "gateway.connected", { name: answer.name, epoch: answer.epoch });
    },
    onWork: take,
  });

  const outbox = makeOutbox({
    ready: () => link.whenUp(),
    async post(run, events) {
      const answer = await link.once("POST", "/events", { run, events });
      if (answer.status === 404) return "unknown";
      if (answer.status >= 500) throw failureOf(answer, "/events");
      if (answer.status >= 400) log("error", "events.refused", { run, status: answer.status });
      return answer.status >= 400 ? "refused" : "taken";
    },
    onUnknown: drop,
  });

  const conversations = makeConversationPool();
  const models = await options.selectModels(
    makeSpend({ call: (method, path, body) => link.call(method, path, body), onUnknownRun: drop }),
  );
  const services: RunServices = {
    ...options,
    models,
    openConversation: conversations.open,
    hello() {
      if (hello === null) throw new Error("a run came before the gateway's hello");
      return hello;
    },
    fleet: {
      status: async () => (await get("/fleet/status")) as FleetStatus,
      drift: async () => (await get("/fleet/drift")) as FleetDrift,
    },
    cost: async (days) => (await get(`/cost?days=${days}`)) as CostReport,
    sitrep: async () => (await get("/sitrep")) as Sitrep,
    propose,
  };

  async function get(path: string): Promise<unknown> {
    const answer = await link.call("GET", path);
    if (answer.status !== 200) throw failureOf(answer, path);
    return answer.body;
  }

  /** True as well where the gateway cannot say: it delivers a parked run again, which is right in either case. */
  async function isPaused(): Promise<boolean> {
    const answer = await get("/pause").catch(() => ({ isPaused: true }));
    return (answer as { isPaused: boolean }).isPaused;
  }

  async function propose(proposal: Propose): Promise<ProposeAnswer> {
    const answer = await link.call("POST", "/propose", { ...proposal, input: proposal.input ?? {} });
    if (answer.status === 404) drop(proposal.run);
    if (answer.status !== 200) throw failureOf(answer, "/propose");
    return proposeAnswerSchema.parse(answer.body);
  }

  function stop(run: ActiveRun, interruption: Interruption): void {
    run.controller.abort(interruption);
  }

  /** The gateway does not know the run: it will deliver it again, here or elsewhere. */
  function drop(run: string): void {
    const known = active.get(run);
    if (known) stop(known, { kind: "dropped", reason: "the gateway does not know this run" });
    outbox.drop(run);
  }

  function take(work: Work): void {
    if (work.type === "run") takeRun(work);
    else if (work.type === "interrupt") {
      const run = active.get(work.run);
      if (run) stop(run, { kind: "interrupted", reason: work.reason });
    } else if (work.type === "drain") drain(work.deadlineMs);
    else if (work.type === "notice") {
      // One after the other, so that one that is delivered twice is seen to be there already.
      notices = notices.then(() => inBackground("notice", () => takeNotice(work)));
    } else if (work.type === "prove") {
      void prove(work.prove).catch((error: unknown) => log("error", "proof.failed", describeError(error)));
    }
  }

  /** Nobody waits for the proof of a mind that ends, so a drain does not either. */
  async function prove(id: string): Promise<void> {
    await prepared;
    await models.refresh();
    const checks = await proveMind({ ...options, model: models.personality });
    await link.call("POST", "/proof", { prove: id, checks });
  }

  async function takeNotice(work: Extract<Work, { type: "notice" }>): Promise<void> {
    try {
      await storeNotice(work, services, (event) => outbox.push(work.run, event));
      outbox.push(work.run, { type: "done", reason: "answered", text: work.text, usage: noUsage });
    } catch (error) {
      const failure = describeError(error);
      log("error", "notice.failed", { run: work.run, code: failure.code, reason: failure.message });
      outbox.push(work.run, { type: "error", ...failure });
      outbox.push(work.run, { type: "done", reason: "failed", text: "", usage: noUsage });
    }
  }

  function inBackground(what: string, work: () => Promise<void>): Promise<void> {
    const done = work()
      .catch((error: unknown) => log("error", `${what}.failed`, describeError(error)))
      .finally(() => background.delete(done));
    background.add(done);
    return done;
  }

  function takeRun(work: RunWork): void {
    if (draining) {
      outbox.push(work.run, { type: "done", reason: "parked", text: "", usage: noUsage });
      return;
    }
    const running = active.get(work.run);
    if (running && !running.controller.signal.aborted) {
      outbox.resend(work.run);
      return;
    }
    if ((work.mode ?? options.conversationMode(work.channel)) === "interrupt") {
      for (const other of active.values()) {
        if (other.work.conversation === work.conversation && other.work.run !== work.run) {
          stop(other, { kind: "interrupted", reason: "a newer message came" });
        }
      }
    }
    const controller = new AbortController();
    const hasToWait = chains.has(work.conversation);
    const before = chains.get(work.conversation) ?? Promise.resolve();
    const finished = before.then(() => perform(work, controller.signal, hasToWait));
    const run: ActiveRun = { work, controller, finished };
    active.set(work.run, run);
    const settled = finished.finally(() => {
      if (active.get(work.run) === run) active.delete(work.run);
      if (chains.get(work.conversation) === settled) chains.delete(work.conversation);
    });
    chains.set(work.conversation, settled);
  }

  async function perform(work: RunWork, signal: AbortSignal, hasWaited: boolean): Promise<void> {
    const startedAt = performance.now();
    await prepared;
    await models.refresh();
    // What an earlier attempt at this run still had to send is void.
    outbox.drop(work.run);
    // It was taken before the pause and would begin after it: the gateway gives it out again when somebody resumes.
    if (hasWaited && !signal.aborted && (await isPaused())) {
      outbox.push(work.run, { type: "done", reason: "parked", text: "", usage: noUsage });
      return;
    }
    let reason = "dropped";
    await performRun(work, services, signal, (event) => {
      if (event.type === "done") reason = event.reason;
      outbox.push(work.run, event);
    });
    const milliseconds = Math.round(performance.now() - startedAt);
    log("info", "run.ended", { run: work.run, conversation: work.conversation, reason, milliseconds });
  }

  function drain(deadlineMs: number): void {
    draining ??= (async () => {
      log("info", "drain.started", { deadlineMs, runs: active.size });
      const runs = () => Promise.all([...[...active.values()].map(({ finished }) => finished), ...background]);
      await within(deadlineMs, runs());
      for (const run of active.values()) stop(run, { kind: "parked", reason: "the mind is shutting down" });
      await within(parkMs, runs());
      await within(lastFlushMs, outbox.empty());
      await within(parkMs, conversations.close());
      link.stop();
    })();
  }

  return {
    drain,
    async run() {
      const ended = await link.run();
      for (const run of active.values()) stop(run, { kind: "parked", reason: "there is no gateway" });
      await within(parkMs, Promise.all([...active.values()].map(({ finished }) => finished)));
      return ended === "stopped" ? "drained" : "gave_up";
    },
  };
}

/** Waits for the work, but no longer than the time given. */
async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  const limit = delay(milliseconds, undefined, { signal: timer.signal }).catch(() => undefined);
  await Promise.race([work.catch(() => undefined), limit]);
  timer.abort();
}
