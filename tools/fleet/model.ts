/** The fleet's data: what is wanted, what is there, and what an instance says of itself. */
import { z } from "zod";

/** `CLAWDINATOR-1`, `CLAWDINATOR-2`, … */
export const instanceNamePattern = /^CLAWDINATOR-[1-9][0-9]{0,3}$/;
export const instanceNameSchema = z
  .string()
  .regex(instanceNamePattern, "an instance is named CLAWDINATOR-1, CLAWDINATOR-2, …");

/** A full commit id. */
const revisionSchema = z.string().regex(/^[0-9a-f]{40}$/, "a revision is a full commit id of 40 hex digits");

/** `nix/instances.json` in the fleet repository: the desired state. */
export const desiredInstanceSchema = z.strictObject({
  /** Where it runs: `local`, or the provider's host type. */
  host: z.string().min(1),
  type: z.string().min(1),
  revision: z.union([revisionSchema, z.literal("checkout")]),
  /** Name of the secret with its chat token; null where it has none. */
  tokenSecret: z.string().min(1).nullable(),
});
export type DesiredInstance = z.output<typeof desiredInstanceSchema>;

export const desiredStateSchema = z.strictObject({
  formatVersion: z.literal(1),
  instances: z.record(instanceNameSchema, desiredInstanceSchema),
});
export type DesiredState = z.output<typeof desiredStateSchema>;

export const checkSchema = z.object({
  name: z.string(),
  ok: z.boolean(),
  /** What was seen, or why it failed and what to do. */
  detail: z.string(),
});
export type Check = z.output<typeof checkSchema>;

export const bootPhaseSchema = z.object({
  name: z.string(),
  state: z.enum(["running", "done", "failed"]),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
});
export type BootPhase = z.output<typeof bootPhaseSchema>;

/** What an instance writes of itself every few seconds. Times are the store's clock, milliseconds. */
export const heartbeatSchema = z.object({
  formatVersion: z.literal(1),
  instance: z.string(),
  name: instanceNameSchema,
  /** Null while it is a candidate and holds no name. */
  epoch: z.number().int().nullable(),
  state: z.enum(["booting", "candidate", "ready", "draining", "drained"]),
  /** The commit it runs. */
  revision: z.string(),
  /** Image id, or `checkout`. */
  image: z.string(),
  /** The checkout has uncommitted changes; always false for an image. */
  dirty: z.boolean(),
  version: z.string(),
  pid: z.number().int(),
  mindPid: z.number().int().nullable(),
  port: z.number().int().nullable(),
  startedAt: z.number(),
  at: z.number(),
  phases: z.array(bootPhaseSchema),
  checks: z.array(checkSchema),
});
export type Heartbeat = z.output<typeof heartbeatSchema>;

export type InstanceState = "booting" | "candidate" | "ready" | "draining" | "retired" | "lost";

export interface InstanceStatus {
  name: string;
  state: InstanceState;
  instance: string;
  /** The provider's own name of its machine, such as an EC2 instance id; null where it has none. */
  machine: string | null;
  revision: string;
  image: string;
  dirty: boolean;
  epoch: number | null;
  port: number | null;
  url: string | null;
  /** Milliseconds since the last heartbeat. */
  heartbeatAgeMs: number | null;
  startedAt: number | null;
  phases: BootPhase[];
  checks: Check[];
}

/** Who paused the fleet. */
export interface PausedBy {
  maintainer: string;
  name: string;
  /** Why, in the person's words; null when none was given. */
  reason: string | null;
  at: number;
}

export interface FleetStatus {
  /** Store time this was true. */
  at: number;
  /** Absent while the fleet is not paused. */
  paused?: PausedBy;
  /** Every holder of a name and every candidate, sorted by name, then epoch. */
  instances: InstanceStatus[];
  /** The instance that answers. */
  self: { name: string | null; instance: string };
}

export type DriftItem =
  | { kind: "missing"; name: string; detail: string }
  | { kind: "unknown"; name: string; detail: string }
  | {
      kind: "wrong_revision" | "wrong_image" | "wrong_type";
      name: string;
      desired: string;
      actual: string;
      detail: string;
    }
  /** The fleet repository says something that no approved operation wrote. `commit` is its newest commit. */
  | { kind: "unapproved_commit"; name: string | null; commit: string; detail: string };

export interface FleetDrift {
  at: number;
  items: DriftItem[];
}

/** Where a console that listens on `host` is reached; null while it has no port. */
export function consoleUrl(host: string, port: number | null): string | null {
  return port === null ? null : `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
