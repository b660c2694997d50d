/** The ledger of a real fleet, by its command line, its console's port and its metrics. */
import { expect, test } from "vitest";
import type { CostReport } from "../../../../tools/cost-report.ts";
import type { Json } from "../../../../tools/json.ts";
import { shareFleet } from "../../../support/fleet.ts";

const fleet = shareFleet();

async function openBreaker(): Promise<void> {
  const now = Date.now();
  const entry = {
    ...{ id: "x", scope: "job", subject: "schedule:heartbeat", label: "heartbeat", code: "budget_run" },
    ...{ reason: "this answer has cost $2.06", openedAt: now, until: now + 3_600_000 },
  };
  const record: Json = { formatVersion: 1, entries: [entry], resetAt: 0, resetBy: null };
  await (await fleet().store()).put("spend/breaker", record);
}

test("cost tells the budget and the breaker, over a kill of the gateway, and reset closes it", async () => {
  await openBreaker();
  const before = await fleet().json<CostReport & { sums: unknown[] }>("cost", "--days", "7", "--by", "day");
  expect(before).toMatchObject({ budgets: { usdPerDay: 20, usdPerRun: 2, reserveUsd: 2 }, today: { usd: 0 } });
  expect(before.sums).toHaveLength(7);
  await fleet().kill();
  await fleet().start();
  const shown = await fleet().cli(["cost"]);
  expect(shown.stdout).toContain("the models cost $0.00 of $20.00");
  expect(shown.stdout).toContain("The breaker is open for heartbeat until");
  const doctor = await fleet().cli(["doctor"]);
  expect(doctor.stdout).toMatch(/FAIL {2}cost: the breaker is open for heartbeat/);
  const { closed } = await fleet().json<{ closed: unknown[] }>("cost", "reset");
  expect(closed).toMatchObject([{ label: "heartbeat" }]);
  expect((await fleet().cli(["cost", "reset"])).stdout).toContain("nothing was open");
  const { entries } = await fleet().json<{ entries: { action: string; actor: string }[] }>("audit");
  expect(entries).toContainEqual(expect.objectContaining({ action: "spend.breaker.reset", actor: "maintainer:1" }));
});

test("wrong options are refused, and only maintainers see what was spent", async () => {
  expect(await fleet().cli(["cost", "--by", "weather"])).toMatchObject({ code: 2 });
  expect(await fleet().cli(["cost", "--days", "0"])).toMatchObject({ code: 2 });
  expect((await fleet().fetch("/api/cost", { token: null })).status).toBe(401);
  expect((await fleet().fetch("/api/cost/reset", { method: "POST", body: {}, token: null })).status).toBe(401);
  expect((await fleet().fetch("/api/cost?days=4000")).status).toBe(400);
});

test("the metrics are there before anything was spent", async () => {
  const text = await (await fleet().fetch("/metrics", { token: null })).text();
  for (const name of ["usd_total", "tokens_total", "refusals_total", "spent_today_usd"])
    expect(text).toContain(`# HELP clawdinator_model_${name} `);
  expect(text).toMatch(/^clawdinator_model_spent_today_usd 0$/m);
  expect(text).toMatch(/^clawdinator_breaker_open \d+$/m);
});
