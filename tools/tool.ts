/**
 * What a tool is. A tool is one file in this folder, everything about it inside; it gets what it needs from outside
 * through its context and imports no SDK.
 *
 * - A **read tool** runs in the mind and changes nothing outside memory.
 * - An **operation** runs in the gateway. The mind sees its name, description and input schema; calling it *proposes*
 *   a plan, and policy decides whether a person must approve that plan before its steps run.
 */
import type { z } from "zod";
import type { Memory } from "../memory/index.ts";
import type { CostReport } from "./cost-report.ts";
import type { FleetDrift, FleetStatus } from "./fleet/model.ts";
import type { FleetServices } from "./fleet/services.ts";
import type { Json } from "./json.ts";
import type { Mood, Occasion } from "./picture-occasions.ts";
import type { Sitrep } from "./sitrep.ts";

/** Where a text came from, lowest first. A run is as trustworthy as the least trusted text it has read. */
export type Trust = "public" | "self" | "maintainer";

export interface ToolResult {
  /** Short text for the model. */
  text: string;
  /** Typed data for code and `--json`. */
  data?: Json;
  /** Lowest trust of what the text holds; absent: the program's own words. The run's trust sinks to it. */
  trust?: Trust;
  /** Where it came from, for people: an address, a document. Needed with `trust: "public"`. */
  source?: string;
}

export interface ReadContext {
  memory: Memory;
  fleet: { status(): Promise<FleetStatus>; drift(): Promise<FleetDrift> };
  /** What models cost in the last days, today among them. */
  cost(days: number): Promise<CostReport>;
  sitrep(): Promise<Sitrep>;
  /**
   * The workspace of the name that answers, and where this instance keeps small things that may be lost. Absent: the
   * program's own workspace, and nothing is kept.
   */
  workspace?: { directory: string; state?: string };
  /** Shows a picture below the answer, unless the rule is against it: `refused` says why. Absent: nowhere to show one. */
  postPicture?(wish: {
    occasion: Occasion | null;
    mood: Mood | null;
  }): Promise<{ picture: string; alt: string } | { refused: string }>;
  /** Facts about the program that runs: `revision` is `checkout`'s commit when it runs from one. */
  program: { version: string; revision: string; image: string; instance: string; name: string | null };
  /** Who caused this run, for the provenance of what it writes. */
  author: { kind: "maintainer" | "instance" | "schedule"; id: string; name: string };
  /** The lowest trust of what the run has read so far; derived writes inherit it. */
  trust: Trust;
  conversation: string;
  /** The model's call: the same when an interrupted call is made again, so that a write is not made twice. */
  call?: string;
  signal: AbortSignal;
}

export interface ReadTool<Schema extends z.ZodType = z.ZodType> {
  kind: "read";
  name: string;
  /** What it does, when to use it, what comes back. */
  description: string;
  input: Schema;
  /** False: running it twice for one call would do something twice, so a call that may have run is never made again. */
  repeatable?: boolean;
  run(context: ReadContext, input: z.output<Schema>): Promise<ToolResult>;
}

/** One thing that a plan changes, as the approver sees it. */
export interface PlanChange {
  /** The file entry, process, image or record that changes, such as `nix/instances.json › CLAWDINATOR-2 › revision`. */
  what: string;
  before: Json;
  after: Json;
}

export interface PlanTarget {
  name: string;
  instance: string | null;
  /** The epoch the name has while the plan is made; null where the name was never held. */
  epoch: number | null;
}

/** What an operation's `plan()` returns; the gateway adds proposer, policy, expiry and nonce, and computes the digest. */
export interface PlanDraft {
  /** One sentence: what will happen. */
  summary: string;
  /**
   * Everything the plan relies on. It is derived again just before execution; any difference refuses the execution.
   * Must not hold clocks, counters or anything else that changes by itself.
   */
  facts: { [key: string]: Json };
  changes: PlanChange[];
  targets: PlanTarget[];
  /** Estimated cost in US dollars: once, and per month while it runs. `note` says where the figures come from. */
  cost: { onceUsd: number; monthlyUsd: number; note: string };
  /** Things worth knowing before approving, such as uncommitted changes that are left out. */
  warnings: string[];
}

