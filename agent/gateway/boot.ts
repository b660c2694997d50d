/**
 * The first moments of an instance, with as little loaded as they need: who it is, its lock, and its mind's process,
 * which starts while the rest of the gateway is still being loaded.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../../tools/errors.ts";
import { acquireProcessLock, readLockOwner } from "../../tools/process-lock.ts";
import type { Config } from "../config.ts";
import { createLog, type Log, writeForTerminal } from "../log.ts";
import { type FleetPaths, fleetPaths } from "../paths.ts";
import { findIdentity, type Identity, programRoot } from "./identity.ts";
import { createSupervisor, type Supervisor } from "./supervisor.ts";

/** Finding out who this is takes milliseconds; a start that hangs there must not keep others from an answer for long. */
const startWaitMs = 2_000;

export interface BootOptions {
  home: string;
  config: Config;
  configPath: string | null;
  /** An instance that was launched; null runs this checkout. */
  instance: string | null;
  environment: NodeJS.ProcessEnv;
  /** Somebody watches the output. */
  isAtTerminal: boolean;
}

export interface Boot extends BootOptions {
  paths: FleetPaths;
  identity: Identity;
  log: Log;
  supervisor: Supervisor;
  /** Tells the supervisor whether its mind has come; set once the mind's socket is served. */
  setConnected(isConnected: () => boolean): void;
  releaseLock(): void;
}

/** Throws ConfigError, with nothing left behind, when this instance runs already. */
export async function bootInstance(options: BootOptions): Promise<Boot> {
  const { home, config } = options;
  mkdirSync(home, { recursive: true, mode: 0o700 });
  // Two first starts at once must find out that they are the same instance, not make one each.
  const starting =
    options.instance === null ? acquireProcessLock(join(home, "cache", "start.lock"), { waitMs: startWaitMs }) : null;
  const identity = await findIdentity({ home, name: config.instanceName, instance: options.instance });
  const { instance, name, paths } = identity;
  const log = createLog({
    least: config.log.level,
    base: { instance, name },
    ...(options.isAtTerminal ? { write: writeForTerminal(join(paths.logs, "gateway.log")) } : {}),
  });
  const lock = acquireProcessLock(paths.gatewayLock);
  starting?.release();
  if (!lock) {
    const pid = readLockOwner(paths.gatewayLock)?.pid ?? "unknown";
    throw new ConfigError(`${name} runs already (instance ${instance}, process ${pid})`, {
      code: "already_running",
      hint: "use it (`clawdinator fleet status`), stop it (`clawdinator down`), or set CLAWDINATOR_HOME for a fleet of its own",
    });
  }
  let isConnected = (): boolean => false;
  const supervisor = createSupervisor({
    home,
    instance,
    configPath: options.configPath,
    program: programRoot,
    mindLock: paths.mindLock,
    log: join(paths.logs, "mind.log"),
    environment: options.environment,
    isConnected: () => isConnected(),
    onEvent: (level, message, fields) => log(level, message, fields),
  });
  supervisor.start();
  return {
    ...options,
    paths: fleetPaths(home, config),
    identity,
    log,
    supervisor,
    setConnected: (check) => {
      isConnected = check;
    },
    releaseLock: () => lock.release(),
  };
}
