import { describe, expect, test } from "vitest";
import type { Model, ModelMessage, ModelRequest } from "../../../../agent/mind/models/model.ts";
import { modelRequest } from "../../../support/model-request.ts";
import { tools as freshTools, say } from "../../../support/wire-driver.ts";
import { startWireServer, type WireAnswer, type WireTurn } from "../../../support/wire-server.ts";
import { wiredProviders } from "../../../support/wired-providers.ts";

const messagesSaid = 16;
// The same objects at each request, as the loop's are.
const specs = freshTools();
const tools = () => specs;
const plain: WireAnswer = { turn: { text: ["Yes."] } };

function answersOf(index: number): WireTurn[] {
  const thinking = index % 4 === 0 ? { thinking: `Thought ${index}: “gut überlegt”` } : {};
  const answer: WireTurn = { ...thinking, text: [`Answer ${index} `, "🦞"] };
  if (index % 3 !== 0) return [answer];
  // More results than Anthropic's look-back reaches, now and then.
  const count = index % 6 === 0 ? 20 : 2;
  const round: WireTurn = {
    ...thinking,
    calls: Array.from({ length: count }, (_, call) => ({ name: "look", arguments: [`{"thing":"${index}.${call}"}`] })),
  };
  return [round, { ...thinking, calls: [{ name: "version", arguments: [] }] }, answer];
}

describe.each(wiredProviders)("$name", (provider) => {
  async function bytesBy(model: (baseUrl: string) => Model, request: ModelRequest): Promise<string> {
    const server = await startWireServer(provider.wire(), [plain]);
    // It may be refused: this server has not made the thinking in it.
    for await (const _event of model(server.baseUrl).stream(request));
    return server.requests[0]?.bytes.toString() ?? "";
  }
  const make = (baseUrl: string) =>
    provider.model({
      model: provider.modelName,
      environment: provider.environment({ key: "k", baseUrl }),
      thinking: "medium",
    });

  /** What a process that has just begun sends for the same request. */
  const fresh = (request: ModelRequest) => bytesBy(make, request);

  async function longLived(answers: WireAnswer[]) {
    const server = await startWireServer(provider.wire(), answers);
    const model = make(server.baseUrl);
    const requests: ModelRequest[] = [];
    const recording: Model = {
      ...model,
      stream(request) {
        requests.push({ ...request, messages: [...request.messages] });
        return model.stream(request);
      },
    };
    return { model: recording, server, requests };
  }

  test("a model sends the same bytes after many requests as one that has just started", async () => {
    const script = Array.from({ length: messagesSaid }, (_, index) => answersOf(index)).flat();
    const { model, server, requests } = await longLived(script.map((turn): WireAnswer => ({ turn })));
    let messages: ModelMessage[] = [];
    for (let index = 0; index < messagesSaid; index++) {
      const before = messages.length;
      const rest = { tools, system: `You keep a fleet →${index < 9 ? "" : " of two"}.` };
      messages = await say(model, messages, `Message ${index} é`, { rest });
      // As the next run sees what this one added: the same, in other objects.
      messages = [...messages.slice(0, before), ...structuredClone(messages.slice(before))];
      // A summary takes the place of the beginning.
      if (index === 11) messages = [{ role: "user", text: "[summary]" }, ...messages.slice(30)];
    }
    expect(server.problems).toEqual([]);
    expect(requests).toHaveLength(script.length);
    for (const [index, request] of requests.entries()) {
      expect(server.requests[index]?.bytes.toString(), `request ${index}`).toBe(await fresh(request));
    }
  });

  test("two requests of one conversation at once do not disturb each other", async () => {
    const { model, server } = await longLived(Array.from({ length: 8 }, () => plain));
    const common = Array.from({ length: 12 }, (_, index): ModelMessage[] => [
      { role: "user", text: `Question ${index}` },
      { role: "assistant", text: `Answer ${index}`, calls: [] },
    ]).flat();
    const ask = (text: string) => modelRequest({ tools, messages: [...common, { role: "user", text }] });
    const run = async (request: ModelRequest) => {
      for await (const _event of model.stream(request));
    };
    await run(ask("first"));
    await Promise.all([run(ask("one")), run(ask("another, which is longer")), run(ask("3"))]);
    const sent = server.requests.map(({ bytes }) => bytes.toString()).slice(1);
    const expected = await Promise.all(["one", "another, which is longer", "3"].map((text) => fresh(ask(text))));
    expect(sent.toSorted()).toEqual(expected.toSorted());
  });

  test("a result that comes late still stands behind its call", async () => {
    const { model, server } = await longLived([plain, plain]);
    const call = { call: "c1", name: "look", input: {} };
    const open: ModelMessage[] = [
      { role: "user", text: "Look." },
      { role: "assistant", text: "", calls: [call] },
      { role: "user", text: "And?" },
      { role: "assistant", text: "Wait.", calls: [] },
      { role: "user", text: "So?" },
      { role: "assistant", text: "Soon.", calls: [] },
      { role: "user", text: "Now?" },
    ];
    const late: ModelMessage[] = [...open, { role: "tool", call: "c1", name: "look", ok: true, text: "found" }];
    for (const messages of [open, late]) for await (const _event of model.stream(modelRequest({ messages })));
    const [before, after] = server.requests.map(({ bytes }) => bytes.toString());
    expect(before).toContain("not run: the answer was interrupted");
    expect(after).toContain("found");
    expect(after).not.toContain("not run");
  });
});
