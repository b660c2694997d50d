/** Cards and commands of a gateway: real approvals over a real store, the real client against a local Discord server. */

import { join } from "node:path";
import { onTestFinished } from "vitest";
import { discordSettingsSchema } from "../../../../agent/discord-settings.ts";
import { type ChannelSession, openSession } from "../../../../agent/gateway/channels/discord/channel-session.ts";
import { assembleCommands } from "../../../../agent/gateway/channels/discord/commands/commands-assemble.ts";
import { createInbox, type Inbox } from "../../../../agent/gateway/inbox.ts";
import { createMaintainers, type Maintainers } from "../../../../agent/gateway/maintainers.ts";
import { createPause, type Pause } from "../../../../agent/gateway/pause.ts";
import type { Runs } from "../../../../agent/gateway/runs.ts";
import type { ApprovalView } from "../../../../agent/protocol.ts";
import { openMemory } from "../../../../memory/index.ts";
import type { Check, FleetStatus } from "../../../../tools/fleet/model.ts";
import type { FleetServices, Image } from "../../../../tools/fleet/services.ts";
import type { Proposer } from "../../../../tools/tool.ts";
import { type DiscordOptions, type DiscordServer, startDiscord } from "../../../support/discord/server.ts";
import type { Message } from "../../../support/discord/world.ts";
import type { Painters } from "../../../support/painting.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";
import { open } from "../../../support/voting.ts";
import { waitFor } from "../../../support/wait.ts";

export const room = "clawdributors-test";
export const revision = "ab".repeat(20);

export interface CardDesk {
  discord: DiscordServer;
  painters: Painters;
  maintainers: Maintainers;
  inbox: Inbox;
  pause: Pause;
  /** Of the room. */
  channel: string;
  woken: number;
  checks: Check[];
  /** Another instance over the same store, connected as the bot of `name`; default CLAWDINATOR-1. */
  start(options?: StartOptions): Promise<ChannelSession>;
  /** Proposed in the room, by a maintainer who is nobody here. */
  propose(proposer?: Partial<Proposer>): Promise<ApprovalView>;
  /** The message that shows an approval, once `holds` does. */
  card(id: string, holds?: (card: Message) => boolean): Promise<Message>;
  /** Actions of the audit log with their actors. */
  audited(action: string): Promise<string[]>;
}

export interface StartOptions {
  name?: string;
  instance?: string;
  reportTo?: string;
  status?: () => Promise<FleetStatus>;
}

export async function openCardDesk(
  options: { quorum?: number; path?: string; discord?: DiscordOptions } = {},
): Promise<CardDesk> {
  const path = options.path ?? join(temporaryDirectory(), "store.sqlite");
  const painters = await open({ path, approvers: ["1", "2", "3"], quorum: options.quorum ?? 1 });
  const { store, audit, approvals, operations } = painters;
  const discord = await startDiscord({ areLimitsOn: false, ...options.discord });
  const maintainers = createMaintainers(store);
  for (const name of ["Josh", "Mariano", "Ada"]) await maintainers.add(name);
  await maintainers.link("1", discord.user("josh").id);
  await maintainers.link("2", discord.user("mariano").id);
  const inbox = createInbox(store);
  const pause = createPause(store);
  const channel = discord.channel(room).id;

  const desk: CardDesk = {
    discord,
    painters,
    maintainers,
    inbox,
    pause,
    channel,
    woken: 0,
    checks: [],

    async start({ name = "CLAWDINATOR-1", instance = "i-000000000001", reportTo, status } = {}) {
      const settings = discordSettingsSchema.parse({
        enabled: true,
        apiUrl: discord.apiUrl,
        guilds: { [discord.guild().id]: { channels: { [room]: {}, [discord.channel("general").id]: {} } } },
        ...(reportTo ? { reportTo: discord.channel(reportTo).id } : {}),
      });
      const common = {
        store,
        audit,
        maintainers,
        inbox,
        approvals,
        operations,
        pause,
        fleet: fleetOf(status),
        async status() {
          const paused = await pause.peek();
          return { ...(await fleetOf(status).status()), ...(paused ? { paused } : {}) };
        },
        settings,
        instance,
        name,
        log: () => {},
        wake: () => void desk.woken++,
        onCheck: (check: Check) => void desk.checks.push(check),
      };
      const memory = openMemory({ directory: join(temporaryDirectory(), "memory"), writer: instance });
      onTestFinished(() => memory.close());
      const session = openSession({
        ...common,
        runs: { watch: () => null, interrupt: () => false } as unknown as Runs,
        presence: { epoch: () => 1, heldEpoch: () => 1 },
        token: async () => discord.user(name).token,
        callMs: 5_000,
        makeCommands: (parts) =>
          assembleCommands(
            {
              ...common,
              cost: async () => Promise.reject(new Error("not prepared")),
              sitrep: async () => ({
                at: 0,
                since: 0,
                items: [],
                fleet: { instances: 1, ready: 1 },
                spend: null,
                schedule: [{ id: "heartbeat", text: "heartbeat: every hour" }],
              }),
              memory: async () => memory,
              program: () => ({ version: "1.2.3", revision, image: "checkout", instance, name }),
            },
            parts,
          ),
      });
      onTestFinished(() => session.close({ deliverMs: 0 }));
      await waitFor(() => session.connection.client() !== null, { what: "the connection" });
      return session;
    },

    propose: (proposer = {}) =>
      painters.propose({ id: "3", name: "Ada", conversation: `discord-${channel}`, ...proposer }),

    card: (id, holds = () => true) =>
      waitFor(
        () => {
          const cards = [room, "general"].flatMap((one) => discord.posts(one));
          return cards.find((one) => one.content.startsWith("###") && one.content.includes(`\`${id}\``) && holds(one));
        },
        { what: `the card of ${id}` },
      ),

    async audited(action) {
      const entries = await audit.list({ limit: 1000 });
      return entries.filter((entry) => entry.action === action).map((entry) => `${entry.actor} ${entry.detail}`);
    },
  };
  return desk;
}

export function buttonsOf(card: Message): string[] {
  return card.components.flatMap((row) => ((row.components ?? []) as { label: string }[]).map(({ label }) => label));
}

export function customIdOf(card: Message, label: string): string {
  const all = card.components.flatMap((row) => (row.components ?? []) as { label: string; custom_id: string }[]);
  return all.find((one) => one.label === label)?.custom_id ?? "";
}

function fleetOf(status?: () => Promise<FleetStatus>): FleetServices {
  const one = (name: string) => ({
    name,
    state: "ready" as const,
    instance: "i-000000000001",
    machine: null,
    revision,
    image: "checkout",
    dirty: false,
    epoch: 1,
    port: null,
    url: null,
    heartbeatAgeMs: 100,
    startedAt: 0,
    phases: [],
    checks: [],
  });
  const image = { revision, id: "img-1", bytes: 5_000_000, builtAt: Date.parse("2026-11-20T10:00:00Z"), ami: null };
  return {
    status:
      status ??
      (async () => ({
        at: 0,
        instances: [one("CLAWDINATOR-1"), one("CLAWDINATOR-2")],
        self: { name: "CLAWDINATOR-1", instance: "i-000000000001" },
      })),
    drift: async () => ({ at: 0, items: [] }),
    desired: async () => ({ formatVersion: 1, instances: { "CLAWDINATOR-1": {} } }),
    provider: { listImages: async () => [image as Image] },
  } as unknown as FleetServices;
}
