/**
 * The fleet's own machinery without a gateway: store, provider, approvals and operations, so that the first instance is
 * launched by the same journalled, approved operation as every later one.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../agent/config.ts";
import { openBackend } from "../agent/gateway/backend.ts";
import { type Core, createCore } from "../agent/gateway/core.ts";
import { createLog } from "../agent/log.ts";
import { fleetPaths, instancePaths } from "../agent/paths.ts";
import type { OperationView } from "../agent/protocol.ts";
import { commitAuthor, createBareRepository } from "../tools/fleet/bare-repository.ts";
import { sha256 } from "../tools/json.ts";
import { shareLogin } from "./git.ts";
import { checkoutGit } from "./program.ts";
import type { BootstrapContext } from "./step.ts";

/** Between two looks at an operation; the store is paid for by the request. */
const lookEveryMs = 1_000;

export interface RunningFleet {
  core: Core;
  /** What runs here, as the fleet's records name it. */
  instance: string;
  /**
   * Runs what is this process's to run until `done` says so of the operation, telling its steps and, unless `tells` is
   * false, their progress. Throws when the operation is gone.
   */
  drive(
    id: string,
    done: (operation: OperationView) => Promise<boolean> | boolean,
    options?: { tells?: boolean },
  ): Promise<OperationView>;
  /** Lets the running step go; it is taken up again by the next run. */
  close(): Promise<void>;
}

export async function openRunningFleet(context: BootstrapContext): Promise<RunningFleet> {
  const { environment, speaker, redactor, signal } = context;
  const { home } = context.paths;
  const config = loadConfig({ path: context.paths.config, required: true });
  // The same at every run from this machine: an operation that a killed run left is this one's at once.
  const instance = `bootstrap-${sha256(`${home}/${context.options.fleet}`).slice(0, 12)}`;
  const paths = instancePaths(home, instance);
  mkdirSync(paths.directory, { recursive: true, mode: 0o700 });
  await prepareClone(context, join(paths.directory, "fleet.git"));
  const log = createLog({
    least: "warn",
    base: { instance },
    write: (line) => speaker.say("warning", redactor.redact(messageOf(line))),
  });
  const backend = await openBackend({
    home,
    paths: fleetPaths(home, config),
    config,
    directory: paths.directory,
    checkout: null,
    author: commitAuthor("bootstrap"),
    environment,
  });
  const identity = { instance, name: "bootstrap", image: "bootstrap", revision: "bootstrap", port: null, paths };
  const boot = { config, identity, log, paths: fleetPaths(home, config) };
  const core = createCore(boot, backend, { onChange: () => {}, onOperation: () => {} });

  return {
    core,
    instance,
    async drive(id, done, { tells = true } = {}) {
      let step: string | null = null;
      let told: string | null = null;
      for (;;) {
        signal.throwIfAborted();
        await core.operations.resume({ holdsName: true });
        const operation = await core.operations.get(id);
        if (!operation) throw new Error(`the operation ${id} is gone from the store`);
        const running = operation.steps.find(({ state }) => state === "running" || state === "compensating");
        if (running && running.name !== step) {
          step = running.name;
          // The latest line is still that of the step before.
          told = operation.progress;
          const what = operation.compensating ? `undoing ${step}` : step;
          speaker.say("progress", what, { operation: id, state: running.state });
        } else if (tells && operation.progress !== null && operation.progress !== told) {
          told = operation.progress;
          speaker.say("progress", told, { operation: id });
        }
        if (await done(operation)) return operation;
        await pause(core, signal);
      }
    },
    async close() {
      await core.operations.stop();
      await backend.close();
    },
  };
}

/** Until something changes in the store, or for a while. */
function pause(core: Core, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      stopWatching();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, lookEveryMs);
    const stopWatching = core.store.watch(end);
    signal.addEventListener("abort", end);
  });
}

/** The clone that commits are made in is cut off from the user's settings; how they log in it must know. */
async function prepareClone(context: BootstrapContext, clone: string): Promise<void> {
  await createBareRepository(clone, context.environment);
  await shareLogin(checkoutGit(context), clone);
}

function messageOf(line: string): string {
  try {
    const { message, error } = JSON.parse(line) as { message: string; error?: string };
    return error ? `${message}: ${error}` : message;
  } catch {
    return line.trim();
  }
}
