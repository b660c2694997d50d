import { expect, test } from "vitest";
import { createInteractions } from "../../../../agent/gateway/channels/discord/commands/interactions.ts";
import { createCourtesy } from "../../../../agent/gateway/channels/discord/courtesy.ts";
import { get } from "../../../support/voting.ts";
import { waitFor } from "../../../support/wait.ts";
import { customIdOf, openCardDesk, room } from "./cards-desk.ts";

test("who is no maintainer gets nothing at any entry, and the audit log tells of it", async () => {
  const desk = await openCardDesk();
  const { discord } = desk;
  await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  await waitFor(() => discord.guild().commands.size > 0);

  const visits = [
    discord.press("stranger", card, "Approve"),
    discord.press("stranger", card, "Details"),
    discord.press("stranger", card, "Reject"),
    discord.command("stranger", "pause", { reason: "mine" }),
    discord.command("stranger", "fleet", { status: {} }),
  ];
  for (const visit of visits) {
    const reply = await waitFor(() => visit.replies().find(({ content }) => content !== ""));
    expect(reply).toMatchObject({
      content: "Only this fleet's maintainers can do that here.",
      onlyFor: discord.user("stranger").id,
    });
    expect(visit.answer()?.type).not.toBe(9);
  }
  const opened = discord.press("josh", card, "Reject");
  await opened.settled();
  const modal = discord.modal("stranger", opened, { reason: "because" });
  await waitFor(() => modal.replies()[0]?.content.startsWith("Only this fleet's"));
  const typed = discord.autocomplete("stranger", "retire", { name: "C" }, "name");
  await typed.settled();
  expect(typed.answer()).toEqual({ type: 8, data: { choices: [] } });

  expect((await get(desk.painters, plan.id)).votes).toEqual([]);
  expect(await desk.pause.isPaused()).toBe(false);
  expect(await desk.audited("discord.refused")).toEqual([expect.stringContaining("not_a_maintainer")]);
});

test("a maintainer who is no approver is told so, and the vote is refused", async () => {
  const desk = await openCardDesk();
  const { discord, painters } = desk;
  await painters.setPolicy({ approvers: ["2"] });
  await desk.start();
  const plan = await desk.propose();
  const pressed = discord.press("josh", await desk.card(plan.id), "Approve");
  await waitFor(() => pressed.replies()[0]?.content.includes("is not an approver"));
  expect((await get(painters, plan.id)).votes).toEqual([]);
});

test("a forged custom id does nothing, however it looks", async () => {
  const desk = await openCardDesk();
  const { discord } = desk;
  await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  const forged = [
    "",
    `approve:${plan.id}`,
    plan.id,
    `clawd-${"0".repeat(32)}`,
    "../approvals",
    "clawd-💥",
    "x".repeat(100),
  ];
  for (const id of forged.filter(Boolean)) {
    const pressed = discord.forge("josh", card, id);
    await waitFor(() => pressed.replies()[0]?.content.startsWith("I do not know this button"));
  }
  expect((await get(desk.painters, plan.id)).votes).toEqual([]);
  expect(await desk.audited("discord.forged")).toHaveLength(forged.length - 1);
});

test("an interaction that is delivered again acts once, before and after a restart", async () => {
  const desk = await openCardDesk({ quorum: 2 });
  const { discord } = desk;
  const session = await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  const pressed = discord.press("josh", card, "Approve");
  await desk.card(plan.id, ({ content }) => content.includes("1 of 2"));
  discord.press("josh", card, "Approve", { replayed: pressed });
  await waitFor(async () => (await desk.audited("discord.replayed")).length === 1);
  await session.close({ deliverMs: 0 });
  await desk.start({ instance: "i-000000000002" });
  const pause = await commandOnce(desk, () => discord.press("mariano", card, "Approve", { replayed: pressed }));
  expect(pause).toBe(2);
  expect((await get(desk.painters, plan.id)).votes).toHaveLength(1);
});

async function commandOnce(desk: Awaited<ReturnType<typeof openCardDesk>>, act: () => unknown): Promise<number> {
  act();
  return waitFor(async () => {
    const { length } = await desk.audited("discord.replayed");
    return length > 1 && length;
  });
}

test("two presses at once are one vote", async () => {
  const desk = await openCardDesk({ quorum: 2 });
  await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  const presses = [1, 2, 3].map(() => desk.discord.press("josh", card, "Approve"));
  await waitFor(() => presses.every((one) => one.replies().some(({ content }) => content !== "")));
  expect((await get(desk.painters, plan.id)).votes).toHaveLength(1);
});

