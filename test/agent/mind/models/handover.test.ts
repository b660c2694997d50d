import { describe, expect, test } from "vitest";
import { interpreterModel } from "../../../../agent/mind/models/interpreter.ts";
import type { Model } from "../../../../agent/mind/models/model.ts";
import { modelRequest } from "../../../support/model-request.ts";
import { eventsOf, say, tools } from "../../../support/wire-driver.ts";
import { startWireServer, type WireAnswer, type WiredProvider, type WireTurn } from "../../../support/wire-server.ts";
import { wiredProviders } from "../../../support/wired-providers.ts";

const looks: WireTurn = {
  thinking: "I should look at both.",
  text: ["Let me look."],
  calls: [
    { name: "look", arguments: ['{"thing":"door"}'] },
    { name: "version", arguments: [] },
  ],
};
const answers: WireTurn = { thinking: "Both are fine.", text: ["Both are fine."] };
/** Texts of the conversation that whoever takes over must still see. */
const facts = ["Let me look.", "door", "look is fine", "Both are fine."];

interface Speaker {
  name: string;
  model: Model;
  problems: string[];
  sent(): string;
}

async function speaker(provider: WiredProvider, turns: WireTurn[]): Promise<Speaker> {
  const server = await startWireServer(
    provider.wire(),
    turns.map((turn): WireAnswer => ({ turn })),
  );
  const environment = provider.environment({ key: "k", baseUrl: server.baseUrl });
  const model = provider.model({ model: provider.modelName, environment });
  const sent = (): string => server.requests.at(-1)?.bytes.toString() ?? "";
  return { name: provider.name, model, problems: server.problems, sent };
}

const pairs = wiredProviders.flatMap((from) => wiredProviders.map((to) => [from.name, to.name, from, to] as const));

describe("a conversation that one provider began goes on with another", () => {
  test.each(pairs)("%s → %s, and back", async (_from, _to, from, to) => {
    const first = await speaker(from, [looks, answers, looks, answers]);
    const second = from === to ? first : await speaker(to, [looks, answers]);
    const begun = await say(first.model, [], "Look at the door", { rest: { tools } });
    const handed = await say(second.model, begun, "And now?", { rest: { tools } });
    const seen = second.sent();
    if (from !== to) await say(first.model, handed, "Back again", { rest: { tools } });
    expect([...first.problems, ...second.problems]).toEqual([]);
    for (const fact of facts) expect(seen).toContain(fact);
    // Thinking is the maker's alone; its own comes back to it, the other's does not.
    if (from !== to) {
      const thoughts = first.sent().split("I should look at both.").length - 1;
      expect(thoughts).toBe(2);
    }
  });

  test.each(pairs)("%s → %s between calls and their results", async (_from, _to, from, to) => {
    const first = await speaker(from, [looks, answers, answers]);
    const second = from === to ? first : await speaker(to, [answers]);
    const whole = await say(first.model, [], "Look at the door", { rest: { tools } });
    // Whoever began is gone before it could answer to the results.
    const open = whole.slice(0, 4);
    expect(open.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "tool"]);
    const end = (await eventsOf(second.model.stream(modelRequest({ tools, messages: open })))).at(-1);
    expect(end).toEqual({ type: "stop", reason: "end" });
    expect(second.problems).toEqual([]);
    expect(second.sent()).toContain("look is fine");
  });

  test.each(wiredProviders.map((to) => [to.name, to] as const))("interpreter → %s", async (_name, to) => {
    const begun = await say(interpreterModel(), [], "how is the fleet?", {
      result: () => ({ ok: true, text: "CLAWDINATOR-1 runs" }),
      rest: { message: "console message with an id that no interface would take as one of its own, being too long" },
    });
    expect(begun.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "assistant"]);
    const second = await speaker(to, [looks, answers]);
    await say(second.model, begun, "And now?", { rest: { tools } });
    expect(second.problems).toEqual([]);
    expect(second.sent()).toContain("CLAWDINATOR-1 runs");
  });

  test.each(wiredProviders.map((from) => [from.name, from] as const))("%s → interpreter", async (_name, from) => {
    const first = await speaker(from, [looks, answers]);
    const begun = await say(first.model, [], "Look at the door", { rest: { tools } });
    const all = await say(interpreterModel(), begun, "how is the fleet?", { rest: { message: "m9" } });
    expect(all.at(-1)).toMatchObject({ role: "assistant", text: "fleet_status is fine" });
  });
});
