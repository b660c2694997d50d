/**
 * The Discord channel as the gateway sees it: connected while this instance holds its name, and nothing otherwise. This
 * file and all it loads are imported only where Discord is switched on.
 */
import type { Check } from "../../../../tools/fleet/model.ts";
import type { DiscordSettings } from "../../../discord-settings.ts";
import type { Log } from "../../../log.ts";
import type { OperationView, RunEvent } from "../../../protocol.ts";
import type { Core } from "../../core.ts";
import type { Message } from "../../inbox.ts";
import type { Presence } from "../../presence.ts";
import type { Runs } from "../../runs.ts";
import type { Cards } from "./cards/cards.ts";
import { type ChannelSession, openSession } from "./channel-session.ts";
import type { InteractionHandlers } from "./commands/interactions.ts";
import { createConnection } from "./connection/connection.ts";
import type { Connection, Door } from "./contract.ts";
import type { DiscordSpeaker } from "./speak/speak.ts";

/** What is answered is still posted when the name goes; what takes longer, the next holder posts. */
const deliverMs = 1_500;

export type CommandHandlers = Pick<InteractionHandlers, "onCommand" | "onAutocomplete">;

export interface ChannelOptions
  extends Pick<Core, "store" | "audit" | "maintainers" | "inbox" | "approvals" | "operations" | "pause" | "fleet"> {
  settings: DiscordSettings;
  instance: string;
  name: string;
  runs: Runs;
  presence: Pick<Presence, "epoch" | "heldEpoch">;
  /** The bot's token as it is now; null where there is none. */
  token(): Promise<string | null>;
  /** The longest a call outside may take before the next holder may act. */
  callMs: number;
  onCheck(check: Check): void;
  /** Something is to do. */
  wake(): void;
  log: Log;
  makeCommands(parts: { connection: Connection; door: Door; cards: Cards; speaker: DiscordSpeaker }): CommandHandlers;
  fetch?: typeof globalThis.fetch;
}

export interface DiscordChannel {
  /** The name is this instance's: connects in the background, and the check `discord` says how that goes. */
  onTake(): Promise<void>;
  /** A run begins here: its answer is shown where it was asked for. */
  onBegin(message: Message): void;
  onEvent(conversation: string, message: string, event: RunEvent): void;
  onOperation(operation: OperationView): void;
  /** The name will go to another instance: nothing more is heard, so that what comes now is the next holder's. */
  onDrain(): Promise<void>;
  /** The name went elsewhere: at once. */
  onLost(): Promise<void>;
  /** Posts what is answered, for a moment, and closes. */
  stop(): Promise<void>;
  /** For a candidate: shows as a check that its token is accepted, without connecting. Never throws. */
  prove(): Promise<void>;
  /** What is open now; null without the name. */
  session(): ChannelSession | null;
}

export function openDiscordChannel(options: ChannelOptions): DiscordChannel {
  let session: ChannelSession | null = null;
  /** One after the other: a name may be taken while the former session still closes. */
  let turn: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const done = turn.then(work);
    turn = done.catch(() => {});
    return done;
  };

  const close = (waitMs: number): Promise<void> =>
    inTurn(async () => {
      const closing = session;
      session = null;
      await closing?.close({ deliverMs: waitMs });
    });

  return {
    onTake: () =>
      inTurn(async () => {
        session ??= openSession(options);
      }),
    onBegin: (message) => session?.taker.follow(message),
    onEvent: (conversation, message, event) => session?.speaker.onEvent(conversation, message, event),
    onOperation(operation) {
      void session?.speaker.onOperation(operation);
      session?.cards.wake();
    },
    onDrain: async () => session?.deafen(),
    onLost: () => close(0),
    stop: () => close(deliverMs),
    prove: () => createConnection({ ...options, mayAct: () => false }).prove(),
    session: () => session,
  };
}
