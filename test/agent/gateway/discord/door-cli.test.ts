import { expect, test } from "vitest";
import { makeFleet } from "../../../support/fleet.ts";

test("a maintainer is linked to their Discord user on the command line, by themselves where they are an approver", async () => {
  const fleet = makeFleet();
  await fleet.start();
  const ada = "205412380511272960";
  const { maintainer } = await fleet.json<{ maintainer: { discord: string } }>("maintainers", "link", "1", ada);
  expect(maintainer).toMatchObject({ id: "1", discord: ada });
  expect((await fleet.cli(["maintainers", "list"])).stdout).toContain(ada);

  const bob = await fleet.json<{ maintainer: { id: string }; token: string }>("maintainers", "add", "Bob");
  expect(bob.maintainer.id).toBe("2");
  const taken = await fleet.cli(["maintainers", "link", "2", ada, "--json"]);
  expect(taken.lines[0]).toMatchObject({ error: { code: "discord_taken" } });
  const wrong = await fleet.cli(["maintainers", "link", "2", "bob#1234", "--json"]);
  expect(wrong.lines[0]).toMatchObject({ error: { code: "not_a_discord_id" } });
  // Who is no approver decides nothing about people.
  const byBob = await fleet.cli(["maintainers", "link", "1", "205412380511272961", "--json"], {
    environment: { CLAWDINATOR_TOKEN: bob.token },
  });
  expect(byBob.lines[0]).toMatchObject({ error: { code: "not_an_approver" } });

  await fleet.json("maintainers", "unlink", "1");
  expect((await fleet.cli(["maintainers", "list"])).stdout).not.toContain(ada);
  const { entries } = await fleet.json<{ entries: { action: string; subject: string }[] }>("audit");
  expect(entries.filter(({ action }) => action === "maintainer.linked")).toHaveLength(2);
}, 60_000);
