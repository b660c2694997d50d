/** The gateway's half of the Discord server: sessions over web sockets, with sequence numbers, replay and intents. */

import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import {
  botOf,
  guildCreateOf,
  hideContent,
  intentBits,
  readyOf,
  refusalOf,
  type Session,
  sees,
  transmit,
} from "./gateway-session.ts";
import { memberOf, messageOf } from "./wire.ts";
import type { Channel, Json, Message, User, World } from "./world.ts";

export interface GatewayLimits {
  /** IDENTIFY allowed before the token is reset; Discord's is 1,000 a day. */
  sessionStarts: number;
  /** At most one IDENTIFY in this time, as Discord's `max_concurrency` of 1 has it (5,000 ms); 0 for none. */
  identifyIntervalMs: number;
  heartbeatIntervalMs: number;
}

/** Most events that a session keeps for replay. */
const replayLimit = 50_000;
/** A client may send this many in a minute. */
const clientEventsPerMinute = 120;

export type Gateway = ReturnType<typeof startGateway>;

export function startGateway(options: { world: World; http: Server; limits: GatewayLimits }) {
  const { world, limits } = options;
  const sessions = new Map<string, Session>();
  const identified: { bot: string; at: number; intents: number }[] = [];
  const resumed: { bot: string; at: number; replayed: number }[] = [];
  const closes: { code: number; reason: string }[] = [];
  const startsLeft = new Map<string, number>();
  const sockets = new Set<WebSocket>();
  let isSilent = false;
  let isRefusing = false;
  const server = new WebSocketServer({ noServer: true });

  options.http.on("upgrade", (request, socket, head) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    if (isRefusing || url.pathname !== "/gateway" || url.searchParams.get("v") !== "10") {
      socket.end("HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n");
      return;
    }
    server.handleUpgrade(request, socket, head, (connection) => {
      if (url.searchParams.get("encoding") !== "json" || url.searchParams.has("compress"))
        connection.close(4002, "Only JSON without compression is spoken here");
      else welcome(connection);
    });
  });

  function welcome(socket: WebSocket): void {
    let session: Session | null = null;
    let received: number[] = [];
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", (code) => {
      sockets.delete(socket);
      if (session?.socket !== socket) return;
      session.socket = null;
      // A client that closes normally ends its session: nothing is kept for it.
      if (code === 1000 || code === 1001) sessions.delete(session.id);
    });
    const end = (code: number, reason: string): void => {
      closes.push({ code, reason });
      socket.close(code, reason);
    };
    let silence: NodeJS.Timeout | undefined;
    const listenForBeats = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => end(4009, "Session timed out."), limits.heartbeatIntervalMs * 2);
      silence.unref();
    };
    socket.once("close", () => clearTimeout(silence));
    listenForBeats();
    transmit(socket, { op: 10, d: { heartbeat_interval: limits.heartbeatIntervalMs, _trace: [] } });
    socket.on("message", (data) => {
      const now = Date.now();
      received = [...received.filter((at) => now - at < 60_000), now];
      if (received.length > clientEventsPerMinute) return end(4008, "You are being rate limited.");
      let frame: { op?: unknown; d?: unknown };
      try {
        frame = JSON.parse(String(data)) as typeof frame;
      } catch {
        return end(4002, "Error while decoding payload.");
      }
      if (frame.op === 1) {
        listenForBeats();
        if (!isSilent) transmit(socket, { op: 11 });
      } else if (frame.op === 2) {
        if (session) return end(4005, "Already authenticated.");
        session = identify(socket, frame.d as Json, end);
      } else if (frame.op === 6) {
        if (session) return end(4005, "Already authenticated.");
        session = resume(socket, frame.d as Json, end);
      } else if (!session) end(4003, "Not authenticated.");
      else if (frame.op === 3) return;
      else if (frame.op === 8) requestMembers(session, frame.d as Json);
      else end(4001, "Unknown opcode.");
    });
  }

  function identify(socket: WebSocket, data: Json, end: (code: number, reason: string) => void): Session | null {
    const bot = botOf(world, String(data.token));
    if (!bot) {
      end(4004, "Authentication failed.");
      return null;
    }
    const now = Date.now();
    const before = identified.findLast((one) => one.bot === bot.id);
    const left = startsLeft.get(bot.id) ?? limits.sessionStarts;
    identified.push({ bot: bot.id, at: now, intents: Number(data.intents) });
    if (left <= 0) {
      // As Discord does at its limit: the token is worth nothing from now on.
      bot.token = `reset-${randomUUID()}`;
      end(4004, "Authentication failed.");
      return null;
    }
    startsLeft.set(bot.id, left - 1);
    if (before && now - before.at < limits.identifyIntervalMs) {
      transmit(socket, { op: 9, d: false });
      return null;
    }
    const intents = Number(data.intents);
    const refused = refusalOf(bot, data.intents);
    if (refused) {
      end(...refused);
      return null;
    }
    const session: Session = {
      id: randomUUID().replaceAll("-", ""),
      bot: bot.id,
      intents,
      sequence: 0,
      sent: [],
      socket,
      isResumable: true,
    };
    sessions.set(session.id, session);
    const guilds = [...world.guilds.values()].filter(({ members }) => members.has(bot.id));
    dispatchTo(session, "READY", readyOf(world, { bot, session, guilds }));
    if (intents & intentBits.guilds)
      for (const guild of guilds) dispatchTo(session, "GUILD_CREATE", guildCreateOf(world, { id: guild.id, session }));
    return session;
  }

  function resume(socket: WebSocket, data: Json, end: (code: number, reason: string) => void): Session | null {
    const bot = botOf(world, String(data.token));
    if (!bot) {
      end(4004, "Authentication failed.");
      return null;
    }
    const session = sessions.get(String(data.session_id));
    const after = Number(data.seq);
    if (!session || session.bot !== bot.id || !session.isResumable) {
      transmit(socket, { op: 9, d: false });
      return null;
    }
    if (!Number.isInteger(after) || after > session.sequence) {
      end(4007, "Invalid seq.");
      return null;
    }
    if (session.socket && session.socket !== socket) session.socket.terminate();
    const missed = session.sent.filter(({ sequence }) => sequence > after);
    session.socket = socket;
    for (const { text } of missed) socket.send(text);
    resumed.push({ bot: bot.id, at: Date.now(), replayed: missed.length });
    dispatchTo(session, "RESUMED", { _trace: [] });
    return session;
  }

  function requestMembers(session: Session, data: Json): void {
    const guild = world.guilds.get(String(data.guild_id));
    if (!guild?.members.has(session.bot)) return;
    const wanted = ([] as unknown[]).concat(data.user_ids ?? []).map(String);
    const found = wanted.length > 0 ? wanted.filter((id) => guild.members.has(id)) : [...guild.members.keys()];
    dispatchTo(session, "GUILD_MEMBERS_CHUNK", {
      guild_id: guild.id,
      members: found.map((id) => memberOf(world, guild, id)),
      chunk_index: 0,
      chunk_count: 1,
      not_found: wanted.filter((id) => !guild.members.has(id)),
      ...(data.nonce === undefined ? {} : { nonce: data.nonce }),
    });
  }

  function dispatchTo(session: Session, type: string, data: unknown): void {
    session.sequence += 1;
    const text = JSON.stringify({ op: 0, s: session.sequence, t: type, d: data });
    session.sent.push({ sequence: session.sequence, text });
    if (session.sent.length > replayLimit) session.sent.shift();
    if (!isSilent && session.socket?.readyState === 1) session.socket.send(text);
  }

  /** To every session whose intents and permissions let it see the channel. */
  function dispatchIn(
    channel: Channel,
    event: { type: string; guildIntent: number; directIntent?: number; data: (session: Session) => unknown },
  ): void {
    const wanted = channel.guild === null ? (event.directIntent ?? 0) : event.guildIntent;
    for (const session of sessions.values())
      if (session.intents & wanted && sees(world, { channel, bot: session.bot }))
        dispatchTo(session, event.type, event.data(session));
  }

  function ofBot(bot?: string): Session[] {
    return [...sessions.values()].filter((session) => bot === undefined || session.bot === bot);
  }

  return {
    dispatchIn,

    /** To one bot's sessions, whatever their intents; how many there were that are connected. */
    dispatchToBot(bot: string, type: string, data: unknown): number {
      const all = ofBot(bot);
      for (const session of all) dispatchTo(session, type, data);
      return all.filter(({ socket }) => socket?.readyState === 1).length;
    },

    message(type: "MESSAGE_CREATE" | "MESSAGE_UPDATE", message: Message): void {
      const channel = world.channels.get(message.channel)!;
      const guild = message.guild === null ? null : world.guilds.get(message.guild)!;
      dispatchIn(channel, {
        type,
        guildIntent: intentBits.guildMessages,
        directIntent: intentBits.directMessages,
        data: (session) => ({
          ...hideContent(messageOf(world, message), {
            message,
            bot: session.bot,
            mayRead: (session.intents & intentBits.messageContent) !== 0,
          }),
          ...(message.nonce !== null && type === "MESSAGE_CREATE" ? { nonce: message.nonce } : {}),
          channel_type: channel.type,
          ...(guild === null ? {} : { guild_id: guild.id }),
          ...(guild !== null && !message.webhook && guild.members.has(message.author)
            ? { member: { ...memberOf(world, guild, message.author), user: undefined } }
            : {}),
        }),
      });
    },

    sessionStart(bot: User): Json {
      return {
        total: limits.sessionStarts,
        remaining: startsLeft.get(bot.id) ?? limits.sessionStarts,
        reset_after: 86_400_000,
        max_concurrency: 1,
      };
    },

    /** Cuts the connection without a word; the sessions can be resumed. */
    drop(bot?: string): void {
      for (const { socket } of ofBot(bot)) socket?.terminate();
    },

    /** Asks to reconnect, as Discord does before it restarts a node of its own. */
    reconnect(bot?: string): void {
      for (const { socket } of ofBot(bot)) if (socket) transmit(socket, { op: 7, d: null });
    },

    invalidSession(bot?: string): void {
      for (const session of ofBot(bot)) {
        session.isResumable = false;
        sessions.delete(session.id);
        if (session.socket) transmit(session.socket, { op: 9, d: false });
        else session.socket = null;
      }
    },

    /** Connected, but neither acknowledges nor dispatches any more; `false` ends it for new connections. */
    silence(isOn: boolean): void {
      isSilent = isOn;
    },

    /** Refuses connections at the socket. */
    refuse(isOn: boolean): void {
      isRefusing = isOn;
    },

    /** Sends any frame as it is, well-formed or not. */
    raw(text: string, bot?: string): void {
      for (const { socket } of ofBot(bot)) if (socket?.readyState === 1) socket.send(text);
    },

    identified,
    resumed,
    closes,
    connected: (bot?: string): number => ofBot(bot).filter(({ socket }) => socket?.readyState === 1).length,

    async close(): Promise<void> {
      for (const socket of sockets) socket.terminate();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