test("buttons are acknowledged at once while many are pressed", async () => {
  const desk = await openCardDesk();
  await desk.start();
  const plans = await Promise.all(Array.from({ length: 20 }, () => desk.propose()));
  const cards = [];
  for (const { id } of plans) cards.push(await desk.card(id));
  const presses = cards.map((card) => desk.discord.press("josh", card, "Approve"));
  await Promise.all(presses.map((one) => one.settled()));
  // How soon it is, `npm run bench -- discord` says; Discord takes what comes within 3 s.
  expect(presses.filter((one) => one.hasFailed())).toEqual([]);
  for (const { id } of plans) await desk.card(id, ({ content }) => content.includes("🟢 Approved"));
});

test("what is not known or broken leaves an audit line and never throws", async () => {
  const lines: string[] = [];
  const logged: string[] = [];
  const interactions = createInteractions({
    door: { admit: async () => Promise.reject(new Error("the store is gone")) },
    once: { claim: async () => true },
    handlers: {
      onButton: async () => {},
      onModal: async () => {},
      onCommand: async () => {},
      onAutocomplete: async () => [],
    },
    audit: {
      async write(entry) {
        lines.push(entry.action);
        return { ...entry, id: "1", at: 0 };
      },
    },
    courtesy: createCourtesy(),
    log: (_level, message) => void logged.push(message),
  });
  await interactions.handle({} as never);
  await interactions.handle({ id: "1", isAutocomplete: () => true, user: null, member: null, channel: null } as never);
  const base = {
    id: "2",
    type: 2,
    guildId: "1",
    channelId: "2",
    channel: null,
    member: null,
    user: { id: "3", username: "x", bot: false },
    isAutocomplete: () => false,
    isButton: () => false,
    isModalSubmit: () => false,
    isChatInputCommand: () => false,
  };
  const said: unknown[] = [];
  await interactions.handle({
    ...base,
    isRepliable: () => true,
    reply: async (body: unknown) => said.push(body),
  } as never);
  await interactions.handle({ ...base, id: "4", isRepliable: () => false } as never);
  expect(lines).toEqual(["discord.malformed", "discord.malformed", "discord.unknown", "discord.unknown"]);
  expect(said).toMatchObject([{ content: "I do not know that one.", flags: 64 }]);
});

test("nothing is read or asked before the acknowledgement, and messages let it go first", async () => {
  const steps: string[] = [];
  const courtesy = createCourtesy();
  const interactions = createInteractions({
    door: {
      async admit() {
        steps.push("door");
        return { admitted: false, silent: false, code: "no", reason: "no" };
      },
    },
    once: { claim: async () => true },
    handlers: {
      onButton: async (visit) => void (await visit.enter({ changes: true })),
      onModal: async () => {},
      onCommand: async () => {},
      onAutocomplete: async () => [],
    },
    audit: { write: async (entry) => ({ ...entry, id: "1", at: 0 }) },
    courtesy,
    log: () => {},
  });
  const acknowledged = Promise.withResolvers<void>();
  const press = (id: string, acknowledge: () => Promise<void>) =>
    interactions.handle({
      id,
      guildId: "1",
      channelId: "2",
      channel: null,
      member: null,
      user: { id: "3", username: "x", bot: false },
      isAutocomplete: () => false,
      isButton: () => true,
      isRepliable: () => true,
      async deferReply() {
        await acknowledge();
        steps.push("acknowledged");
      },
      reply: async () => {},
    } as never);
  const first = press("1", async () => {});
  const second = press("2", () => acknowledged.promise);
  const message = courtesy.turn().then(() => steps.push("message"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(steps).toEqual(["acknowledged"]);
  acknowledged.resolve();
  await Promise.all([first, second, message]);
  expect(steps.slice(0, 2)).toEqual(["acknowledged", "acknowledged"]);
  expect(steps.filter((one) => one === "door")).toHaveLength(2);
  expect(steps).toContain("message");
  // One that cannot be acknowledged passes the door all the same: a refusal is on record.
  steps.length = 0;
  await press("3", async () => Promise.reject(new Error("Unknown interaction")));
  expect(steps).toEqual(["door"]);
});

test("a custom id says nothing of what it stands for", async () => {
  const desk = await openCardDesk();
  await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  const ids = ["Approve", "Reject", "Details"].map((label) => customIdOf(card, label));
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(id).toMatch(/^clawd-[0-9a-f]{32}$/);
  expect(desk.discord.posts(room)[0]?.mentions).toEqual([]);
});
