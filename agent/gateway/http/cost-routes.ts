/** What the models cost, and the breaker's reset. */
import { z } from "zod";
import { surfaceOf } from "../maintainers.ts";
import { mostDays } from "../spend/report.ts";
import type { Api } from "./context.ts";
import type { Guarded } from "./route.ts";

const querySchema = z.strictObject({ days: z.coerce.number().int().min(1).max(mostDays).default(1) });

export function costRoutes(api: Api, guarded: Guarded): void {
  guarded(
    "GET",
    "/api/cost",
    "what the models cost: today against the budget, the breaker, and every line of the last `?days=`",
    async (context) => context.json(await api.cost(querySchema.parse(context.req.query()).days)),
  );
  guarded("POST", "/api/cost/reset", "closes the budget's breaker", async (context) => {
    const actor = context.get("actor");
    const { id, name } = actor.maintainer;
    const closed = await api.spend.reset({ id, name }, surfaceOf(actor));
    return context.json({ closed });
  });
}
