/** Gateways that listen in the local Discord server, in one process over one real store; minds are played by the test. */
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type DiscordSettings, discordSettingsSchema } from "../../../../agent/discord-settings.ts";
import { createAuditLog } from "../../../../agent/gateway/audit.ts";
import { type DiscordChannel, openDiscordChannel } from "../../../../agent/gateway/channels/discord/channel.ts";
import { abandonReaders } from "../../../../agent/gateway/http/abandoned.ts";
import { createInbox, type Inbox } from "../../../../agent/gateway/inbox.ts";
import { createMaintainers } from "../../../../agent/gateway/maintainers.ts";
import { createPause, type Pause } from "../../../../agent/gateway/pause.ts";
import { createRuns, type Runs } from "../../../../agent/gateway/runs.ts";
import type { RunEvent, Work } from "../../../../agent/protocol.ts";
import { writeHeartbeat } from "../../../../tools/fleet/heartbeats.ts";
import { giveName, releaseName } from "../../../../tools/fleet/names.ts";
import type { FleetServices } from "../../../../tools/fleet/services.ts";
import type { Store } from "../../../../tools/store.ts";
import { type DiscordOptions, type DiscordServer, startDiscord } from "../../../support/discord/server.ts";
import type { Message } from "../../../support/discord/world.ts";
import { openPainters, type Painters } from "../../../support/painting.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";
import { waitFor } from "../../../support/wait.ts";

export const testChannel = "clawdributors-test";
const usage = { turns: 1, inputTokens: 0, outputTokens: 0, usd: 0 };

export type RunWork = Extract<Work, { type: "run" }>;
/** The answer; null: it is still thought about. */
export type Mind = (work: RunWork) => string | null;

export interface TestGateway {
  name: string;
  channel: DiscordChannel;
  inbox: Inbox;
  runs: Runs;
  /** What the mind was given, in order. */
  works: Work[];
  asked(): RunWork[];
  /** How often its log says so. */
  logged(event: string): number;
  /** Takes the name and connects. */
  take(): Promise<void>;
  connected(): Promise<void>;
  answer(run: string, text: string): Promise<void>;
  /** As `kill -9`: nothing of it reaches the store any more. */
  kill(): Promise<void>;
  /** Hands over in good order. */
  drain(): Promise<void>;
}

export interface ListenDesk {
  discord: DiscordServer;
  painters: Painters;
  store: Store;
  pause: Pause;
  gateway(options?: {
    name?: string;
    mind?: Mind;
    settings?: Record<string, unknown>;
    channel?: Record<string, unknown>;
  }): TestGateway;
  texts(options?: { channel?: string; bot?: string }): string[];
  /** The posts that answer a message. */
  answersTo(message: Message): Message[];
  answered(message: Message, text?: RegExp): Promise<Message>;
}

export async function openListenDesk(options: DiscordOptions = {}): Promise<ListenDesk> {
  const painters = await openPainters({ path: join(temporaryDirectory(), "store.sqlite") });
  onTestFinished(() => painters.close());
  const discord = await startDiscord({ areLimitsOn: false, ...options });
  const pause = createPause(painters.store);
  let instances = 0;
  const desk: ListenDesk = {
    discord,
    painters,
    store: painters.store,
    pause,
    gateway(given = {}) {
      instances++;
      return makeGateway({ desk, instance: `i-${String(instances).padStart(12, "0")}`, ...given });
    },
    texts: ({ channel = testChannel, bot } = {}) => discord.posts(channel, bot).map(({ content }) => content),
    answersTo: (message) => discord.posts(message.channel).filter(({ reference }) => reference === message.id),
    answered: (message, text = /./) =>
      waitFor(() => desk.answersTo(message).find(({ content }) => text.test(content)), {
        what: `an answer to "${message.content}" among ${JSON.stringify(discord.posts(message.channel).map(({ content }) => content))}`,
      }),
  };
  return desk;
}

