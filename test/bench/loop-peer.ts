/**
 * `node loop-peer.ts URL TURNS FIRST_BYTES DIRECTORY`: the same conversation by pi-agent-core, installed in that directory; it stores
 * nothing.
 */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { question, reportTurns, systemPrompt } from "./loop-report.ts";

interface PeerAgent {
  prompt(text: string): Promise<void>;
  state: { messages: { role: string; stopReason?: string; errorMessage?: string }[] };
}
interface Peer {
  Agent: new (options: object) => PeerAgent;
}

const [url = "", turns = "0", firstBytes = "0", directory = ""] = process.argv.slice(2);
const entry = join(directory, "node_modules", "@mariozechner", "pi-agent-core", "dist", "index.js");
const { Agent } = (await import(pathToFileURL(entry).href)) as Peer;
const agent = new Agent({
  initialState: {
    systemPrompt: systemPrompt(Number(firstBytes)),
    tools: [],
    thinkingLevel: "off",
    model: {
      id: "stub",
      name: "stub",
      api: "openai-completions",
      provider: "stub",
      baseUrl: url,
      reasoning: false,
      input: ["text"],
      cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
      contextWindow: 10_000_000,
      maxTokens: 4096,
    },
  },
  getApiKey: () => "none",
});

await reportTurns(Number(turns), async (number) => {
  await agent.prompt(question(number));
  const last = agent.state.messages.at(-1);
  if (last?.role !== "assistant" || last.stopReason === "error") throw new Error(last?.errorMessage ?? "no answer");
});
