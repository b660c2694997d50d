/** Messages that name the bot where it does not listen: they are not read, and whoever tries is in the audit log. */
import type { Client } from "discord.js";
import type { Connection, Door } from "../contract.ts";

/** As Discord sends it; anything in it may be missing or something else. */
interface Packet {
  t?: unknown;
  d?: {
    id?: unknown;
    channel_id?: unknown;
    guild_id?: unknown;
    webhook_id?: unknown;
    author?: { id?: unknown; username?: unknown; bot?: unknown };
    mentions?: unknown;
  } | null;
}

/** `isListenedTo`: whether messages of that channel come to the door anyway. */
export function watchElsewhere(options: {
  connection: Pick<Connection, "onClient">;
  door: Door;
  isListenedTo(client: Client, options: { channel: string; guild: string | null }): boolean;
}): void {
  const { connection, door, isListenedTo } = options;
  connection.onClient((client) => {
    client.on("raw", (packet: Packet) => {
      const { t, d } = packet;
      const self = client.user?.id;
      if (t !== "MESSAGE_CREATE" || !d || self === undefined || !Array.isArray(d.mentions)) return;
      if (!d.mentions.some((one: { id?: unknown } | null) => one?.id === self)) return;
      const { id, channel_id: channel, guild_id: guildId, author } = d;
      if (typeof id !== "string" || typeof channel !== "string" || typeof author?.id !== "string") return;
      const guild = typeof guildId === "string" ? guildId : null;
      if (isListenedTo(client, { channel, guild })) return;
      // The place alone is judged here, so the author's roles and the thread's parent do not matter.
      void door.admit({
        kind: "message",
        id,
        guild,
        channel,
        parent: null,
        author: {
          id: author.id,
          name: typeof author.username === "string" ? author.username : "",
          isBot: author.bot === true,
          isWebhook: d.webhook_id !== undefined,
          roles: [],
        },
      });
    });
  });
}
