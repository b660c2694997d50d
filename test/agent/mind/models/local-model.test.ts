import { expect, test } from "vitest";
import { openAiChatModel } from "../../../../agent/mind/models/openai-chat.ts";
import { findLocalModel, howToHaveOne, startLocalModel } from "../../../support/local-model.ts";
import { say } from "../../../support/wire-driver.ts";

const found = findLocalModel(process.env);
const title = "a real small model holds a conversation with a tool call";

if (found === null) test.skip(`${title} — NOT RUN, there is no model here: ${howToHaveOne}`);
else {
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
