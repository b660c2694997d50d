import { expect, test } from "vitest";
import type { ApprovalView } from "../../../../agent/protocol.ts";
import { putToken } from "../../../support/discord/fleet.ts";
import { waitFor } from "../../../support/wait.ts";
import { connected, startDiscordFleet, testChannel } from "./listen-fleet.ts";

test("a sibling is launched from Discord with a token of its own, and not without a free one", async () => {
  const made = await startDiscordFleet();
  const { fleet, discord, posts, post } = made;
  discord.say("josh", testChannel, "@CLAWDINATOR-1 spawn a sibling");
  const refusal = await post(/no free Discord token/);
  expect(refusal.content).toContain("discord-token is CLAWDINATOR-1's");
  expect(await fleet.json("approvals", "list")).toEqual({ approvals: [] });

  const { token } = discord.user("CLAWDINATOR-2");
  putToken(fleet.home, { secret: "discord-token-2", token });
  discord.say("josh", testChannel, "@CLAWDINATOR-1 spawn a sibling");
  const approval = await waitFor(
    async () => (await fleet.json<{ approvals: ApprovalView[] }>("approvals", "list")).approvals[0],
    { timeoutMs: 30_000, what: `a proposal\n${fleet.output()}` },
  );
  expect(approval.plan.facts).toMatchObject({ name: "CLAWDINATOR-2", entry: { tokenSecret: "discord-token-2" } });
  expect(JSON.stringify(approval)).not.toContain(token);
  await fleet.approve(approval.id);
  const ended = await fleet.ended(approval.id, { timeoutMs: 120_000 });
  expect(ended.state, `${JSON.stringify(ended.error)}\n${fleet.output()}`).toBe("succeeded");
  await connected(made, "CLAWDINATOR-2");
  const question = discord.say("mariano", testChannel, "@CLAWDINATOR-2 who are you?");
  const answer = await waitFor(
    () => posts(/./, { bot: "CLAWDINATOR-2" }).find(({ reference }) => reference === question.id),
    {
      timeoutMs: 30_000,
      what: "the sibling's answer",
    },
  );
  expect(answer.content).toContain("CLAWDINATOR-2");
  expect(discord.posts(testChannel).filter(({ reference }) => reference === question.id)).toHaveLength(1);

  // What one instance is told holds on the other one; how soon, `npm run bench -- discord` says.
  const pause = discord.command("josh", "pause", { reason: "enough for today" });
  await waitFor(() => pause.replies().some(({ content }) => content === "Paused."));
  const late = discord.say("mariano", testChannel, "@CLAWDINATOR-2 who are you?");
  const answersToLate = () => discord.posts(testChannel).filter(({ reference }) => reference === late.id);
  await waitFor(() => answersToLate().length > 0, { what: "CLAWDINATOR-2 saying that it is paused" });
  expect(answersToLate().map(({ content }) => content)).toEqual([
    expect.stringMatching(/paused by .*enough for today/),
  ]);
  await fleet.json("resume");
  await waitFor(() => answersToLate().some(({ content }) => !content.includes("paused by")), { what: "its answer" });
}, 300_000);
