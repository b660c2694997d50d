/** Runs in progress: what the mind works on for this holder, and who watches. */

import { describeError, isKnownError } from "../../tools/errors.ts";
import type { Json } from "../../tools/json.ts";
import type { Author, ProposeAnswer, RunEvent, Work } from "../protocol.ts";
import { mergeSources } from "../public-sources.ts";
import { type Approvals, approvalId } from "./approvals.ts";
import type { AuditLog } from "./audit.ts";
import type { Answer, Inbox, Message } from "./inbox.ts";
import { isTypedCommand, refuseSensitive, withCleanSource } from "./influence.ts";

type Proposal = Extract<RunEvent, { type: "proposal" }>;
type ProposeRequest = {
  run: string;
  call: string;
  operation: string;
  input?: unknown;
  /** Public text that the run has read, as the mind says. */
  publicSources?: string[];
};

interface Run {
  id: string;
  message: Message;
  epoch: number;
  /** Everything since the last restart, for whoever begins to watch late. */
  events: RunEvent[];
  proposals: Proposal[];
  error: Extract<RunEvent, { type: "error" }> | null;
  /** Length of what `events` holds. */
  characters: number;
  /** Where public text that it has read came from, as its events and proposals said. Never loses one. */
  publicSources: string[];
  listeners: Set<(event: RunEvent) => void>;
  ended: boolean;
  /** Why it is to end before its time: said again to a mind that comes anew. */
  interruption: string | null;
  /** Proposals are taken one after the other, so that their number can be limited. */
  proposing: Promise<unknown>;
}

/** Far above any answer that a person would read; a mind that says more is not answering. */
const longestRun = 4_000_000;

const tooLong = {
  type: "error" as const,
  code: "answer_too_long",
  message: `the answer was longer than ${longestRun} characters and was cut off`,
  hint: "ask for less at once",
};
const noUsage = { turns: 0, inputTokens: 0, outputTokens: 0, usd: 0 };

export interface Runs {
  /** Takes up a claimed message. */
  begin(message: Message, options: { epoch: number; resumed: boolean }): void;
  /** The mind's part of the conversation; returns false when the run is not (or no longer) known here. */
  onEvents(run: string, events: RunEvent[]): Promise<boolean>;
  propose(request: ProposeRequest): Promise<ProposeAnswer | null>;
  /** Sends work to the mind as soon as one is connected; a new connection gets every open run again. */
  connect(send: (work: Work) => void): () => void;
  send(work: Work): boolean;
  /** Ends the answer to a message as interrupted, with what there is of it; false when it is not being answered here. */
  interrupt(message: string, reason: string): boolean;
  /** Whose message a run answers; null when it is not (or no longer) known here. */
  about(run: string): { message: string; conversation: string; kind: "chat" | "notice"; author: Author } | null;
  /** Follows a run from its beginning; null when it does not run here. */
  watch(message: string, listener: (event: RunEvent) => void): (() => void) | null;
  running(conversation: string): string[];
  count(): number;
  /** Forgets every run without answering: the name went elsewhere. Watchers are let go. */
  abandon(): void;
}

