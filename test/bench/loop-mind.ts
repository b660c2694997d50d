/** `node loop-mind.ts URL TURNS DIRECTORY`: a conversation by the mind's own runs, stored and synced as always. */
import { join } from "node:path";
import { parseConfig } from "../../agent/config.ts";
import { makeConversationPool } from "../../agent/mind/conversation-pool.ts";
import { selectModels } from "../../agent/mind/models/select.ts";
import { performRun, type RunServices, type RunWork } from "../../agent/mind/run.ts";
import type { RunEvent } from "../../agent/protocol.ts";
import { openMemory } from "../../memory/index.ts";
import { readTools } from "../../tools/read-tools.ts";
import { question, reportTurns } from "./loop-report.ts";

const [url = "", turns = "0", directory = ""] = process.argv.slice(2);
// Nothing is shortened: what is measured grows as long as it can.
const contextTokens = 10_000_000;
const config = parseConfig(
  { models: { personality: { provider: "openai-compatible", baseUrl: url, model: "stub", contextTokens } } },
  "the benchmark",
);
const memory = openMemory({ directory: join(directory, "memory"), writer: "bench", index: join(directory, "index") });
const unasked = () => Promise.reject(new Error("the benchmark has no gateway"));
let requests = 0;
const services: RunServices = {
  models: await selectModels(
    config,
    {},
    {
      keyFile: (name) => join(directory, "secrets", name),
      spend: { begin: async () => ({ allowed: true, request: `r${++requests}` }), end: async () => 0 },
    },
  ),
  readTools,
  memory,
  log: () => undefined,
  limits: { turns: 24, tokens: Number.MAX_SAFE_INTEGER, seconds: 60 },
  contextTokens,
  workspace: join(directory, "workspace"),
  conversations: join(directory, "conversations"),
  openConversation: makeConversationPool().open,
  hello: () => ({
    instance: "bench",
    name: "CLAWDINATOR-1",
    epoch: 1,
    program: { version: "0", revision: "0".repeat(40), image: "checkout" },
    operations: [],
  }),
  fleet: { status: unasked, drift: unasked },
  cost: unasked,
  sitrep: unasked,
  propose: unasked,
};

await reportTurns(Number(turns), async (number) => {
  const work: RunWork = {
    type: "run",
    run: `m${number}.1`,
    message: `m${number}`,
    conversation: "bench",
    channel: "console",
    epoch: 1,
    author: { kind: "maintainer", id: "ada", name: "Ada" },
    text: question(number),
    resumed: false,
  };
  let last: RunEvent | null = null;
  await performRun(work, services, new AbortController().signal, (event) => {
    last = event;
  });
  const done = last as RunEvent | null;
  if (done?.type !== "done" || done.reason !== "answered") throw new Error(`not answered: ${JSON.stringify(done)}`);
});
