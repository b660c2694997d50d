/**
 * Everything that is said between mind and gateway, and between the gateway and its console and command line.
 *
 * Mind and gateway speak HTTP with JSON over `run/mind.sock`, which the gateway serves:
 *
 *   POST /hello            mind says who it is; gets the instance's identity, settings and the operations it may propose
 *   GET  /work             newline-delimited `Work`, open for as long as the mind lives
 *   POST /events           what a run did; the gateway relays it to whoever watches
 *   POST /propose          asks for an operation; the answer is an approval to wait for, or a refusal
 *   POST /spend/begin      asks whether a request to a model may be made; POST /spend/end says what it used
 *   GET  /fleet/status, GET /fleet/drift, GET /cost, GET /sitrep
 *   GET  /pause            whether a run that had to wait may begin
 *   POST /proof            result of a `prove` work item
 *
 * Nothing on this socket approves, cancels, or names a proposer: the gateway derives the proposer from the message that
 * it delivered itself. Unknown fields are refused.
 */
import { z } from "zod";
import { checkSchema } from "../tools/fleet/model.ts";
import type { Plan } from "../tools/tool.ts";

export const protocolVersion = 1;

/** A chat message is at most this many characters; longer text belongs in a file. */
const maxMessageCharacters = 32_000;

const id = z.string().min(1).max(200);
/** `console-ab12cd`, `cli-…`: also a folder name, so no separators. */
export const conversationIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/, "a conversation id is letters, digits, - and _, at most 100");

// ---- mind → gateway -------------------------------------------------------------------------------------------------

export const helloSchema = z.strictObject({
  protocol: z.literal(protocolVersion),
  pid: z.number().int().positive(),
  /** What answers: `interpreter`, or provider and model. */
  model: z.string().max(200),
});
export type Hello = z.output<typeof helloSchema>;

export const operationDescriptorSchema = z.object({
  name: z.string(),
  description: z.string(),
  /** JSON Schema of the input. */
  inputSchema: z.record(z.string(), z.unknown()),
});
export type OperationDescriptor = z.output<typeof operationDescriptorSchema>;

export const helloAnswerSchema = z.object({
  instance: z.string(),
  name: z.string(),
  /** Null while the instance is a candidate. The epoch of a run comes with the run. */
  epoch: z.number().int().nullable(),
  program: z.object({ version: z.string(), revision: z.string(), image: z.string() }),
  operations: z.array(operationDescriptorSchema),
});
export type HelloAnswer = z.output<typeof helloAnswerSchema>;

/** What a run does, in order. The same union goes to chat, logs and tests; `ask --json` prints it. */
export const runEventSchema = z.discriminatedUnion("type", [
  /** A piece of the answer. */
  z.strictObject({ type: z.literal("text"), text: z.string() }),
  /** The run began again (a crash, a handover): what was shown of its answer is void. */
  z.strictObject({ type: z.literal("restart"), reason: z.string() }),
  z.strictObject({
    type: z.literal("tool"),
    call: id,
    name: id,
    state: z.enum(["started", "succeeded", "failed"]),
    text: z.string(),
    /** Where text from the public internet came from, when the result holds some: the run is influenced by it from here. */
    publicSource: z.string().max(500).optional(),
    /** Digest of the call's input: the same call made again has the same, and is no progress. */
    input: z.string().max(100).optional(),
  }),
  /** One line about the answer that is not part of it, such as another model having taken over. */
  z.strictObject({ type: z.literal("notice"), text: z.string().max(1000) }),
  /** A picture of the set in workspace/pictures, below what was said so far. */
  z.strictObject({ type: z.literal("picture"), picture: id, alt: z.string().max(500) }),
  z.strictObject({
    type: z.literal("proposal"),
    approval: id,
    operation: id,
    digest: id,
    summary: z.string(),
    /** `approved` where policy let it through without a person. */
    state: z.enum(["pending", "approved"]),
  }),
  z.strictObject({ type: z.literal("error"), code: id, message: z.string(), hint: z.string() }),
  /** Always the last. `text` is the whole answer. */
  z.strictObject({
    type: z.literal("done"),
    reason: z.enum(["answered", "interrupted", "limit", "failed", "parked"]),
    text: z.string(),
    usage: z.strictObject({ turns: z.number(), inputTokens: z.number(), outputTokens: z.number(), usd: z.number() }),
  }),
]);
export type RunEvent = z.output<typeof runEventSchema>;

