import { mkdirSync } from "node:fs";
import { expect, test } from "vitest";
import { list, search, show } from "../../../agent/cli/conversations.ts";
import { openConversation } from "../../../agent/conversations.ts";
import { fleetPaths } from "../../../agent/paths.ts";
import { conversationScript } from "../../support/conversation-script.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

/** A fleet's directory in which these things were said, and what commands print there. */
async function makeHome(said: Record<string, string>) {
  const home = temporaryDirectory();
  const directory = fleetPaths(home).conversations;
  mkdirSync(directory, { recursive: true });
  for (const [conversation, text] of Object.entries(said)) {
    const say = conversationScript();
    const writer = await openConversation({ directory, conversation, epoch: 1 });
    const entries = [say.user("m1", text), say.assistant("m1", "Looked."), say.end("m1", "Looked.")];
    entries.push(say.user("m2", "and?"), say.summary("m2", "m1.2", "They looked."));
    for (const entry of entries) await writer.append(entry);
    await writer.close();
  }
  const printed = { value: null as unknown, text: "" };
  const output = {
    json: false,
    result: (value: unknown, text: () => string) => Object.assign(printed, { value, text: text() }),
    line: () => undefined,
    note: () => undefined,
  };
  return { context: { home, as: null, output }, printed };
}

test("lists conversations with what they began with, page by page", async () => {
  const { context, printed } = await makeHome({ one: "About drains\nlong", two: "About images" });
  await list(context, { limit: 1 });
  expect(printed.text).toMatch(
    /^CONVERSATION .*BEGAN WITH\n(one|two) .*About (drains|images)\n\nThere are more: clawdinator/,
  );
  const { next, conversations } = printed.value as { next: string; conversations: { id: string }[] };
  await list(context, { limit: 1, after: next });
  expect(printed.value).toMatchObject({
    next: null,
    conversations: [{ id: conversations[0]?.id === "one" ? "two" : "one" }],
  });
  const empty = await makeHome({});
  await list(empty.context, {});
  expect(empty.printed.text).toContain("clawdinator ask help");
});

test("shows a whole conversation and where its summary stands", async () => {
  const { context, printed } = await makeHome({ one: "About drains" });
  await show(context, "one");
  expect(printed.text).toMatch(
    /About drains[\s\S]*Looked\.[\s\S]*up to here its model sees the summary m2\.1[\s\S]*and\?/,
  );
  expect(printed.value).toMatchObject({ conversation: "one", entries: { length: 5 } });
  for (const id of ["nowhere", "../one"]) {
    await expect(show(context, id)).rejects.toMatchObject({
      code: "unknown_conversation",
      hint: expect.stringContaining("list"),
    });
  }
});

test("searches what was said, and says when nothing holds it", async () => {
  const { context, printed } = await makeHome({ one: "About drains", two: "About images" });
  await search(context, " DRAINS ", {});
  expect(printed.text).toMatch(/^one {2}About drains\n {2}\d{4}.* {2}Ann: About drains$/);
  await search(context, "nowhere", {});
  expect(printed.text).toBe("no conversation holds “nowhere”");
  await expect(search(context, "  ", {})).rejects.toThrow("nothing to search for");
});
