import { describe, expect, test } from "vitest";
import type { ModelMessage } from "../../../../agent/mind/models/model.ts";
import { openAiResponsesModel } from "../../../../agent/mind/models/openai-responses.ts";
import type { ProviderOptions } from "../../../../agent/mind/models/provider-options.ts";
import { modelRequest } from "../../../support/model-request.ts";
import { startResponsesServer } from "../../../support/responses-server.ts";
import { eventsOf, say, tools } from "../../../support/wire-driver.ts";
import type { WireAnswer } from "../../../support/wire-server.ts";

const hello: WireAnswer = { turn: { text: ["Hello"] } };
const thinks: WireAnswer = {
  turn: { thinking: "Hm.", text: ["Let me look."], calls: [{ name: "version", arguments: [] }] },
};

async function setUp(answers: WireAnswer[], rest: Partial<ProviderOptions> = {}) {
  const server = await startResponsesServer(answers);
  const environment = { OPENAI_API_KEY: "k", OPENAI_BASE_URL: server.baseUrl };
  return { server, model: openAiResponsesModel({ environment, ...rest }) };
}

test("has nothing stored, asks for encrypted reasoning, and names the conversation for the cache", async () => {
  const { server, model } = await setUp([hello, hello]);
  await say(model, [], "Hi", { rest: { tools, conversation: "console-1" } });
  await say(model, [], "Hi", { rest: { conversation: "c".repeat(100) } });
  expect(server.requests[0]?.body).toMatchObject({
    store: false,
    include: ["reasoning.encrypted_content"],
    prompt_cache_key: "console-1",
    parallel_tool_calls: true,
    instructions: "You are a test.",
  });
  expect(server.requests[1]?.body).not.toHaveProperty("tools");
  expect(server.problems).toEqual([]);
});

test("reasoning that the endpoint does not take back is left out when it is asked again", async () => {
  const { model } = await setUp([thinks, hello]);
  const messages = await say(model, [], "Look", { rest: { tools } });
  const other = await setUp([hello, hello]);
  const request = modelRequest({ tools, messages: [...messages, { role: "user", text: "Go on" }] });
  expect(await eventsOf(other.model.stream(request))).toMatchObject([
    { error: { code: "model_refused", retryable: true } },
  ]);
  expect((await eventsOf(other.model.stream(request))).at(-1)).toEqual({ type: "stop", reason: "end" });
});

test("reasoning without its encrypted content is not sent back", async () => {
  const { server, model } = await setUp([hello]);
  const raw = server.answers;
  const item = { id: "rs_1", type: "reasoning", summary: [] };
  const message = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    status: "completed",
    content: [{ type: "output_text", text: "Hi", annotations: [] }],
  };
  const events = [
    { type: "response.output_item.done", output_index: 0, item },
    { type: "response.output_item.done", output_index: 1, item: message },
    { type: "response.completed", response: { status: "completed" } },
  ];
  raw.unshift({ raw: events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("") });
  const messages = await say(model, [], "Hi");
  // The text came without pieces, and is there all the same.
  expect(messages.at(-1)).toEqual({ role: "assistant", text: "Hi", calls: [] });
  await say(model, messages, "Again");
  expect(server.problems).toEqual([]);
});

describe("how much it thinks", () => {
  test.each([
    ["gpt-6.1-sol", undefined, undefined],
    ["gpt-6.1-sol", "off", { effort: "low" }],
    ["gpt-5.6-sol", "off", { effort: "none" }],
    ["gpt-6.1-sol", "high", { effort: "high" }],
    ["gpt-6-astra", "off", { effort: "low" }],
    ["gpt-5-mini", "off", { effort: "minimal" }],
  ] as const)("%s, %s", async (name, thinking, expected) => {
    const { server, model } = await setUp([hello], { model: name, ...(thinking ? { thinking } : {}) });
    await say(model, [], "Hi");
    expect(server.requests[0]?.body.reasoning).toEqual(expected);
  });

  test("a model that does not reason is asked neither for effort nor for reasoning", async () => {
    const { server, model } = await setUp([hello], { model: "gpt-4.1", thinking: "high" });
    await eventsOf(model.stream(modelRequest()));
    expect(server.requests[0]?.body).not.toHaveProperty("reasoning");
    expect(server.requests[0]?.body).not.toHaveProperty("include");
  });
});

describe("what ends an answer", () => {
  const ending = (event: { type: string; [key: string]: unknown }): WireAnswer => ({
    raw: `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
  });
  const failed = (code: string): WireAnswer =>
    ending({ type: "response.failed", response: { status: "failed", error: { code, message: "why" } } });
  const incomplete = (reason: string): WireAnswer =>
    ending({ type: "response.incomplete", response: { status: "incomplete", incomplete_details: { reason } } });

  test.each([
    ["failed: server_error", failed("server_error"), { error: { code: "model_unavailable", retryable: true } }],
    [
      "failed: rate_limit_exceeded",
      failed("rate_limit_exceeded"),
      { error: { code: "model_overloaded", retryable: true } },
    ],
    ["failed: bio_policy", failed("bio_policy"), { error: { code: "model_declined", retryable: false } }],
    ["failed: context_length_exceeded", failed("context_length_exceeded"), { error: { code: "model_context_full" } }],
    ["failed: invalid_image", failed("invalid_image"), { error: { code: "model_refused", retryable: false } }],
    ["incomplete: max_output_tokens", incomplete("max_output_tokens"), { reason: "length" }],
    ["incomplete: content_filter", incomplete("content_filter"), { error: { code: "model_declined" } }],
    [
      "error: insufficient_quota",
      ending({ type: "error", code: "insufficient_quota", message: "no" }),
      { error: { code: "model_overloaded", retryable: false } },
    ],
    [
      "error without a code",
      ending({ type: "error", code: null, message: "no" }),
      { error: { code: "model_stream_broken", retryable: true } },
    ],
  ])("%s", async (_, answer, expected) => {
    const { model } = await setUp([answer]);
    expect((await eventsOf(model.stream(modelRequest()))).at(-1)).toMatchObject(expected);
  });
});

test("reasoning that nothing follows is not sent back", async () => {
  const { server, model } = await setUp([hello]);
  const reasoning = (id: string) => ({ id, type: "reasoning", summary: [], encrypted_content: id });
  const content = [{ type: "output_text", text: "Hi", annotations: [] }];
  const items = [
    reasoning("a"),
    { id: "m", type: "message", role: "assistant", status: "completed", content },
    reasoning("b"),
  ];
  const events = [
    ...items.map((item, output_index) => ({ type: "response.output_item.done", output_index, item })),
    { type: "response.completed", response: { status: "completed" } },
  ];
  server.answers.unshift({
    raw: events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(""),
  });
  const messages = await say(model, [], "Hi");
  expect(messages.at(-1)).toMatchObject({ replay: { items: [{ id: "a" }, { id: "m" }] } });
});

test("joins the messages of one answer as paragraphs", async () => {
  const { server, model } = await setUp([
    {
      turn: { text: ["First."], textBetween: "Second.", calls: [{ name: "version", arguments: [] }], thinking: "Hm." },
    },
    hello,
  ]);
  const messages: ModelMessage[] = await say(model, [], "Look", { rest: { tools } });
  expect(messages[1]).toMatchObject({ text: "First.\n\nSecond.", replay: { items: { length: 4 } } });
  expect(server.problems).toEqual([]);
});
