/**
 * Keeps what happens on the gateway's socket from leaving it as an unhandled rejection, lets each IDENTIFY pass the
 * budget, and keeps a socket from connecting again after its client was given up.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { IIdentifyThrottler, IShardingStrategy, WebSocketShard } from "discord.js";

export interface SocketGuard {
  /** Nothing of a client that was given up may connect. */
  isOver(): boolean;
  /** Takes one IDENTIFY: 0, or milliseconds to wait for it. Throws when it cannot be written down. */
  takeIdentify(): Promise<number>;
  /** An IDENTIFY has to wait longer than a socket can be kept open for. */
  onHold(): void;
  /** A frame could not be worked on; the connection goes on. */
  onFault(what: string, error: unknown): void;
  /** The connection cannot go on by itself. */
  onBroken(error: unknown): void;
}

/** Discord closes a socket that says nothing; a longer wait begins with a new connection. */
const longestHoldMs = 10_000;

type Method = (...values: unknown[]) => Promise<unknown>;
/** Of the shard's methods those that run with nobody awaiting them. */
type Shard = { onMessage: Method; onClose: Method; heartbeat: Method; internalConnect: Method };

type Library = typeof import("discord.js");

/** A strategy for one shard in this process, as discord.js has by default, with each shard guarded. */
export function guardedStrategy(
  { SimpleShardingStrategy }: Library,
  guard: SocketGuard,
): (manager: ConstructorParameters<Library["SimpleShardingStrategy"]>[0]) => IShardingStrategy {
  return (manager) => {
    const strategy = new SimpleShardingStrategy(manager);
    const spawn = strategy.spawn.bind(strategy);
    strategy.spawn = async (ids) => {
      await spawn(ids);
      const { shards } = strategy as unknown as { shards: Map<number, WebSocketShard> };
      for (const shard of shards.values()) guardShard(shard as unknown as Shard, guard);
    };
    return strategy;
  };
}

function guardShard(shard: Shard, guard: SocketGuard): void {
  const wrap = (name: keyof Shard, onError: (error: unknown) => void): void => {
    const original = shard[name].bind(shard);
    shard[name] = async (...values) => {
      if (name === "internalConnect" && guard.isOver()) return undefined;
      try {
        return await original(...values);
      } catch (error) {
        if (!guard.isOver()) onError(error);
        return undefined;
      }
    };
  };
  wrap("onMessage", (error) => guard.onFault("an event of Discord could not be worked on", error));
  wrap("heartbeat", (error) => guard.onFault("a heartbeat to Discord could not be sent", error));
  wrap("onClose", (error) => guard.onBroken(error));
  wrap("internalConnect", (error) => guard.onBroken(error));
}

/** Never throws: what it throws, discord.js sends the IDENTIFY after. Ends with the socket, or when there is room. */
export function identifyThrottler(guard: SocketGuard): IIdentifyThrottler {
  return {
    async waitForIdentify(_shardId, signal) {
      while (!signal.aborted && !guard.isOver()) {
        const waitMs = await guard.takeIdentify().catch((error: unknown) => {
          guard.onFault("an IDENTIFY could not be written down, so it is not sent", error);
          return longestHoldMs + 1;
        });
        if (waitMs === 0) return;
        if (waitMs > longestHoldMs) {
          guard.onHold();
          break;
        }
        await sleep(waitMs, undefined, { signal }).catch(() => {});
      }
      // Only the end of the socket ends this: discord.js takes that as a reason not to identify.
      await new Promise<void>((_resolve, reject) => {
        const refuse = (): void => reject(new Error("the connection was given up"));
        if (signal.aborted) refuse();
        else signal.addEventListener("abort", refuse, { once: true });
      });
    },
  };
}
