/** The gateway: everything deterministic about an instance, put together and kept going until it is stopped. */
import { join } from "node:path";
import { ConfigError, describeError } from "../../tools/errors.ts";
import { createLocalProvider } from "../../tools/fleet/local/provider.ts";
import { nameNumber } from "../../tools/fleet/model.ts";
import { readName } from "../../tools/fleet/names.ts";
import { openFleetRepository } from "../../tools/fleet/repository.ts";
import { readPolicy } from "../../tools/policy-pin.ts";
import { fleetPaths } from "../paths.ts";
import { createApprovals } from "./approvals.ts";
import { createAuditLog } from "./audit.ts";
import type { Boot } from "./boot.ts";
import { ensureFirstMaintainer, ensureFleet } from "./first-start.ts";
import { createFleetServices } from "./fleet-services.ts";
import { abandonReaders } from "./http/abandoned.ts";
import { startConsole, startControl } from "./http/server.ts";
import { programRoot, readCheckout, readVersion } from "./identity.ts";
import { createInbox } from "./inbox.ts";
import { createLive } from "./live.ts";
import { createMaintainers } from "./maintainers.ts";
import { startMindServer } from "./mind-server.ts";
import { describeOperations, findOperation, planOperation } from "./operation-registry.ts";
import { createOperations } from "./operations.ts";
import { createPause } from "./pause.ts";
import { createPresence } from "./presence.ts";
import { createRuns } from "./runs.ts";
import { createScheduler } from "./scheduler.ts";
import { openSqliteStore } from "./store/sqlite.ts";

export interface Gateway {
  instance: string;
  name: string;
  /** The console's address; null while this is a candidate. */
  url(): string | null;
  /** The first maintainer's token where this user has it, for the login link. */
  loginToken: string | null;
  /** Ends when the gateway has stopped, by `stop` or by itself. */
  ended: Promise<string>;
  stop(reason: string): Promise<void>;
}

/** The longest an outside call of a holder may take before the next holder may act. */
const longestCallMs = 5_000;

export interface GatewayOptions {
  /** The port was asked for by hand: it must be that one. */
  port: number | null;
  maintainerName: string;
}

/**
 * Starts it and returns when it is ready (or is a candidate that can be judged). Throws ConfigError, with nothing left
 * running, when it cannot start.
 */
