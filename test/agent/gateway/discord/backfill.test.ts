import { expect, test } from "vitest";
import { waitFor } from "../../../support/wait.ts";
import { openListenDesk, testChannel } from "./listen-desk.ts";

test("what was asked while nobody listened is answered once; what was there before the bot is not", async () => {
  const desk = await openListenDesk();
  const { discord } = desk;
  const ancient = discord.say("josh", testChannel, "@CLAWDINATOR-1 from before");
  const first = desk.gateway();
  await first.take();
  const heard = discord.say("josh", testChannel, "@CLAWDINATOR-1 heard");
  await desk.answered(heard);
  await first.drain();
  const missed = [1, 2, 3].map((n) => discord.say("josh", testChannel, `@CLAWDINATOR-1 missed ${n}`));
  discord.say("stranger", testChannel, "@CLAWDINATOR-1 missed by a stranger");
  const second = desk.gateway();
  await second.take();
  for (const question of missed) await desk.answered(question);
  expect(second.asked().map(({ text }) => text)).toEqual(["missed 1", "missed 2", "missed 3"]);
  expect(desk.answersTo(ancient)).toEqual([]);
  for (const question of [heard, ...missed]) expect(desk.answersTo(question)).toHaveLength(1);
});

test("more than one page of history is read in order, with talk in between", async () => {
  const desk = await openListenDesk();
  const { discord } = desk;
  const first = desk.gateway();
  await first.take();
  await desk.answered(discord.say("josh", testChannel, "@CLAWDINATOR-1 hello"));
  await first.drain();
  for (let n = 0; n < 230; n++)
    discord.say("josh", testChannel, n % 46 === 0 ? `@CLAWDINATOR-1 ask ${n}` : `talk ${n}`);
  const second = desk.gateway();
  await second.take();
  await waitFor(() => second.asked().length === 5, { what: "five questions" });
  expect(second.asked().map(({ text }) => text)).toEqual([0, 46, 92, 138, 184].map((n) => `ask ${n}`));
});

test("a killed holder's questions and answers go on with the next one, in threads too, and nothing is said twice", async () => {
  const desk = await openListenDesk();
  const { discord } = desk;
  const first = desk.gateway({ mind: ({ text }) => (text === "hello" ? "hi" : null) });
  await first.take();
  await desk.answered(discord.say("josh", testChannel, "@CLAWDINATOR-1 hello"));
  const begun = discord.say("josh", testChannel, "@CLAWDINATOR-1 think");
  await waitFor(() => first.asked().length === 2);
  await first.kill();
  const thread = discord.thread(testChannel, "news");
  const inThread = discord.say("josh", thread.id, "@CLAWDINATOR-1 in a thread");
  const missed = discord.say("josh", testChannel, "@CLAWDINATOR-1 missed");
  const second = desk.gateway();
  await second.take();
  for (const question of [begun, inThread, missed]) await desk.answered(question, /answer of/);
  await second.channel.session()?.speaker.idle();
  for (const question of [begun, inThread, missed]) expect(desk.answersTo(question)).toHaveLength(1);
});

test("edits and deletions while nobody listened count", async () => {
  const desk = await openListenDesk();
  const { discord } = desk;
  await desk.pause.set(true, { id: "1", name: "Josh" });
  const first = desk.gateway();
  await first.take();
  const edited = discord.say("josh", testChannel, "@CLAWDINATOR-1 version");
  const deleted = discord.say("josh", testChannel, "@CLAWDINATOR-1 drift");
  await waitFor(() => desk.texts().length === 2, { what: "both being told of the pause" });
  await first.drain();
  discord.editMessage(edited, `<@${discord.user("CLAWDINATOR-1").id}> status`);
  discord.deleteMessage(deleted);
  const second = desk.gateway();
  await second.take();
  await waitFor(async () => (await second.inbox.outcome("discord", deleted.id)) !== null, { what: "the deleted one" });
  await waitFor(async () => (await second.inbox.outcome("discord", edited.id)) !== null, { what: "the edited one" });
  await desk.pause.set(false, { id: "1", name: "Josh" });
  await desk.answered(edited, /answer of/);
  expect(second.asked().map(({ text }) => text)).toEqual(["status"]);
});

test("a dropped connection and a new session lose nothing and repeat nothing", async () => {
  const desk = await openListenDesk();
  const { discord } = desk;
  const gateway = desk.gateway();
  await gateway.take();
  await desk.answered(discord.say("josh", testChannel, "@CLAWDINATOR-1 one"));
  discord.drop();
  const two = discord.say("josh", testChannel, "@CLAWDINATOR-1 two");
  await desk.answered(two);
  discord.invalidSession();
  const three = discord.say("josh", testChannel, "@CLAWDINATOR-1 three");
  await desk.answered(three);
  expect(gateway.asked().map(({ text }) => text)).toEqual(["one", "two", "three"]);
  expect(desk.texts()).toHaveLength(3);
}, 30_000);

test("a store that fails for a while delays a message and does not lose it", async () => {
  const desk = await openListenDesk();
  const { discord } = desk;
  const gateway = desk.gateway();
  await gateway.take();
  const { submit } = gateway.inbox;
  let failures = 3;
  gateway.inbox.submit = async (message) => {
    if (failures-- > 0) throw new Error("no space left");
    return submit(message);
  };
  await desk.answered(discord.say("josh", testChannel, "@CLAWDINATOR-1 hello"));
  expect(failures).toBeLessThan(0);
});
