import { expect, test } from "vitest";
import { waitFor } from "../../../support/wait.ts";
import { type ListenDesk, openListenDesk, type TestGateway, testChannel } from "./listen-desk.ts";

async function both(desk: ListenDesk, channel: Record<string, unknown> = {}): Promise<[TestGateway, TestGateway]> {
  const one = desk.gateway({ name: "CLAWDINATOR-1", channel });
  const two = desk.gateway({ name: "CLAWDINATOR-2", channel });
  await Promise.all([one.take(), two.take()]);
  // Both have said that they are connected.
  await waitFor(async () => (await desk.store.list("discord/connected/")).length === 2);
  return [one, two];
}

test("of several in one channel only the one that is mentioned answers, each in a conversation of its own", async () => {
  const desk = await openListenDesk();
  const [one, two] = await both(desk);
  const { discord } = desk;
  const first = discord.say("josh", testChannel, "@CLAWDINATOR-1 hello");
  expect((await desk.answered(first)).content).toBe("answer of CLAWDINATOR-1");
  const second = discord.say("josh", testChannel, "@CLAWDINATOR-2 hello");
  expect((await desk.answered(second)).content).toBe("answer of CLAWDINATOR-2");
  const third = discord.say("josh", testChannel, "clawdinator-2: and @CLAWDINATOR-1?");
  await desk.answered(third);
  const channel = discord.channel(testChannel).id;
  expect(one.asked().map(({ conversation }) => conversation)).toEqual([`discord-${channel}`]);
  const other = `discord-${channel}-CLAWDINATOR-2`;
  expect(two.asked().map(({ conversation }) => conversation)).toEqual([other, other]);
  const answers = [first, second, third].map((question) => desk.answersTo(question).length);
  expect(answers).toEqual([1, 1, 1]);
});

test("a request that names nobody is answered by exactly one: the conversation's owner, else the lowest name", async () => {
  const desk = await openListenDesk();
  const { discord } = desk;
  const [one, two] = await both(desk, { requireMention: false });
  const asked = Array.from({ length: 5 }, (_, n) => discord.say("josh", testChannel, `question ${n}`));
  for (const question of asked) await desk.answered(question);
  await desk.answered(discord.say("josh", testChannel, "@CLAWDINATOR-2 for you"));
  const thread = discord.thread(testChannel, "with the second");
  await desk.answered(discord.say("josh", thread.id, "@CLAWDINATOR-2 let us talk"));
  const followUp = discord.say("josh", thread.id, "go on");
  expect((await desk.answered(followUp)).content).toBe("answer of CLAWDINATOR-2");
  expect(one.asked().map(({ text }) => text)).toEqual(asked.map((_, n) => `question ${n}`));
  expect(two.asked().map(({ text }) => text)).toEqual(["for you", "let us talk", "go on"]);
  for (const question of asked) expect(desk.answersTo(question)).toHaveLength(1);
});

test("whoever took a request and died is followed by the next holder of that name, not by a sibling", async () => {
  const desk = await openListenDesk();
  const { discord } = desk;
  const channel = { requireMention: false };
  const one = desk.gateway({ name: "CLAWDINATOR-1", channel, mind: () => null });
  const two = desk.gateway({ name: "CLAWDINATOR-2", channel });
  await Promise.all([one.take(), two.take()]);
  await waitFor(async () => (await desk.store.list("discord/connected/")).length === 2);
  const question = discord.say("josh", testChannel, "who takes this?");
  await waitFor(() => one.asked().length === 1, { what: "the first one taking it" });
  await one.kill();
  const next = desk.gateway({ name: "CLAWDINATOR-1", channel });
  await next.take();
  expect((await desk.answered(question, /answer of/)).content).toBe("answer of CLAWDINATOR-1");
  expect(two.asked()).toEqual([]);
  expect(desk.answersTo(question)).toHaveLength(1);
});

test("when the one whose turn it is does not take a request, the next one does", async () => {
  const desk = await openListenDesk();
  const { discord } = desk;
  const channel = { requireMention: false };
  const [one, two] = await both(desk, channel);
  // It holds its name and is ready, and hears nothing.
  await one.channel.session()?.deafen();
  const question = discord.say("josh", testChannel, "anybody?");
  expect((await desk.answered(question)).content).toBe("answer of CLAWDINATOR-2");
  expect(two.asked()).toHaveLength(1);
});

test("a message during a handover is answered by the new holder, once", async () => {
  const desk = await openListenDesk();
  const { discord } = desk;
  const old = desk.gateway({ mind: () => null });
  await old.take();
  const before = discord.say("josh", testChannel, "@CLAWDINATOR-1 before");
  await waitFor(() => old.asked().length === 1);
  await old.channel.onDrain();
  const during = discord.say("josh", testChannel, "@CLAWDINATOR-1 during");
  await old.drain();
  const after = discord.say("josh", testChannel, "@CLAWDINATOR-1 after");
  const next = desk.gateway();
  await next.take();
  for (const question of [before, during, after]) await desk.answered(question, /answer of/);
  expect(old.asked()).toHaveLength(1);
  for (const question of [before, during, after]) expect(desk.answersTo(question)).toHaveLength(1);
});
