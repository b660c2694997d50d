/** What a failed call to Discord means for the message that it was about. */
import type { DiscordAPIError, RateLimitError } from "discord.js";
import { ProviderError } from "../../../../../tools/errors.ts";

export type Failure =
  /** It was not done, and can be from then on. `everywhere`: the limit is the bot's, not the channel's. */
  | { kind: "limited"; afterMs: number; everywhere: boolean }
  /** Nobody knows whether it was done. */
  | { kind: "uncertain"; reason: string }
  /** It was not done and cannot be; asking again would not help. `isOfChannel`: nothing can be written there. */
  | { kind: "refused"; code: string; reason: string; hint: string; isOfChannel: boolean }
  /** The message to edit is not there any more. */
  | { kind: "gone" }
  /** It cannot be a reply; as a message of its own it may pass. */
  | { kind: "no_reply" };

/** Discord's codes (discord-api-docs, “Opcodes and status codes”). */
export const unknownChannel = 10_003;
const unknownMessage = 10_008;
const replyWithoutHistory = 160_002;

const hints: Record<string, string> = {
  [unknownChannel]: "the channel was deleted: take it out of `channels.discord.guilds`, or name another",
  50001: "let the bot's role view the channel",
  50013:
    "give the bot's role the permission to send messages there (and in threads), attach files and read the history",
  50083: "the thread is archived: open it again",
  160005: "the thread is locked: unlock it",
};

/** The classes come from the discord.js that the caller has loaded. */
export interface FailureClasses {
  DiscordAPIError: typeof DiscordAPIError;
  RateLimitError: typeof RateLimitError;
}

/** Of a request that was held back on this machine. */
const heldBackMs = 1_000;

export function failureOf(error: unknown, classes: FailureClasses): Failure {
  // The only one thrown below REST is the guard's, which sends nothing then.
  if (error instanceof ProviderError) return { kind: "limited", afterMs: heldBackMs, everywhere: true };
  if (error instanceof classes.RateLimitError) {
    const afterMs = Math.max(error.retryAfter, error.sublimitTimeout, error.timeToReset, 100);
    return { kind: "limited", afterMs, everywhere: error.global };
  }
  if (error instanceof classes.DiscordAPIError) {
    const { code, status, message } = error;
    if (code === unknownMessage) return { kind: "gone" };
    if (code === replyWithoutHistory) return { kind: "no_reply" };
    const hint = hints[code] ?? "look at the channel's permissions for the bot's role";
    // The connection sees to its token; what was to be said waits for it.
    if (status === 401) return { kind: "limited", afterMs: heldBackMs, everywhere: true };
    const isOfChannel = status === 403 || code === unknownChannel;
    if (status >= 400 && status < 500)
      return { kind: "refused", code: String(code), reason: message, hint, isOfChannel };
  }
  return { kind: "uncertain", reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
}
