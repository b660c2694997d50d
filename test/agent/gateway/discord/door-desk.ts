/** A door with a real store, maintainers and audit log, and channels that are known by name. */
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { discordSettingsSchema } from "../../../../agent/discord-settings.ts";
import { type AuditLog, createAuditLog } from "../../../../agent/gateway/audit.ts";
import type { Approach, Door } from "../../../../agent/gateway/channels/discord/contract.ts";
import { createDiscordDoor } from "../../../../agent/gateway/channels/discord/door/door.ts";
import { createMaintainers, type Maintainers } from "../../../../agent/gateway/maintainers.ts";
import { openSqliteStore } from "../../../../agent/gateway/store/sqlite.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

export const ids = {
  guild: "100000000000000001",
  otherGuild: "100000000000000002",
  channel: "200000000000000001",
  byId: "200000000000000002",
  closed: "200000000000000003",
  thread: "200000000000000004",
  strangeThread: "200000000000000005",
  ada: "300000000000000001",
  bob: "300000000000000002",
  cleo: "300000000000000003",
  stranger: "300000000000000009",
  role: "400000000000000001",
  sibling: "500000000000000002",
  bot: "500000000000000001",
  otherBot: "500000000000000009",
  message: "600000000000000001",
};

export interface DoorDesk {
  door: Door;
  maintainers: Maintainers;
  audit: AuditLog;
}

export async function doorDesk(settings: object = {}): Promise<DoorDesk> {
  const store = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  onTestFinished(() => store.close());
  const maintainers = createMaintainers(store);
  const audit = createAuditLog(store);
  const names: Record<string, string> = { [ids.channel]: "clawdributors-test", [ids.closed]: "general" };
  const door = createDiscordDoor({
    settings: discordSettingsSchema.parse({
      enabled: true,
      guilds: {
        [ids.guild]: { channels: { "clawdributors-test": {}, [ids.byId]: {}, [ids.closed]: { allow: false } } },
      },
      maintainers: { users: { [ids.bob]: "2" }, roles: [ids.role] },
      siblings: [ids.sibling],
      ...settings,
    }),
    maintainers,
    audit,
    connection: { nameOf: (id) => names[id] ?? null, self: () => ids.bot, application: () => ids.bot },
    log: () => {},
  });
  await maintainers.add("Ada");
  await maintainers.add("Bob");
  await maintainers.link("1", ids.ada);
  return { door, maintainers, audit };
}

export type Change = Partial<Omit<Approach, "author">> & { author?: Partial<Approach["author"]> };

/** Ada's message in the listed channel, with what is different. */
export function approach({ author, ...rest }: Change = {}): Approach {
  return {
    kind: "message",
    id: ids.message,
    guild: ids.guild,
    channel: ids.channel,
    parent: null,
    author: { id: ids.ada, name: "ada", isBot: false, isWebhook: false, roles: [], ...author },
    ...rest,
  };
}
