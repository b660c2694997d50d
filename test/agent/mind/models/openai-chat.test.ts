import { describe, expect, test } from "vitest";
import type { ModelMessage } from "../../../../agent/mind/models/model.ts";
import { openAiChatModel } from "../../../../agent/mind/models/openai-chat.ts";
import { modelRequest } from "../../../support/model-request.ts";
import { startOpenAiServer } from "../../../support/openai-server.ts";
import { chatWire } from "../../../support/wire-chat.ts";
import { eventsOf, say, tools } from "../../../support/wire-driver.ts";
import { startWireServer, type WireAnswer } from "../../../support/wire-server.ts";

const hello = {
  stream: [
    { delta: { content: "Hel" } },
    { delta: { content: "lo" } },
    { finish: "stop" },
    { usage: [7, 2] as [number, number] },
  ],
};
const greeting: WireAnswer = { turn: { text: ["Hello"] } };

async function setUp(answers: WireAnswer[], rest: Partial<Parameters<typeof openAiChatModel>[0]> = {}) {
  const server = await startWireServer(chatWire(), answers);
  return { server, model: openAiChatModel({ baseUrl: server.baseUrl, model: "m", environment: {}, ...rest }) };
}

type Requests = Awaited<ReturnType<typeof setUp>>["server"]["requests"];
const messagesOf = (requests: Requests, index: number): unknown[] =>
  (requests[index]?.body.messages ?? []) as unknown[];

const chunks = (...deltas: object[]): WireAnswer => ({
  raw: [
    ...deltas.map((delta) => ({ choices: [{ index: 0, delta, finish_reason: null }] })),
    { choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] },
  ]
    .map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`)
    .join(""),
});

test("works without a key and without a model's name, and then knows the name", async () => {
  const server = await startOpenAiServer([hello]);
  const model = openAiChatModel({ environment: { OPENAI_BASE_URL: server.baseUrl } });
  expect(model.identity().model).toBe("(the endpoint's first model)");
  await eventsOf(model.stream(modelRequest()));
  expect(server.requests[0]?.authorization).toBeUndefined();
  expect(server.requests[0]?.body.model).toBe("first-listed");
  expect(model.identity()).toEqual({ provider: "openai-compatible", model: "first-listed" });
});

test("asks for what every server understands, and for usage", async () => {
  const { server, model } = await setUp([greeting]);
  await eventsOf(model.stream(modelRequest()));
  expect(server.requests[0]?.body).toEqual({
    model: "m",
    stream: true,
    stream_options: { include_usage: true },
    messages: [
      { role: "system", content: "You are a test." },
      { role: "user", content: "Hello" },
    ],
  });
});

test("asks for effort and length where the configuration says so", async () => {
  const { server, model } = await setUp([greeting], { thinking: "low", maxOutputTokens: 500 });
  await eventsOf(model.stream(modelRequest()));
  expect(server.requests[0]?.body).toMatchObject({ reasoning_effort: "low", max_tokens: 500 });
});

describe("calls without an index", () => {
  const whole = (name: string) => ({ id: "", type: "function", function: { name, arguments: '{"thing":"x"}' } });

  test("are calls of their own when each is whole", async () => {
    const { model } = await setUp([chunks({ tool_calls: [whole("look"), whole("version")] })]);
    expect(await eventsOf(model.stream(modelRequest({ tools })))).toEqual([
      { type: "call", call: { call: "", name: "look", input: { thing: "x" } } },
      { type: "call", call: { call: "", name: "version", input: { thing: "x" } } },
      { type: "stop", reason: "calls" },
    ]);
  });

  test("are one call when the pieces after the first have no name", async () => {
    const first = { id: "a", function: { name: "look", arguments: '{"thi' } };
    const { model } = await setUp([
      chunks({ tool_calls: [first] }, { tool_calls: [{ function: { arguments: 'ng":"x"}' } }] }),
    ]);
    expect((await eventsOf(model.stream(modelRequest({ tools }))))[0]).toEqual({
      type: "call",
      call: { call: "a", name: "look", input: { thing: "x" } },
    });
  });
});

test("tells results, failed ones by their beginning, and joins messages so that roles alternate", async () => {
  const { server, model } = await setUp([greeting]);
  const messages: ModelMessage[] = [
    { role: "user", text: "Hello" },
    { role: "user", text: "Are you there?" },
    { role: "assistant", text: "Yes.", calls: [] },
    { role: "assistant", text: "", calls: [{ call: "a", name: "look", input: { thing: "x" } }] },
    { role: "tool", call: "a", name: "look", ok: false, text: "broken" },
  ];
  await eventsOf(model.stream(modelRequest({ messages })));
  expect(messagesOf(server.requests, 0).slice(1)).toEqual([
    { role: "user", content: "Hello\n\nAre you there?" },
    {
      role: "assistant",
      content: "Yes.",
      tool_calls: [{ id: "a", type: "function", function: { name: "look", arguments: '{"thing":"x"}' } }],
    },
    { role: "tool", tool_call_id: "a", content: "Error: broken" },
  ]);
});

test.each(["reasoning_content", "reasoning"])("sends thinking back under the name it had: %s", async (field) => {
  const look = { tool_calls: [{ index: 0, id: "a", function: { name: "look", arguments: "{}" } }] };
  const { server, model } = await setUp([chunks({ [field]: "Let me " }, { [field]: "see." }, look), greeting]);
  await say(model, [], "Look", { rest: { tools } });
  expect(messagesOf(server.requests, 1)[2]).toMatchObject({ [field]: "Let me see." });
  expect(server.problems).toEqual([]);
});

test.each([
  [{ code: 500, type: "server_error", message: "out of memory" }, "model_unavailable", true],
  [{ code: 400, type: "exceed_context_size_error", message: "too long" }, "model_context_full", false],
  [{ message: "something" }, "model_stream_broken", true],
])("an error within the stream, as local servers send it: %j", async (error, code, retryable) => {
  const { model } = await setUp([{ raw: `data: ${JSON.stringify({ error })}\n\n` }]);
  expect(await eventsOf(model.stream(modelRequest()))).toMatchObject([{ error: { code, retryable } }]);
});

test("an answer that a content filter stopped was declined", async () => {
  const chunk = { choices: [{ index: 0, delta: {}, finish_reason: "content_filter" }] };
  const { model } = await setUp([{ raw: `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n` }]);
  expect(await eventsOf(model.stream(modelRequest()))).toMatchObject([{ error: { code: "model_declined" } }]);
});