export const eventsSchema = z.strictObject({ run: id, events: z.array(runEventSchema).min(1).max(1000) });

export const proposeSchema = z.strictObject({
  run: id,
  /** The model's tool call id: proposing the same call again finds the first proposal. */
  call: id,
  operation: id,
  input: z.unknown(),
  /** Where public text that the run or its conversation has read came from; empty when it has read none. */
  publicSources: z.array(z.string().max(500)).max(50).default([]),
});
export type Propose = z.output<typeof proposeSchema>;

export const proposeAnswerSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("proposed"),
    approval: z.string(),
    operation: z.string(),
    digest: z.string(),
    summary: z.string(),
    state: z.enum(["pending", "approved"]),
    expiresAt: z.number(),
    quorum: z.number().int(),
    warnings: z.array(z.string()),
    /** What its card names as public text that influenced it. */
    publicSources: z.array(z.string()).optional(),
  }),
  z.object({ status: z.literal("refused"), code: z.string(), message: z.string(), hint: z.string() }),
]);
export type ProposeAnswer = z.output<typeof proposeAnswerSchema>;

export const proofSchema = z.strictObject({ prove: id, checks: z.array(checkSchema).max(50) });
export type Proof = z.output<typeof proofSchema>;

/** No model takes as many in one request: a greater figure is not believed. */
const tokens = z.number().int().nonnegative().max(50_000_000);

/** What a model used for one request. Tokens of the input that came from the provider's cache are counted apart. */
export const usageSchema = z.strictObject({
  /** Neither read from the cache nor written to it. */
  inputTokens: tokens,
  cacheReadTokens: tokens,
  cacheWriteTokens: tokens,
  outputTokens: tokens,
});
export type Usage = z.output<typeof usageSchema>;

/** `personality` talks, `summaries` compacts conversations, `coding` works on code, `proof` is a health check. */
export const purposeSchema = z.enum(["personality", "coding", "summaries", "proof"]);
export type Purpose = z.output<typeof purposeSchema>;

export const modelIdentitySchema = z.strictObject({ provider: id, model: id });
export type ModelIdentity = z.output<typeof modelIdentitySchema>;

export const spendBeginSchema = z.strictObject({
  /** Chosen by the mind, unique; asking again with the same id is the same request. */
  request: id,
  /** Null for what belongs to no run, such as a health check. */
  run: id.nullable(),
  purpose: purposeSchema,
  model: modelIdentitySchema,
  /** What it is expected to use: charged when its end is never told. */
  estimate: usageSchema,
});
export type SpendBegin = z.output<typeof spendBeginSchema>;

export const spendBeginAnswerSchema = z.discriminatedUnion("status", [
  z.object({ status: z.literal("allowed") }),
  /** Final until `until` (milliseconds since 1970; null: until a person changes something). */
  z.object({
    status: z.literal("refused"),
    code: z.string(),
    message: z.string(),
    hint: z.string(),
    until: z.number().nullable(),
  }),
]);
export type SpendBeginAnswer = z.output<typeof spendBeginAnswerSchema>;

/** `usage` null: nothing was used (the request never reached the model). */
export const spendEndSchema = z.strictObject({
  request: id,
  usage: usageSchema.nullable(),
  /** What was begun, said again to a gateway that answered `unknown_request`: one that died may not have stored it. */
  begun: spendBeginSchema.omit({ request: true }).optional(),
});
export type SpendEnd = z.output<typeof spendEndSchema>;

/** What the request cost in US dollars, by the dated price table; 0 for a model that is free or whose price is unknown. */
export const spendEndAnswerSchema = z.object({ usd: z.number() });

