/** How an instance starts, and how it ends when its terminal does. */
import { expect, test } from "vitest";
import { makeFleet, processesBelow, startFleet } from "../support/fleet.ts";
import { instancesBelow } from "../support/fleet-socket.ts";
import { waitFor } from "../support/wait.ts";

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

test("of two first starts at once one becomes the instance, and the other says that it runs already", async () => {
  const fleet = makeFleet();
  const second = fleet.cli(["up", "--json"]);
  const forever = new Promise<never>(() => {});
  const said = await Promise.race([
    second.then(({ stdout }) => stdout),
    fleet.start().then(
      () => forever,
      () => fleet.output(),
    ),
  ]);
  expect(said).toContain('"already_running"');
  await waitFor(() => processesBelow(fleet.home).length === 2, { what: "gateway and mind of the one that runs" });
  expect(instancesBelow(fleet.home)).toHaveLength(1);
});
