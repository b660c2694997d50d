/** A job as people see it. */
import type { Job, JobView } from "../../schedule.ts";
import { approvalId } from "../approvals.ts";
import type { JobRecord } from "./job-record.ts";

export function viewOf(options: {
  job: Job;
  record: JobRecord | null;
  nextAt: number | null;
  conversation: string;
}): JobView {
  const { job, record, nextAt, conversation } = options;
  const { id, cron, timezone, enabled, singleton, silent, catchUpHours } = job;
  const isPrompt = job.prompt !== undefined;
  const run = record?.current ?? null;
  return {
    id,
    description: job.description ?? "",
    cron,
    timezone,
    kind: isPrompt ? "prompt" : "operation",
    what: job.prompt ?? `${job.operation} ${JSON.stringify(job.input ?? {})}`,
    enabled,
    singleton,
    silent,
    catchUpHours,
    paused: record?.paused ?? null,
    nextAt,
    running: run && {
      id: run.id,
      at: run.at,
      trigger: run.trigger,
      by: run.by,
      startedAt: run.startedAt,
      approval: "operation" in run.work ? approvalId(run.id) : null,
    },
    outcomes: record?.outcomes ?? [],
    conversation: isPrompt ? conversation : null,
  };
}
