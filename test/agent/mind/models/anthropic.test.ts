import { describe, expect, test } from "vitest";
import { anthropicModel } from "../../../../agent/mind/models/anthropic.ts";
import type { ModelMessage } from "../../../../agent/mind/models/model.ts";
import type { ProviderOptions } from "../../../../agent/mind/models/provider-options.ts";
import { startAnthropicServer } from "../../../support/anthropic-server.ts";
import { modelRequest } from "../../../support/model-request.ts";
import { eventsOf, say, tools } from "../../../support/wire-driver.ts";
import type { WireAnswer, WireTurn } from "../../../support/wire-server.ts";

const hello: WireAnswer = { turn: { text: ["Hello"] } };
const thinks: WireTurn = { thinking: "Hm.", text: ["Let me look."], calls: [{ name: "version", arguments: [] }] };

async function setUp(answers: WireAnswer[], rest: Partial<ProviderOptions> = {}) {
  const server = await startAnthropicServer(answers);
  const environment = { ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: server.baseUrl };
  return { server, model: anthropicModel({ environment, ...rest }) };
}

type Marked = { cache_control?: unknown; content: { cache_control?: unknown }[] }[];

describe("the cache's marks", () => {
  test("stand on the system prompt and, by the interface itself, on the newest block", async () => {
    const { server, model } = await setUp([hello]);
    await say(model, [], "Hi", { rest: { tools } });
    const body = server.requests[0]?.body ?? {};
    expect(body.cache_control).toEqual({ type: "ephemeral" });
    expect(body.system).toEqual([{ type: "text", text: "You are a test.", cache_control: { type: "ephemeral" } }]);
    expect(JSON.stringify([body.tools, body.messages])).not.toContain("cache_control");
  });

  test("stand on the last tool when there is no system prompt", async () => {
    const { server, model } = await setUp([hello]);
    await say(model, [], "Hi", { rest: { tools, system: "" } });
    expect(((server.requests[0]?.body.tools ?? []) as Marked).map(({ cache_control }) => cache_control)).toEqual([
      undefined,
      { type: "ephemeral" },
    ]);
  });

  test("reach back to the previous request when one turn brought more blocks than the interface looks back", async () => {
    const many = Array.from({ length: 12 }, (_, index) => ({ name: "look", arguments: [`{"thing":"${index}"}`] }));
    const { server, model } = await setUp([hello, { turn: { calls: many } }, hello, hello]);
    const first = await say(model, [], "Hi", { rest: { tools } });
    const second = await say(model, first, "Look at all", { rest: { tools } });
    await say(model, second, "Thanks", { rest: { tools } });
    const marks = server.requests.map(({ body }) =>
      (body.messages as Marked).map(({ content }) => content.filter(({ cache_control }) => cache_control).length),
    );
    expect(marks).toEqual([[0], [0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0]]);
    // Without the mark the bytes are those of the request before.
    const messages = (index: number): string => server.requests[index]?.bytes.toString().split('"messages":')[1] ?? "";
    const unmarked = messages(2).replace(',"cache_control":{"type":"ephemeral"}', "");
    expect(unmarked.startsWith(messages(1).slice(0, -"]}".length))).toBe(true);
    expect(server.requests[1]?.body.system).toEqual(server.requests[2]?.body.system);
    expect(server.problems).toEqual([]);
  });
});

describe("thinking of earlier turns", () => {
  test.each([
    ["the system prompt", { system: "You are another test." }],
    ["the tools", { tools: () => tools().slice(0, 1) }],
  ])("stays out once %s has changed, and comes back in what is made after that", async (_, change) => {
    const { server, model } = await setUp([{ turn: thinks }, hello, { turn: thinks }, hello, hello]);
    const first = await say(model, [], "Look", { rest: { tools } });
    const second = await say(model, first, "Again", { rest: { tools, ...change } });
    await say(model, second, "And again", { rest: { tools, ...change } });
    // The server refuses thinking behind another prefix than the one it was made with.
    expect(server.problems).toEqual([]);
    const thoughts = server.requests.map(({ bytes }) => bytes.toString().split('"Hm."').length - 1);
    expect(thoughts).toEqual([0, 1, 0, 1, 1]);
  });

  test("stays out once an older message has changed", async () => {
    const { server, model } = await setUp([{ turn: thinks }, hello, hello]);
    const messages = await say(model, [], "Look", { rest: { tools } });
    const summed: ModelMessage[] = [{ role: "user", text: "Summary: somebody wants a look." }, ...messages.slice(1)];
    await say(model, summed, "Go on", { rest: { tools } });
    expect(server.problems).toEqual([]);
    expect(server.requests[2]?.bytes.toString()).not.toContain('"Hm."');
  });

  test("that the endpoint does not take back is left out when it is asked again", async () => {
    const { model } = await setUp([{ turn: thinks }, hello]);
    const messages = await say(model, [], "Look", { rest: { tools } });
    // Another account's endpoint knows none of it.
    const other = await setUp([hello, hello, { status: 400, body: { error: { message: "no" } } }]);
    const request = modelRequest({ tools, messages: [...messages, { role: "user", text: "Go on" }] });
    const refused = await eventsOf(other.model.stream(request));
    expect(refused).toMatchObject([{ error: { code: "model_refused", retryable: true } }]);
    expect((await eventsOf(other.model.stream(request))).at(-1)).toEqual({ type: "stop", reason: "end" });
    const again = await eventsOf(other.model.stream(request));
    expect(again).toMatchObject([{ error: { code: "model_refused", retryable: false } }]);
  });
});

