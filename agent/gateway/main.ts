/** The gateway: everything deterministic about an instance, put together and kept going until it is stopped. */
import { join } from "node:path";
import type { CostReport } from "../../tools/cost-report.ts";
import { ConfigError, describeError } from "../../tools/errors.ts";
import { commitAuthor } from "../../tools/fleet/bare-repository.ts";
import { readName } from "../../tools/fleet/names.ts";
import { workspaceOf } from "../paths.ts";
import { keepWorkspace } from "../workspace-seed.ts";
import { openBackend } from "./backend.ts";
import type { Boot } from "./boot.ts";
import type { DiscordChannel } from "./channels/discord/channel.ts";
import { createCore, longestCallMs } from "./core.ts";
import { createDoor } from "./door.ts";
import { ensureFirstMaintainer, ensureFleet } from "./first-start.ts";
import { abandonReaders } from "./http/abandoned.ts";
import { startControl } from "./http/server.ts";
import { programRoot, readVersion } from "./identity.ts";
import { createGatewayMemory } from "./memory.ts";
import { createMemoryKeeper } from "./memory-keeper.ts";
import { startMindServer } from "./mind-server.ts";
import { describeOperations } from "./operation-registry.ts";
import { createPresence } from "./presence.ts";
import { createRuns } from "./runs.ts";
import { assembleSchedule } from "./schedule/assemble.ts";
import { createScheduler } from "./scheduler.ts";
import { makePriceOf } from "./spend/prices.ts";
import { costReport } from "./spend/report.ts";
import { createSpend } from "./spend/spend.ts";
import { createUpkeepKeeper } from "./upkeep/upkeep-keeper.ts";

export interface Gateway {
  instance: string;
  name: string;
  /** The console's address; null while this is a candidate. */
  url(): string | null;
  /** The first maintainer's token where this user has it, for the login link. */
  loginToken: string | null;
  /** Resolves when it is ready, or is a candidate that can be judged. Not before its mind has come. */
  ready: Promise<void>;
  /** Resolves with the reason when the gateway has stopped. */
  ended: Promise<string>;
  stop(reason: string): Promise<void>;
}

export interface GatewayOptions {
  /** The port was asked for by hand: it must be that one. */
  port: number | null;
  maintainerName: string;
}

/** Starts it. Throws ConfigError, with nothing left running, when it cannot start. */
export async function startGateway(boot: Boot, options: GatewayOptions): Promise<Gateway> {
  const cleanup: (() => Promise<void> | void)[] = [boot.releaseLock, () => boot.supervisor.stop(longestCallMs)];
  const undo = async (): Promise<void> => {
    for (const step of cleanup.splice(0).reverse()) await step();
  };
  try {
    return await assemble(boot, options, { cleanup, undo });
  } catch (error) {
    await undo();
    throw error;
  }
}

