/** One discord.js client from its login to its end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client, RESTOptions } from "discord.js";
import { describeError } from "../../../../../tools/errors.ts";
import type { DiscordSettings } from "../../../../discord-settings.ts";
import type { Log } from "../../../../log.ts";
import { guardMemory } from "./connection-border.ts";
import { createClient } from "./connection-client.ts";
import type { SocketGuard } from "./connection-guard.ts";
import { type End, endOfCode, trouble } from "./connection-trouble.ts";

/** From the login until Discord has greeted: longer than discord.js takes to try each part once. */
const greetingMs = 60_000;
/** A socket that is not closed from the other side by then is left behind. */
const closeMs = 3_000;
/** What is missing changes in bursts, as when a role is edited. */
const sightDelayMs = 250;
/** However many events are not as they should be, the log says so once in this time. */
const tellMisfitsMs = 60_000;

export interface Session {
  /** Null until it is ready. */
  client(): Client<true> | null;
  raw(): Client;
  /** Milliseconds since the connection was lost; 0 while it is there. */
  downMs(): number;
  end(end: End): void;
  ended: Promise<End>;
  destroy(): Promise<void>;
}

export interface SessionOptions {
  settings: DiscordSettings;
  token: string;
  makeRequest: RESTOptions["makeRequest"];
  /** Takes one IDENTIFY, or says how long to wait for it. */
  takeIdentify(): Promise<number>;
  /** Before anything is received. */
  attach(client: Client): void;
  onReady(client: Client<true>): void;
  /** What the bot can see may have changed. */
  onSight(client: Client<true>): void;
  log: Log;
}

/** Begins to connect; `ended` resolves when this client has nothing more to give. */
export async function beginSession(options: SessionOptions): Promise<Session> {
  const { log } = options;
  const library = await import("discord.js");
  const { promise: ended, resolve: end } = Promise.withResolvers<End>();
  let isOver = false;
  let isReady = false;
  let lostAt: number | null = null;
  let sightTimer: NodeJS.Timeout | null = null;
  const again = (problem: string): End => ({ kind: "again", waitMs: null, problem });

  const guard: SocketGuard = {
    isOver: () => isOver,
    takeIdentify: options.takeIdentify,
    // The next session says how long it waits.
    onHold: () => end({ kind: "again", waitMs: 0, problem: null }),
    onFault: (what, error) => log("warn", what, { error: describeError(error).message }),
    onBroken: (error) => end(again(trouble.unreachable(describeError(error).message))),
  };
  const client = createClient(library, { settings: options.settings, makeRequest: options.makeRequest, guard });
  let misfits = 0;
  let toldMisfitsAt = Number.NEGATIVE_INFINITY;
  guardMemory(client, (kind) => {
    misfits++;
    if (performance.now() - toldMisfitsAt < tellMisfitsMs) return;
    toldMisfitsAt = performance.now();
    log("warn", "discord.not_remembered", { kind, count: misfits });
    misfits = 0;
  });
  const readyClient = (): Client<true> | null => (isReady && !isOver ? (client as Client<true>) : null);

  const { Events } = library;
  const onChange = (): void => {
    sightTimer ??= setTimeout(() => {
      sightTimer = null;
      const seen = readyClient();
      try {
        if (seen) options.onSight(seen);
      } catch (error) {
        log("error", "discord.not_compared", { error: describeError(error).message });
      }
    }, sightDelayMs);
  };
  const onUp = (): void => {
    lostAt = null;
    onChange();
  };
  client.on(Events.Error, (error) => log("warn", "discord", { error: describeError(error).message }));
  client.on(Events.Warn, (message) => log("debug", "discord", { message }));
  client.on(Events.ShardError, (error) => log("info", "discord.socket_error", { error: error.message }));
  client.on(Events.ShardDisconnect, ({ code }) => {
    log("warn", "discord.closed", { code });
    end(endOfCode(code) ?? again(trouble.unreachable(`it closed the connection with code ${code}`)));
  });
  client.on(Events.ShardReconnecting, () => {
    lostAt ??= performance.now();
    log("info", "discord.reconnecting", {});
  });
  client.on(Events.ShardResume, onUp);
  client.on(Events.ShardReady, onUp);
  client.on(Events.Invalidated, () => end(again(trouble.unreachable("the session was ended"))));
  client.once(Events.ClientReady, (ready) => {
    isReady = true;
    lostAt = null;
    options.onReady(ready);
  });
  for (const name of [
    Events.GuildCreate,
    Events.GuildUpdate,
    Events.GuildDelete,
    Events.GuildAvailable,
    Events.ChannelCreate,
    Events.ChannelUpdate,
    Events.ChannelDelete,
    Events.GuildRoleCreate,
    Events.GuildRoleUpdate,
    Events.GuildRoleDelete,
    Events.GuildMemberUpdate,
  ] as const) {
    client.on(name, onChange);
  }
  options.attach(client);

  const greeting = setTimeout(() => {
    if (!isReady) end(again(trouble.slow));
  }, greetingMs);
  client.login(options.token).catch((error: unknown) => end(endOfFailure(error)));

  return {
    client: readyClient,
    raw: () => client,
    downMs: () => (lostAt === null || !isReady ? 0 : performance.now() - lostAt),
    end,
    ended,
    async destroy() {
      isOver = true;
      clearTimeout(greeting);
      if (sightTimer) clearTimeout(sightTimer);
      const waited = new AbortController();
      await Promise.race([
        client.destroy().catch((error: unknown) => log("debug", "discord", { error: describeError(error).message })),
        sleep(closeMs, undefined, { signal: waited.signal }).catch(() => {}),
      ]);
      waited.abort();
    },
  };
}

/** Why a login failed. A close code that says more has come before it. */
function endOfFailure(error: unknown): End {
  const { status, code } = error as { status?: unknown; code?: unknown };
  if (status === 401 || code === "TokenInvalid") return { kind: "token", problem: trouble.refusedToken };
  return { kind: "again", waitMs: null, problem: trouble.unreachable(describeError(error).message) };
}
