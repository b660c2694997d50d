/** Starting one run of a job and finding out how it ended. Every step is safe to repeat: the run's id decides. */
import { describeError, isKnownError } from "../../../tools/errors.ts";
import { readName } from "../../../tools/fleet/names.ts";
import type { Json } from "../../../tools/json.ts";
import type { Store } from "../../../tools/store.ts";
import type { Proposer } from "../../../tools/tool.ts";
import type { ApprovalView, OperationView } from "../../protocol.ts";
import type { Job, JobOutcome } from "../../schedule.ts";
import { isSilentAnswer, scheduleConversation } from "../../schedule-news.ts";
import { type Approvals, approvalId } from "../approvals.ts";
import type { Answer, Inbox, Message } from "../inbox.ts";
import type { JobRun } from "./job-record.ts";

/** The channel of messages that a timer sends. */
const scheduleChannel = "schedule";

/** A name changes hands within minutes; one that nobody holds for this long answers no more. */
const lostAfterMs = 3600_000;

type Ending = Pick<JobOutcome, "result" | "detail" | "approval">;

export interface JobRuns {
  /** Sends the message or proposes the operation, unless that was done before. */
  start(job: Job, run: JobRun): Promise<void>;
  /** How it ended; null while it goes on. */
  ending(job: Job, run: JobRun): Promise<Ending | null>;
}

export function createJobRuns(options: {
  store: Store;
  /** The name of this instance. */
  name: string;
  inbox: Inbox;
  approvals: Pick<Approvals, "get" | "propose">;
  operation(id: string): Promise<OperationView | null>;
  /** Awaited before a run is sent; may be called again for the same run. */
  beforeSend?(job: Job, run: JobRun): Promise<void>;
  /** A message or an approved plan waits. */
  onStarted(): void;
}): JobRuns {
  const { store, name, inbox, approvals } = options;
  /** Refusals of this process; after a restart the proposal is made, and refused, again. */
  const refusals = new Map<string, Ending>();
  const started = new Set<string>();

  const send = async (job: Job, run: JobRun, prompt: string): Promise<void> => {
    const message: Message = {
      formatVersion: 1,
      id: run.id,
      kind: "chat",
      to: run.to,
      channel: scheduleChannel,
      conversation: conversationOf(job, run.by),
      author: { kind: "schedule", id: job.id, name: job.id },
      text: prompt,
      createdAt: run.startedAt,
    };
    await inbox.submit(message);
  };

  const propose = async (job: Job, run: JobRun, operation: string, input: Json): Promise<void> => {
    const common = { message: null, conversation: null, influencedByPublicText: false };
    // Who asks for it now is its proposer, as with any other operation.
    const proposer: Proposer = run.person
      ? { kind: "maintainer", ...run.person, ...common }
      : { kind: "schedule", id: job.id, name: `schedule ${job.id}`, ...common };
    try {
      await approvals.propose({ operation, input, proposer, key: run.id });
    } catch (error) {
      const { code, message } = describeError(error);
      const isRefusal = isKnownError(error);
      refusals.set(run.id, { result: isRefusal ? "refused" : "failed", detail: `${message} (${code})` });
    }
  };

  const runs: JobRuns = {
    async start(job, run) {
      if (started.has(run.id)) return;
      await options.beforeSend?.(job, run);
      if ("prompt" in run.work) await send(job, run, run.work.prompt);
      else await propose(job, run, run.work.operation, run.work.input);
      started.add(run.id);
      options.onStarted();
    },

    async ending(job, run) {
      const ending =
        "prompt" in run.work ? await promptEnding(run) : (refusals.get(run.id) ?? (await operationEnding(run)));
      if (ending) {
        refusals.delete(run.id);
        started.delete(run.id);
        return ending;
      }
      // What a crash kept from being sent is sent now, by whose run it is.
      if (run.by === name) await runs.start(job, run);
      else if (await isLost(run)) return { result: "lost", detail: `${run.to}, which ran it, is gone` };
      return null;
    },
  };

  async function promptEnding(run: JobRun): Promise<Ending | null> {
    const answer = await inbox.outcome(scheduleChannel, run.id);
    if (answer) return endingOf(answer);
    const isGone = run.by === name && (await isLost(run));
    return isGone ? { result: "lost", detail: `${run.to}, which ran it, is gone` } : null;
  }

  async function operationEnding(run: JobRun): Promise<Ending | null> {
    let approval = await approvals.get(approvalId(run.id));
    while (approval?.supersededBy) approval = await approvals.get(approval.supersededBy);
    if (!approval) return null;
    const operation = approval.operationId ? await options.operation(approval.operationId) : null;
    return endOf(approval, operation);
  }

  async function isLost(run: JobRun): Promise<boolean> {
    if ((await store.now()) - run.startedAt < lostAfterMs) return false;
    return (await readName(store, run.to))?.holder == null;
  }

  return runs;
}

/** Where a job's prompts are said: its own conversation, and one for each name where each name runs it. */
export function conversationOf(job: Pick<Job, "id" | "singleton">, name: string): string {
  return job.singleton ? `${scheduleConversation}${job.id}` : `${scheduleConversation}${job.id}-${name}`;
}

/** The same for one scheduled time, in the fleet or for the name: what was begun under it is not begun again. */
export function runId(job: Pick<Job, "id" | "singleton">, name: string, at: number): string {
  const time = new Date(at).toISOString().replace(/[-:]|\.\d+/g, "");
  return job.singleton ? `cron-${job.id}-${time}` : `cron-${job.id}-${name}-${time}`;
}

export function isRunOf(job: Pick<Job, "id">, message: string): boolean {
  return new RegExp(`^cron-${job.id}-(?:[A-Z0-9-]+-)?[0-9]{8}T`).test(message);
}

function endingOf({ done, error, proposals }: Answer): Ending {
  const proposed = proposals.map((one) => `proposed ${one.operation} (${one.approval})`).join(", ");
  if (error) {
    // A limit of what may be spent is a decision, not a fault.
    const isRefusal = error.code.startsWith("budget");
    return { result: isRefusal ? "refused" : "failed", detail: oneLine(error.message) };
  }
  if (done.reason === "answered") {
    const isSilent = isSilentAnswer(done.text) && proposals.length === 0;
    const detail = isSilent ? "nothing to say" : oneLine([proposed, done.text].filter(Boolean).join("; "));
    return { result: isSilent ? "silent" : "answered", detail };
  }
  return { result: done.reason === "interrupted" ? "interrupted" : "failed", detail: oneLine(done.text) };
}

function endOf(approval: ApprovalView, operation: OperationView | null): Ending | null {
  const { id } = approval;
  if (approval.state === "rejected" || approval.state === "expired") {
    return {
      result: "refused",
      detail: oneLine(`${approval.state}: ${approval.reason ?? approval.summary}`),
      approval: id,
    };
  }
  if (!operation || operation.endedAt === null) return null;
  const why = operation.error ? `: ${operation.error.message}` : "";
  const result = operation.state === "succeeded" ? "succeeded" : "failed";
  return { result, detail: oneLine(`${operation.summary} — ${operation.state}${why}`), approval: id };
}

function oneLine(text: string): string {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}
