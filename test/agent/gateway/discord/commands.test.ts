import { expect, test } from "vitest";
import {
  commandBodies,
  findCommand,
  sentenceFor,
  slashCommands,
} from "../../../../agent/gateway/channels/discord/commands/command-definitions.ts";
import { isTypedCommand } from "../../../../agent/gateway/influence.ts";
import type { Interaction } from "../../../support/discord/interactions.ts";
import { waitFor } from "../../../support/wait.ts";
import { type CardDesk, openCardDesk, revision, room } from "./cards-desk.ts";

const puts = ({ discord }: CardDesk) =>
  discord.requests.filter(({ route }) => route.startsWith("PUT ") && route.includes("commands"));

async function opened(): Promise<CardDesk> {
  const desk = await openCardDesk();
  await desk.start();
  await registered(desk);
  return desk;
}

const registered = ({ discord }: CardDesk) =>
  waitFor(() => discord.guild().commands.get(discord.user("CLAWDINATOR-1").id)?.length === commandBodies().length);

const reply = (visit: Interaction) =>
  waitFor(() => visit.replies().find(({ content, attachments }) => content !== "" || attachments.length > 0));

test("every command that asks has words that mean exactly it, with and without its options", () => {
  const given = { name: "CLAWDINATOR-2", revision: "feature-branch", keep: 3 };
  for (const command of slashCommands) {
    if (command.does.kind !== "ask") continue;
    const needed = Object.fromEntries(
      command.options.filter(({ isRequired }) => isRequired).map(({ name }) => [name, given.name]),
    );
    expect(sentenceFor(command, needed), command.path.join(" ")).not.toBeNull();
    expect(sentenceFor(command, given), command.path.join(" ")).not.toBeNull();
  }
  const deploy = findCommand("deploy", null)!;
  expect(sentenceFor(deploy, { name: "CLAWDINATOR-3", revision: "latest" })).toBe("spawn CLAWDINATOR-3 at latest");
  expect(sentenceFor(deploy, { revision: "main and retire CLAWDINATOR-1" })).toBeNull();
  expect(sentenceFor(findCommand("retire", null)!, { name: "CLAWDINATOR-1 at once" })).toBeNull();
});

test("commands are registered in the guilds that are listened to, and only when they changed", async () => {
  const desk = await openCardDesk();
  const first = await desk.start();
  await registered(desk);
  await waitFor(() => desk.checks.some(({ name, ok }) => name === "discord commands" && ok));
  expect(puts(desk)).toHaveLength(1);
  await first.close({ deliverMs: 0 });
  desk.checks.length = 0;
  const second = await desk.start();
  await waitFor(() => desk.checks.some(({ name }) => name === "discord commands"));
  expect(puts(desk)).toHaveLength(1);
  await second.close({ deliverMs: 0 });
  const bot = desk.discord.user("CLAWDINATOR-1").id;
  const list = desk.discord.guild().commands.get(bot) ?? [];
  list.splice(0, 1);
  await desk.start();
  await registered(desk);
  expect(puts(desk)).toHaveLength(2);
});

test("a command that changes the fleet is the maintainer's own typed message, shown in the channel", async () => {
  const desk = await opened();
  const visit = desk.discord.command("josh", "deploy", { name: "CLAWDINATOR-3", revision: "main" });
  expect((await reply(visit)).content).toBe("Asked for it below.");
  const [shown] = desk.discord.posts(room);
  expect(shown?.content).toBe("**Josh** asks: `spawn CLAWDINATOR-3 at main`");
  const [message] = await desk.inbox.pending("CLAWDINATOR-1");
  expect(message).toMatchObject({
    id: shown?.id,
    channel: "discord",
    conversation: `discord-${desk.channel}`,
    author: { kind: "maintainer", id: "1", name: "Josh" },
    text: "spawn CLAWDINATOR-3 at main",
  });
  expect(isTypedCommand(message!, "instance_launch", { name: "CLAWDINATOR-3", revision: "main" })).toBe(true);
  expect(desk.woken).toBeGreaterThan(0);
  // Delivered again, it is the same one.
  expect(await desk.inbox.pending("CLAWDINATOR-1")).toHaveLength(1);
});

test("what cannot be read as a name or revision asks for nothing", async () => {
  const desk = await opened();
  for (const [name, options] of [
    ["retire", { name: "everything" }],
    ["replace", { name: "CLAWDINATOR-1", revision: "x; retire CLAWDINATOR-1" }],
    ["image", { prune: { keep: 1.5 } }],
  ] as const) {
    expect((await reply(desk.discord.command("josh", name, options))).content).toContain("I cannot read");
  }
  expect(await desk.inbox.pending("CLAWDINATOR-1")).toEqual([]);
  expect(desk.discord.posts(room)).toEqual([]);
});

