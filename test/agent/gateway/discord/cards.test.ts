import { expect, test } from "vitest";
import { actor } from "../../../support/painting.ts";
import { approve, get, reject } from "../../../support/voting.ts";
import { waitFor } from "../../../support/wait.ts";
import { buttonsOf, customIdOf, openCardDesk, room } from "./cards-desk.ts";

const hasContent = (text: string) => (card: { content: string }) => card.content.includes(text);

test("two maintainers make the quorum on one card, which ends without buttons", async () => {
  const desk = await openCardDesk({ quorum: 2 });
  const { discord, painters } = desk;
  await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  expect(card.content).toMatch(/Waits for approval: paint[\s\S]*`wall`: `white` → `painted`[\s\S]*Approvals: 0 of 2/);
  expect(card.content).toContain(plan.digest.slice(0, 12));
  expect(card.content).toContain(`<t:${Math.floor(plan.expiresAt / 1000)}:R>`);
  expect(buttonsOf(card)).toEqual(["Approve", "Reject", "Details"]);
  const approveId = customIdOf(card, "Approve");

  const first = discord.press("josh", card, "Approve");
  await desk.card(plan.id, hasContent("Approvals: 1 of 2: ✅ Josh (discord)"));
  await waitFor(() => first.replies()[0]?.content === "recorded\\: 1 of 2 approvals.");
  const again = discord.press("josh", card, "Approve");
  await waitFor(() => again.replies()[0]?.content.includes("one person has one vote"));
  discord.press("mariano", card, "Approve");
  const approved = await desk.card(plan.id, hasContent("🟢 Approved"));
  expect(approved.id).toBe(card.id);
  expect(buttonsOf(approved)).toEqual([]);
  expect(desk.woken).toBeGreaterThanOrEqual(2);

  expect(await painters.execute(plan.id)).toBe(true);
  await desk.card(plan.id, hasContent(`it runs as \`op-${plan.digest.slice(0, 12)}\``));
  const late = discord.forge("mariano", card, approveId);
  await waitFor(() => late.replies()[0]?.content.startsWith("Already decided: approved by Mariano through discord"));
  expect(discord.posts(room)).toHaveLength(1);
  expect((await get(painters, plan.id)).votes.map(({ surface, maintainer }) => [surface, maintainer])).toEqual([
    ["discord", "1"],
    ["discord", "2"],
  ]);
});

test("a rejection asks why, and says it on the card", async () => {
  const desk = await openCardDesk();
  await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  const opened = desk.discord.press("josh", card, "Reject");
  await opened.settled();
  expect(opened.answer()).toMatchObject({ type: 9 });
  expect((await get(desk.painters, plan.id)).state).toBe("pending");
  desk.discord.modal("josh", opened, { reason: "not **today**\n@everyone" });
  const rejected = await desk.card(plan.id, hasContent("🔴 Rejected"));
  expect(rejected.content).toContain("Rejected by Josh: not \\*\\*today\\*\\* \\@everyone");
  expect(buttonsOf(rejected)).toEqual([]);
  expect(await get(desk.painters, plan.id)).toMatchObject({ state: "rejected", reason: "not **today** @everyone" });
});

test("a rejection without a reason counts as well, and a second one answers who was first", async () => {
  const desk = await openCardDesk();
  await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  const opened = desk.discord.press("josh", card, "Reject");
  const other = desk.discord.press("mariano", card, "Reject");
  await Promise.all([opened.settled(), other.settled()]);
  desk.discord.modal("josh", opened, {});
  await desk.card(plan.id, hasContent("Rejected by Josh"));
  const late = desk.discord.modal("mariano", other, { reason: "no" });
  await waitFor(() => late.replies()[0]?.content.startsWith("Already decided: rejected by Josh"));
  expect((await get(desk.painters, plan.id)).votes).toHaveLength(1);
});

test("what nobody completed in time is shown as expired", async () => {
  const desk = await openCardDesk();
  await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  const approveId = customIdOf(card, "Approve");
  desk.painters.advance(25 * 3600 * 1000);
  const late = desk.discord.press("josh", card, "Approve");
  await waitFor(() => late.replies()[0]?.content === "This plan expired. Ask for it again.");
  const expired = await desk.card(plan.id, hasContent("⚪ Expired"));
  expect(buttonsOf(expired)).toEqual([]);
  const later = desk.discord.forge("josh", card, approveId);
  await waitFor(() => later.replies()[0]?.content === "This plan expired. Ask for it again.");
});

test("a decision on the console shows on the card", async () => {
  const desk = await openCardDesk({ quorum: 2 });
  await desk.start();
  const plan = await desk.propose();
  await desk.card(plan.id);
  await approve(desk.painters, plan, actor("2"));
  await desk.card(plan.id, hasContent("Approvals: 1 of 2: ✅ Person 2 (console)"));
  await reject(desk.painters, plan, actor("1", { surface: "cli" }));
  await desk.card(plan.id, hasContent("Rejected by Person 1: not today"));
});

