/** What a step of the bootstrap is, and what it gets. */
import type { FleetPaths } from "../agent/paths.ts";
import type { AwsClients } from "../tools/fleet/aws/clients.ts";
import type { BootstrapJournal, Outputs } from "./journal.ts";
import type { BootstrapOptions } from "./options.ts";
import type { Prompt } from "./prompt.ts";
import type { Redactor } from "./redact.ts";
import type { RunningFleet } from "./running-fleet.ts";
import type { Speaker } from "./speaker.ts";

export interface BootstrapContext {
  options: BootstrapOptions;
  journal: BootstrapJournal;
  speaker: Speaker;
  redactor: Redactor;
  prompt: Prompt;
  clients: AwsClients;
  environment: NodeJS.ProcessEnv;
  /** The checkout or package that this runs from. */
  program: string;
  /** State directory of this fleet on this machine: configuration, credentials, caches. */
  paths: FleetPaths;
  /** The fleet's store, provider and operations, opened at first use, once the configuration is written. */
  fleet(): Promise<RunningFleet>;
  signal: AbortSignal;
}

export interface BootstrapStep {
  name: string;
  /** For people: what is being done. */
  title: string;
  /** One sentence for the plan: what this will make. */
  describe(context: BootstrapContext): string;
  /** Looks at the world. A step that is done is not run again. */
  isDone(context: BootstrapContext): Promise<boolean>;
  /** Safe to repeat after a kill at any line. Gives ids and other outputs for the journal, never a secret. */
  run(context: BootstrapContext): Promise<Outputs>;
  /** What exists of it, one line each, for the teardown's question. */
  list?(context: BootstrapContext): Promise<string[]>;
  /** Removes what `list` shows, and nothing that does not carry our tags. Safe to repeat. */
  undo?(context: BootstrapContext): Promise<void>;
}
