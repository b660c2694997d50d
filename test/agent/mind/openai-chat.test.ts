import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ModelEvent, ModelMessage } from "../../../agent/mind/models/model.ts";
import { openAiChatModel } from "../../../agent/mind/models/openai-chat.ts";
import { retryAfterOf, waitBefore } from "../../../agent/mind/models/retry.ts";
import { modelRequest } from "../../support/model-request.ts";
import { startOpenAiServer } from "../../support/openai-server.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const key = "sk-test-0123456789abcdefghij";

async function collect(events: AsyncIterable<ModelEvent>): Promise<ModelEvent[]> {
  const all: ModelEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const hello = {
  stream: [
    { delta: { content: "Hel" } },
    { delta: { content: "lo" } },
    { finish: "stop" },
    { usage: [7, 2] as [number, number] },
  ],
};

test("streams text and usage", async () => {
  const server = await startOpenAiServer([hello]);
  const model = openAiChatModel({ model: "m", environment: { OPENAI_BASE_URL: server.baseUrl, OPENAI_API_KEY: key } });
  expect(await collect(model.stream(modelRequest()))).toEqual([
    { type: "text", text: "Hel" },
    { type: "text", text: "lo" },
    { type: "usage", inputTokens: 7, outputTokens: 2 },
    { type: "stop", reason: "end" },
  ]);
  expect(server.requests).toMatchObject([
    {
      path: "/v1/chat/completions",
      authorization: `Bearer ${key}`,
      body: {
        model: "m",
        stream: true,
        stream_options: { include_usage: true },
        messages: [
          { role: "system", content: "You are a test." },
          { role: "user", content: "Hello" },
        ],
      },
    },
  ]);
});

test("joins parallel tool calls that arrive in pieces", async () => {
  const piece = (index: number, rest: object) => ({ delta: { tool_calls: [{ index, ...rest }] } });
  const server = await startOpenAiServer([
    {
      stream: [
        piece(0, { id: "a", type: "function", function: { name: "echo", arguments: "" } }),
        piece(1, { id: "b", type: "function", function: { name: "version", arguments: "" } }),
        piece(0, { function: { arguments: '{"wor' } }),
        piece(0, { function: { arguments: 'd":"x"}' } }),
        { finish: "tool_calls" },
      ],
    },
  ]);
  const model = openAiChatModel({ baseUrl: server.baseUrl, model: "m", environment: {} });
  const tools = () => [{ name: "echo", description: "Says it again.", inputSchema: { type: "object" } }];
  expect(await collect(model.stream(modelRequest({ tools })))).toEqual([
    { type: "call", call: { call: "a", name: "echo", input: { word: "x" } } },
    { type: "call", call: { call: "b", name: "version", input: {} } },
    { type: "stop", reason: "calls" },
  ]);
  expect(server.requests[0]?.body.tools).toMatchObject([{ function: { name: "echo" } }]);
});

test("arguments that are not JSON are a problem of the call, not of the turn", async () => {
  const broken = { index: 0, id: "a", function: { name: "echo", arguments: '{"word":' } };
  const server = await startOpenAiServer([{ stream: [{ delta: { tool_calls: [broken] } }, { finish: "tool_calls" }] }]);
  const model = openAiChatModel({ baseUrl: server.baseUrl, model: "m", environment: {} });
  const [event] = await collect(model.stream(modelRequest()));
  expect(event).toMatchObject({ type: "call", call: { problem: expect.stringContaining("not JSON") } });
});

test("replays calls and results in the wire's form", async () => {
  const server = await startOpenAiServer([hello]);
  const model = openAiChatModel({ baseUrl: server.baseUrl, model: "m", environment: {} });
  const messages: ModelMessage[] = [
    { role: "user", text: "Hello" },
    { role: "assistant", text: "", calls: [{ call: "a", name: "echo", input: { word: "x" } }] },
    { role: "tool", call: "a", name: "echo", ok: false, text: "broken" },
  ];
  await collect(model.stream(modelRequest({ messages })));
  expect(server.requests[0]?.body.messages.slice(2)).toEqual([
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "a", type: "function", function: { name: "echo", arguments: '{"word":"x"}' } }],
    },
    { role: "tool", tool_call_id: "a", content: "Error: broken" },
  ]);
});

test("waits as long as an overloaded endpoint asks, then goes on", async () => {
  const overloaded = { status: 429, headers: { "retry-after-ms": "20" }, body: { error: { message: "slow down" } } };
  const server = await startOpenAiServer([overloaded, { ...overloaded, status: 503 }, hello]);
  const model = openAiChatModel({ baseUrl: server.baseUrl, model: "m", environment: {} });
  expect((await collect(model.stream(modelRequest()))).at(-1)).toEqual({ type: "stop", reason: "end" });
  expect(server.requests).toHaveLength(3);
});

