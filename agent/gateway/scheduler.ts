/** What a gateway does again and again: follow its name, take messages, run what was approved, tell who watches. */
import { randomBytes } from "node:crypto";
import { describeError } from "../../tools/errors.ts";
import type { FleetServices } from "../../tools/fleet/services.ts";
import type { Store } from "../../tools/store.ts";
import type { Log } from "../log.ts";
import { occasionOf } from "../pictures/operation-occasion.ts";
import type { OperationView, Proof } from "../protocol.ts";
import type { Approvals } from "./approvals.ts";
import type { AuditLog } from "./audit.ts";
import { createFleetKeeper } from "./fleet-keeper.ts";
import type { Inbox, Message } from "./inbox.ts";
import type { Live } from "./live.ts";
import { createLoop } from "./loop.ts";
import type { Operations } from "./operations.ts";
import type { Pause } from "./pause.ts";
import type { Presence } from "./presence.ts";
import type { Runs } from "./runs.ts";

/** Leases, expiries and heartbeats move without anyone writing to the store. */
const tickMs = 1_000;

/** For so long nobody asks again whether the fleet is paused. */
const pauseHoldsMs = 1_000;
/** An approved plan that cannot be started is planned anew at each attempt: where that costs something, not at each tick. */
const costlyRetryMs = 15_000;

export interface Scheduler {
  start(): void;
  wake(): void;
  /** Has the mind show that model and memory work; its checks appear in the heartbeat. */
  prove(): Promise<void>;
  onProof(proof: Proof): void;
  /** A mind has come: it is asked again for what a former one did not show. */
  onMind(): void;
  /** Tells the conversation that asked for an operation how it ended. Safe to repeat. */
  onOperation(operation: OperationView): Promise<void>;
  /** Lets runs end, or parks them for the next holder. */
  drainRuns(deadlineMs: number): Promise<void>;
  stop(): Promise<void>;
}

export function createScheduler(options: {
  store: Store;
  instance: string;
  name: string;
  presence: Presence;
  approvals: Approvals;
  operations: Operations;
  inbox: Inbox;
  runs: Runs;
  live: Live;
  fleet: FleetServices;
  audit: AuditLog;
  pause: Pause;
  log: Log;
  /** Jobs whose time has come. */
  schedule: { look(): Promise<void> };
  /** A message is being answered here: whoever shows answers may follow. */
  onBegin?: ((message: Message) => void) | undefined;
  /** For the instance that looks after the fleet: what else is due, again and again. */
  onUpkeep?: (() => void) | undefined;
}): Scheduler {
  const { store, instance, name, presence, approvals, operations, inbox, runs, live, log } = options;
  const onError = (error: unknown): void =>
    log("error", "a round failed and will be repeated", { error: describeError(error).message });
  const proofs = new Map<string, (proof: Proof) => void>();
  const keeper = createFleetKeeper({ ...options, operations, approvals });
  const notBefore = new Map<string, number>();
  let started = false;

  const presenceLoop = createLoop(() => presence.refresh(), onError);

  const workLoop = createLoop(async () => {
    const epoch = presence.epoch();
    // One part that fails (a record that cannot be read) must not keep the others from their turn.
    const parts: (() => Promise<void>)[] = [
      async () => (epoch !== null ? takeMessages(epoch) : undefined),
      () => approvals.expire(),
      async () => (epoch !== null && (await options.pause.peek()) === null ? runApproved() : undefined),
      () => operations.resume({ holdsName: presence.epoch() !== null }),
      () => live.scan(),
      async () => (presence.epoch() !== null ? keeper.look() : undefined),
      () => options.schedule.look(),
    ];
    for (const part of parts) await part().catch(onError);
  }, onError);

  const wake = (): void => {
    if (!started) return;
    presenceLoop.wake();
    workLoop.wake();
  };

  async function takeMessages(epoch: number): Promise<void> {
    const holder = { instance, epoch };
    const messages = (await inbox.pending(name)).filter(
      ({ id, conversation }) => !runs.running(conversation).includes(id),
    );
    if (messages.length === 0) return;
    let isPaused = await options.pause.isPaused();
    let askedAt = performance.now();
    for (const message of messages) {
      // Each claim is a write: of many, the last ones come late.
      if (performance.now() - askedAt > pauseHoldsMs) {
        isPaused = await options.pause.isPaused();
        askedAt = performance.now();
      }
      // A notice is no answer: what still ended while the fleet is paused is told.
      if (isPaused && message.kind !== "notice") continue;
      const claim = await inbox.claim(message, holder);
      if (claim === "taken" || claim === "answered") continue;
      runs.begin(message, { epoch, resumed: claim === "resumed" });
      options.onBegin?.(message);
    }
  }

  async function runApproved(): Promise<void> {
    for (const id of await approvals.approved()) {
      if (performance.now() < (notBefore.get(id) ?? 0)) continue;
      if (await options.pause.isPaused()) return;
      if (store.listing === "costly") notBefore.set(id, performance.now() + costlyRetryMs);
      // One that cannot be started now must not hold up the others.
      await approvals
        .execute(id, (record) => operations.start(record))
        .then(() => notBefore.delete(id))
        .catch((error: unknown) => {
          log("error", "an approved plan cannot be started yet", { approval: id, error: describeError(error).message });
        });
    }
  }

  let stopWatching = (): void => {};
  let timer: NodeJS.Timeout | null = null;

  return {
    start() {
      started = true;
      stopWatching = store.watch(wake);
      timer = setInterval(wake, tickMs);
      wake();
    },

    wake,

    async prove() {
      const id = randomBytes(8).toString("hex");
      const proof = new Promise<Proof>((resolve) => proofs.set(id, resolve));
      runs.send({ type: "prove", prove: id });
      const { checks } = await proof;
      for (const check of checks) presence.setCheck(check);
    },

    onMind() {
      for (const id of proofs.keys()) runs.send({ type: "prove", prove: id });
      wake();
    },

    onProof(proof) {
      proofs.get(proof.prove)?.(proof);
      proofs.delete(proof.prove);
    },

    async onOperation(operation) {
      if (operation.endedAt === null || !operation.conversation) return;
      const how = operation.state === "succeeded" ? "done" : operation.state;
      const why = operation.error ? `: ${operation.error.message}` : "";
      // Whoever ran it: the conversation's files are its owner's to write.
      const owner = await inbox.ownerOf(operation.conversation);
      const occasion = occasionOf(operation);
      await inbox.submit({
        formatVersion: 1,
        id: `notice-${operation.id}`,
        kind: "notice",
        to: owner ?? name,
        channel: "notice",
        conversation: operation.conversation,
        author: { kind: "instance", id: instance, name },
        text: `${operation.summary} — ${how}${why}`,
        ...(occasion === undefined ? {} : { occasion }),
        createdAt: await store.now(),
      });
    },

    async drainRuns(deadlineMs) {
      if (runs.count() === 0) return;
      runs.send({ type: "drain", deadlineMs });
      const end = performance.now() + deadlineMs;
      while (runs.count() > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
      runs.abandon();
    },

    async stop() {
      started = false;
      stopWatching();
      if (timer) clearInterval(timer);
      keeper.stop();
      await Promise.all([presenceLoop.stop(), workLoop.stop()]);
    },
  };
}
