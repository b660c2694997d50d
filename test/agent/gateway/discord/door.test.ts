import { expect, test } from "vitest";
import { createRefusalLog } from "../../../../agent/gateway/channels/discord/door/door-refusals.ts";
import { approach, type Change, doorDesk, ids } from "./door-desk.ts";

const stranger = { id: ids.stranger };

test("knows a linked maintainer, one of the settings, and one by role, each as one person", async () => {
  const { door } = await doorDesk();
  const idOf = async (change: Change) => {
    const found = await door.admit(approach(change));
    return found.admitted ? found.actor.maintainer.id : found.code;
  };
  expect(await idOf({})).toBe("1");
  expect(await idOf({ author: { id: ids.bob } })).toBe("2");
  expect(await idOf({ author: { id: ids.cleo, roles: [ids.role] } })).toBe(ids.cleo);
  // Who is linked is that maintainer, whatever roles they have: one vote.
  expect(await idOf({ author: { roles: [ids.role] } })).toBe("1");
  const found = await door.admit(approach({ author: { id: ids.cleo, roles: [ids.role], name: "cl\u202eeo\n" } }));
  expect(found).toMatchObject({ actor: { surface: "discord", asLocal: false, maintainer: { name: "cleo" } } });
});

test.each(["message", "command", "button", "autocomplete", "modal"] as const)(
  "refuses a stranger's %s by the same rule, with one audit line",
  async (kind) => {
    const { door, audit } = await doorDesk();
    for (let i = 0; i < 3; i++) {
      expect(await door.admit(approach({ kind, author: stranger }))).toMatchObject({
        admitted: false,
        silent: false,
        code: "not_a_maintainer",
      });
    }
    const lines = await audit.list({ limit: 10 });
    expect(lines).toMatchObject([
      {
        action: "discord.refused",
        actor: `discord:${ids.stranger}`,
        surface: "discord",
        subject: `discord/${kind}/${ids.message}`,
      },
    ]);
  },
);

test.each<[string, Change, string | null]>([
  ["a channel listed by name", {}, null],
  ["a channel listed by id", { channel: ids.byId }, null],
  ["a thread of a listed channel", { channel: ids.thread, parent: ids.channel }, null],
  ["a channel that is switched off", { channel: ids.closed }, "channel"],
  ["a thread of a channel that is switched off", { channel: ids.thread, parent: ids.closed }, "channel"],
  ["a channel that is not listed", { channel: ids.strangeThread }, "channel"],
  ["another guild", { guild: ids.otherGuild }, "channel"],
  ["a guild named like an object's own", { guild: "0" }, "channel"],
  ["a private message", { guild: null, channel: "200000000000000077" }, "private"],
  ["an id that is none", { guild: "constructor" }, "malformed"],
  ["a name instead of an author's id", { author: { id: "ada" } }, "malformed"],
  ["digits of another script", { author: { id: "３００００００００００００００００１" } }, "malformed"],
  ["an interaction of another application", { kind: "button", application: ids.otherBot }, "other_application"],
])("takes %s as it should", async (_what, change, code) => {
  const { door } = await doorDesk();
  const found = await door.admit(approach(change));
  expect(found.admitted ? null : found.code).toBe(code);
});

test("admits private messages of people who are named, and of nobody by role", async () => {
  const { door } = await doorDesk({ dm: { enabled: true } });
  expect(await door.admit(approach({ guild: null }))).toMatchObject({ admitted: true });
  const byRole = { guild: null, author: { id: ids.cleo, roles: [ids.role] } };
  expect(await door.admit(approach(byRole))).toMatchObject({ admitted: false, code: "not_a_maintainer" });
});

test("refuses who was removed, though they keep a role or stand in the settings", async () => {
  const { door, maintainers } = await doorDesk();
  await maintainers.remove("1");
  await maintainers.remove("2");
  for (const id of [ids.ada, ids.bob]) {
    const found = await door.admit(approach({ author: { id, roles: [ids.role] } }));
    expect(found).toMatchObject({ admitted: false, code: "removed" });
  }
});

test("takes @everyone for no role of maintainers", async () => {
  const { door } = await doorDesk({ maintainers: { users: {}, roles: [ids.guild] } });
  const found = await door.admit(approach({ author: { ...stranger, roles: [ids.guild] } }));
  expect(found).toMatchObject({ admitted: false, code: "not_a_maintainer" });
});

test("never admits a bot or a webhook, and passes over its own and siblings' messages in silence", async () => {
  const { door, audit } = await doorDesk();
  const codeOf = async (change: Change) => {
    const found = await door.admit(approach(change));
    return found.admitted ? "admitted" : `${found.code}${found.silent ? ", silent" : ""}`;
  };
  expect(await codeOf({ author: { isWebhook: true } })).toBe("webhook");
  expect(await codeOf({ author: { isBot: true } })).toBe("bot");
  expect(await codeOf({ author: { id: ids.sibling, isBot: true } })).toBe("sibling, silent");
  expect(await codeOf({ author: { id: ids.bot, isBot: true } })).toBe("own, silent");
  // A sibling presses no buttons.
  expect(await codeOf({ kind: "button", author: { id: ids.sibling, isBot: true } })).toBe("bot");
  expect((await audit.list({ limit: 10 })).map(({ detail }) => detail.split(":")[0]).sort()).toEqual([
    "bot",
    "bot",
    "webhook",
  ]);
});

test("refuses where the check itself fails", async () => {
  const { door, maintainers } = await doorDesk();
  maintainers.byDiscord = async () => {
    throw new Error("the store is away");
  };
  expect(await door.admit(approach())).toMatchObject({ admitted: false, silent: false, code: "check_failed" });
});

test("many strangers cannot fill the audit log, and what was left out is counted", async () => {
  const lines: string[] = [];
  let now = 0;
  const write = async (entry: { detail: string }) => void lines.push(entry.detail) as never;
  const refusals = createRefusalLog({ write }, () => now);
  for (let i = 0; i < 5_000; i++) {
    const found = approach({ author: { id: String(300_000_000_000_000_000n + BigInt(i)) } });
    await refusals.write({ approach: found, code: "not_a_maintainer", reason: "not a maintainer", isSeldom: false });
  }
  expect(lines).toHaveLength(120);
  now = 61_000;
  await refusals.write({ approach: approach(), code: "bot", reason: "a bot", isSeldom: false });
  expect(lines.at(-1)).toMatch(/4880 more/);
});