test.each([
  [401, {}, "model_unauthorized"],
  [403, {}, "model_unauthorized"],
  [400, {}, "model_refused"],
  [404, {}, "model_unknown"],
  [429, { code: "insufficient_quota" }, "model_overloaded"],
])("does not repeat a request that was refused with %i %j, and shows no key", async (status, rest, code) => {
  const server = await startOpenAiServer([{ status, body: { error: { message: `no: ${key}`, ...rest } } }]);
  const model = openAiChatModel({ baseUrl: server.baseUrl, model: "m", environment: { OPENAI_API_KEY: key } });
  const events = await collect(model.stream(modelRequest()));
  expect(events).toMatchObject([{ type: "stop", reason: "error", error: { code } }]);
  expect(JSON.stringify(events)).not.toContain(key);
  expect(server.requests).toHaveLength(1);
});

test("a stream that breaks after text is an error and is not repeated", async () => {
  const server = await startOpenAiServer([{ stream: [{ delta: { content: "Hel" } }], ends: "broken" }, hello]);
  const model = openAiChatModel({ baseUrl: server.baseUrl, model: "m", environment: {} });
  expect(await collect(model.stream(modelRequest()))).toMatchObject([
    { type: "text", text: "Hel" },
    { type: "stop", reason: "error", error: { code: "model_stream_broken" } },
  ]);
  expect(server.requests).toHaveLength(1);
});

test("a stream that ends without saying why is an error too", async () => {
  const server = await startOpenAiServer([{ stream: [{ delta: { content: "Hel" } }] }]);
  const model = openAiChatModel({ baseUrl: server.baseUrl, model: "m", environment: {} });
  expect((await collect(model.stream(modelRequest()))).at(-1)).toMatchObject({
    reason: "error",
    error: { code: "model_stream_broken" },
  });
});

test("an interruption ends a silent stream", async () => {
  const server = await startOpenAiServer([{ stream: [{ delta: { content: "Hel" } }], ends: "silent" }]);
  const model = openAiChatModel({ baseUrl: server.baseUrl, model: "m", environment: {} });
  const controller = new AbortController();
  const events: ModelEvent[] = [];
  for await (const event of model.stream(modelRequest({ signal: controller.signal }))) {
    events.push(event);
    controller.abort();
  }
  expect(events).toEqual([
    { type: "text", text: "Hel" },
    { type: "stop", reason: "interrupted" },
  ]);
});

test("works without a key and without a model's name", async () => {
  const server = await startOpenAiServer([hello]);
  const model = openAiChatModel({ environment: { OPENAI_BASE_URL: server.baseUrl } });
  await collect(model.stream(modelRequest()));
  expect(server.requests[0]?.authorization).toBeUndefined();
  expect(server.requests[0]?.body.model).toBe("first-listed");
});

test("reads the key's file again when it changed, and tells when it is missing", async () => {
  const server = await startOpenAiServer([hello, hello]);
  const apiKeyFile = join(temporaryDirectory(), "key");
  const model = openAiChatModel({
    baseUrl: server.baseUrl,
    model: "m",
    apiKeyFile,
    environment: { OPENAI_API_KEY: "unused" },
  });
  expect(await collect(model.stream(modelRequest()))).toMatchObject([
    { reason: "error", error: { code: "key_unreadable" } },
  ]);
  writeFileSync(apiKeyFile, "one\n");
  await collect(model.stream(modelRequest()));
  writeFileSync(apiKeyFile, "second\n");
  await collect(model.stream(modelRequest()));
  expect(server.requests.map(({ authorization }) => authorization)).toEqual(["Bearer one", "Bearer second"]);
});

test("waits double with jitter, honours retry-after, and gives up in the end", () => {
  expect(waitBefore(2, null, () => 1)).toBe(500);
  expect(waitBefore(3, null, () => 0)).toBe(500);
  expect(waitBefore(5, null, () => 1)).toBe(4000);
  expect(waitBefore(2, 1234)).toBe(1234);
  expect(waitBefore(2, 3_600_000)).toBeNull();
  expect(waitBefore(6, 0)).toBeNull();
  expect(retryAfterOf(new Headers({ "retry-after": "2" }), 0)).toBe(2000);
  expect(retryAfterOf(new Headers({ "retry-after": new Date(90_000).toUTCString() }), 60_000)).toBe(30_000);
  expect(retryAfterOf(new Headers(), 0)).toBeNull();
});
