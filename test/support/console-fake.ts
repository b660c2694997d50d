/** A gateway as the console sees it: the real pages, and an API of the real wire shape that tests move by hand. */
import { type ServerType, serve } from "@hono/node-server";
import type { Hono } from "hono";
import type {
  ApprovalView,
  AuditEntry,
  ConversationEntry,
  LiveEvent,
  OperationView,
  RunEvent,
} from "../../agent/protocol.ts";
import type { ScheduleView } from "../../agent/schedule.ts";
import type { CostReport } from "../../tools/cost-report.ts";
import type { FleetDrift, FleetStatus } from "../../tools/fleet/model.ts";
import { sampleCost } from "./console-cost.ts";
import { fakeRoutes } from "./console-fake-routes.ts";
import {
  doneEvent,
  sampleApproval,
  sampleAudit,
  sampleDrift,
  sampleFleet,
  sampleOperation,
  samplePlan,
  statusAnswer,
} from "./console-samples.ts";

const token = "mtk_ada_0123456789abcdef";

/** One message's run. Its events are kept, so that whoever sends the message again hears all of them. */
interface Run {
  conversation: string;
  text: string;
  events: RunEvent[];
}

export class ConsoleFake {
  readonly token = token;
  readonly approvals = new Map<string, ApprovalView>();
  readonly operations = new Map<string, OperationView>();
  readonly runs = new Map<string, Run>();
  /** What the page posted, oldest first. */
  readonly posts: { path: string; body: Record<string, unknown> }[] = [];
  fleet: FleetStatus = sampleFleet();
  drift: FleetDrift = sampleDrift();
  audit: AuditEntry[] = sampleAudit();
  cost: (days: number) => CostReport = (days) => sampleCost(days);
  schedule = (): ScheduleView => ({ at: Date.now(), file: "cron-jobs.json", problem: null, paused: false, jobs: [] });
  paused = false;
  /** Served to whoever is logged in, besides the fake's own; set before the start. */
  furtherRoutes: Hono | null = null;
  url = "";
  readonly #entries = new Map<string, ConversationEntry[]>();
  readonly #live = new Set<(event: LiveEvent) => void>();
  #wake = Promise.withResolvers<void>();
  #eventsDropped = Promise.withResolvers<void>();
  #cuts = 0;
  #last = 0;
  #server: ServerType | undefined;

