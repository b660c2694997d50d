import { describe, expect, test } from "vitest";
import { howToApprove } from "../../../../agent/approval-words.ts";
import { noExtras } from "../../../../agent/gateway/channels/discord/speak/deliver.ts";
import { draftOf, postsOf } from "../../../../agent/gateway/channels/discord/speak/speak-render.ts";
import { createSeen, see } from "../../../../agent/gateway/channels/discord/speak/speak-seen.ts";
import { waitFor } from "../../../support/wait.ts";
import { done, openDesk, text, usage } from "./speak-desk.ts";

const creating = "POST /channels/:channel/messages";
const editing = "PATCH /channels/:channel/messages/:message";

describe("an answer", () => {
  test("is announced by typing, streamed by editing one message, and is a reply that pings nobody", async () => {
    const { discord, channel, start, asks } = await openDesk();
    const bot = start();
    const id = asks();
    bot.speaker.greet(channel);
    await bot.take(id, channel);
    await waitFor(() => discord.requests.some(({ route }) => route.endsWith("/typing")));
    expect(discord.posts(channel)).toEqual([]);
    expect(discord.requests.filter(({ route }) => route.endsWith("/typing"))).toHaveLength(1);
    await bot.said(id, text("I looked at it, @everyone: "));
    const [shown] = await waitFor(() => discord.posts(channel).length > 0 && discord.posts(channel));
    expect(shown?.content).toBe("I looked at it, @\u200beveryone:");
    await bot.said(id, { type: "tool", call: "c", name: "fleet_status", state: "started", text: "" });
    await waitFor(() => shown?.content.endsWith("\n-# … fleet status"));
    await bot.said(id, text("all well."), done("I looked at it, @everyone: all well."));
    await bot.speaker.idle();
    expect(discord.posts(channel)).toHaveLength(1);
    expect(shown).toMatchObject({
      content: "I looked at it, @\u200beveryone: all well.",
      reference: id,
      mentions: [],
      mentionsEveryone: false,
    });
    const sent = discord.requests.filter(({ route }) => route === creating || route === editing);
    for (const { json } of sent) expect(json).toMatchObject({ allowed_mentions: { parse: [] } });
    expect(sent[0]?.json).toMatchObject({ enforce_nonce: true, message_reference: { fail_if_not_exists: false } });
    const { nonce } = (sent[0]?.json ?? {}) as { nonce?: string };
    expect(nonce).toMatch(/^[\w-]{10,25}$/);
  });

  test("comes in the order of the questions, whichever is seen first to be there", async () => {
    const { discord, channel, start, asks, store } = await openDesk();
    const bot = start();
    const ids = [asks("first?"), asks("second?"), asks("third?")];
    for (const id of ids) await bot.take(id, channel);
    // The first one's answer takes its time on its way, as where its picture has to be read.
    const pictures = { type: "picture", picture: "claw-up", alt: "The lobster raises its claw" } as const;
    await bot.said(ids[0] ?? "", pictures);
    await Promise.all(ids.map((id, n) => bot.answer(id, `answer ${n}`)));
    await bot.speaker.idle();
    expect(discord.posts(channel).map(({ content }) => content)).toEqual(["answer 0", "answer 1", "answer 2"]);
    expect(await store.list("discord/deliveries/")).toEqual([]);
  });

  test("that is there at once is posted once", async () => {
    const { discord, channel, start, asks } = await openDesk();
    const bot = start();
    const id = asks();
    await bot.take(id, channel);
    await bot.answer(id, "Yes.");
    await bot.speaker.idle();
    expect(discord.posts(channel).map(({ content, history }) => [content, history.length])).toEqual([["Yes.", 1]]);
    expect(discord.requests.filter(({ route }) => route === editing)).toEqual([]);
  });

  test("that begins again replaces what was shown", async () => {
    const { discord, channel, start, asks } = await openDesk();
    const bot = start();
    const id = asks();
    await bot.take(id, channel);
    await bot.said(id, text("Half of a thou"));
    const [post] = await waitFor(() => discord.posts(channel).length > 0 && discord.posts(channel));
    await bot.said(id, { type: "restart", reason: "the mind was connected again" });
    await waitFor(() => post?.content === "-# … starting again");
    await bot.answer(id, "Whole.");
    await bot.speaker.idle();
    expect(discord.posts(channel).map(({ content }) => content)).toEqual(["Whole."]);
  });

  test("shows notices, errors with what to do, cards and the picture with its words", async () => {
    const { discord, channel, start, asks } = await openDesk();
    const bot = start();
    const id = asks();
    await bot.take(id, channel);
    await bot.said(
      id,
      { type: "notice", text: "another model\ntook over" },
      { type: "picture", picture: "claw-up", alt: "The lobster raises its claw" },
      { type: "error", code: "x", message: "the model is busy", hint: "ask again in a minute" },
      done("Partly.", "failed"),
    );
    await bot.speaker.idle();
    const [post] = discord.posts(channel);
    expect(post?.content).toBe(
      "Partly.\n\n⚠️ the model is busy\n-# ask again in a minute\n\n-# another model took over",
    );
    expect(post?.attachments).toMatchObject([{ filename: "claw-up.webp", description: "The lobster raises its claw" }]);
  });

  test("in three parts is three messages, a longer one has a head and a file", async () => {
    const { discord, channel, start, asks } = await openDesk();
    const bot = start();
    const [three, long] = [asks(), asks()];
    const paragraphs = (count: number) =>
      Array.from({ length: count }, (_, n) => `Paragraph ${n}. ${"word ".repeat(150)}`).join("\n\n");
    await bot.take(three, channel);
    await bot.answer(three, paragraphs(6));
    await bot.speaker.idle();
    expect(discord.posts(channel).map(({ reference }) => reference)).toEqual([three, null, null]);
    await bot.take(long, channel);
    await bot.answer(long, paragraphs(20));
    await bot.speaker.idle();
    const post = discord.posts(channel).at(-1);
    expect(discord.posts(channel)).toHaveLength(4);
    expect(post?.content).toMatch(/^Paragraph 0[\s\S]*the whole answer is in the file$/);
    expect(post?.attachments.map(({ filename }) => filename)).toEqual(["answer.md"]);
  });

  test("to a message that was deleted is a message of its own, and an interrupted one without words is none", async () => {
    const { discord, channel, start, asks } = await openDesk();
    const bot = start();
    const [first, second] = [asks(), asks()];
    await bot.take(first, channel);
    await bot.take(second, channel);
    await bot.said(second, text("I was going to"));
    await waitFor(() => discord.posts(channel).length === 1);
    await bot.said(second, { type: "restart", reason: "deleted" }, done("", "interrupted"));
    discord.deleteMessage(discord.channel(channel).messages.get(first) as never);
    await bot.answer(first, "Here.");
    await bot.speaker.idle();
    expect(discord.posts(channel).map(({ content, reference }) => [content, reference])).toEqual([["Here.", null]]);
  });

  test("that was taken back goes with what was shown of it", async () => {
    const { discord, channel, start, asks } = await openDesk();
    const bot = start();
    const id = asks();
    await bot.take(id, channel);
    await bot.said(id, text("Well, I would"));
    await waitFor(() => discord.posts(channel).length === 1);
    await bot.speaker.withdraw(id);
    expect(discord.posts(channel)).toEqual([]);
    await start().speaker.catchUp();
    await bot.answer(id, "Well, I would not.");
    await bot.speaker.idle();
    expect(discord.posts(channel)).toEqual([]);
  });
});

