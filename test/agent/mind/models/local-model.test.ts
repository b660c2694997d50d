import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openAiChatModel } from "../../../../agent/mind/models/openai-chat.ts";
import { findLocalModel, startLocalModel } from "../../../support/local-model.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";
import { say } from "../../../support/wire-driver.ts";

const found = findLocalModel(process.env);
const title = "a real small model holds a conversation with a tool call";

test("a model is found by its address, or by llama-server in PATH together with a file", () => {
  const directory = temporaryDirectory();
  const server = join(directory, "llama-server");
  const environment = { PATH: `/nowhere:${directory}`, CLAWDINATOR_TEST_MODEL_FILE: "/m.gguf" };
  expect(findLocalModel(environment)).toBeNull();
  writeFileSync(server, "#!/bin/sh\n", { mode: 0o755 });
  expect(findLocalModel(environment)).toEqual({ server, file: "/m.gguf" });
  expect(findLocalModel({ PATH: directory })).toBeNull();
  expect(findLocalModel({ CLAWDINATOR_TEST_MODEL_URL: "http://x/v1" })).toEqual({ url: "http://x/v1" });
});

// Where there is none, `npm test` says so at its beginning: a model is nothing that a test run could install.
if (found !== null) {
  test(title, { timeout: 600_000 }, async () => {
    const baseUrl = await startLocalModel(found);
    const model = openAiChatModel({ baseUrl, environment: process.env, maxOutputTokens: 1024 });
    const tools = () => [
      {
        name: "fleet_status",
        description:
          "Shows every instance of the fleet with its state. Call it whenever somebody asks how the fleet is.",
        inputSchema: { type: "object", properties: {} },
      },
    ];
    const system = "You look after a fleet of machines. Use the tools for facts; answer in one short sentence.";
    const result = () => ({ ok: true, text: "CLAWDINATOR-7: running" });
    const first = await say(model, [], "How is the fleet? Look it up with fleet_status.", {
      rest: { tools, system },
      result,
    });
    expect(first.some((message) => message.role === "tool" && message.name === "fleet_status")).toBe(true);
    const answer = first.at(-1);
    expect(answer?.role === "assistant" && answer.text.trim() !== "").toBe(true);
    const second = await say(model, first, "Which instance was it? Answer with its name.", {
      rest: { tools, system },
      result,
    });
    expect(JSON.stringify(second.at(-1))).toMatch(/CLAWDINATOR-7/i);
  });
}
