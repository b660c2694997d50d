/**
 * A mind process with one more tool, `send`, which must not run twice: it appends a line to HOME/sent.txt, and while
 * HOME/hang is there it does not come back.
 */
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { loadConfig } from "../../agent/config.ts";
import { createLog } from "../../agent/log.ts";
import { makeMind } from "../../agent/mind/mind.ts";
import { selectModels } from "../../agent/mind/models/select.ts";
import { fleetPaths, instancePaths } from "../../agent/paths.ts";
import { openMemory } from "../../memory/index.ts";
import { readTools } from "../../tools/read-tools.ts";
import { defineReadTool } from "../../tools/tool.ts";

const { values } = parseArgs({ options: { home: { type: "string" }, instance: { type: "string" } } });
const { home = "", instance = "" } = values;

const send = defineReadTool({
  name: "send",
  description: "Sends a word.",
  input: z.strictObject({ word: z.string() }),
  repeatable: false,
  async run(_context, { word }) {
    appendFileSync(join(home, "sent.txt"), `${word}\n`);
    if (existsSync(join(home, "hang"))) await new Promise(() => undefined);
    return { text: `sent ${word}` };
  },
});

const config = loadConfig({ path: fleetPaths(home).config, required: true });
const fleet = fleetPaths(home, config);
const mind = await makeMind({
  selectModels: (spend) => selectModels(config, process.env, { keyFile: (name) => join(home, name), spend }),
  readTools: [...readTools, send],
  memory: openMemory({ directory: fleet.memory, writer: instance }),
  memoryDirectory: fleet.memory,
  limits: { turns: 10, tokens: 100_000, seconds: 60 },
  workspace: join(home, "workspace"),
  conversations: fleet.conversations,
  contextTokens: 32_000,
  socketPath: instancePaths(home, instance).mindSocket,
  instance,
  conversationMode: () => "interrupt",
  giveUpMs: 60_000,
  log: createLog({
    least: "info",
    write: (line) => void process.stderr.write(line),
    base: { process: "mind" },
  }),
  prepare: async () => undefined,
});
await mind.run();