describe("what nobody asked for", () => {
  const report = (bot: ReturnType<Awaited<ReturnType<typeof openDesk>>["start"]>, id: string, words: string) =>
    bot
      .begin(id, "0", {
        channel: "schedule",
        conversation: "schedule-heartbeat",
        author: { kind: "schedule", id: "heartbeat", name: "heartbeat" },
      })
      .then(() => bot.answer(id, words));

  test("goes to the channel for reports when it has something to say, and nowhere without one", async () => {
    const { discord, start } = await openDesk();
    const general = discord.channel("general").id;
    const bot = start({ reportTo: general });
    await report(bot, "heartbeat-1", "ALL_QUIET");
    await report(bot, "heartbeat-2", "Two pull requests wait for a review.");
    await bot.speaker.idle();
    expect(discord.posts(general).map(({ content }) => content)).toEqual(["Two pull requests wait for a review."]);
    const silent = start();
    await report(silent, "heartbeat-3", "Nobody hears this.");
    await silent.speaker.idle();
    expect(discord.posts(general)).toHaveLength(1);
  });

  test("the end of an operation is told once where it was asked for, by whoever comes first", async () => {
    const { discord, channel, start, operations } = await openDesk();
    const bot = start();
    const notice = { channel: "notice", conversation: `discord-${channel}`, kind: "notice" as const };
    await bot.begin("notice-op-1", channel, notice);
    await bot.said("notice-op-1", { type: "picture", picture: "rocket", alt: "A rocket" }, done("launch — done"));
    await bot.speaker.idle();
    operations.push(
      operationOf({ id: "op-1", conversation: notice.conversation, state: "succeeded", endedAt: Date.now() }),
    );
    const next = start();
    await next.speaker.catchUp();
    await next.speaker.idle();
    await next.speaker.onOperation(operations[0] as never);
    expect(discord.posts(channel).map(({ content }) => content)).toEqual(["launch — done"]);
  });

  test("the end of an operation is told in its own message, with the picture there, and stays so", async () => {
    const { discord, channel, start, operations } = await openDesk();
    const bot = start();
    const conversation = `discord-${channel}`;
    await bot.inbox.takeConversation(conversation, "CLAWDINATOR-1");
    await bot.speaker.onOperation(operationOf({ id: "op-1", conversation }));
    const [post] = discord.posts(channel);
    const ended = operationOf({ id: "op-1", conversation, state: "succeeded", endedAt: Date.now() });
    operations.push(ended);
    const told = bot.speaker.onOperation(ended);
    const notice = { channel: "notice", conversation, kind: "notice" as const };
    await bot.begin("notice-op-1", channel, notice);
    await bot.said("notice-op-1", { type: "picture", picture: "rocket", alt: "A rocket" }, done("launch — done"));
    await told;
    await bot.speaker.idle();
    const next = start();
    await next.speaker.catchUp();
    await next.speaker.onOperation(ended);
    await next.speaker.idle();
    expect(discord.posts(channel)).toHaveLength(1);
    expect(post?.content).toBe("**launch CLAWDINATOR-2** — ✅ done after 1 min 30 s");
    expect(post?.attachments).toHaveLength(1);
  });
});