test("after a restart on another instance the same message goes on, and its buttons still work", async () => {
  const desk = await openCardDesk({ quorum: 2 });
  const session = await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  await session.close({ deliverMs: 0 });
  await approve(desk.painters, plan, actor("2"));
  await desk.start({ instance: "i-000000000002" });
  const after = await desk.card(plan.id, hasContent("Approvals: 1 of 2: ✅ Person 2"));
  expect(after.id).toBe(card.id);
  desk.discord.press("josh", after, "Approve");
  await desk.card(plan.id, hasContent("🟢 Approved"));
  expect(desk.discord.posts(room)).toHaveLength(1);
});

test("a card whose post was not confirmed before a crash is not posted twice", async () => {
  const desk = await openCardDesk();
  const session = await desk.start();
  desk.discord.loseAnswer("POST /channels/:channel/messages");
  const plan = await desk.propose();
  await desk.card(plan.id);
  await session.close({ deliverMs: 0 });
  await desk.start({ instance: "i-000000000002" });
  await approve(desk.painters, plan);
  await desk.card(plan.id, hasContent("🟢 Approved"));
  expect(desk.discord.posts(room)).toHaveLength(1);
});

test("a superseded plan says what changed and links the new card", async () => {
  const desk = await openCardDesk();
  await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  const approveId = customIdOf(card, "Approve");
  await approve(desk.painters, plan);
  await desk.painters.store.put("wall", "green");
  await desk.painters.execute(plan.id);
  const { supersededBy } = await get(desk.painters, plan.id);
  const next = await desk.card(supersededBy ?? "", ({ components }) => components.length > 0);
  const link = `https://discord.com/channels/${desk.discord.guild().id}/${desk.channel}/${next.id}`;
  const old = await desk.card(plan.id, hasContent(link));
  expect(old.content).toMatch(/⚪ Superseded[\s\S]*wall\\: "white" → "green"/);
  const late = desk.discord.forge("josh", card, approveId);
  await waitFor(() => late.replies()[0]?.content.includes(link));
});

test("what was asked elsewhere goes to the channel for reports, or nowhere", async () => {
  const desk = await openCardDesk();
  const session = await desk.start();
  const quiet = await desk.propose({ conversation: "console-1" });
  await session.cards.keep(quiet.id);
  expect(desk.discord.posts(room)).toEqual([]);
  await session.close({ deliverMs: 0 });
  await desk.start({ reportTo: "general" });
  const card = await desk.card(quiet.id);
  expect(card.channel).toBe(desk.discord.channel("general").id);
});

test("of two that could show it, one does, and a name that is gone for good is stood in for", async () => {
  const desk = await openCardDesk();
  const second = await desk.start({ name: "CLAWDINATOR-2", instance: "i-000000000002", reportTo: "general" });
  const plan = await desk.propose({ conversation: null });
  const card = await desk.card(plan.id);
  const first = await desk.start({ reportTo: "general" });
  await Promise.all([first.cards.keep(plan.id), second.cards.keep(plan.id)]);
  // CLAWDINATOR-2 is wanted by nobody and held by nobody, so the other one takes over.
  const taken = await desk.card(plan.id, ({ author }) => author === desk.discord.user("CLAWDINATOR-1").id);
  expect(taken.id).not.toBe(card.id);
  desk.discord.press("josh", taken, "Approve");
  await desk.card(plan.id, hasContent("🟢 Approved"));
});

test("a card that somebody deleted is posted anew while it still waits", async () => {
  const desk = await openCardDesk({ quorum: 2 });
  await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  desk.discord.deleteMessage(card);
  await approve(desk.painters, plan);
  const anew = await desk.card(plan.id, hasContent("Approvals: 1 of 2"));
  expect(anew.id).not.toBe(card.id);
  expect(buttonsOf(anew)).toHaveLength(3);
});

test("where the channel is closed to the bot, the card goes to the channel for reports", async () => {
  const desk = await openCardDesk();
  await desk.start({ reportTo: "general" });
  desk.discord.revoke(room, "SEND_MESSAGES");
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  expect(card.channel).toBe(desk.discord.channel("general").id);
});

test("Details shows one person the whole plan as a file", async () => {
  const desk = await openCardDesk();
  await desk.start();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  const pressed = desk.discord.press("mariano", card, "Details");
  const reply = await waitFor(() => pressed.replies().find(({ attachments }) => attachments.length > 0));
  expect(reply.content).toContain(plan.digest);
  expect(reply.onlyFor).toBe(desk.discord.user("mariano").id);
  const text = await (await fetch(String(reply.attachments[0]?.url))).text();
  expect(text).toContain('"wall": "white"');
  expect(text).toContain(plan.digest);
});
