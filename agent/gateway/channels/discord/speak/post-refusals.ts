/** Channels that Discord does not let us write to: told as a check and in the audit log, and not asked again at once. */
import type { AuditLog } from "../../../audit.ts";
import { type Failure, unknownChannel } from "./post-failure.ts";

/** 10,000 refused requests in 10 min ban the address; one a minute and channel stays far below. */
const quietMs = 60_000;
/** How often it is looked, in memory, whether a channel may be tried again. */
const lookMs = 500;
/** A channel that nothing more is said in is no problem for longer: what waits for it is tried again before. */
const staleMs = 600_000;

export interface Refusal {
  code: string;
  reason: string;
  /** It may pass once somebody has mended a permission: `onOpen` tells when it can be tried. */
  mayPass: boolean;
}

export interface Refusals {
  /** What stands against writing to a channel now; null when it may be tried. */
  of(channel: string): Refusal | null;
  add(channel: string, failure: Extract<Failure, { kind: "refused" }>): Promise<Refusal>;
  /** Something was written there. */
  clear(channel: string): void;
  /** One line a channel, with the fix. */
  problems(): string[];
  stop(): void;
}

interface Closed extends Refusal {
  hint: string;
  at: number;
  until: number;
  /** Discord's permissions agree that nothing can be written there. */
  isForbidden: boolean;
  isTold: boolean;
}

export function createRefusals(options: {
  audit: Pick<AuditLog, "write">;
  instance: string;
  store: { now(): Promise<number> };
  /** By the permissions that Discord tells of; null where they are not known. */
  mayWrite(channel: string): boolean | null;
  /** Whatever `problems()` says may have changed. */
  onChange(): void;
  /** A channel may be tried again. */
  onOpen(): void;
}): Refusals {
  const known = new Map<string, Closed>();
  let timer: NodeJS.Timeout | null = null;

  const stop = (): void => {
    if (timer) clearInterval(timer);
    timer = null;
  };

  const forget = (channel: string): void => {
    if (!known.delete(channel)) return;
    if (known.size === 0) stop();
    options.onChange();
  };

  const look = (): void => {
    const now = performance.now();
    let isOpen = false;
    for (const [channel, closed] of [...known]) {
      const mayWrite = options.mayWrite(channel);
      if (mayWrite === false) closed.isForbidden = true;
      const isMended = mayWrite === true && closed.isForbidden;
      if (isMended || now - closed.at > staleMs) forget(channel);
      isOpen ||= isMended || (now >= closed.until && !closed.isTold);
      if (now >= closed.until) closed.isTold = true;
    }
    if (isOpen) options.onOpen();
  };

  return {
    of(channel) {
      const closed = known.get(channel);
      return closed && performance.now() < closed.until ? closed : null;
    },

    async add(channel, { code, reason, hint, isOfChannel }) {
      const refusal = { code, reason, mayPass: isOfChannel && code !== String(unknownChannel) };
      if (isOfChannel) {
        const at = performance.now();
        const isForbidden = options.mayWrite(channel) === false;
        known.set(channel, { ...refusal, hint, at, until: at + quietMs, isForbidden, isTold: false });
        timer ??= setInterval(look, lookMs).unref();
        options.onChange();
      }
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
      return refusal;
    },

    clear: forget,

    problems: () =>
      [...known].map(
        ([channel, { reason, hint }]) => `messages to the channel ${channel} are refused (${reason}): ${hint}`,
      ),

    stop,
  };
}
