/** What a token is good for, asked of Discord without connecting, and which name speaks as which bot. */
import type { APIApplication, APIUser, REST } from "discord.js";
import { describeError } from "../../../../../tools/errors.ts";
import { readName } from "../../../../../tools/fleet/names.ts";
import type { Json } from "../../../../../tools/json.ts";
import type { Store } from "../../../../../tools/store.ts";
import { again } from "../again.ts";

/** Application flags GATEWAY_MESSAGE_CONTENT and its form for bots in few guilds (Discord's docs, application object). */
const messageContentFlags = (1 << 18) | (1 << 19);

export type Inspection =
  | { kind: "accepted"; id: string; name: string; hasMessageContent: boolean; application: string | null }
  | { kind: "refused" }
  /** Discord could not be asked; `detail` says why. */
  | { kind: "unknown"; detail: string };

/** Asks who the token is (GET /users/@me) and what its application may do. Never throws. */
export async function inspectToken(rest: REST, signal: AbortSignal): Promise<Inspection> {
  try {
    const user = (await again(() => rest.get("/users/@me", { signal }))) as APIUser;
    const application = (await rest.get("/applications/@me", { signal }).catch(() => null)) as APIApplication | null;
    const flags = application?.flags;
    return {
      kind: "accepted",
      id: user.id,
      name: user.username,
      // Unknown is not missing: then the connection itself tells.
      hasMessageContent: typeof flags !== "number" || (flags & messageContentFlags) !== 0,
      application: application?.id ?? null,
    };
  } catch (error) {
    if ((error as { status?: unknown }).status === 401) return { kind: "refused" };
    return { kind: "unknown", detail: describeError(error).message };
  }
}

interface BotRecord {
  formatVersion: 1;
  name: string;
}

interface Bot {
  store: Store;
  name: string;
  /** The bot's user id. */
  bot: string;
}

/** The other name that speaks as this bot and is held; null where none does. */
export async function otherNameOf({ store, name, bot }: Bot): Promise<string | null> {
  const owner = ((await store.get(keyOf(bot)))?.value as unknown as BotRecord | undefined)?.name ?? null;
  if (owner === null || owner === name) return null;
  const record = await readName(store, owner);
  return record !== null && record.holder !== null && record.leaseUntil > (await store.now()) ? owner : null;
}

/**
 * Notes that this name speaks as the bot; returns the other name that does, where one that is held does. Two names with
 * one token would both answer everything. A name that was released or whose lease is over gives way.
 */
export async function claimBot(options: Bot): Promise<string | null> {
  const { store, name, bot } = options;
  for (;;) {
    const other = await otherNameOf(options);
    if (other !== null) return other;
    const entry = await store.get(keyOf(bot));
    if ((entry?.value as unknown as BotRecord | undefined)?.name === name) return null;
    const next: Json = { formatVersion: 1, name };
    const result = await store.put(keyOf(bot), next, entry ? { ifVersion: entry.version } : { ifAbsent: true });
    if (result.written) return null;
  }
}

function keyOf(bot: string): string {
  return `discord/bots/${bot}`;
}
