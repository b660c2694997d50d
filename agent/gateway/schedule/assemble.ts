/** The schedule and the situation report of one instance, put together from what its gateway has. */
import type { CostReport } from "../../../tools/cost-report.ts";
import { describeError } from "../../../tools/errors.ts";
import type { Log } from "../../log.ts";
import { workspaceOf } from "../../paths.ts";
import type { Core } from "../core.ts";
import type { Presence } from "../presence.ts";
import { createJobRuns } from "./job-runs.ts";
import { createSchedule, type Schedule } from "./schedule.ts";
import { createSitrepDesk, heartbeatJob, type SitrepDesk, spendOf } from "./sitrep.ts";

export function assembleSchedule(options: {
  core: Core;
  name: string;
  /** This instance's own directory. */
  directory: string;
  presence: Presence;
  log: Log;
  /** Something is to do. */
  wake(): void;
  cost(days: number): Promise<CostReport>;
}): { schedule: Schedule; sitrep: SitrepDesk } {
  const { core, name, presence, log, wake } = options;
  const { store, inbox, approvals, operations, pause, fleet, paths } = core;
  const schedule = createSchedule({
    store,
    name,
    workspace: workspaceOf(paths, name),
    directory: options.directory,
    runs: createJobRuns({
      store,
      name,
      inbox,
      approvals,
      operation: (id) => operations.get(id).catch(() => null),
      async beforeSend(job, run) {
        if (job.id !== heartbeatJob) return;
        // A heartbeat that tells too much is better than none.
        await sitrep
          .begin(run.id, run.wasTold)
          .catch((error: unknown) => log("warn", "what is news is not noted", { error: describeError(error).message }));
      },
      onStarted: wake,
    }),
    takeConversation: (conversation, owner) => inbox.takeConversation(conversation, owner),
    isPaused: pause.isPaused,
    holdsName: () => presence.epoch() !== null && presence.state() === "ready",
    wake,
    log,
  });
  const sitrep = createSitrepDesk({
    store,
    status: () => fleet.status(),
    drift: () => fleet.drift(),
    approvals: () => approvals.list(),
    operations: () => operations.list(),
    isPaused: pause.isPaused,
    schedule: () => schedule.view(),
    spend: () => options.cost(1).then(spendOf),
  });
  return { schedule, sitrep };
}
