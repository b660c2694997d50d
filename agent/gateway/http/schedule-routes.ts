/** The schedule: what is planned and what became of it; running, pausing and resuming one job. */
import { jobActionSchema } from "../../schedule.ts";
import { surfaceOf } from "../maintainers.ts";
import type { Api } from "./context.ts";
import { HttpProblem, readJson } from "./problem.ts";
import type { Guarded } from "./route.ts";

const audited = { run: "schedule.run", pause: "schedule.paused", resume: "schedule.resumed" } as const;

export function scheduleRoutes(api: Api, guarded: Guarded): void {
  guarded(
    "GET",
    "/api/schedule",
    "jobs with their next time, what runs and how the last 20 runs ended",
    async (context) => context.json(await api.schedule.view()),
  );
  guarded("POST", "/api/schedule/:id", '`{ action: "run" | "pause" | "resume" }`', async (context) => {
    const { action } = jobActionSchema.parse(await readJson(context));
    const id = context.req.param("id") ?? "";
    const actor = context.get("actor");
    if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(id)) {
      throw new HttpProblem(404, "unknown_job", "there is no such job", "`clawdinator schedule list` shows them");
    }
    const job = await api.schedule.act(id, action, actor);
    await api.audit.write({
      action: audited[action],
      actor: `maintainer:${actor.maintainer.id}`,
      surface: surfaceOf(actor),
      subject: `schedule/${id}`,
      detail: job.description,
    });
    api.scheduler.wake();
    return context.json(job);
  });
}
