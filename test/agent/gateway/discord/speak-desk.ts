/** The speaking part of a gateway over a real store, with the real discord.js client against a local Discord server. */
import { join } from "node:path";
import type { Client } from "discord.js";
import { onTestFinished } from "vitest";
import { discordSettingsSchema } from "../../../../agent/discord-settings.ts";
import type { Approvals } from "../../../../agent/gateway/approvals.ts";
import { type AuditLog, createAuditLog } from "../../../../agent/gateway/audit.ts";
import { restOptions } from "../../../../agent/gateway/channels/discord/connection/connection-client.ts";
import { createSpeaker, type DiscordSpeaker } from "../../../../agent/gateway/channels/discord/speak/speak.ts";
import { abandonReaders } from "../../../../agent/gateway/http/abandoned.ts";
import { createInbox, type Inbox, type Message } from "../../../../agent/gateway/inbox.ts";
import { createRuns, type Runs } from "../../../../agent/gateway/runs.ts";
import { openSqliteStore } from "../../../../agent/gateway/store/sqlite.ts";
import type { OperationView, RunEvent } from "../../../../agent/protocol.ts";
import type { Store } from "../../../../tools/store.ts";
import { type DiscordOptions, type DiscordServer, startDiscord } from "../../../support/discord/server.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const name = "CLAWDINATOR-1";
export const usage = { turns: 1, inputTokens: 0, outputTokens: 0, usd: 0 };
const holder = { instance: "i-000000000001", epoch: 1 };

/** What a process has in memory; it can be dropped, and another one made over the same store. */
export interface Process {
  speaker: DiscordSpeaker;
  inbox: Inbox;
  runs: Runs;
  cards: string[];
  holds: { value: boolean };
  /** Takes a message as listening does: into the inbox, followed, claimed, begun. */
  take(message: string, channel: string, more?: Partial<Message>): Promise<void>;
  begin(message: string, channel: string, more?: Partial<Message>): Promise<void>;
  /** What the mind says of it. */
  said(message: string, ...events: RunEvent[]): Promise<void>;
  answer(message: string, text: string): Promise<void>;
}

export interface Desk {
  discord: DiscordServer;
  store: Store;
  audit: AuditLog;
  client: Client<true>;
  operations: OperationView[];
  /** `speakerStore`: what the speaker sees as its store. */
  start(more?: { callMs?: number; reportTo?: string; speakerStore?: Store }): Process;
  channel: string;
  /** A maintainer's message; its id. */
  asks(text?: string, channel?: string): string;
}

export function text(words: string): RunEvent {
  return { type: "text", text: words };
}

export function done(words: string, reason: "answered" | "interrupted" | "failed" | "limit" = "answered"): RunEvent {
  return { type: "done", reason, text: words, usage };
}

export async function openDesk(options: DiscordOptions = {}): Promise<Desk> {
  const store = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  onTestFinished(() => store.close());
  const discord = await startDiscord({ areLimitsOn: false, ...options });
  const client = await connect(discord);
  const audit = createAuditLog(store);
  const channel = discord.channel("clawdributors-test").id;
  const operations: OperationView[] = [];
  return {
    discord,
    store,
    audit,
    client,
    channel,
    operations,
    asks: (words = "what do you think?", where = channel) => discord.say("josh", where, `@${name} ${words}`).id,
    start: (more = {}) => startProcess({ store, audit, client, operations, ...more }),
  };
}

async function connect(discord: DiscordServer): Promise<Client<true>> {
  const { Client, DefaultRestOptions, GatewayIntentBits } = await import("discord.js");
  const settings = discordSettingsSchema.parse({ apiUrl: discord.apiUrl });
  const client = new Client({
    intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
    rest: restOptions(settings, DefaultRestOptions.makeRequest),
  });
  onTestFinished(() => client.destroy());
  const ready = new Promise((resolve) => client.once("clientReady", resolve));
  await client.login(discord.user(name).token);
  await ready;
  return client as Client<true>;
}

function startProcess(options: {
  store: Store;
  audit: AuditLog;
  client: Client<true>;
  operations: OperationView[];
  callMs?: number;
  reportTo?: string;
  speakerStore?: Store;
}): Process {
  const { store, audit, client, callMs = 5_000, reportTo } = options;
  const inbox = createInbox(store);
  const holds = { value: true };
  const cards: string[] = [];
  const runs = createRuns({
    instance: holder.instance,
    inbox,
    approvals: { list: async () => [] } as unknown as Approvals,
    audit,
    proposalsPerRun: 2,
    isPaused: async () => false,
    isSensitive: async () => false,
    onEvent: (conversation, message, event) => speaker.onEvent(conversation, message, event),
    onApproved: () => {},
    onAbandon: abandonReaders,
  });
  const speaker = createSpeaker({
    store: options.speakerStore ?? store,
    audit,
    inbox,
    runs,
    connection: { client: () => client },
    presence: { epoch: () => (holds.value ? 1 : null) },
    settings: reportTo === undefined ? {} : { reportTo },
    instance: holder.instance,
    name,
    callMs,
    // Nobody needs to be spared here.
    retryPauseMs: 20,
    log: () => {},
    showCard: async (approval) => void cards.push(approval),
    operations: async () => options.operations,
  });
  onTestFinished(() => (options.speakerStore ? undefined : speaker.stop()));
  const messageOf = (id: string, channel: string, more: Partial<Message>): Message => ({
    formatVersion: 1,
    id,
    kind: "chat",
    to: name,
    channel: "discord",
    conversation: `discord-${channel}`,
    author: { kind: "maintainer", id: "1", name: "josh" },
    text: "what do you think?",
    createdAt: 1,
    ...more,
  });
  const process: Process = {
    speaker,
    inbox,
    runs,
    cards,
    holds,
    async take(id, channel, more = {}) {
      speaker.follow({ message: id, conversation: `discord-${channel}`, place: { channel, replyTo: id } });
      await process.begin(id, channel, more);
    },
    async begin(id, channel, more = {}) {
      const message = messageOf(id, channel, more);
      await inbox.takeConversation(message.conversation, name);
      await inbox.submit(message);
      const claim = await inbox.claim(message, holder);
      runs.begin(message, { epoch: 1, resumed: claim === "resumed" });
    },
    async said(id, ...events) {
      await runs.onEvents(`${id}.1`, events);
    },
    async answer(id, words) {
      await process.said(id, text(words), done(words));
    },
  };
  return process;
}