// ---- gateway → mind -------------------------------------------------------------------------------------------------

export const authorSchema = z.object({
  /** `schedule`: a timer, `id` is the job's. */
  kind: z.enum(["maintainer", "instance", "schedule"]),
  id: z.string(),
  name: z.string(),
  /** The maintainer who wrote in this one's place (`--as`). */
  by: z.string().optional(),
});
export type Author = z.output<typeof authorSchema>;

export const workSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("run"),
    run: z.string(),
    message: z.string(),
    conversation: conversationIdSchema,
    channel: z.string(),
    /** Conversations are stored under the epoch of the name that answers. */
    epoch: z.number().int(),
    author: authorSchema,
    text: z.string(),
    /** What this message does with an answer that is being given in its conversation; default as configured. */
    mode: z.enum(["interrupt", "queue"]).optional(),
    /** A run that another process began: its stored part is picked up. */
    resumed: z.boolean(),
  }),
  /** Something the people in a conversation should see there, such as the end of an operation; no model turn. */
  z.object({
    type: z.literal("notice"),
    /** `done` for this run says that it is stored. */
    run: z.string(),
    message: z.string(),
    conversation: conversationIdSchema,
    epoch: z.number().int(),
    text: z.string(),
    /** What happened, by which a picture may be chosen: `ready`, `landed`, `rejected`, `retired`, … */
    occasion: z.string().optional(),
  }),
  z.object({ type: z.literal("interrupt"), run: z.string(), reason: z.string() }),
  /** Finish or park every run, then exit. */
  z.object({ type: z.literal("drain"), deadlineMs: z.number().int() }),
  /** Show that model and memory work. */
  z.object({ type: z.literal("prove"), prove: z.string() }),
  z.object({ type: z.literal("ping") }),
]);
export type Work = z.output<typeof workSchema>;

// ---- console and command line → gateway -----------------------------------------------------------------------------

export const chatRequestSchema = z.strictObject({
  conversation: conversationIdSchema,
  text: z.string().min(1).max(maxMessageCharacters),
  /** Chosen by the sender, so that sending again after a lost connection is the same message. */
  message: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/, "a message id is letters, digits, - and _, at most 100")
    .optional(),
  /** Name of the instance that shall answer; default: this one. */
  to: z.string().optional(),
});

export const pauseRequestSchema = z.strictObject({
  /** Why, for everyone to see. */
  reason: z.string().max(500).optional(),
});

export const decisionSchema = z.strictObject({
  decision: z.enum(["approve", "reject"]),
  /** The digest that the person saw. */
  digest: z.string().regex(/^[0-9a-f]{64}$/, "a digest is 64 hex digits"),
  /** Why, for the record. */
  reason: z.string().max(2000).optional(),
});
export type Decision = z.output<typeof decisionSchema>;

export type ApprovalState = "pending" | "approved" | "rejected" | "expired" | "superseded" | "executed";

export interface Vote {
  maintainer: string;
  name: string;
  surface: string;
  decision: "approve" | "reject";
  /** Counts toward the quorum. One that does not says why in `note`. */
  counts: boolean;
  note: string | null;
  /** What the person gave as the reason. */
  reason?: string;
  at: number;
}

export interface ApprovalView {
  id: string;
  operation: string;
  digest: string;
  state: ApprovalState;
  summary: string;
  createdAt: number;
  expiresAt: number;
  quorum: number;
  votes: Vote[];
  /** Why it is in a terminal state: who decided, what drifted. */
  reason: string | null;
  /** The approval that took its place after drift. */
  supersededBy: string | null;
  /** The operation that runs it, once approved. */
  operationId: string | null;
  plan: Plan;
}

export type OperationState = "running" | "succeeded" | "failed" | "compensated" | "cancelled";
export type StepState = "pending" | "running" | "succeeded" | "failed" | "compensating" | "compensated";

export interface StepView {
  name: string;
  state: StepState;
  startedAt: number | null;
  endedAt: number | null;
  attempts: number;
  error: string | null;
}

