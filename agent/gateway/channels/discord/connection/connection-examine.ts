/** A look at the bot's token from outside an instance, for `clawdinator doctor`. Does not connect. */
import { describeError } from "../../../../../tools/errors.ts";
import type { Check } from "../../../../../tools/fleet/model.ts";
import { type Inspection, inspectToken } from "./connection-bot.ts";
import { requestTimeoutMs, restOptions } from "./connection-client.ts";
import { trouble } from "./connection-trouble.ts";
import { inviteLink } from "./settings-check.ts";
import { type TokenSources, tokenReader } from "./token.ts";

/** Never throws. */
export async function examineToken(sources: Omit<TokenSources, "tokenSecret">): Promise<Omit<Check, "name">> {
  try {
    const token = await tokenReader({ ...sources, tokenSecret: async () => null })();
    if (token === null) return { ok: false, detail: trouble.noToken };
    const { DefaultRestOptions, REST } = await import("discord.js");
    const rest = new REST(restOptions(sources.config.channels.discord, DefaultRestOptions.makeRequest)).setToken(token);
    try {
      return describeInspection(await inspectToken(rest, AbortSignal.timeout(requestTimeoutMs * 2)));
    } finally {
      rest.clearHandlerSweeper();
      rest.clearHashSweeper();
    }
  } catch (error) {
    const { message, hint } = describeError(error);
    return { ok: false, detail: `${message}; ${hint}` };
  }
}

/** What is known of a token before anything connects. */
export function describeInspection(found: Inspection): Omit<Check, "name"> {
  if (found.kind === "refused") return { ok: false, detail: trouble.refusedToken };
  if (found.kind === "unknown") return { ok: false, detail: trouble.unreachable(found.detail) };
  if (!found.hasMessageContent) return { ok: false, detail: trouble.noMessageContent };
  const invite = found.application ? `; to invite it: ${inviteLink(found.application)}` : "";
  return { ok: true, detail: `the token of ${found.name} (${found.id}) is accepted${invite}` };
}
