/** The schedule's file, `cron-jobs.json` in a name's workspace, and how the schedule is shown. */
import { z } from "zod";
import { ConfigError } from "../tools/errors.ts";

export const jobsFileName = "cron-jobs.json";

/** Missed by more than this, a time is not made up for any more. */
const defaultCatchUpHours = 24;

const timezoneSchema = z.string().refine(isTimezone, {
  error: (issue) => `“${String(issue.input)}” is no time zone; they are like Europe/Berlin or UTC`,
});

export const jobSchema = z
  .strictObject({
    id: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "an id is lower case letters, digits and -, at most 40, such as heartbeat")
      .describe("names the job, and its conversation `schedule-ID`"),
    description: z.string().max(200).optional().describe("one line for people"),
    cron: z.string().describe("when: minute, hour, day of month, month, day of week; see `docs/schedule.md`"),
    timezone: timezoneSchema.default("UTC").describe("where these times are read, such as `Europe/Berlin`"),
    prompt: z.string().trim().min(1).max(8_000).optional().describe("what is said to the instance"),
    operation: z.string().min(1).max(100).optional().describe("or the operation that is proposed"),
    input: z.record(z.string(), z.json()).optional().describe("its input"),
    enabled: z.boolean().default(true),
    singleton: z.boolean().default(true).describe("once for the whole fleet; else once for each name"),
    silent: z.boolean().default(false).describe("an answer that says that all is quiet is not shown as news"),
    catchUpHours: z
      .number()
      .min(0)
      .max(24 * 31)
      .default(defaultCatchUpHours)
      .describe("a time that was missed is made up for when it is not longer ago than this"),
  })
  .superRefine((job, context) => {
    const problem = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
    if (job.prompt === undefined && job.operation === undefined)
      problem("prompt", "a job needs a prompt, or an operation with its input");
    if (job.prompt !== undefined && job.operation !== undefined)
      problem("operation", "a job has either a prompt or an operation, not both");
    if (job.input !== undefined && job.operation === undefined) problem("input", "only an operation has an input");
  });
export type Job = z.output<typeof jobSchema>;

const envelopeSchema = z.strictObject({ formatVersion: z.literal(1), jobs: z.array(z.unknown()).max(100) });

/**
 * The jobs in a file's text. `cronProblem` says what is wrong with an expression, or null. Throws ConfigError that
 * names the file and each wrong job and key.
 */
export function parseJobs(text: string, options: { path: string; cronProblem(cron: string): string | null }): Job[] {
  const { path, cronProblem } = options;
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`${path} is not JSON: ${(cause as Error).message}`, {
      code: "schedule_syntax",
      hint: "mend the file at that place; comments and trailing commas are not JSON",
      cause,
    });
  }
  const problems: string[] = [];
  const envelope = envelopeSchema.safeParse(raw);
  if (!envelope.success) problems.push(...envelope.error.issues.map((issue) => line(null, issue)));
  const jobs: Job[] = [];
  for (const [index, one] of (envelope.data?.jobs ?? []).entries()) {
    const id = (one as { id?: unknown } | null)?.id;
    const name = typeof id === "string" && id !== "" ? `job ${id.slice(0, 60)}` : `job number ${index + 1}`;
    const parsed = jobSchema.safeParse(one);
    if (!parsed.success) {
      problems.push(...parsed.error.issues.map((issue) => line(name, issue)));
      continue;
    }
    const cron = cronProblem(parsed.data.cron);
    if (cron !== null) problems.push(`${name}, cron: ${cron}`);
    if (jobs.some((other) => other.id === parsed.data.id))
      problems.push(`${name}, id: another job has this id already`);
    jobs.push(parsed.data);
  }
  if (problems.length === 0) return jobs;
  throw new ConfigError(
    `${path} has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}:\n${problems.map((one) => `  ${one}`).join("\n")}`,
    {
      code: "schedule_invalid",
      hint: "mend these keys; until then the schedule goes on as it was. See docs/schedule.md",
    },
  );
}

function line(job: string | null, issue: z.core.$ZodIssue): string {
  const key = issue.code === "unrecognized_keys" ? issue.keys.join(", ") : issue.path.join(".");
  const what = issue.code === "unrecognized_keys" ? "there is no such key" : issue.message;
  return `${[job, key || (job === null ? "the whole file" : null)].filter((part) => part !== null).join(", ")}: ${what}`;
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

// ---- how it is shown ------------------------------------------------------------------------------------------------

/** Why a run began: its time came; its time was missed and made up for; a person asked. */
export type RunTrigger = "time" | "catch-up" | "person";

export interface JobOutcome {
  /** The scheduled time, or when a person asked; milliseconds since 1970 by the store's clock, as all times here. */
  at: number;
  trigger: RunTrigger;
  /**
   * `answered`; `silent`: nothing to say; `succeeded`: the operation did what it should; `skipped`: not started, or
   * missed; `refused`: policy, a budget or a person said no; `failed`; `interrupted`; `lost`: who ran it is gone.
   */
  result: "answered" | "silent" | "succeeded" | "skipped" | "refused" | "failed" | "interrupted" | "lost";
  /** One line. */
  detail: string;
  endedAt: number;
  /** The approval that an operation's job proposed. */
  approval?: string | undefined;
}

export interface JobView {
  id: string;
  description: string;
  cron: string;
  timezone: string;
  kind: "prompt" | "operation";
  /** The prompt, or the operation with its input. */
  what: string;
  enabled: boolean;
  singleton: boolean;
  silent: boolean;
  catchUpHours: number;
  paused: { by: string; at: number } | null;
  /** Null while it is paused or not enabled, or when it never comes. */
  nextAt: number | null;
  running: {
    id: string;
    at: number;
    trigger: RunTrigger;
    by: string;
    startedAt: number;
    approval: string | null;
  } | null;
  /** Newest first. */
  outcomes: JobOutcome[];
  /** Where its answers are; null for an operation. */
  conversation: string | null;
}

export interface ScheduleView {
  at: number;
  file: string;
  /** What is wrong with the file; the jobs are those of the last good one. */
  problem: string | null;
  /** The whole fleet is: nothing starts. */
  paused: boolean;
  jobs: JobView[];
}

export const jobActionSchema = z.strictObject({ action: z.enum(["run", "pause", "resume"]) });
export type JobAction = z.output<typeof jobActionSchema>["action"];
