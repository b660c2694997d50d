import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createPause } from "../../../../agent/gateway/pause.ts";
import { createReadCache } from "../../../../agent/gateway/store/read-cache.ts";
import { openSqliteStore } from "../../../../agent/gateway/store/sqlite.ts";
import type { FleetStatus } from "../../../../tools/fleet/model.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";
import { waitFor } from "../../../support/wait.ts";
import { testChannel as deskChannel, openListenDesk } from "./listen-desk.ts";
import { connected, startDiscordFleet, testChannel } from "./listen-fleet.ts";

test("a pause holds everywhere, over restarts, and says who and why; what was asked meanwhile is answered afterwards", async () => {
  const made = await startDiscordFleet();
  const { fleet, discord, post, posts } = made;
  await fleet.json("pause", "--reason", "the bill is too high");
  const question = discord.say("josh", testChannel, "@CLAWDINATOR-1 version");
  const told = await post(/paused by .*: the bill is too high/);
  expect(told.reference).toBe(question.id);
  const status = await fleet.json<FleetStatus>("fleet", "status");
  expect(status.paused).toMatchObject({ maintainer: "1", reason: "the bill is too high" });
  expect((await fleet.cli(["fleet", "status"])).stdout).toContain("the bill is too high");
  const session = await (await fleet.fetch("/api/session")).json();
  expect(session).toMatchObject({ paused: true, pausedBy: { reason: "the bill is too high" } });

  await fleet.kill();
  await fleet.start();
  await connected(made);
  const asked = fleet.cli(["ask", "version"]);
  const late = discord.say("josh", testChannel, "@CLAWDINATOR-1 who are you?");
  await waitFor(() => posts(/paused by/).length === 2, { what: "the second one being told" });
  expect(posts(/./)).toHaveLength(2);

  const store = await fleet.store();
  await waitFor(async () => (await store.list("messages/CLAWDINATOR-1/")).length === 3, { what: "all three waiting" });
  // The answer to whoever waits at the command line begins with the reason.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await fleet.json("resume");
  const { stderr, stdout } = await asked;
  expect(stderr).toContain("the bill is too high");
  expect(stdout).toMatch(/version|CLAWDINATOR/i);
  await waitFor(() => posts(/./).length === 4, { what: "both answers" });
  const answered = discord.posts(testChannel).filter(({ content }) => !content.includes("paused by"));
  expect(answered.map(({ reference }) => reference).sort()).toEqual([question.id, late.id].sort());
  const { entries } = await fleet.json<{ entries: { action: string; detail: string }[] }>("audit");
  expect(entries.find(({ action }) => action === "fleet.paused")?.detail).toBe("the bill is too high");
}, 180_000);

test("whoever pauses on one instance stops new answers on the others", async () => {
  const desk = await openListenDesk();
  const two = desk.gateway({ name: "CLAWDINATOR-2" });
  await two.take();
  await createPause(desk.store).set(true, { id: "2", name: "Mariano", reason: "wait" });
  const question = desk.discord.say("josh", deskChannel, "@CLAWDINATOR-2 hello");
  await desk.answered(question, /paused by Mariano: wait/);
  expect(two.asked()).toEqual([]);
  await createPause(desk.store).set(false, { id: "1", name: "Josh" });
  await desk.answered(question, /answer of CLAWDINATOR-2/);
});

test("a pause is seen at once where reads are remembered, whoever set it", async () => {
  const store = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  onTestFinished(() => store.close());
  // Nobody tells this one of others' writes.
  const remembering = createReadCache({ ...store, watchOthers: () => () => {} });
  const [here, there] = [createPause(remembering), createPause(store)];
  expect(await here.peek()).toBeNull();
  await there.set(true, { id: "1", name: "Ada", reason: "  stop  " });
  expect(await here.peek()).toBeNull();
  expect(await here.current()).toMatchObject({ maintainer: "1", name: "Ada", reason: "stop" });
  await there.set(false, { id: "2", name: "Bob" });
  expect(await here.isPaused()).toBe(false);
});
