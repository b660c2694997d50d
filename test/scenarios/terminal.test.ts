/** What a terminal does to the program that runs in it. */
import { expect, test } from "vitest";
import { processesBelow, startFleet } from "../support/fleet.ts";

test.each(["SIGINT", "SIGHUP"] as const)(
  "%s, as a terminal sends it to all of its processes, ends the instance in order",
  async (signal) => {
    const fleet = await startFleet();
    // The mind gets it first: it must leave the decision to the gateway.
    for (const { pid } of processesBelow(fleet.home).sort((a, b) => (a.role < b.role ? 1 : -1)))
      process.kill(pid, signal);
    expect(await fleet.exited()).toEqual({ code: 0, signal: null });
    expect(processesBelow(fleet.home)).toEqual([]);
    expect(fleet.output()).toContain(`"reason":"${signal}"`);
  },
);

test("an instance whose output nobody reads any more goes on", async () => {
  const fleet = await startFleet();
  fleet.closeOutput();
  // A request that is logged, so that something is written to the closed pipe.
  for (let asked = 0; asked < 3; asked++) {
    const { stdout } = await fleet.cli(["ask", "version", "--json"]);
    expect(stdout).toContain("CLAWDINATOR-1");
  }
  const store = await fleet.store();
  await store.put("operations/op-000000000000", { formatVersion: 99 });
  expect((await fleet.json<{ instances: unknown[] }>("fleet", "status")).instances).toHaveLength(1);
});
