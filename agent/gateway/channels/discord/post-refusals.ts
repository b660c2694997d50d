/** Channels that Discord does not let us write to: told as a check and in the audit log, and not asked again at once. */
import type { AuditLog } from "../../audit.ts";
import type { Failure } from "./post-failure.ts";

/** 10,000 refused requests in 10 min ban the address; one a minute and channel stays far below. */
const quietMs = 60_000;

export interface Refusal {
  code: string;
  reason: string;
}

export interface Refusals {
  /** What stands against writing to a channel now; null when it may be tried. */
  of(channel: string): Refusal | null;
  add(channel: string, failure: Extract<Failure, { kind: "refused" }>): Promise<void>;
  /** Something was written there. */
  clear(channel: string): void;
  /** One line a channel, with the fix. */
  problems(): string[];
}

export function createRefusals(options: {
  audit: Pick<AuditLog, "write">;
  instance: string;
  store: { now(): Promise<number> };
  /** Whatever `problems()` says may have changed. */
  onChange(): void;
}): Refusals {
  const known = new Map<string, Refusal & { hint: string; until: number }>();
  return {
    of(channel) {
      const refusal = known.get(channel);
      return refusal && performance.now() < refusal.until ? refusal : null;
    },

    async add(channel, { code, reason, hint, isOfChannel }) {
      if (isOfChannel) known.set(channel, { code, reason, hint, until: performance.now() + quietMs });
      if (isOfChannel) options.onChange();
      const hour = Math.floor((await options.store.now()) / 3_600_000);
      await options.audit.write(
        {
          action: "discord.post.refused",
          actor: `instance:${options.instance}`,
          surface: "discord",
          subject: `discord/${channel}`,
          detail: `Discord does not take a message there (${code}: ${reason}); ${hint}`,
        },
        { once: `discord-refused/${options.instance}/${channel}/${code}/${hour}` },
      );
    },

    clear(channel) {
      if (known.delete(channel)) options.onChange();
    },

    problems: () =>
      [...known].map(
        ([channel, { reason, hint }]) => `messages to the channel ${channel} are refused (${reason}): ${hint}`,
      ),
  };
}
