import { expect, test } from "vitest";
import type { ApprovalView } from "../../../../agent/protocol.ts";
import { putToken } from "../../../support/discord/fleet.ts";
import { waitFor } from "../../../support/wait.ts";
import { startDiscordFleet, testChannel } from "./listen-fleet.ts";

test("a command becomes a typed proposal with a card, decided in Discord, and the console knows", async () => {
  const { discord, fleet, post, posts } = await startDiscordFleet();
  putToken(fleet.home, { secret: "discord-token-2", token: discord.user("CLAWDINATOR-2").token });
  await waitFor(() => discord.guild().commands.size > 0, { what: "the commands" });
  const visit = discord.command("josh", "deploy", { name: "CLAWDINATOR-2" });
  const asked = await post(/asks: `spawn CLAWDINATOR-2`/);
  const card = await post(/Waits for approval: instance\\_launch/);
  expect(card.content).toMatch(/CLAWDINATOR-2[\s\S]*Approvals: 0 of 1/);
  expect(card.content).not.toContain("Influenced");
  await waitFor(() => visit.replies()[0]?.content === "Asked for it below.");
  await waitFor(() => discord.posts(testChannel).some(({ reference }) => reference === asked.id), {
    what: "an answer to what was asked",
  });

  const [waiting] = (await fleet.json<{ approvals: ApprovalView[] }>("approvals", "list")).approvals;
  expect(waiting?.plan.proposer).toMatchObject({ kind: "maintainer", id: "1", influencedByPublicText: false });
  const opened = discord.press("josh", card, "Reject");
  await opened.settled();
  discord.modal("josh", opened, { reason: "one is enough" });
  await post(/🔴 Rejected: instance\\_launch[\s\S]*one is enough/);
  expect(await fleet.json<ApprovalView>("approvals", "show", waiting?.id ?? "")).toMatchObject({
    state: "rejected",
    reason: "one is enough",
    votes: [{ surface: "discord", maintainer: "1" }],
  });

  const again = await fleet.propose("spawn CLAWDINATOR-2");
  expect(posts(new RegExp(again.id))).toEqual([]);
  const status = discord.command("mariano", "fleet", { status: {} });
  await waitFor(() => status.replies()[0]?.content.includes("CLAWDINATOR-1 (me)"));
}, 60_000);