export interface Proposer {
  /** `maintainer`: a person asked; `repository`: an unapproved commit asks; `schedule`: a timer; `instance`: the bot. */
  kind: "maintainer" | "repository" | "schedule" | "instance";
  id: string;
  name: string;
  /** The maintainer who asked in this one's place (`--as`). */
  by?: string;
  /** The message that caused it, when a person asked. */
  message: string | null;
  conversation: string | null;
  /** Text that is not a maintainer's own typed command shaped this proposal. */
  influencedByPublicText: boolean;
  /** Where public text that the proposing run had read came from, as far as it is known. */
  publicSources?: string[];
}

export interface PolicyRule {
  mode: "auto" | "approve" | "deny";
  /** Votes needed; 0 for `auto`. */
  quorum: number;
  expiresHours: number;
}

/** The exact thing a maintainer approves. Its canonical JSON's SHA-256 is the digest. */
export interface Plan extends PlanDraft {
  formatVersion: 1;
  operation: string;
  input: Json;
  proposer: Proposer;
  policy: { commit: string; digest: string; rule: PolicyRule };
  createdAt: number;
  expiresAt: number;
  nonce: string;
}

export interface PlanContext {
  fleet: FleetServices;
  proposer: Proposer;
  signal: AbortSignal;
}

export interface StepContext {
  fleet: FleetServices;
  plan: Plan;
  digest: string;
  operationId: string;
  /** The approval that allowed it. */
  approval: string;
  /** Maintainers whose votes allowed it, or `policy`. */
  approvedBy: string[];
  /**
   * `TOKEN` of this step: derived from (digest, step), so it is the same at every attempt. Names, client tokens and
   * commit trailers are derived from it, which is what makes a step safe to repeat.
   */
  token: string;
  /** Results of the steps that have ended, by step name. */
  results: { [step: string]: Json };
  /** Shown to people while the step runs; not kept. */
  progress(text: string): void;
  signal: AbortSignal;
}

export type StepOutcome =
  | { result: Json }
  /** Not for this gateway to do (it is what the step stops): another instance takes the operation over from here. */
  | { handOver: true };

export interface Step {
  /** Unique within the operation, such as `start_candidate` or `CLAWDINATOR-2/start_candidate`. */
  name: string;
  /** Safe to repeat: may have run wholly or in part before. */
  run(context: StepContext): Promise<StepOutcome>;
  /** Undoes what `run` may have done, wholly, in part or not at all. Runs last step first when a later step fails. */
  compensate?(context: StepContext): Promise<void>;
  /** Once this step has succeeded, the steps up to it are never compensated: from here it only goes forward. */
  pivot?: true;
}

export interface Operation<Schema extends z.ZodType = z.ZodType> {
  kind: "operation";
  name: string;
  /** What it does, when to use it, what comes back, what costs money. */
  description: string;
  input: Schema;
  /** Fixes what the words leave open, such as a branch to its commit, once and for good when it is proposed. Idempotent. */
  normalize?(context: PlanContext, input: z.output<Schema>): Promise<z.output<Schema>>;
  /** Looks, decides and changes nothing. Throws ToolError when the request cannot be done. */
  plan(context: PlanContext, input: z.output<Schema>): Promise<PlanDraft>;
  /** A pure function of the plan, so that any gateway that adopts the operation sees the same steps. */
  steps(plan: Plan): Step[];
}

/** Keeps a tool's schema type inside its own file and hands the registry one shape. */
export function defineReadTool<Schema extends z.ZodType>(tool: Omit<ReadTool<Schema>, "kind">): ReadTool {
  return { kind: "read", ...tool } as unknown as ReadTool;
}

export function defineOperation<Schema extends z.ZodType>(operation: Omit<Operation<Schema>, "kind">): Operation {
  return { kind: "operation", ...operation } as unknown as Operation;
}
