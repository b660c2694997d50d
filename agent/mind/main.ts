/** The mind process: `node agent/mind/main.ts --home HOME --instance ID [--config PATH] [--give-up-seconds N]`. */
import { parseArgs } from "node:util";
import { openMemory, seedMemory } from "../../memory/index.ts";
import { describeError } from "../../tools/errors.ts";
import { readSpec } from "../../tools/fleet/local/instance-spec.ts";
import { acquireProcessLock } from "../../tools/process-lock.ts";
import { readTools } from "../../tools/read-tools.ts";
import { keepCompiled } from "../compile-cache.ts";
import { loadConfig } from "../config.ts";
import { createLog, type Log } from "../log.ts";
import { fleetPaths, instancePaths, workspaceOf } from "../paths.ts";
import { secretFile } from "../secret-files.ts";
import { makeMind } from "./mind.ts";
import { selectModels } from "./models/select.ts";

/** Exit codes: wrong usage or configuration is 2; another mind that runs already is 3; no gateway for too long is 4. */
const exitUsage = 2;
const exitLocked = 3;
const exitAlone = 4;

/** Without a gateway for this long, nobody will come back for this process. */
const defaultGiveUpSeconds = 60;

/** By then it serves, and what it needs first is loaded. */
const keepCompiledAfterMs = 500;

if (import.meta.main) process.exitCode = await main();

async function main(): Promise<number> {
  // A gateway that was killed leaves a broken pipe behind; the mind goes on without a log.
  process.stderr.on("error", () => undefined);
  const write = (line: string) => void process.stderr.write(line);
  try {
    return await start(write);
  } catch (error) {
    const { code, message, hint } = describeError(error);
    createLog({ least: "error", write, base: { process: "mind" } })("error", "mind.failed", { code, message, hint });
    return exitUsage;
  }
}

async function start(write: (line: string) => void): Promise<number> {
  const { values } = parseArgs({
    options: {
      home: { type: "string" },
      instance: { type: "string" },
      config: { type: "string" },
      "give-up-seconds": { type: "string" },
    },
  });
  const { home, instance } = values;
  if (!home || !instance) throw new Error("--home and --instance are needed");
  const configPath = values.config ?? fleetPaths(home).config;
  const config = loadConfig({ path: configPath, required: values.config !== undefined });
  const fleet = fleetPaths(home, config);
  const paths = instancePaths(home, instance);
  const log = createLog({ least: config.log.level, write, base: { process: "mind", instance } });
  const lock = acquireProcessLock(paths.mindLock);
  if (lock === null) {
    log("error", "mind.locked", { lock: paths.mindLock, hint: "another mind of this instance runs; stop it first" });
    return exitLocked;
  }
  const spec = await readSpec(paths.spec);
  const memory = openMemory({
    directory: fleet.memory,
    writer: instance,
    index: paths.index,
    onProblem: (problem) => log("warn", "memory.problem", { ...problem }),
  });
  const keyFile = (name: string) => secretFile({ config, home, name });
  const mind = await makeMind({
    selectModels: (spend) => selectModels(config, process.env, { keyFile, spend }),
    readTools,
    memory,
    memoryDirectory: fleet.memory,
    limits: { turns: config.limits.turns, tokens: config.limits.tokens, seconds: config.limits.runSeconds },
    workspace: workspaceOf(fleet, spec?.name ?? config.instanceName),
    stateDirectory: paths.directory,
    conversations: fleet.conversations,
    contextTokens: config.conversations.contextTokens,
    pictureMode: config.pictures.mode,
    socketPath: paths.mindSocket,
    instance,
    conversationMode: (channel) => config.conversations.channels[channel] ?? config.conversations.mode,
    giveUpMs: Number(values["give-up-seconds"] ?? defaultGiveUpSeconds) * 1000,
    log,
    prepare: () => seed(memory, log),
  });
  // A terminal sends these to the whole group; the gateway decides what they mean for the mind.
  process.on("SIGINT", () => undefined);
  process.on("SIGHUP", () => undefined);
  process.on("SIGTERM", () => mind.drain(config.fleet.drainSeconds * 1000));
  log("info", "mind.started", { pid: process.pid });
  const keeping = setTimeout(keepCompiled, keepCompiledAfterMs);
  const ended = await mind.run();
  clearTimeout(keeping);
  await memory.close();
  log("info", "mind.ended", { reason: ended });
  lock.release();
  // Whatever still waits (a model that does not answer) was parked and must not keep the process.
  setTimeout(() => process.exit(), 100).unref();
  return ended === "gave_up" ? exitAlone : 0;
}

async function seed(memory: ReturnType<typeof openMemory>, log: Log): Promise<void> {
  try {
    const documents = await seedMemory(memory);
    if (documents.length > 0) log("info", "memory.seeded", { documents: documents.length });
  } catch (error) {
    log("error", "memory.seed_failed", describeError(error));
  }
}
