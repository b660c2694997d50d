/** What fleet operations need from outside: narrow interfaces, implemented by the providers and the gateway. */
import type { Json } from "../json.ts";
import type { Store } from "../store.ts";
import type { DesiredState, FleetDrift, FleetStatus } from "./model.ts";
import type { TokenPool } from "./tokens.ts";

/** What a plan binds of the image it needs; known before anything is built. */
export interface PlannedImage {
  revision: string;
  id: string;
  /** `local`: SHA-256 over the tree's listing, lock file and platform. `aws`: SHA-256 of the derivation's path. */
  digest: string;
  /** Nix derivation of the disk image; null where images are trees. */
  derivation: string | null;
}

/** A program built for launching. `id` is content-addressed: the same tree and dependencies give the same id. */
export interface Image extends PlannedImage {
  /** The built tree or raw disk image on this machine; empty where only its AMI is left. */
  path: string;
  bytes: number;
  builtAt: number;
  /** Hash of the built closure; null where images are trees. */
  closure: string | null;
  /** What instances are launched from; null where that is the built tree itself, or before the import. */
  ami: string | null;
  snapshot: string | null;
}

/** What building a revision would give, derived without building. */
export interface ImageDerivation extends PlannedImage {
  /** Set when it is built already: a launch needs no build. */
  built: Image | null;
}

/** How a disk image becomes an AMI: blocks written by EBS direct, or the S3 object imported by VM Import. */
export const importWays = ["ebs-direct", "vm-import"] as const;
export type ImportWay = (typeof importWays)[number];

export interface ImportedImage {
  /** AMI id; the image's own id where there are no AMIs. */
  image: string;
  snapshot: string | null;
  revision: string;
  /** It had been imported before: same closure, same AMI. */
  reused: boolean;
}

/** How a step does its work: `token` is the same at every attempt. */
export interface StepOptions {
  token: string;
  progress(text: string): void;
  signal: AbortSignal;
}

/** What launching relies on, for plans. */
export interface LaunchPlan {
  /** Bound by the plan and handed to `launch` unchanged: such as the launch template's numbered version. */
  placement: Json;
  /** US dollars a month for each instance. */
  monthlyUsd: number;
  /** US dollars a month that the fleet costs today, by the same price table. */
  currentMonthlyUsd: number;
  /** Where the figures come from. */
  note: string;
  warnings: string[];
}

export interface LaunchSpec {
  instance: string;
  name: string;
  image: string;
  revision: string;
  port: number | null;
  /** `LaunchPlan.placement` as it was approved; null starts an instance that exists again. */
  placement: Json;
}

export type InstanceLiveness = "running" | "stopped" | "absent";

export interface ProvidedInstance {
  instance: string;
  name: string;
  image: string;
  revision: string;
  liveness: InstanceLiveness;
  /** The provider's own name of the machine, such as an EC2 instance id. */
  machine: string | null;
}

/** Where instances live. `local`: process pairs on this machine. `aws`: EC2 instances from the fleet's AMIs. */
export interface FleetProvider {
  kind: "local" | "aws";
  /** `type` in `nix/instances.json`: `process`, or an EC2 instance type. */
  instanceType: string;
  /** The id of the instance that a step with this token launches: the same at every attempt. */
  instanceId(token: string): string;
  /** Full commit id of a revision as a person writes it (`HEAD`, a branch, a short id). Throws ToolError. */
  resolveRevision(revision: string): Promise<string>;
  deriveImage(revision: string): Promise<ImageDerivation>;
  /** What a build needs, as sentences; throws ToolError, at plan time, where memory, disk or nix is missing. */
  checkBuild(image: PlannedImage): Promise<{ needs: string[] }>;
  /** Idempotent: a built image is verified and returned. */
  buildImage(
    revision: string,
    options: { progress(text: string): void; signal: AbortSignal },
  ): Promise<{ image: Image; reused: boolean }>;
  /** Makes a built image launchable. Idempotent, also across a `kill -9`: what was sent is not sent again. */
  importImage(image: PlannedImage, options: StepOptions & { via: ImportWay | null }): Promise<ImportedImage>;
  /** Removes what an import that failed left behind; an image that was registered stays. Idempotent. */
  abandonImport(image: PlannedImage, options: StepOptions): Promise<void>;
  listImages(): Promise<Image[]>;
  /** What keeping an image of so many bytes costs; null: its size is not known yet. */
  imageCost(bytes: number | null): { onceUsd: number; monthlyUsd: number; note: string };
  /** Everything of it together: the built files here, or AMI, snapshot and object. Idempotent. */
  removeImage(id: string): Promise<void>;
  /** Throws ToolError when no instance could be launched, such as for want of a launch template. */
  planLaunch(): Promise<LaunchPlan>;
  /** Idempotent by instance id: starts it, or returns `started: false` when it runs already. */
  launch(spec: LaunchSpec): Promise<{ started: boolean }>;
  liveness(instance: string): Promise<InstanceLiveness>;
  /** Stops every process of the instance and confirms it; what it holds goes with `remove`. Idempotent. */
  stop(instance: string, options: { graceMs: number; signal: AbortSignal }): Promise<void>;
  /** Stops it where it still runs, and removes it. Idempotent; never touches what is not the fleet's. */
  remove(instance: string, options: { graceMs: number; signal: AbortSignal }): Promise<void>;
  /** Every instance that exists here, running or not, in few calls. */
  list(): Promise<ProvidedInstance[]>;
  /** The end of its log or console. */
  readLog(instance: string, lines: number): Promise<string[]>;
  /**
   * Brings a running instance to another revision in place and waits until `verify` holds; absent where that cannot be.
   * Idempotent by token. `undoes`: the token of a switch that is undone; nothing is done where that did nothing. Throws
   * ToolError with the end of the output when it failed.
   */
  switchRevision?(
    instance: string,
    options: StepOptions & { revision: string; undoes: string | null; verify(): Promise<boolean> },
  ): Promise<{ command: string | null }>;
}

export interface FleetCommit {
  commit: string;
  subject: string;
  author: string;
}

/** What machines are built from besides the program: the fleet's own settings. */
export interface FleetConfiguration {
  /** A bare clone on this machine that has the commit. */
  clone: string;
  commit: string;
  /** Of the files that shape a machine: the same for commits that change only who runs and who decides. */
  digest: string;
}

/** The fleet repository: desired state and policy, as commits. */
export interface FleetRepository {
  /** The newest commit of the main branch. */
  tip(): Promise<string>;
  /** `nix/instances.json` at a commit; throws ConfigError that names file and key when it is malformed. */
  desiredAt(commit: string): Promise<DesiredState>;
  policyTextAt(commit: string): Promise<string>;
  /** The newest commit's. */
  configuration(): Promise<FleetConfiguration>;
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
  /** Where each name needs a chat token of its own; absent where none does. */
  tokens?: TokenPool | null;
  /** US dollars a month that the fleet may cost at the provider; null where policy sets no cap. */
  monthlyBudgetUsd(): Promise<number | null>;
  settings: {
    candidateDeadlineMs: number;
    drainDeadlineMs: number;
    leaseMs: number;
    longestCallMs: number;
  };
  /** `once`: names the event, so that a step that is repeated tells it once. */
  audit(entry: { action: string; subject: string; detail: string; once?: string }): Promise<void>;
}
