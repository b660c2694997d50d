/** A name that moves from one instance to another: whoever talks to it in Discord gets one answer to each message. */
import { expect, test } from "vitest";
import { startDiscordFleet } from "../../support/discord/fleet.ts";
import { startDiscord } from "../../support/discord/server.ts";
import type { Message } from "../../support/discord/world.ts";
import { waitFor } from "../../support/wait.ts";

const home = "clawdributors-test";

test("each question before, during and after a replacement is answered once, and a card moves along", async () => {
  const server = await startDiscord({
    areLimitsOn: false,
    bots: [{ name: "CLAWDINATOR-1" }, { name: "CLAWDINATOR-2" }, { name: "CLAWDINATOR-3" }],
  });
  const fleet = await startDiscordFleet({ server, config: { conversations: { mode: "queue" } } });
  const launch = await fleet.propose("spawn a sibling");
  await fleet.approve(launch.id);
  expect((await fleet.ended(launch.id, { timeoutMs: 120_000 })).state).toBe("succeeded");
  const sibling = server.user("CLAWDINATOR-2").id;
  await waitFor(() => server.gateway.connected(sibling) === 1, { timeoutMs: 30_000 });
  const before = (await fleet.instance("CLAWDINATOR-2")).instance;
  server.say("josh", home, "@CLAWDINATOR-2 spawn a sibling");
  const card = await waitFor(
    () => server.posts(home, "CLAWDINATOR-2").find(({ components }) => components.length > 0),
    {
      timeoutMs: 30_000,
    },
  );

  const replace = await fleet.propose("replace CLAWDINATOR-2");
  await fleet.approve(replace.id);
  const asked: Message[] = [];
  const answersTo = (one: Message): Message[] =>
    server.posts("general").filter(({ reference }) => reference === one.id);
  let hasEnded = false;
  const ended = fleet.ended(replace.id, { timeoutMs: 120_000 }).finally(() => {
    hasEnded = true;
  });
  for (let round = 0; !hasEnded || round < 4; round++) {
    const one = server.say("josh", "general", "@CLAWDINATOR-2 version");
    asked.push(one);
    // The next one is asked when this one is answered, or nobody is there to answer it.
    await waitFor(() => answersTo(one).length > 0, { timeoutMs: 1_000 }).catch(() => null);
  }
  expect((await ended).state).toBe("succeeded");
  const last = server.say("josh", "general", "@CLAWDINATOR-2 version");
  await waitFor(() => [...asked, last].every((one) => answersTo(one).length > 0), {
    timeoutMs: 60_000,
    what: `an answer to each\n${fleet.output().slice(-4_000)}`,
  });
  expect(asked.map((one) => answersTo(one).length)).toEqual(asked.map(() => 1));
  const after = (await fleet.instance("CLAWDINATOR-2")).instance;
  expect(after).not.toBe(before);
  expect(answersTo(last)[0]?.content).toContain(String(after));

  await fleet.json("pause");
  const pressed = server.press("josh", card, "Approve");
  await pressed.settled();
  expect(pressed.hasFailed()).toBe(false);
  await waitFor(() => card.content.includes("Approved by"), { timeoutMs: 20_000 });
  expect(server.posts(home, "CLAWDINATOR-2").filter(({ content }) => content.includes("Approved by"))).toHaveLength(1);
}, 300_000);