test("a plan that has a card is not told a second way to be approved", async () => {
  const common = { type: "proposal" as const, operation: "instance_launch", digest: "0", summary: "a launch" };
  const proposals = [
    { ...common, approval: "ap-1", state: "pending" as const },
    { ...common, approval: "ap-2", state: "approved" as const },
  ];
  const words = `Proposed: a launch\n${howToApprove("ap-1")}\nSaid: ${howToApprove("ap-1")}\n${howToApprove("ap-2")}`;
  const left = `Proposed: a launch\nSaid: ${howToApprove("ap-1")}\n${howToApprove("ap-2")}`;
  const seen = createSeen();
  for (const event of [...proposals, text(words)]) see(seen, event);
  expect(draftOf(seen)).toBe(left);
  const done = { type: "done" as const, reason: "answered" as const, text: words, usage };
  const posts = await postsOf({
    message: "1",
    place: { channel: "2", replyTo: "1" },
    answer: { proposals, error: null, done },
    extras: noExtras,
  });
  expect(posts.map(({ content }) => content)).toEqual([left]);
});

test("an operation is one message that is edited to its end", async () => {
  const { discord, channel, start } = await openDesk();
  const bot = start();
  const conversation = `discord-${channel}`;
  await bot.inbox.takeConversation(conversation, "CLAWDINATOR-1");
  await bot.speaker.onOperation(operationOf({ conversation, progress: "waiting for   the mind" }));
  const [post] = discord.posts(channel);
  expect(post?.content).toBe(
    "**launch CLAWDINATOR-2**\n▰▰▰▰▰▰▱▱▱▱▱▱ step 2 of 2: await ready\n-# waiting for the mind",
  );
  const ended = operationOf({ conversation, state: "failed", endedAt: Date.now() });
  ended.error = { message: "it did not start", hint: "look at its log", log: [] };
  await Promise.all([
    ...Array.from({ length: 20 }, () => bot.speaker.onOperation(operationOf({ conversation }))),
    bot.speaker.onOperation(ended),
  ]);
  expect(post?.content).toBe(
    "**launch CLAWDINATOR-2** — ❌ failed after 1 min 30 s\n⚠️ it did not start\n-# look at its log",
  );
  expect(discord.posts(channel)).toHaveLength(1);
  expect(post?.history.length).toBeLessThanOrEqual(3);
  await bot.speaker.onOperation(operationOf({ conversation: "console-1" }));
  expect(discord.posts(channel)).toHaveLength(1);
});

function operationOf(more: object) {
  const startedAt = Date.now() - 90_000;
  return {
    id: "op-9",
    operation: "instance_launch",
    state: "running" as const,
    compensating: false,
    summary: "launch CLAWDINATOR-2",
    approval: "ap-1",
    digest: "0",
    owner: null,
    startedAt,
    endedAt: null,
    steps: [
      { name: "start_candidate", state: "succeeded" as const, startedAt, endedAt: startedAt, attempts: 1, error: null },
      { name: "await_ready", state: "running" as const, startedAt, endedAt: null, attempts: 1, error: null },
    ],
    progress: null,
    error: null as { message: string; hint: string; log: string[] } | null,
    conversation: null,
    proposedBy: "1",
    approvedBy: ["1"],
    ...more,
  };
}
