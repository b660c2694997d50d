/** What the HTTP routes work with. */
import type { Memory } from "../../../memory/index.ts";
import type { CostReport } from "../../../tools/cost-report.ts";
import type { FleetStatus } from "../../../tools/fleet/model.ts";
import type { FleetServices } from "../../../tools/fleet/services.ts";
import type { PolicyInForce } from "../../../tools/policy-pin.ts";
import type { Store } from "../../../tools/store.ts";
import type { Config } from "../../config.ts";
import type { Log } from "../../log.ts";
import type { FleetPaths } from "../../paths.ts";
import type { Approvals } from "../approvals.ts";
import type { AuditLog } from "../audit.ts";
import type { Identity } from "../identity.ts";
import type { Inbox } from "../inbox.ts";
import type { Live } from "../live.ts";
import type { Actor, Maintainers } from "../maintainers.ts";
import type { Operations } from "../operations.ts";
import type { Pause } from "../pause.ts";
import type { Presence } from "../presence.ts";
import type { Runs } from "../runs.ts";
import type { Schedule } from "../schedule/schedule.ts";
import type { Scheduler } from "../scheduler.ts";
import type { Spend } from "../spend/types.ts";

export interface Api {
  home: string;
  paths: FleetPaths;
  config: Config;
  identity: Identity;
  store: Store;
  audit: AuditLog;
  maintainers: Maintainers;
  pause: Pause;
  approvals: Approvals;
  operations: Operations;
  inbox: Inbox;
  runs: Runs;
  live: Live;
  fleet: FleetServices;
  /** The fleet with who paused it, for people. */
  status(): Promise<FleetStatus>;
  presence: Presence;
  policy(): Promise<PolicyInForce>;
  scheduler: Scheduler;
  schedule: Schedule;
  spend: Spend;
  /** What the last days cost; today is one of them. */
  cost(days: number): Promise<CostReport>;
  /** The hive mind, opened on first use: a start does not need it. */
  memory(): Promise<Memory>;
  log: Log;
  /** Where the requests come in: a browser may speak to one, only this machine's user to the other. */
  surface: "tcp" | "control";
  stop?(reason: string): void;
}

/** Hono's types for a request that has passed the author check. */
export interface Environment {
  Variables: { actor: Actor };
}
