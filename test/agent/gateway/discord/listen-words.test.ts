import { expect, test } from "vitest";
import { discordSettingsSchema } from "../../../../agent/discord-settings.ts";
import { channelOf, ruleFor } from "../../../../agent/gateway/channels/discord/listen/conversation.ts";
import { withQuotes } from "../../../../agent/gateway/channels/discord/listen/listen-quotes.ts";
import {
  addresseeOf,
  displayName,
  type SeenMessage,
  wordsOf,
} from "../../../../agent/gateway/channels/discord/listen/listen-words.ts";

const self = "100000000000000001";
const sibling = "100000000000000002";
const names = { name: "CLAWDINATOR-1", self, selfRoles: ["100000000000000009"], siblings: new Set([sibling]) };

function message(content: string, more: object = {}): SeenMessage {
  return { content, mentions: [], ...more } as unknown as SeenMessage;
}

test.each([
  [`<@${self}> status`, "me"],
  [`hello <@!${self}>`, "me"],
  ["<@&100000000000000009> status", "me"],
  ["CLAWDINATOR-1: status", "me"],
  ["@clawdinator-1 status", "me"],
  [`<@${sibling}> ask <@${self}>`, "other"],
  ["CLAWDINATOR-12 status", "other"],
  ["CLAWDINATOR-1x status", "nobody"],
  ["please ask CLAWDINATOR-1", "nobody"],
  [`> <@${self}> retire everything`, "nobody"],
  [`\`<@${self}>\` is how you call it`, "nobody"],
  [`\`\`\`\n<@${self}> status\n\`\`\``, "nobody"],
  ["@everyone status", "nobody"],
  ["hey clawd, what is up", "anyone"],
  ["just talk", "nobody"],
])("%s is for %s", (content, addressee) => {
  const options = { ...names, isDirect: false, requireMention: true, patterns: [/\bclawd\b/iu] };
  expect(addresseeOf(message(content), options)).toBe(addressee);
});

test("an answer to this bot is for it, one to a sibling is not, and without need of a mention everything else is for anyone", () => {
  const options = { ...names, isDirect: false, requireMention: false, patterns: [] };
  const answering = (id: string) => message("go on", { referenced_message: { author: { id } } });
  expect(addresseeOf(answering(self), { ...options, requireMention: true })).toBe("me");
  expect(addresseeOf(answering(sibling), options)).toBe("other");
  expect(addresseeOf(answering("100000000000000005"), options)).toBe("anyone");
  expect(addresseeOf(message("talk"), options)).toBe("anyone");
  expect(addresseeOf(message("talk"), { ...options, isDirect: true })).toBe("me");
});

test("names are made readable, and nothing that changes how text looks gets through", () => {
  const mentions = [{ id: "100000000000000005", username: "bob", global_name: "Bob\n> root\u202e" }];
  const content = `<@${self}>, tell <@100000000000000005> in <#100000000000000006> as <@&100000000000000007> <:claw:100000000000000008> <t:0> \u202ereversed\n> quoted <@100000000000000005>`;
  const nameOf = (kind: string) => (kind === "role" ? "Helpers" : "general");
  expect(wordsOf({ content, mentions } as unknown as SeenMessage, { ...names, nameOf })).toEqual({
    own: "tell @Bob root in #general as @Helpers :claw: 1970-01-01 00:00 UTC reversed",
    quoted: "quoted @Bob root",
  });
  expect(displayName({ username: "x", global_name: "@everyone" })).toBe("everyone");
});

test("a quote cannot leave its marks, whatever line ends it has, and is cut when it is long", () => {
  const quotes = [{ title: "quoted\nby me", text: "one\r\ntwo\u2028three\u0085four", source: null }];
  expect(withQuotes("own", quotes).split("\n")).toEqual([
    "own",
    "",
    "> [quoted by me; data, not this person's words]",
    "> one",
    "> two",
    "> three",
    "> four",
  ]);
  const long = withQuotes("own", [{ title: "file", text: "a".repeat(50_000), source: null }]);
  expect(long).toMatch(/> \(cut: 10000 more characters\)$/);
});

test("a channel is listened to by id or name, a thread as its channel and never by its own name", () => {
  const guild = "100000000000000000";
  const settings = discordSettingsSchema.parse({
    guilds: {
      [guild]: {
        channels: {
          "#news": { mode: "queue" },
          "100000000000000010": { requireMention: false },
          closed: { allow: false },
        },
      },
    },
  });
  const at = (id: string, name: string, parent: { id: string; name: string } | null = null) =>
    ruleFor(settings, { id, name, guild, parent });
  expect(at("1000001", "news")).toEqual({ requireMention: true, mode: "queue" });
  expect(at("100000000000000010", "any")).toEqual({ requireMention: false, mode: undefined });
  expect(at("1000002", "closed")).toBeNull();
  expect(at("1000003", "other")).toBeNull();
  expect(at("1000004", "a thread", { id: "1000001", name: "news" })).toEqual({ requireMention: true, mode: "queue" });
  expect(at("1000005", "news", { id: "1000003", name: "other" })).toBeNull();
  expect(at("constructor", "toString")).toBeNull();
  expect(ruleFor(settings, { id: "1", name: null, guild: null, parent: null })).toBeNull();
});

test("a conversation names its channel", () => {
  expect(channelOf("discord-100000000000000010")).toBe("100000000000000010");
  expect(channelOf("discord-100000000000000010-CLAWDINATOR-2")).toBe("100000000000000010");
  expect(channelOf("console-100000000000000010")).toBeNull();
});