function makeGateway(options: {
  desk: ListenDesk;
  instance: string;
  name?: string;
  mind?: Mind;
  settings?: Record<string, unknown>;
  channel?: Record<string, unknown>;
}): TestGateway {
  const { desk, instance, name = "CLAWDINATOR-1", mind = () => `answer of ${name}` } = options;
  const { discord, painters } = desk;
  let isDead = false;
  let isDraining = false;
  let epoch: number | null = null;
  const alive = <T>(work: () => Promise<T>): Promise<T> =>
    isDead ? Promise.reject(new Error("this process was killed")) : work();
  const real = painters.store;
  const store: Store = {
    ...real,
    put: (...parameters) => alive(() => real.put(...parameters)),
    delete: (...parameters) => alive(() => real.delete(...parameters)),
  };
  const inbox = createInbox(store);
  const audit = createAuditLog(store);
  const works: Work[] = [];
  const logged: string[] = [];
  const runs = createRuns({
    instance,
    inbox,
    approvals: painters.approvals,
    audit,
    proposalsPerRun: 3,
    isPaused: desk.pause.isPaused,
    isSensitive: async () => false,
    onEvent: (conversation, message, event) => channel.onEvent(conversation, message, event),
    onApproved: () => {},
    onAbandon: abandonReaders,
  });
  const say = (run: string, events: RunEvent[]): Promise<boolean> => runs.onEvents(run, events);
  const answer = async (run: string, text: string): Promise<void> => {
    await say(run, [
      { type: "text", text },
      { type: "done", reason: "answered", text, usage },
    ]);
  };
  runs.connect((work) => {
    works.push(work);
    if (work.type === "interrupt")
      void say(work.run, [{ type: "done", reason: "interrupted", text: "", usage }]).catch(() => {});
    if (work.type !== "run") return;
    const said = mind(work);
    if (said !== null) void answer(work.run, said).catch(() => {});
  });

  const settings: DiscordSettings = discordSettingsSchema.parse({
    enabled: true,
    apiUrl: discord.apiUrl,
    guilds: { [discord.guild().id]: { channels: { [testChannel]: { ...options.channel } } } },
    maintainers: {
      users: { [discord.user("josh").id]: "1" },
      ...(discord.world.guilds.size > 0 ? { roles: [discord.role("Maintainers")] } : {}),
    },
    ...options.settings,
  });
  let taking: Promise<void> = Promise.resolve();
  const takeMessages = async (): Promise<void> => {
    if (isDead || isDraining || epoch === null) return;
    const pending = await inbox.pending(name);
    if (pending.length === 0 || (await desk.pause.current()) !== null) return;
    for (const message of pending) {
      if (runs.running(message.conversation).includes(message.id) || epoch === null) continue;
      const claim = await inbox.claim(message, { instance, epoch });
      if (claim === "taken" || claim === "answered") continue;
      runs.begin(message, { epoch, resumed: claim === "resumed" });
      channel.onBegin(message);
    }
  };
  const wake = (): void => {
    taking = taking.then(takeMessages).catch(() => {});
  };
  const channel = openDiscordChannel({
    store,
    audit,
    maintainers: {
      ...createMaintainers(store),
      get: async (id) => (id === "1" ? { id, name: "Josh", createdAt: 0, removedAt: null } : null),
    },
    inbox,
    approvals: painters.approvals,
    operations: painters.operations,
    pause: desk.pause,
    fleet: { desired: async () => ({ formatVersion: 1, instances: {} }) } as unknown as FleetServices,
    settings,
    instance,
    name,
    runs,
    presence: { epoch: () => (isDraining ? null : epoch), heldEpoch: () => epoch },
    token: async () => discord.user(name).token,
    callMs: 2_000,
    onCheck: () => {},
    wake,
    log: (_level, event) => void logged.push(event),
    makeCommands: () => ({ onCommand: async () => {}, onAutocomplete: async () => [] }),
  });
  const stopWatching = real.watch(wake);
  const timer = setInterval(wake, 50);
  onTestFinished(async () => {
    stopWatching();
    clearInterval(timer);
    isDead = true;
    await channel.onLost();
    await taking;
  });

  const gateway: TestGateway = {
    name,
    channel,
    inbox,
    runs,
    works,
    asked: () => works.filter((work) => work.type === "run"),
    logged: (event) => logged.filter((one) => one === event).length,
    answer,
    async take() {
      const from = ((await real.get(`names/${name}`))?.value as { holder: string | null } | undefined)?.holder ?? null;
      ({ epoch } = await giveName(real, { name, to: instance, from, leaseMs: 60_000 }));
      const at = await real.now();
      await writeHeartbeat(real, {
        formatVersion: 1,
        instance,
        name,
        epoch,
        state: "ready",
        revision: "a".repeat(40),
        image: "checkout",
        dirty: false,
        version: "0.0.0",
        pid: process.pid,
        mindPid: null,
        port: null,
        startedAt: at,
        at,
        phases: [],
        checks: [],
      });
      await channel.onTake();
      wake();
      await gateway.connected();
    },
    async connected() {
      await waitFor(() => channel.session()?.connection.client(), { what: `${name} being connected` });
    },
    async kill() {
      isDead = true;
      epoch = null;
      runs.abandon();
      await channel.onLost();
    },
    async drain() {
      isDraining = true;
      await channel.onDrain();
      await taking;
      runs.abandon();
      await channel.stop();
      epoch = null;
      await releaseName(real, { name, holder: instance });
    },
  };
  return gateway;
}