export interface OperationView {
  id: string;
  operation: string;
  state: OperationState;
  /** It runs backwards: a step failed or somebody cancelled, and what was done is being undone. */
  compensating: boolean;
  summary: string;
  approval: string;
  digest: string;
  /** Instance that runs it now. */
  owner: string | null;
  startedAt: number;
  endedAt: number | null;
  steps: StepView[];
  /** Latest line of the running step. */
  progress: string | null;
  error: { message: string; hint: string; log: string[] } | null;
  /** Where it was asked for, when it was asked for in chat. */
  conversation: string | null;
  proposedBy: string;
  approvedBy: string[];
}

export interface AuditEntry {
  id: string;
  at: number;
  /** `approval.voted`, `operation.step.succeeded`, `name.taken`, … */
  action: string;
  /** Who: maintainer, instance or `policy`. */
  actor: string;
  surface: string;
  /** What it is about: an approval, operation, name or document. */
  subject: string;
  detail: string;
}

/** One entry of a conversation, as stored (one line of JSONL) and as shown. */
export const conversationEntrySchema = z.object({
  formatVersion: z.literal(1),
  id: z.string(),
  at: z.number(),
  /** The message that this entry belongs to. */
  message: z.string(),
  body: z.discriminatedUnion("role", [
    z.object({ role: z.literal("user"), author: authorSchema, channel: z.string(), text: z.string() }),
    z.object({
      role: z.literal("assistant"),
      text: z.string(),
      calls: z.array(z.object({ call: z.string(), name: z.string(), input: z.unknown() })),
      model: z.string(),
      /** What its provider needs back word for word with the next request: thinking blocks, encrypted reasoning. */
      replay: z.object({ provider: z.string(), model: z.string(), items: z.array(z.unknown()) }).optional(),
    }),
    z.object({
      role: z.literal("tool"),
      call: z.string(),
      name: z.string(),
      ok: z.boolean(),
      text: z.string(),
      data: z.unknown().optional(),
      /** Lowest trust of what the text holds; absent: the program's own. */
      trust: z.enum(["public", "self", "maintainer"]).optional(),
      /** Where it came from, with `trust: "public"`. */
      source: z.string().optional(),
    }),
    /** A tool that must not run twice begins; without a result after it, nobody knows whether it ran. */
    z.object({ role: z.literal("started"), call: z.string(), name: z.string() }),
    /**
     * Stands for every entry stored before it up to and with the entry `through`, in the model's order (mind/history.ts),
     * when a model is asked; the question being answered stays. The entries stay readable.
     * `facts` are carried from summary to summary by code: only one that is settled goes.
     */
    z.object({
      role: z.literal("summary"),
      through: z.string(),
      text: z.string(),
      facts: z.array(
        z.object({ id: z.string(), kind: z.enum(["operation", "promise", "decision", "fact"]), text: z.string() }),
      ),
      model: z.string(),
      trust: z.enum(["public", "self", "maintainer"]).optional(),
      sources: z.array(z.string()).optional(),
    }),
    z.object({ role: z.literal("picture"), picture: z.string(), alt: z.string() }),
    /** The run is over; nothing of this message follows. */
    z.object({ role: z.literal("end"), reason: z.string(), text: z.string() }),
    z.object({ role: z.literal("notice"), text: z.string() }),
  ]),
});
export type ConversationEntry = z.output<typeof conversationEntrySchema>;

/** `GET /api/events`: server-sent events; each names what changed and carries its new state. */
export type LiveEvent =
  | { type: "fleet"; fleet: import("../tools/fleet/model.ts").FleetStatus }
  | { type: "approval"; approval: ApprovalView }
  | { type: "operation"; operation: OperationView }
  | { type: "audit"; entry: AuditEntry }
  | { type: "conversation"; conversation: string; message: string; event: RunEvent }
  | { type: "paused"; paused: boolean; pausedBy?: import("../tools/fleet/model.ts").PausedBy | null };
