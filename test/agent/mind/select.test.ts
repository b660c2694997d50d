import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseConfig } from "../../../agent/config.ts";
import { selectModels } from "../../../agent/mind/models/select.ts";
import type { Spend } from "../../../agent/mind/models/spend.ts";
import { modelRequest } from "../../support/model-request.ts";
import { startOpenAiServer } from "../../support/openai-server.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const free: Spend = { begin: async () => ({ allowed: true, request: "r" }), end: async () => 0 };

async function selected(models: object, environment: NodeJS.ProcessEnv = {}) {
  const folder = temporaryDirectory();
  const keyFile = (name: string) => join(folder, name);
  const config = parseConfig({ models }, "test");
  return { models: await selectModels(config, environment, { keyFile, spend: free }), keyFile };
}

test.each([
  ["nothing is there", {}, "interpreter"],
  [
    "there is an Anthropic key",
    { ANTHROPIC_API_KEY: "k", OPENAI_API_KEY: "k", OPENAI_BASE_URL: "http://x/v1" },
    "anthropic",
  ],
  ["there is an endpoint", { OPENAI_API_KEY: "k", OPENAI_BASE_URL: "http://x/v1" }, "openai-compatible"],
  ["there is an OpenAI key", { OPENAI_API_KEY: "k" }, "openai"],
])("without a configuration, when %s, the model follows", async (_title, environment, provider) => {
  const { models } = await selected({}, environment);
  expect(models.personality.identity().provider).toBe(provider);
  expect(models.personality.readsPrompt).toBe(provider !== "interpreter");
  expect(models.summaries.identity().provider).toBe(provider);
});

test("a key file that appears or goes changes the model of the next run", async () => {
  const { models, keyFile } = await selected({});
  expect([models.personality.name, models.coding]).toEqual(["interpreter", null]);
  writeFileSync(keyFile("openai-api-key"), "k\n");
  await models.refresh();
  expect(models.personality.identity().provider).toBe("openai");
  writeFileSync(keyFile("anthropic-api-key"), "k\n");
  await models.refresh();
  expect(models.personality.identity().provider).toBe("anthropic");
  expect(models.coding?.identity().provider).toBe("openai");
  rmSync(keyFile("anthropic-api-key"));
  rmSync(keyFile("openai-api-key"));
  await models.refresh();
  expect([models.personality.name, models.coding]).toEqual(["interpreter", null]);
});

test("the configuration says who talks, who writes code and who summarizes", async () => {
  const compatible = (model: string) => ({ provider: "openai-compatible", baseUrl: "http://127.0.0.1:9/v1", model });
  const { models } = await selected({
    personality: compatible("talker"),
    coding: compatible("coder"),
    summaries: compatible("shortener"),
  });
  expect(models.personality.identity().model).toBe("talker");
  expect(models.coding?.identity().model).toBe("coder");
  expect(models.summaries.identity().model).toBe("shortener");
});

test("fallbacks take over, and what one purpose found out another knows", async () => {
  const busy = { status: 401, body: { error: { message: "no" } } };
  const answer = (words: string) => ({ stream: [{ delta: { content: words } }, { finish: "stop" }] });
  const first = await startOpenAiServer([busy]);
  const second = await startOpenAiServer([answer("Second."), answer("Short.")]);
  const { models } = await selected({
    personality: { provider: "openai-compatible", baseUrl: first.baseUrl, model: "big" },
    fallbacks: [{ provider: "openai-compatible", baseUrl: second.baseUrl, model: "small" }],
  });
  const words = async (model: typeof models.personality) => {
    let all = "";
    for await (const event of model.stream(modelRequest())) if (event.type === "text") all += event.text;
    return all;
  };
  expect(await words(models.personality)).toBe("Second.");
  expect(await words(models.summaries)).toBe("Short.");
  expect(first.requests).toHaveLength(1);
});

test("the fleet's key for OpenAI is not sent to another endpoint, a key that was named for it is", async () => {
  const hello = { stream: [{ delta: { content: "Hello" } }, { finish: "stop" }] };
  const server = await startOpenAiServer([hello, hello]);
  const compatible = { provider: "openai-compatible", baseUrl: server.baseUrl, model: "m" };
  const { models, keyFile } = await selected({ personality: compatible });
  writeFileSync(keyFile("openai-api-key"), "sk-the-fleets-own-key\n");
  await models.refresh();
  for await (const _event of models.personality.stream(modelRequest()));
  writeFileSync(keyFile("named"), "sk-named-for-it\n");
  const named = await selected({ personality: { ...compatible, apiKeyFile: keyFile("named") } });
  for await (const _event of named.models.personality.stream(modelRequest()));
  expect(server.requests.map(({ authorization }) => authorization)).toEqual([undefined, "Bearer sk-named-for-it"]);
});
