/**
 * The one author check of Discord. Messages, commands, buttons, autocomplete and modals all pass here before anything is
 * made of them, so that no entry is guarded less than another. People are known by numeric ids alone: names, nicknames
 * and what a message looks like mean nothing.
 */
import { describeError } from "../../../../../tools/errors.ts";
import type { DiscordSettings } from "../../../../discord-settings.ts";
import type { Log } from "../../../../log.ts";
import type { AuditLog } from "../../../audit.ts";
import type { Maintainer, Maintainers } from "../../../maintainers.ts";
import { bareName } from "../connection/settings-check.ts";
import type { Admission, Approach, Connection, Door } from "../contract.ts";
import { createRefusalLog } from "./door-refusals.ts";

export interface DoorOptions {
  settings: DiscordSettings;
  maintainers: Pick<Maintainers, "get" | "byDiscord">;
  audit: Pick<AuditLog, "write">;
  /** Channels may be listed by name, and this bot's own messages are nobody's. */
  connection: Pick<Connection, "nameOf" | "self" | "application">;
  log: Log;
}

type Refusal = Extract<Admission, { admitted: false }>;

const idPattern = /^[0-9]{1,20}$/;

const refuse = (code: string, reason: string): Refusal => ({ admitted: false, silent: false, code, reason });
const ignore = (code: string, reason: string): Refusal => ({ admitted: false, silent: true, code, reason });

export function createDiscordDoor(options: DoorOptions): Door {
  const { settings, connection, log } = options;
  const refusals = createRefusalLog(options.audit);

  return {
    async admit(approach) {
      const admission = await judge(approach, options).catch((error: unknown): Refusal => {
        log("error", "the author check failed", { error: describeError(error).message });
        return refuse("check_failed", "the author check failed");
      });
      if (!admission.admitted && !admission.silent) {
        const isNoisy = approach.author?.isBot || approach.author?.isWebhook;
        await refusals
          .write({ approach, code: admission.code, reason: admission.reason, isSeldom: settings.ignoreBots && isNoisy })
          .catch((error: unknown) =>
            log("warn", "the audit log took no line", { error: describeError(error).message }),
          );
      }
      return admission;
    },
  };

  async function judge(approach: Approach, { maintainers }: DoorOptions): Promise<Admission> {
    return whereRefused(approach) ?? (await whoIs(approach, maintainers));
  }

  /** Where it comes from, and whether a person can be behind it; null when it may go on to who that is. */
  function whereRefused({ kind, id, guild, channel, parent, author, application }: Approach): Refusal | null {
    const ids = [id, channel, author.id, ...(guild === null ? [] : [guild]), ...(parent === null ? [] : [parent])];
    if (!ids.every((one) => idPattern.test(one))) return refuse("malformed", "an id is not a number");
    const own = connection.application();
    if (application !== undefined && own !== null && application !== own) {
      return refuse("other_application", "it is meant for another application");
    }
    if (author.id === connection.self()) return ignore("own", "this bot's own message");
    if (author.isWebhook) return refuse("webhook", "a webhook is nobody");
    if (settings.siblings.includes(author.id) || author.isBot) {
      const isSibling = settings.siblings.includes(author.id);
      // Siblings talk in the same channels all day.
      if (isSibling && kind === "message") return ignore("sibling", "another bot of the fleet");
      return refuse("bot", "a bot is never a maintainer");
    }
    if (guild === null) return settings.dm.enabled ? null : refuse("private", "private messages are switched off");
    if (!isAllowed(guild, channel, parent)) return refuse("channel", "the bot does not listen there");
    return null;
  }

  /** A thread is listened to like the channel it belongs to, unless it is listed itself. */
  function isAllowed(guild: string, channel: string, parent: string | null): boolean {
    const rules = own(settings.guilds, guild)?.channels;
    if (!rules) return false;
    const named = (id: string): boolean | undefined => {
      const byId = own(rules, id);
      if (byId) return byId.allow;
      const name = connection.nameOf(id);
      const entry = name === null ? undefined : Object.keys(rules).find((key) => bareName(key) === name);
      return entry === undefined ? undefined : rules[entry]?.allow;
    };
    if (parent === null) return named(channel) ?? false;
    // A thread's name is chosen by whoever opens it, so a thread counts by its id alone.
    return own(rules, channel)?.allow ?? named(parent) ?? false;
  }

  async function whoIs({ guild, author }: Approach, maintainers: DoorOptions["maintainers"]): Promise<Admission> {
    const linked = await maintainers.byDiscord(author.id);
    if (linked)
      return linked.removedAt === null ? admit(linked) : refuse("removed", `maintainer ${linked.id} was removed`);
    const named = own(settings.maintainers.users, author.id);
    if (named !== undefined) {
      const maintainer = await maintainers.get(named);
      return maintainer ? admit(maintainer) : refuse("removed", `there is no maintainer ${named} (any more)`);
    }
    // @everyone has the guild's own id.
    const isByRole = settings.maintainers.roles.some((role) => role !== guild && author.roles.includes(role));
    if (guild === null || !isByRole) return refuse("not_a_maintainer", "not a maintainer");
    return admit({ id: author.id, name: personName(author), createdAt: 0, removedAt: null, discord: author.id });
  }
}

function admit(maintainer: Maintainer): Admission {
  return { admitted: true, actor: { maintainer, surface: "discord", asLocal: false, by: maintainer } };
}

/** Own entries alone: an id can never name what every object has. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** For records and terminals, one line of visible characters: it decides nothing. */
function personName({ id, name }: Approach["author"]): string {
  const shown = name.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, "").trim();
  return [...shown].slice(0, 50).join("") || `Discord user ${id}`;
}
