/** What fleet operations need from outside: narrow interfaces, implemented by the providers and the gateway. */
import type { Store } from "../store.ts";
import type { DesiredState, FleetDrift, FleetStatus } from "./model.ts";

/** A program built for launching. `id` is content-addressed: the same tree and dependencies give the same id. */
export interface Image {
  id: string;
  revision: string;
  /** SHA-256 over the tree's listing, the lock file and the platform: known before the build. */
  digest: string;
  path: string;
  bytes: number;
  builtAt: number;
}

/** What building a revision would give, derived without building. */
export interface ImageDerivation {
  revision: string;
  id: string;
  digest: string;
  /** Set when it is built already. */
  built: Image | null;
}

export interface LaunchSpec {
  instance: string;
  name: string;
  image: string;
  revision: string;
  port: number | null;
}

export type InstanceLiveness = "running" | "stopped" | "absent";

/** Where instances live. `local`: process pairs on this machine. */
export interface FleetProvider {
  kind: "local";
  /** What an instance of it costs and needs, for the plan. */
  cost(): { monthlyUsd: number; note: string };
  /** Full commit id of a revision as a person writes it (`HEAD`, a branch, a short id). Throws ToolError. */
  resolveRevision(revision: string): Promise<string>;
  deriveImage(revision: string): Promise<ImageDerivation>;
  /** Idempotent: a built image is verified and returned. */
  buildImage(
    revision: string,
    options: { progress(text: string): void; signal: AbortSignal },
  ): Promise<{ image: Image; reused: boolean }>;
  listImages(): Promise<Image[]>;
  removeImage(id: string): Promise<void>;
  /** Idempotent by instance id: starts its gateway, or returns `started: false` when that runs already. */
  launch(spec: LaunchSpec): Promise<{ started: boolean }>;
  liveness(instance: string): Promise<InstanceLiveness>;
  /** Stops every process of the instance and confirms it; the state directory goes with `remove`. Idempotent. */
  stop(instance: string, options: { graceMs: number; signal: AbortSignal }): Promise<void>;
  remove(instance: string): Promise<void>;
  /** Every instance that exists here, running or not. */
  list(): Promise<{ instance: string; name: string; image: string; revision: string; liveness: InstanceLiveness }[]>;
  readLog(instance: string, lines: number): Promise<string[]>;
}

export interface FleetCommit {
  commit: string;
  subject: string;
  author: string;
}

/** The fleet repository: desired state and policy, as commits. */
export interface FleetRepository {
  /** The newest commit of the main branch. */
  tip(): Promise<string>;
  /** `nix/instances.json` at a commit; throws ConfigError that names file and key when it is malformed. */
  desiredAt(commit: string): Promise<DesiredState>;
  policyTextAt(commit: string): Promise<string>;
  /**
   * Applies `change` to the tip as one commit with the trailer `Operation: TRAILER` and pushes it without force,
   * again on a newer tip when someone was faster. A commit with that trailer whose content holds is returned as it is.
   */
  commit(options: {
    trailer: string;
    message: string;
    change(files: { instances: DesiredState; policyText: string }): { instances?: DesiredState; policyText?: string };
  }): Promise<{ commit: string }>;
  /** Commits after `since`, newest first, with the files they touch. */
  commitsSince(since: string): Promise<(FleetCommit & { files: string[]; trailer: string | null })[]>;
}

/** A name's lease. `holder` is null after a release and before the first take. */
export interface NameRecord {
  formatVersion: 1;
  name: string;
  epoch: number;
  holder: string | null;
  /** Store time until which the holder may act. */
  leaseUntil: number;
  port: number | null;
}

export interface FleetServices {
  store: Store;
  provider: FleetProvider;
  repository: FleetRepository;
  /** Desired state as approved operations left it: the one that is executed. */
  desired(): Promise<DesiredState>;
  /** Records what an approved operation made of it. */
  setDesired(change: (desired: DesiredState) => DesiredState, commit: string): Promise<void>;
  status(): Promise<FleetStatus>;
  drift(): Promise<FleetDrift>;
  /** The instance that runs this code. */
  self: { instance: string; name: string; revision: string; image: string; dirty: boolean };
  settings: {
    candidateDeadlineMs: number;
    drainDeadlineMs: number;
    leaseMs: number;
    longestCallMs: number;
  };
  /** `once`: names the event, so that a step that is repeated tells it once. */
  audit(entry: { action: string; subject: string; detail: string; once?: string }): Promise<void>;
}