describe("how much it thinks", () => {
  test.each([
    ["claude-sonnet-5-5", undefined, {}],
    ["claude-sonnet-5-5", "off", { thinking: { type: "between_tools" } }],
    ["claude-sonnet-5-5", "high", { thinking: { type: "adaptive" }, output_config: { effort: "high" } }],
    ["claude-opus-5-5", "off", { thinking: { type: "adaptive" }, output_config: { effort: "low" } }],
    ["claude-fable-5-2", "off", { thinking: { type: "adaptive" }, output_config: { effort: "low" } }],
    ["claude-haiku-5-5", "off", { thinking: { type: "disabled" } }],
    ["claude-sonnet-4-6", "medium", { thinking: { type: "adaptive" }, output_config: { effort: "medium" } }],
    ["claude-haiku-4-5", "medium", { thinking: { type: "enabled", budget_tokens: 8192 } }],
    ["claude-haiku-4-5", "off", {}],
  ] as const)("%s, %s", async (name, thinking, expected) => {
    const { server, model } = await setUp([hello], { model: name, ...(thinking ? { thinking } : {}) });
    await say(model, [], "Hi");
    const { thinking: sent, output_config } = server.requests[0]?.body ?? {};
    expect(JSON.parse(JSON.stringify({ thinking: sent, output_config }))).toEqual(expected);
    expect(server.problems).toEqual([]);
  });

  test("a model with a budget ends a turn that another one began without thinking", async () => {
    const { server, model } = await setUp([hello, { turn: thinks }, hello], {
      model: "claude-haiku-4-5",
      thinking: "low",
    });
    const open: ModelMessage[] = [
      { role: "user", text: "Look" },
      { role: "assistant", text: "Let me look.", calls: [{ call: "a", name: "version", input: {} }] },
      { role: "tool", call: "a", name: "version", ok: true, text: "1" },
    ];
    await eventsOf(model.stream(modelRequest({ tools, messages: open })));
    await say(model, [], "Look", { rest: { tools } });
    expect(server.requests.map(({ body }) => body.thinking !== undefined)).toEqual([false, true, true]);
    expect(server.problems).toEqual([]);
  });
});

describe("what ends an answer", () => {
  const ending = (stop_reason: string): WireAnswer => {
    const events = [
      { type: "message_start", message: { content: [], usage: { input_tokens: 3, output_tokens: 1 } } },
      { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 2 } },
      { type: "message_stop" },
    ];
    return { raw: events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("") };
  };

  test.each([
    ["end_turn", { reason: "end" }],
    ["stop_sequence", { reason: "end" }],
    ["max_tokens", { reason: "length" }],
    ["refusal", { error: { code: "model_declined", retryable: false } }],
    ["model_context_window_exceeded", { error: { code: "model_context_full", retryable: false } }],
    ["pause_turn", { error: { code: "model_stream_broken", retryable: true } }],
  ])("%s", async (reason, expected) => {
    const { model } = await setUp([ending(reason)]);
    expect((await eventsOf(model.stream(modelRequest()))).at(-1)).toMatchObject(expected);
  });

  test.each([
    ["overloaded_error", "model_overloaded", true],
    ["rate_limit_error", "model_overloaded", true],
    ["api_error", "model_unavailable", true],
    ["invalid_request_error", "model_stream_broken", true],
    ["billing_error", "model_overloaded", false],
  ])("%s within the stream", async (type, code, retryable) => {
    const event = { type: "error", error: { type, message: "Overloaded" } };
    const start =
      'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}\n\n';
    const { model } = await setUp([{ raw: `${start}event: error\ndata: ${JSON.stringify(event)}\n\n` }]);
    const events = await eventsOf(model.stream(modelRequest()));
    expect(events).toMatchObject([{ type: "usage", usage: { inputTokens: 5 } }, { error: { code, retryable } }]);
  });
});

test("counts what was written to the cache apart", async () => {
  const usage = { input: 3, cacheRead: 40, cacheWrite: 500, output: 6 };
  const { model } = await setUp([{ turn: { text: ["Hi"], usage } }]);
  const events = await eventsOf(model.stream(modelRequest()));
  expect(events.findLast(({ type }) => type === "usage")).toEqual({
    type: "usage",
    usage: { inputTokens: 3, cacheReadTokens: 40, cacheWriteTokens: 500, outputTokens: 6 },
  });
});

test("a token stands in for a key", async () => {
  const server = await startAnthropicServer([hello]);
  const environment = { ANTHROPIC_AUTH_TOKEN: "token", ANTHROPIC_BASE_URL: server.baseUrl };
  await say(anthropicModel({ environment }), [], "Hi");
  expect(server.requests[0]?.headers.authorization).toBe("Bearer token");
});