  get loginUrl(): string {
    return `${this.url}/#login=${token}`;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => {
      this.#server = serve({ fetch: fakeRoutes(this).fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => {
        this.url = `http://127.0.0.1:${port}`;
        resolve();
      });
    });
    return this;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.cutStreams();
    await new Promise((resolve) => {
      server.close(resolve);
      if ("closeAllConnections" in server) server.closeAllConnections();
    });
  }

  broadcast(event: LiveEvent): void {
    for (const tell of this.#live) tell(event);
  }

  /** Ends every open answer in the middle, as a lost connection does. */
  cutStreams(): void {
    this.#cuts += 1;
    this.#signal();
  }

  /** Ends the streams of live updates; the pages connect again. */
  dropEvents(): void {
    this.#eventsDropped.resolve();
    this.#eventsDropped = Promise.withResolvers();
  }

  addApproval(approval: ApprovalView): ApprovalView {
    this.approvals.set(approval.id, approval);
    this.broadcast({ type: "approval", approval });
    return approval;
  }

  setFleet(fleet: FleetStatus): void {
    this.fleet = { ...fleet, at: Date.now() };
    this.broadcast({ type: "fleet", fleet: this.fleet });
  }

  /** Ends the operation's running step, if any, and starts the next one; after the last it has succeeded. */
  advance(id: string, progress: string | null = null): OperationView {
    const before = this.operations.get(id);
    if (!before) throw new Error(`there is no operation ${id}`);
    const at = Date.now();
    const next = before.steps.findIndex((step) => step.state === "pending");
    const steps = before.steps.map((step, index) => {
      if (step.state === "running") return { ...step, state: "succeeded" as const, endedAt: at };
      return index === next ? { ...step, state: "running" as const, startedAt: at, attempts: 1 } : step;
    });
    const ended = next === -1;
    const operation: OperationView = {
      ...before,
      steps,
      progress,
      ...(ended ? { state: "succeeded", endedAt: at } : {}),
    };
    this.setOperation(operation);
    return operation;
  }

  setOperation(operation: OperationView): void {
    this.operations.set(operation.id, operation);
    this.broadcast({ type: "operation", operation });
  }

  /** Adds to a message's answer; `done` ends it. */
  emit(message: string, ...events: RunEvent[]): void {
    const run = this.runs.get(message);
    if (!run) throw new Error(`there is no message ${message}`);
    run.events.push(...events);
    for (const event of events) {
      this.broadcast({ type: "conversation", conversation: run.conversation, message, event });
      if (event.type === "proposal") {
        const data = { proposal: { approval: event.approval } };
        this.#record(run.conversation, message, {
          role: "tool",
          call: `c-${event.approval}`,
          name: event.operation,
          ok: true,
          text: event.summary,
          data,
        });
      }
      if (event.type === "done") this.#recordEnd(run, message, event);
    }
    this.#signal();
  }

  /** A message from the page, or with another `channel` from elsewhere. */
  receive(options: { conversation: string; message: string; text: string; channel?: string }): Run {
    const known = this.runs.get(options.message);
    if (known) return known;
    const { conversation, message, text, channel = "console" } = options;
    const run: Run = { conversation, text, events: [] };
    this.runs.set(message, run);
    this.#record(conversation, message, {
      role: "user",
      author: { kind: "maintainer", id: "m-ada", name: "Ada" },
      channel,
      text,
    });
    this.#answer(message, text);
    return run;
  }

  /** Known sentences are answered at once; any other message waits for the test to `emit`. */
  #answer(message: string, text: string): void {
    if (text === "status") {
      for (const piece of statusAnswer.split(/(?<=\n\n)/)) this.emit(message, { type: "text", text: piece });
      this.emit(message, doneEvent(statusAnswer));
    }
    if (text === "spawn a sibling") {
      const approval = this.addApproval(
        sampleApproval({ id: `apr-${++this.#last}`, plan: samplePlan({ nonce: message }) }),
      );
      const { id, operation, digest, summary } = approval;
      this.emit(
        message,
        { type: "text", text: "I planned a sibling. " },
        { type: "tool", call: `c-${id}`, name: operation, state: "started", text: "" },
        { type: "proposal", approval: id, operation, digest, summary, state: "pending" },
        { type: "tool", call: `c-${id}`, name: operation, state: "succeeded", text: `proposed as ${id}` },
        { type: "text", text: "Approve it here, or with `clawdinator approvals approve`." },
        doneEvent("I planned a sibling. Approve it here, or with `clawdinator approvals approve`."),
      );
    }
  }

  #record(conversation: string, message: string, body: ConversationEntry["body"]): void {
    const entries = this.#entries.get(conversation) ?? [];
    this.#entries.set(conversation, entries);
    entries.push({ formatVersion: 1, id: `e-${++this.#last}`, at: Date.now(), message, body });
  }

  #recordEnd(run: Run, message: string, event: Extract<RunEvent, { type: "done" }>): void {
    const begin = run.events.findLastIndex((one) => one.type === "restart") + 1;
    const text = run.events
      .slice(begin)
      .map((one) => (one.type === "text" ? one.text : ""))
      .join("");
    this.#record(run.conversation, message, { role: "assistant", text, calls: [], model: "fake" });
    this.#record(run.conversation, message, { role: "end", reason: event.reason, text: event.text });
  }

  #signal(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** The approval after the decision, or why it was refused. */
  decide(id: string, body: Record<string, unknown>): ApprovalView | string {
    const approval = this.approvals.get(id);
    if (!approval) return "there is no such approval";
    if (approval.state === "superseded") return "The fleet changed since this plan was made.";
    if (approval.state !== "pending") return `already ${approval.state} by Ada`;
    if (body.digest !== approval.digest) return "that is not the digest of this plan";
    const decision = body.decision === "approve" ? "approve" : "reject";
    const vote = {
      maintainer: "m-ada",
      name: "Ada",
      surface: "console",
      decision,
      counts: true,
      note: null,
      at: Date.now(),
    } as const;
    if (decision === "reject") {
      const reason = `rejected by Ada${body.reason ? `: ${body.reason}` : ""}`;
      return this.addApproval({ ...approval, state: "rejected", votes: [vote], reason });
    }
    const operation = sampleOperation({
      id: `op-${id}`,
      approval: id,
      digest: approval.digest,
      summary: approval.summary,
    });
    this.setOperation(operation);
    this.advance(operation.id, "checking out 4f1c9a7e20");
    return this.addApproval({ ...approval, state: "approved", votes: [vote], operationId: operation.id });
  }

  /** Hears every live event until the returned promise ends, which is when the stream is dropped. */
  async watch(tell: (event: LiveEvent) => void, aborted: Promise<void>): Promise<void> {
    this.#live.add(tell);
    await Promise.race([this.#eventsDropped.promise, aborted]);
    this.#live.delete(tell);
  }

  /** Sends a run's events, those to come included, until it is done or the stream is cut. */
  async follow(
    run: Run,
    options: { send: (event: RunEvent) => Promise<void>; isAborted: () => boolean },
  ): Promise<void> {
    const cuts = this.#cuts;
    for (let sent = 0; this.#cuts === cuts && !options.isAborted(); ) {
      const wake = this.#wake.promise;
      for (let event = run.events[sent]; event; event = run.events[sent]) {
        sent += 1;
        await options.send(event);
      }
      if (isDone(run)) return;
      await wake;
    }
  }

  history(conversation: string): { conversation: string; entries: ConversationEntry[]; running: string[] } {
    const runs = [...this.runs].filter(([, run]) => run.conversation === conversation && !isDone(run));
    return { conversation, entries: this.#entries.get(conversation) ?? [], running: runs.map(([id]) => id) };
  }

  /** Those whose first question holds the text; without one all. */
  conversations(text = ""): { id: string; title: string; updatedAt: number; matches: object[] }[] {
    return [...this.#entries].flatMap(([id, entries]) => {
      const first = entries.find((entry) => entry.body.role === "user");
      const title = first?.body.role === "user" ? first.body.text : "";
      if (!title.includes(text)) return [];
      const matches = text === "" || !first ? [] : [{ entry: first.id, at: first.at, by: "Ada", snippet: title }];
      return [{ id, title, updatedAt: entries.at(-1)?.at ?? 0, matches }];
    });
  }
}

function isDone(run: Run): boolean {
  return run.events.at(-1)?.type === "done";
}