async function assemble(
  boot: Boot,
  options: GatewayOptions,
  { cleanup, undo }: { cleanup: (() => Promise<void> | void)[]; undo(): Promise<void> },
): Promise<Gateway> {
  const { home, config, identity, log, supervisor } = boot;
  const { instance, name } = identity;
  const isCheckout = identity.image === "checkout";
  const backend = await openBackend({
    home,
    paths: boot.paths,
    config,
    directory: identity.paths.directory,
    checkout: isCheckout ? programRoot : null,
    author: commitAuthor(name),
    environment: boot.environment,
  });
  const { store } = backend;
  cleanup.push(() => backend.close());
  const core = createCore(boot, backend, {
    onChange: () => scheduler.wake(),
    onOperation: (operation) => {
      discord?.onOperation(operation);
      scheduler
        .onOperation(operation)
        .catch((error: unknown) => log("warn", "a notice was not stored", { error: describeError(error).message }));
    },
  });
  const { audit, approvals, fleet, inbox, live, maintainers, operations, paths, pause, program, provider } = core;
  const version = readVersion();
  const door = createDoor({ store, config, identity, port: options.port });
  /** Null where Discord is switched off, and before everything that it needs is there. */
  let discord: DiscordChannel | null = null;
  const auditOwn = (action: string, detail: string): Promise<unknown> =>
    audit.write({ action, actor: `instance:${instance}`, surface: instance, subject: name, detail });

  const spend = createSpend({
    ...core,
    instance,
    name,
    log,
    priceOf: makePriceOf(config.models, boot.environment),
  });
  cleanup.push(() => spend.stop());
  const cost = (days: number): Promise<CostReport> => costReport({ spend, policy: core.policy, days });
  const runs = createRuns({
    instance,
    inbox,
    approvals,
    audit,
    proposalsPerRun: config.limits.proposalsPerRun,
    isPaused: pause.isPaused,
    isSensitive: async (operation) => (await core.policy()).isSensitive(operation),
    onEvent(conversation, message, event) {
      spend.onEvent({ conversation, message }, event);
      if (event.type === "done") schedule.onEnded();
      // A heartbeat that has nothing to say shows nothing.
      if (!schedule.isHeldBack({ message, ...event })) {
        live.publish({ type: "conversation", conversation, message, event });
      }
      discord?.onEvent(conversation, message, event);
    },
    onApproved: () => scheduler.wake(),
    onAbandon: abandonReaders,
  });
  const presence = createPresence({
    store,
    instance,
    name,
    leaseMs: config.fleet.leaseSeconds * 1000,
    describe: () => ({ ...program, image: identity.image, version, mindPid: supervisor.pid(), port: door.port() }),
    async onTake(epoch) {
      const values = { name, instance };
      await Promise.all([door.open(api), keepWorkspace({ directory: workspaceOf(paths, name), values }, log)]);
      await auditOwn("name.taken", `epoch ${epoch}, port ${door.port()}`);
      await discord?.onTake();
    },
    async onDrain() {
      await auditOwn("name.draining", "a maintainer approved its replacement or retirement");
      await discord?.onDrain();
      await scheduler.drainRuns(config.fleet.drainSeconds * 1000);
      await Promise.all([door.close(), discord?.stop()]);
    },
    async onLost() {
      log("warn", "the name went to another instance", {});
      runs.abandon();
      await Promise.all([door.close(), discord?.onLost()]);
    },
    onChange: () => scheduler.wake(),
  });
  const { environment } = boot;
  const seeds = await openSeedKeeper();
  if (seeds) cleanup.push(() => seeds.stop());
  const memory = createGatewayMemory({ paths, identity, log });
  cleanup.push(() => memory.close());
  const memoryKeeper = createMemoryKeeper({
    open: memory.open,
    directory: paths.memory,
    backups: config.provider === "local" ? join(home, "backups") : null,
    log,
  });
  cleanup.push(() => memoryKeeper.stop());
  const upkeep = createUpkeepKeeper({
    ...{ store, audit, provider, instance, log },
    directory: paths.instances,
    logs: identity.paths.logs,
  });
  cleanup.push(() => upkeep.stop());
  const onUpkeep = (): void => {
    seeds?.look();
    upkeep.look();
    void memoryKeeper.look();
  };
  const { schedule, sitrep } = assembleSchedule({
    core,
    name,
    directory: identity.paths.directory,
    presence,
    log,
    cost,
    wake: () => scheduler.wake(),
  });
  cleanup.push(() => schedule.stop());
  const scheduler = createScheduler({
    ...core,
    instance,
    name,
    presence,
    runs,
    log,
    schedule,
    onUpkeep,
    onBegin: (message) => discord?.onBegin(message),
  });
  discord = config.channels.discord.enabled ? await openDiscord() : null;
  const onCheck = presence.setCheck;
  const secretFiles = backend.clients
    ? await import("./secrets-start.ts").then(({ keepSecretFiles }) =>
        keepSecretFiles({ ...backend, config, home, environment, name, onCheck, log }),
      )
    : null;
  if (secretFiles) cleanup.push(() => secretFiles.stop());
  const mind = Promise.withResolvers<void>();
  const mindServer = await startMindServer({
    socket: identity.paths.mindSocket,
    runs,
    status: core.status,
    drift: () => fleet.drift(),
    sitrep: () => sitrep.read(),
    isPaused: pause.isPaused,
    answerHello(hello) {
      spend.onMind(hello.pid);
      return {
        instance,
        name,
        epoch: presence.epoch(),
        program: { version, revision: program.revision, image: identity.image },
        operations: describeOperations(),
      };
    },
    spend,
    cost,
    onConnect(hello) {
      presence.setCheck({ name: "mind", ok: true, detail: `connected, model ${hello.model}` });
      mind.resolve();
      scheduler.onMind();
    },
    onDisconnect: () => presence.setCheck({ name: "mind", ok: false, detail: "not connected; it is started again" }),
    onProof: (proof) => scheduler.onProof(proof),
  });
  cleanup.push(() => mindServer.close());
  boot.setConnected(() => mindServer.connected() !== null);
  presence.setCheck({ name: "mind", ok: false, detail: "starting" });

  const api = {
    ...core,
    home,
    config,
    identity,
    runs,
    presence,
    scheduler,
    schedule,
    spend,
    cost,
    memory: memory.open,
    log,
  };
  // Both parts of a first start begin before either is awaited.
  const fleetMade = isCheckout
    ? presence.phase("fleet", () => ensureFleet({ ...core, ...backend, name }))
    : Promise.resolve();
  fleetMade.catch(() => {});
  const loginToken = isCheckout
    ? await ensureFirstMaintainer({ maintainers, paths, name: options.maintainerName, audit, instance })
    : null;
  const ended = Promise.withResolvers<string>();
  let stopping: Promise<void> | null = null;
  const stop = (reason: string): Promise<void> => {
    stopping ??= stopEverything(reason)
      .catch((error: unknown) => log("error", "stopping failed", { error: describeError(error).message }))
      .then(() => ended.resolve(reason));
    return stopping;
  };
  const control = await startControl({
    ...api,
    socket: identity.paths.controlSocket,
    stop: (reason) => void stop(reason),
  });
  cleanup.push(
    () => control.close(),
    () => door.close(),
  );
  await core.programRead;
  await fleetMade;
  if (isCheckout) await takeOwnName();
  scheduler.start();
  cleanup.push(() => scheduler.stop());
  const ready = becomeReady();
  ready.catch((error: unknown) => log("error", "start failed", { error: describeError(error).message }));
  return { instance, name, url: door.url, loginToken, ready, ended: ended.promise, stop };

  /** Null where there is no bucket for seeds. */
  async function openSeedKeeper() {
    const { clients, fleetRepository } = backend;
    const programRepository = config.program.repository;
    if (!clients || !config.aws || !programRepository) return null;
    const { createSeedKeeper } = await import("./seed-keeper.ts");
    const { directory } = identity.paths;
    const { bucket } = config.aws;
    return createSeedKeeper({ ...boot, store, clients, bucket, programRepository, fleetRepository, directory });
  }

  /** Loaded only where it is switched on: discord.js alone is tens of megabytes. */
  async function openDiscord() {
    const { startDiscord } = await import("./channels/discord/channel-start.ts");
    const wake = (): void => scheduler.wake();
    return startDiscord({ boot, core, runs, presence, cost, sitrep: () => sitrep.read(), memory: memory.open, wake });
  }

  async function becomeReady(): Promise<void> {
    if (secretFiles) await presence.phase("secrets", () => secretFiles.look());
    await presence.phase("mind", () => mind.promise);
    if (presence.epoch() === null)
      await presence.phase("proof", async () => void (await Promise.all([scheduler.prove(), discord?.prove()])));
    // One that holds its name already answers at once; its checks follow.
    else void scheduler.prove();
    await presence.settled();
    log("info", "ready", { port: door.port(), epoch: presence.epoch(), state: presence.state() });
  }

  /** A checkout takes its name by itself: it was started by hand, and its former holder must be gone. */
  async function takeOwnName(): Promise<void> {
    const holder = (await readName(store, name))?.holder ?? null;
    if (holder !== null && holder !== instance && (await provider.liveness(holder)) === "running") {
      throw new ConfigError(`${name} is held by ${holder}, which runs in the background`, {
        code: "name_held",
        hint: "use it (`clawdinator fleet status`), or stop it (`clawdinator down`)",
      });
    }
    await presence.takeName(holder);
  }

  async function stopEverything(reason: string): Promise<void> {
    log("info", "stopping", { reason });
    await scheduler.stop();
    await discord?.onDrain();
    await scheduler.drainRuns(Math.min(config.fleet.drainSeconds * 1000, longestCallMs));
    await discord?.stop();
    await operations.stop();
    await undo();
  }
}