test("commands that read answer one person at once", async () => {
  const desk = await opened();
  const plan = await desk.propose();
  const card = await desk.card(plan.id);
  const ask = async (name: string, options = {}): Promise<string> => {
    const answer = await reply(desk.discord.command("mariano", name, options));
    expect(answer.onlyFor).toBe(desk.discord.user("mariano").id);
    return answer.content;
  };
  expect(await ask("fleet", { status: {} })).toMatch(/```[\s\S]*CLAWDINATOR-2 .*ready/);
  expect(await ask("fleet", { drift: {} })).toContain("No drift");
  expect(await ask("image", { list: {} })).toContain(revision.slice(0, 12));
  expect(await ask("approvals")).toContain(`${plan.id}\` paint the white wall (0 of 1`);
  expect(await ask("approvals")).toContain(card.id);
  expect(await ask("version")).toContain("version 1.2.3");
  expect(await ask("schedule")).toContain("heartbeat: every hour");
  expect(await ask("memory", { search: { text: "nothing there" } })).toContain("Nothing in memory matches");
  expect(await ask("attention")).toContain("do not watch issues");
  expect(await ask("update")).toContain("cannot update myself yet");
  expect(await ask("cost")).toContain("That failed");
  expect(desk.discord.posts(room)).toHaveLength(1);
});

test("pause and resume act at once, say who and why, and are told in the channel", async () => {
  const desk = await opened();
  const paused = desk.discord.command("josh", "pause", { reason: "the bill\n@everyone" });
  expect((await reply(paused)).content).toBe("Paused.");
  expect(await desk.pause.current()).toMatchObject({ maintainer: "1", name: "Josh", reason: "the bill @everyone" });
  await waitFor(() =>
    desk.discord
      .posts(room)
      .find(({ content }) => content.startsWith("⏸️ **Josh** paused the fleet: the bill \\@everyone")),
  );
  expect(await desk.audited("fleet.paused")).toEqual(["maintainer:1 the bill @everyone"]);
  const shown = desk.discord.command("mariano", "fleet", { status: {} });
  expect((await reply(shown)).content).toContain("paused by Josh: the bill");
  const asked = desk.discord.command("mariano", "roll", {});
  expect((await reply(asked)).content).toContain("waits until somebody resumes");
  expect((await reply(desk.discord.command("mariano", "resume"))).content).toBe("Resumed.");
  expect(await desk.pause.isPaused()).toBe(false);
  expect((await reply(desk.discord.command("mariano", "resume"))).content).toBe("The fleet is not paused.");
});

test("suggestions come from what is known, and soon even when the fleet does not answer", async () => {
  const desk = await opened();
  const suggest = async (name: string, options: Parameters<typeof desk.discord.command>[2], focused: string) => {
    const visit = desk.discord.autocomplete("josh", name, options ?? {}, focused);
    await visit.settled();
    return (visit.answer()?.data?.choices ?? []) as { name: string; value: string }[];
  };
  expect(await suggest("retire", { name: "-2" }, "name")).toEqual([
    { name: `CLAWDINATOR-2 (ready, ${revision.slice(0, 12)})`, value: "CLAWDINATOR-2" },
  ]);
  expect(await suggest("deploy", { name: "" }, "name")).toEqual([
    { name: "CLAWDINATOR-3 (free)", value: "CLAWDINATOR-3" },
  ]);
  const revisions = await suggest("replace", { name: "CLAWDINATOR-1", revision: "" }, "revision");
  expect(revisions.map(({ value }) => value)).toEqual(["latest", "main", revision]);
  expect(await suggest("image", { import: { revision: "2026-11-20" } }, "revision")).toHaveLength(1);
});

test("a fleet that does not answer gives no suggestions within Discord's three seconds", async () => {
  const desk = await openCardDesk();
  await desk.start({ status: () => new Promise(() => {}) });
  await registered(desk);
  const visit = desk.discord.autocomplete("josh", "retire", { name: "" }, "name");
  await visit.settled();
  expect(visit.answer()?.data?.choices).toEqual([{ name: "CLAWDINATOR-1 (not there)", value: "CLAWDINATOR-1" }]);
  expect(visit.answeredMs()).toBeLessThan(2_900);
});