export function createRuns(options: {
  instance: string;
  inbox: Inbox;
  approvals: Approvals;
  audit: AuditLog;
  proposalsPerRun: number;
  isPaused(): Promise<boolean>;
  /** Whether policy refuses the operation to a run that has read public text. */
  isSensitive(operation: string): Promise<boolean>;
  onEvent(conversation: string, message: string, event: RunEvent): void;
  onApproved(): void;
  /** A watcher is let go without an end: it comes back and finds the next holder. */
  onAbandon(message: string): void;
}): Runs {
  const runs = new Map<string, Run>();
  let sendToMind: ((work: Work) => void) | null = null;

  const workOf = (run: Run, resumed: boolean): Work => {
    const { id, kind, conversation, channel, author, text, occasion, mode } = run.message;
    const common = { run: run.id, message: id, conversation, epoch: run.epoch, text };
    if (kind === "notice") return { type: "notice", ...common, ...(occasion === undefined ? {} : { occasion }) };
    return { type: "run", ...common, channel, author, resumed, ...(mode === undefined ? {} : { mode }) };
  };

  const publish = (run: Run, event: RunEvent): void => {
    if (event.type === "restart") Object.assign(run, { events: [], characters: 0 });
    run.events.push(event);
    run.characters += event.type === "text" ? event.text.length : JSON.stringify(event).length;
    for (const listener of run.listeners) listener(event);
    options.onEvent(run.message.conversation, run.message.id, event);
  };

  /** The answer is durable before anyone is told that the run is done. */
  const end = async (run: Run, done: Extract<RunEvent, { type: "done" }>): Promise<void> => {
    if (run.ended) return;
    run.ended = true;
    if (done.reason === "parked") {
      runs.delete(run.id);
      options.onAbandon(run.message.id);
      return;
    }
    const answer: Answer = { proposals: run.proposals, error: run.error, done };
    const own = await options.inbox
      .answer(run.message, { instance: options.instance, epoch: run.epoch }, answer)
      .catch((error: unknown) => {
        // Not recorded (a full disk): the mind says it again.
        run.ended = false;
        throw error;
      });
    runs.delete(run.id);
    if (own) publish(run, done);
    else options.onAbandon(run.message.id);
  };

  const propose = async (run: Run, request: ProposeRequest): Promise<ProposeAnswer> => {
    const { call, operation, input } = request;
    const refused = (code: string, message: string, hint: string): ProposeAnswer => ({
      status: "refused",
      code,
      message,
      hint,
    });
    const { message } = run;
    const key = `${message.channel}/${message.id}/${call}`;
    const id = approvalId(key);
    // Counted in the store, so that a restart in between does not begin at nothing.
    const made = (await options.approvals.list()).filter(({ plan }) => plan.proposer.message === message.id);
    const others = made.filter((one) => one.id !== id);
    const isNew = others.length === made.length;
    // What an earlier gateway had seen of this run stands in what it made of it.
    const recorded = made.flatMap((one) => one.plan.proposer.publicSources ?? []);
    run.publicSources = mergeSources(mergeSources(run.publicSources, recorded), request.publicSources ?? []);
    const { publicSources } = run;
    if (isNew && made.length >= options.proposalsPerRun) {
      return refused(
        "too_many_proposals",
        `one answer may propose ${options.proposalsPerRun} operations`,
        "ask again for the rest",
      );
    }
    if (await options.isPaused()) {
      return refused(
        "paused",
        "the fleet is paused, so nothing is proposed",
        "a maintainer resumes it with `clawdinator resume`",
      );
    }
    // A typed command asks for one operation: whatever else comes of it is not what the person typed.
    const isTyped =
      isTypedCommand(message, operation, input) && others.every((one) => one.plan.proposer.influencedByPublicText);
    const isInfluenced = !isTyped && publicSources.length > 0;
    if (isNew && isInfluenced && (await options.isSensitive(operation))) {
      return refuseSensitive({
        audit: options.audit,
        instance: options.instance,
        message,
        operation,
        publicSources,
        id,
      });
    }
    try {
      const approval = await options.approvals.propose({
        operation,
        input: (input ?? {}) as Json,
        key,
        proposer: {
          ...message.author,
          message: message.id,
          conversation: message.conversation,
          influencedByPublicText: !isTyped,
          ...(isInfluenced ? { publicSources } : {}),
        },
      });
      // The same call finds the first proposal, whatever it asks for now: what counts is what that one says.
      const { digest, summary, expiresAt, quorum, plan } = approval;
      const state = approval.state === "pending" ? "pending" : "approved";
      const proposal: Proposal = {
        type: "proposal",
        approval: id,
        operation: approval.operation,
        digest,
        summary,
        state,
      };
      if (!run.proposals.some((one) => one.approval === id)) run.proposals.push(proposal);
      if (state === "approved") options.onApproved();
      return {
        status: "proposed",
        approval: id,
        operation: approval.operation,
        digest,
        summary,
        state,
        expiresAt,
        quorum,
        warnings: plan.warnings,
        ...(plan.proposer.publicSources ? { publicSources: plan.proposer.publicSources } : {}),
      };
    } catch (error) {
      if (!isKnownError(error)) throw error;
      const { code, message: text, hint } = describeError(error);
      return refused(code, text, hint);
    }
  };

  return {
    begin(message, { epoch, resumed }) {
      const id = `${message.id}.${epoch}`;
      if (runs.has(id)) return;
      const run: Run = {
        id,
        message,
        epoch,
        events: [],
        characters: 0,
        publicSources: message.publicSources ?? [],
        proposals: [],
        error: null,
        listeners: new Set(),
        ended: false,
        interruption: null,
        proposing: Promise.resolve(),
      };
      runs.set(id, run);
      sendToMind?.(workOf(run, resumed));
    },

    async onEvents(id, events) {
      const run = runs.get(id);
      if (!run) return false;
      for (const said of events) {
        // What the mind says of a proposal is a claim: shown is what was proposed here, or nothing.
        const event =
          said.type === "proposal"
            ? run.proposals.find((one) => one.approval === said.approval)
            : withCleanSource(said);
        if (!event) continue;
        if (event.type === "tool" && event.publicSource !== undefined)
          run.publicSources = mergeSources(run.publicSources, [event.publicSource]);
        if (event.type === "error") run.error = event;
        if (event.type === "done") await end(run, event);
        else publish(run, event);
        if (run.characters > longestRun) {
          publish(run, tooLong);
          run.error = tooLong;
          await end(run, { type: "done", reason: "limit", text: tooLong.message, usage: noUsage });
          return false;
        }
      }
      return true;
    },

    async propose(request) {
      const run = runs.get(request.run);
      if (!run) return null;
      const answer = run.proposing.then(() => (run.ended ? null : propose(run, request)));
      run.proposing = answer.catch(() => {});
      return answer;
    },

    connect(send) {
      sendToMind = send;
      for (const run of runs.values()) {
        // The mind may be a new process: what it had said of this run is said again.
        if (run.events.length > 0) publish(run, { type: "restart", reason: "the mind was connected again" });
        send(workOf(run, true));
        if (run.interruption !== null) send({ type: "interrupt", run: run.id, reason: run.interruption });
      }
      return () => {
        if (sendToMind === send) sendToMind = null;
      };
    },

    about(id) {
      const message = runs.get(id)?.message;
      if (!message) return null;
      const { conversation, kind, author } = message;
      return { message: message.id, conversation, kind, author };
    },

    send(work) {
      if (!sendToMind) return false;
      sendToMind(work);
      return true;
    },

    interrupt(message, reason) {
      const run = [...runs.values()].find((one) => one.message.id === message);
      if (!run) return false;
      run.interruption = reason;
      sendToMind?.({ type: "interrupt", run: run.id, reason });
      return true;
    },

    watch(message, listener) {
      const run = [...runs.values()].find((one) => one.message.id === message);
      if (!run) return null;
      for (const event of run.events) listener(event);
      run.listeners.add(listener);
      return () => run.listeners.delete(listener);
    },

    running: (conversation) =>
      [...runs.values()].filter((run) => run.message.conversation === conversation).map((run) => run.message.id),
    count: () => runs.size,

    abandon() {
      for (const run of runs.values()) options.onAbandon(run.message.id);
      runs.clear();
    },
  };
}
