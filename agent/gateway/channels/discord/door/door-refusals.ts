/** Refusals in the audit log, few enough that nobody can fill it, and without a word of what strangers wrote. */
import type { AuditLog } from "../../../audit.ts";
import type { Approach } from "../contract.ts";

/** One line for each author and reason in this time. */
const sameMs = 60_000;
/** For bots and webhooks, which may chatter all day. */
const seldomMs = 3_600_000;
/** Lines a minute for all of them together: many accounts are cheap to make. */
const linesPerMinute = 120;
/** Pairs that are remembered; the oldest are forgotten, which costs a line too many at most. */
const mostPairs = 2_000;

export interface Refused {
  approach: Approach;
  code: string;
  reason: string;
  isSeldom: boolean;
}

export interface RefusalLog {
  /** Resolves when the line is durable, or is left out and counted. */
  write(refused: Refused): Promise<void>;
}

export function createRefusalLog(
  audit: Pick<AuditLog, "write">,
  now: () => number = () => performance.now(),
): RefusalLog {
  const pairs = new Map<string, { at: number; left: number }>();
  let minute = { at: Number.NEGATIVE_INFINITY, lines: 0 };
  let left = 0;

  return {
    async write({ approach, code, reason, isSeldom }) {
      const { kind, id, guild, channel, author } = approach;
      const key = `${author.id} ${code}`;
      const at = now();
      const before = pairs.get(key);
      if (before && at - before.at < (isSeldom ? seldomMs : sameMs)) {
        before.left++;
        return;
      }
      if (at - minute.at >= 60_000) minute = { at, lines: 0 };
      if (minute.lines >= linesPerMinute) {
        left++;
        return;
      }
      minute.lines++;
      const more = (before?.left ?? 0) + left;
      left = 0;
      pairs.delete(key);
      pairs.set(key, { at, left: 0 });
      const oldest = pairs.keys().next();
      if (pairs.size > mostPairs && !oldest.done) pairs.delete(oldest.value);
      const where = guild === null ? "in private" : `in guild ${number(guild)}, channel ${number(channel)}`;
      await audit.write({
        action: "discord.refused",
        actor: `discord:${number(author.id)}`,
        surface: "discord",
        subject: `discord/${kind}/${number(id)}`,
        detail: `${code}: ${reason}; ${where}${more > 0 ? `; ${more} more like it or left out since the last line` : ""}`,
      });
    },
  };
}

/** What should be an id may be anything. */
function number(text: string): string {
  return /^[0-9]{1,20}$/.test(text) ? text : "malformed";
}
