import type { JobAction, JobOutcome, JobView, ScheduleView } from "../schedule.ts";
import { connect } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { table, timeOf } from "./output.ts";

export async function list(context: CommandContext): Promise<void> {
  const schedule = await (await connect(context)).get<ScheduleView>("/api/schedule");
  context.output.result(schedule, () => render(schedule));
}

export async function act(context: CommandContext, id: string, action: JobAction): Promise<void> {
  const job = await (await connect(context)).post<JobView>(`/api/schedule/${encodeURIComponent(id)}`, { action });
  context.output.result(job, () => describeAction(job, action));
}

function render({ jobs, problem, paused, file }: ScheduleView): string {
  const rows = jobs.map((job) => [job.id, job.cron, job.timezone, nextOf(job), lastOf(job), job.description]);
  return [
    jobs.length === 0
      ? `nothing is scheduled; jobs are in ${file}`
      : table(["JOB", "WHEN", "ZONE", "NEXT (UTC)", "LAST (UTC)", "WHAT"], rows),
    ...(paused ? ["", "the fleet is paused: no job starts until `clawdinator resume`"] : []),
    ...(problem === null ? [] : ["", `the file is not taken over: ${problem}`]),
  ].join("\n");
}

function nextOf({ enabled, paused, nextAt, running }: JobView): string {
  if (running) return `running since ${timeOf(running.startedAt)}`;
  if (!enabled) return "not enabled";
  if (paused) return `paused by ${paused.by}`;
  return timeOf(nextAt);
}

function lastOf({ outcomes: [last] }: JobView): string {
  return last ? `${last.result} ${timeOf(last.endedAt)}${reasonOf(last)}` : "–";
}

function reasonOf({ result, detail }: JobOutcome): string {
  const isPlain = result === "silent" || result === "answered" || result === "succeeded";
  return isPlain || detail === "" ? "" : ` (${detail.length > 60 ? `${detail.slice(0, 59)}…` : detail})`;
}

function describeAction(job: JobView, action: JobAction): string {
  if (action === "pause") return `${job.id} is paused; \`clawdinator schedule resume ${job.id}\` ends that`;
  if (action === "resume")
    return `${job.id} is resumed, next ${job.nextAt === null ? "never" : `${timeOf(job.nextAt)} UTC`}`;
  return `${job.id} runs now${job.conversation ? `; its answer comes in the conversation ${job.conversation}` : ""}`;
}