export async function startGateway(boot: Boot, options: GatewayOptions): Promise<Gateway> {
  const { home, config, environment, identity, log, supervisor } = boot;
  const paths = fleetPaths(home);
  const { instance, name } = identity;
  const cleanup: (() => Promise<void> | void)[] = [boot.releaseLock, () => supervisor.stop(longestCallMs)];
  const undo = async (): Promise<void> => {
    for (const step of cleanup.splice(0).reverse()) await step();
  };
  try {
    return await assemble();
  } catch (error) {
    await undo();
    throw error;
  }

  async function assemble(): Promise<Gateway> {
    const store = await openSqliteStore({ path: paths.store });
    cleanup.push(() => store.close());
    const checkout = identity.revision === null ? readCheckout(programRoot) : null;
    checkout?.catch(() => {});
    const version = readVersion();
    const program = { revision: identity.revision ?? "checkout", dirty: false };
    let port: number | null = null;

    const audit = createAuditLog(store);
    const maintainers = createMaintainers(store);
    const pause = createPause(store);
    const repository = openFleetRepository({
      directory: paths.repository,
      clone: join(identity.paths.directory, "fleet.git"),
      author: authorOf(name),
      environment,
    });
    const provider = createLocalProvider({
      home,
      programRepository: config.program.repository ?? (identity.image === "checkout" ? programRoot : null),
      environment,
    });
    const leaseMs = config.fleet.leaseSeconds * 1000;
    const fleet = createFleetServices({
      store,
      provider,
      repository,
      audit,
      host: config.gateway.host,
      self: () => ({ instance, name, image: identity.image, ...program }),
      settings: {
        candidateDeadlineMs: config.fleet.candidateSeconds * 1000,
        drainDeadlineMs: config.fleet.drainSeconds * 1000,
        leaseMs,
        longestCallMs,
        basePort: config.gateway.port,
      },
    });
    const plan = planOperation(fleet);
    const policy = () => readPolicy(store);
    const approvals = createApprovals({ store, audit, policy, plan, instance, onChange: () => scheduler.wake() });
    const operations = createOperations({
      store,
      audit,
      fleet,
      operationByName: findOperation,
      isPaused: pause.isPaused,
      approvalState: async (id) => (await approvals.get(id))?.state ?? null,
      log: (level, message, fields) => log(level, message, fields),
      onChange: (operation) => {
        live.publish({ type: "operation", operation });
        void scheduler.onOperation(operation);
      },
    });
    const live = createLive({
      store,
      approval: (id) => approvals.get(id),
      operation: (id) => operations.get(id),
      fleet: () => fleet.status(),
      isPaused: pause.isPaused,
    });
    const inbox = createInbox(store);
    const http = { close: async (): Promise<void> => {} };
    const runs = createRuns({
      instance,
      inbox,
      approvals,
      proposalsPerRun: config.limits.proposalsPerRun,
      isPaused: pause.isPaused,
      onEvent: (conversation, message, event) => live.publish({ type: "conversation", conversation, message, event }),
      onApproved: () => scheduler.wake(),
      onAbandon: abandonReaders,
    });

    let mindReady = (): void => {};
    const mindConnected = new Promise<void>((resolve) => {
      mindReady = resolve;
    });
    const presence = createPresence({
      store,
      instance,
      name,
      leaseMs,
      describe: () => ({ ...program, image: identity.image, version, mindPid: supervisor.pid(), port }),
      onTake: async (epoch) => {
        const taken = await openHttp();
        port = taken.port;
        await audit.write({
          action: "name.taken",
          actor: `instance:${instance}`,
          surface: instance,
          subject: name,
          detail: `epoch ${epoch}, port ${port}`,
        });
      },
      onDrain: async () => {
        await audit.write({
          action: "name.draining",
          actor: `instance:${instance}`,
          surface: instance,
          subject: name,
          detail: "a maintainer approved its replacement or retirement",
        });
        await scheduler.drainRuns(config.fleet.drainSeconds * 1000);
        await http.close();
        port = null;
      },
      onLost: async () => {
        log("warn", "the name went to another instance", {});
        runs.abandon();
        await http.close();
        port = null;
      },
      onChange: () => scheduler.wake(),
    });
    const mindServer = await startMindServer({
      socket: identity.paths.mindSocket,
      runs,
      status: () => fleet.status(),
      drift: () => fleet.drift(),
      answerHello: () => ({
        instance,
        name,
        epoch: presence.epoch(),
        program: { version, revision: program.revision, image: identity.image },
        operations: describeOperations(),
      }),
      onConnect: (hello) => {
        presence.setCheck({ name: "mind", ok: true, detail: `connected, model ${hello.model}` });
        mindReady();
        scheduler.wake();
      },
      onDisconnect: () => presence.setCheck({ name: "mind", ok: false, detail: "not connected; it is started again" }),
      onProof: (proof) => scheduler.onProof(proof),
    });
    cleanup.push(() => mindServer.close());
    boot.setConnected(() => mindServer.connected() !== null);
    const scheduler = createScheduler({
      store,
      instance,
      name,
      presence,
      approvals,
      operations,
      inbox,
      runs,
      live,
      fleet,
      audit,
      pause,
      log,
    });
    const fleetMade =
      identity.image === "checkout"
        ? presence.phase("fleet", () => ensureFleet({ store, paths, repository, name, author: authorOf(name) }))
        : Promise.resolve();
    fleetMade.catch(() => {});
    const loginToken = await ensureFirst();
    const api = {
      home,
      config,
      identity,
      version,
      program,
      store,
      audit,
      maintainers,
      pause,
      approvals,
      operations,
      inbox,
      runs,
      live,
      fleet,
      presence,
      plan,
      policy,
      scheduler,
    };

    presence.setCheck({ name: "mind", ok: false, detail: "starting" });
    const control = await startControl({
      ...api,
      socket: identity.paths.controlSocket,
      stop: (reason) => void stop(reason),
    });
    cleanup.push(() => control.close());

    if (checkout) Object.assign(program, await checkout);
    await fleetMade;

    async function openHttp(): Promise<{ port: number }> {
      await http.close();
      const wanted = options.port ?? (await readName(store, name))?.port ?? identity.port ?? (await freshPort());
      const server = await startConsole({ ...api, port: wanted, mustHavePort: identity.image === "checkout" });
      http.close = async () => {
        http.close = async () => {};
        await server.close();
      };
      return { port: server.port };
    }
    cleanup.push(() => http.close());

    if (identity.image === "checkout") await takeOwnName();
    scheduler.start();
    cleanup.push(() => scheduler.stop());
    const settled = presence
      .phase("mind", () => mindConnected)
      .then(() => (presence.epoch() === null ? presence.phase("proof", scheduler.prove) : undefined))
      .then(() => presence.settled());
    // An instance that was launched is judged by its heartbeats, whatever becomes of its mind.
    if (identity.image === "checkout") await settled;
    else settled.catch((error: unknown) => log("error", "start failed", { error: describeError(error).message }));
    if (identity.image === "checkout") void scheduler.prove();

    /** A new name's port: as far above the first instance's as its number is above one. */
    async function freshPort(): Promise<number> {
      const { port: configured } = config.gateway;
      if (configured === 0 || identity.image === "checkout") return configured;
      const first = (await readName(store, "CLAWDINATOR-1"))?.port ?? configured;
      return Math.min(first + nameNumber(name) - 1, 65_535);
    }

    async function takeOwnName(): Promise<void> {
      const record = await readName(store, name);
      const holder = record?.holder ?? null;
      if (holder !== null && holder !== instance) {
        const liveness = await provider.liveness(holder);
        if (liveness === "running") {
          throw new ConfigError(`${name} is held by ${holder}, which runs in the background`, {
            code: "name_held",
            hint: "use it (`clawdinator fleet status`), or stop it (`clawdinator down`)",
          });
        }
      }
      await presence.takeName(holder);
    }

    async function ensureFirst(): Promise<string | null> {
      if (identity.image !== "checkout") return null;
      return ensureFirstMaintainer({ maintainers, paths, name: options.maintainerName, audit, instance });
    }

    let hasEnded = (_reason: string): void => {};
    const ended = new Promise<string>((resolve) => {
      hasEnded = resolve;
    });
    let stopping: Promise<void> | null = null;
    const stop = (reason: string): Promise<void> => {
      stopping ??= (async () => {
        log("info", "stopping", { reason });
        await scheduler.stop();
        await scheduler.drainRuns(Math.min(config.fleet.drainSeconds * 1000, longestCallMs));
        await operations.stop();
        await undo();
        hasEnded(reason);
      })().catch((error: unknown) => {
        log("error", "stopping failed", { error: describeError(error).message });
        hasEnded(reason);
      });
      return stopping;
    };
    log("info", "ready", { port, epoch: presence.epoch(), state: presence.state() });
    return {
      instance,
      name,
      url: () =>
        port === null
          ? null
          : `http://${config.gateway.host.includes(":") ? `[${config.gateway.host}]` : config.gateway.host}:${port}`,
      loginToken,
      ended,
      stop,
    };
  }
}

function authorOf(name: string): { name: string; email: string } {
  return { name, email: `${name.toLowerCase()}@localhost` };
}
