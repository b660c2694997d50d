import { expect, test } from "vitest";
import type { Check } from "../../../../tools/fleet/model.ts";
import { startDiscord } from "../../../support/discord/server.ts";
import { waitFor } from "../../../support/wait.ts";
import { makeDiscordFleet, startDiscordFleet } from "./listen-fleet.ts";

test("doctor tries the token and names the invite link before anything runs", async () => {
  const discord = await startDiscord();
  const { fleet } = makeDiscordFleet({ discord });
  const { lines } = await fleet.cli(["doctor", "--json"]);
  const { checks } = lines[0] as unknown as { checks: Check[] };
  const { id } = discord.user("CLAWDINATOR-1");
  expect(checks.find(({ name }) => name === "discord")).toMatchObject({
    ok: true,
    detail: expect.stringContaining(`client_id=${id}`),
  });
  expect(discord.identifies()).toBe(0);
  discord.user("CLAWDINATOR-1").token = "another-one-0123456789";
  expect((await fleet.cli(["doctor"])).stdout).toMatch(/FAIL {2}discord: Discord refuses the bot's token; reset it/);
});

test("doctor, fleet status and readyz show what the bot lacks, and the instance stays ready", async () => {
  const { discord, fleet } = await startDiscordFleet();
  discord.revoke("clawdributors-test", "ATTACH_FILES");
  await waitFor(async () => {
    const { checks } = await fleet.instance("CLAWDINATOR-1");
    return checks.some(({ name, ok, detail }) => name === "discord" && ok && detail.includes("lacks Attach Files"));
  });
  expect((await fleet.cli(["doctor"])).stdout).toMatch(/instance: discord: connected as .*lacks Attach Files/);
  const ready = await fleet.fetch("/readyz");
  expect(ready.status).toBe(200);
  expect(await ready.text()).toContain("lacks Attach Files");
}, 60_000);
