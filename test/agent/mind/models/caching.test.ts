import { describe, expect, test } from "vitest";
import type { ModelMessage } from "../../../../agent/mind/models/model.ts";
import { say, tools } from "../../../support/wire-driver.ts";
import { startWireServer, type WireAnswer, type WireRequest, type WireTurn } from "../../../support/wire-server.ts";
import { wiredProviders } from "../../../support/wired-providers.ts";

const turns = 40;

/** Every third answer calls tools first, every fifth thinks, some say nothing but their calls. */
function answersOf(index: number): WireTurn[] {
  const thinking = index % 5 === 0 ? { thinking: `Thought ${index}: “gut überlegt”` } : {};
  const answer: WireTurn = { ...thinking, text: [`Answer ${index} `, "🦞"] };
  if (index % 3 !== 0) return [answer];
  const calls = [
    { name: "look", arguments: [`{"thing":"door ${index}`, '"}'] },
    { name: "version", arguments: [] },
  ];
  return [{ ...thinking, calls, ...(index % 2 === 0 ? { text: ["I look."] } : {}) }, answer];
}

/** Bytes of the list of messages, from its bracket to before the closing one. */
function stablePart({ bytes, body }: WireRequest): Buffer {
  const list = "messages" in body ? "messages" : "input";
  const ending = `]}`;
  const text = bytes.toString();
  expect(text.endsWith(ending)).toBe(true);
  // The list stands last: what comes after it would move with every turn.
  expect(Object.keys(body).at(-1)).toBe(list);
  return bytes.subarray(0, bytes.length - ending.length);
}

describe.each(wiredProviders)("$name", (provider) => {
  test(`sends the same bytes again before what is new, over ${turns} turns and whatever changes in between`, async () => {
    const script = Array.from({ length: turns }, (_, index) => answersOf(index)).flat();
    const server = await startWireServer(
      provider.wire(),
      script.map((turn): WireAnswer => ({ turn })),
    );
    const environment = provider.environment({ key: "k", baseUrl: server.baseUrl });
    let messages: ModelMessage[] = [];
    for (let turn = 0; turn < turns; turn++) {
      // Another process goes on with what was stored, every now and then.
      const model = provider.model({ model: provider.modelName, environment, thinking: "medium" });
      messages = turn % 7 === 0 ? (JSON.parse(JSON.stringify(messages)) as ModelMessage[]) : messages;
      const at = new Date(1_800_000_000_000 + turn * 60_000).toISOString();
      const rest = { tools, system: "You keep a fleet.", run: `run ${turn}`, message: `m${turn}` };
      const count = messages.length;
      const text = `Message ${turn}`;
      const result = (name: string) => ({ ok: turn % 4 !== 0, text: `${name} at ${at}` });
      messages = await say(model, messages, text, { rest, result });
      messages[count] = { role: "user", text };
    }
    expect(server.problems).toEqual([]);
    expect(server.requests).toHaveLength(script.length);
    for (const [index, request] of server.requests.entries()) {
      const next = server.requests[index + 1];
      if (next === undefined) continue;
      const stable = stablePart(request);
      expect(next.bytes.length).toBeGreaterThan(request.bytes.length);
      // Compared as bytes; as text it is only shown.
      const same = next.bytes.subarray(0, stable.length);
      if (!same.equals(stable)) expect(same.toString()).toBe(stable.toString());
    }
    expect(server.requests.at(-1)?.bytes.toString().split("gut überlegt").length).toBeGreaterThan(8);
  });
});
